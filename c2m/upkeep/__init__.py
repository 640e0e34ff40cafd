"""What keeps a platform going when nobody looks: children kept alive, figures, old files pruned, a newer version."""

__all__ = ["backup", "databases", "keeper", "metrics", "retention", "tracking", "upgrade"]
