"""What a scenario costs beside the plan as it is."""

__all__ = ["adoption", "comparison", "running_plan", "scenarios"]
