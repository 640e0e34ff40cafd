"""What is coming: attributes that gain, and the channels and regions that demand comes through."""

__all__ = ["attributes", "shares"]
