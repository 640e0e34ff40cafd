"""What the market does: volume and price of categories by week, from own sales and outside series."""

__all__ = ["market_model", "pooled", "series"]
