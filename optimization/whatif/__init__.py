"""What a scenario costs beside the plan as it is."""

__all__ = ["adoption", "changes", "comparison", "running_plan"]
