"""An independent judge of plans; imports nothing above it."""

__all__ = ["verifier"]
