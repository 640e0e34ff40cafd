"""What platform and factories say to each other: the messages, and the documents that describe them to integrators."""

__all__ = ["interfaces", "messages"]
