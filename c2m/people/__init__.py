"""What people are shown and told: the open book, where the platform stands, notices of alerts, where videos lie."""

__all__ = ["book", "bought", "designs", "first_order", "json_rows", "notify", "overview", "video"]
