"""What a scenario costs beside the plan as it is."""

__all__ = ["changes", "comparison", "running_plan"]
