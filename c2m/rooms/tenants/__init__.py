"""What merchants and factories bring and say: feed rows, changes of orders, words by hand; what was made, and told."""

__all__ = ["booked", "byhand", "changes", "landed", "placed", "quoted", "scanned", "told"]
