"""Identifiers that follow from content."""

from uuid import NAMESPACE_URL, uuid5


def derive_id(*parts: object) -> str:
    """An identifier that follows from content: the same parts give the same id everywhere."""
    return str(uuid5(NAMESPACE_URL, "c2m:" + "\x1f".join(map(str, parts))))
