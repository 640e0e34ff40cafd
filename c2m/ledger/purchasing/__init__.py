"""Purchase orders of materials: proposed with a plan, released with it by the same decision."""

__all__ = ["purchases"]
