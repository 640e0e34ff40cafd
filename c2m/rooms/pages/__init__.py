"""The pages of the order room: a module per room, each with its routes."""

__all__ = [
    "board",
    "factory",
    "figures",
    "market",
    "merchant",
    "network",
    "operations_room",
    "ordering",
    "orders",
    "own_factory",
    "plans",
    "shelf",
    "sign_in",
    "voices",
]
