"""Designs before they are styles: expected demand, first quantity, early reading, what attributes cost and bring."""

__all__ = ["attribute_worth", "demand", "first_quantity", "reading"]
