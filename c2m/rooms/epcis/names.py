"""How EPCIS names what is ours: goods, places, parties, documents and steps. Each name follows from our ids alone.

A class of goods is a batch: a SKU of one lot. Where the merchant's own number of the SKU is a GTIN, its name is a GS1
Digital Link with the lot as batch number; else, as the Core Business Vocabulary permits, a private URN.
"""

import hashlib
import re
from collections.abc import Sequence

from c2m.wire.messages import INSPECT, RECEIVE, SHIP

RECEIVED = "received"  # operation of a merchant's receipt
# Steps of the Core Business Vocabulary by operation; any other operation is a step of ours.
STEPS = {"cut": "creating_class_instance", INSPECT: "inspecting", "pack": "packing", SHIP: "shipping"}
STEPS |= {RECEIVE: "receiving", RECEIVED: "receiving"}
_CBV = re.compile(r"(https://ref\.gs1\.org/cbv/BizStep-|https://ns\.gs1\.org/cbv/BizStep-|urn:epcglobal:cbv:bizstep:)")
_BATCH = re.compile(r"[A-Za-z0-9_-]{1,20}")  # the characters of a GS1 batch number that our ids have


def urn(kind: str, *ids: str) -> str:
    """A private name."""
    return ":".join(("urn:c2m", kind, *ids))


def step(operation: str) -> str:
    """The business step of an operation."""
    return STEPS.get(operation) or urn("bizstep", operation)


def operations(steps: Sequence[str]) -> list[str]:
    """The operations of business steps, each given by its short name, by its address or by ours."""
    short = [_CBV.sub("", one) for one in steps]
    ours = [one.removeprefix(urn("bizstep", "")) for one in short if one.startswith(urn("bizstep", ""))]
    return [*ours, *(operation for operation, one in STEPS.items() if one in short)]


def goods(merchant_id: str, lot_id: str, sku_id: str, sku_code: str | None) -> str:
    """The class of a lot's pieces of a SKU."""
    if not sku_code or not is_gtin(sku_code):
        return urn("goods", merchant_id, lot_id, sku_id)
    batch = lot_id if _BATCH.fullmatch(lot_id) else hashlib.sha256(lot_id.encode()).hexdigest()[:20]
    return f"https://id.gs1.org/01/{sku_code.zfill(14)}/10/{batch}"


def is_gtin(code: str) -> bool:
    """Whether a number is a GTIN of 8, 12, 13 or 14 digits whose check digit is right."""
    if len(code) not in (8, 12, 13, 14) or not (code.isascii() and code.isdigit()):
        return False
    digits = [int(one) for one in code.zfill(14)]
    return (sum(digits[0:13:2]) * 3 + sum(digits[1:13:2]) + digits[13]) % 10 == 0
