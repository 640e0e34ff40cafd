"""Identifiers that follow from content."""

import hashlib
from uuid import NAMESPACE_URL, uuid5


def derive_id(*parts: object) -> str:
    """An identifier that follows from content: the same parts give the same id everywhere."""
    return str(uuid5(NAMESPACE_URL, "c2m:" + "\x1f".join(map(str, parts))))


def placed_id(merchant_id: str, code: str) -> str:
    """The id of an order that is placed here, not sent by file: the same merchant and number have the same id.

    Parameters
    ----------
    merchant_id
        Who places it.
    code
        The merchant's number of the order.

    Returns
    -------
    str
        A UUID.
    """
    return derive_id("room-order", merchant_id, code)


def within_all(tenant: str, own_id: str) -> str:
    """An id that is unique among all tenants and still tells people the own one.

    Parameters
    ----------
    tenant
        Merchant or factory, whose ids are unique within its own.
    own_id
        The tenant's id; 47 characters of it are kept.

    Returns
    -------
    str
        The own id, a hyphen, and 16 characters of a hash of both.
    """
    return f"{own_id[:47]}-{hashlib.sha256(f'{tenant} {own_id}'.encode()).hexdigest()[:16]}"
