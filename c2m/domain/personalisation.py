"""What makes pieces one shopper's own: names with texts, such as the name to embroider, as a JSON object of a line."""

import json


def pairs(told: str | None) -> dict[str, str]:
    """Names and texts, none where nothing is told; numbers and truth values as JSON spells them."""
    return {name: one if isinstance(one, str) else json.dumps(one) for name, one in json.loads(told or "{}").items()}


def canonical(told: str) -> str:
    """Equal for equal content, however it is spelled.

    >>> canonical('{"size": 41, "name":"Ada"}')
    '{"name": "Ada", "size": "41"}'
    """
    return json.dumps(pairs(told), sort_keys=True, ensure_ascii=False)
