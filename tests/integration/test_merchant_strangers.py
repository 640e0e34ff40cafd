"""3,000 requests over all addresses of the merchant API, made from its document, with another merchant's token.

No answer has a row of the merchant that the ids are of, and none is a fault of the server.
"""

import asyncio
import json
from typing import Any

import httpx
import pytest
import schemathesis
from api_kit import Caller
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.transport import Response
from test_merchant_api import served  # noqa: F401 - fixture

from c2m.doors import App
from c2m.rooms.api import site

REQUESTS = 3000
IDS = {"order_id": "O1", "quote_id": "q-of-M1", "webhook_id": "w-of-M1", "after": "O1", "style_id": "S1"}
MARKS = ("PO-of-M1", "Shirt of M1", '"S1-', '"S1"', '"O1"')
