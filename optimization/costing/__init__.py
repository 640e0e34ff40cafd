"""What a design costs and when it is there, by quantity, before any order: materials bought, minutes quoted."""

__all__ = ["purchase", "study"]
