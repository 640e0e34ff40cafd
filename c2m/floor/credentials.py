"""One credential per factory, for MQTT (username and password) and HTTP (bearer key); only hashes of it are kept.

Without any, broker and inlet take whoever is on the loopback: the demo. With the first one nobody is taken without, and
a factory reads and writes its own topics alone. A key has 256 bits of chance, so that a plain hash of it tells nothing.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from c2m.errors import InputError
from c2m.files import write_private
from c2m.home import secret
from c2m.settings import settings
from c2m.wire.messages import ID_PATTERN

SIGNATURE = "c2m-signature"  # header of what we post
PLATFORM = "c2m-platform"  # relay and collector; its key is made anew with every start of the floor
_RESERVED = re.compile(r"c2m([-_].*)?", re.IGNORECASE)  # names of the platform and of its clients
_SALT_BYTES, _ITERATIONS = 12, 1000  # of Mosquitto's PBKDF2; a key needs no slow hash
_ACL = f"""user {PLATFORM}
topic readwrite c2m/v1/#

pattern read c2m/v1/%u/job-orders
pattern write c2m/v1/%u/job-responses
pattern write c2m/v1/%u/scans
pattern readwrite c2m/v1/%u/status
pattern readwrite spBv1.0/%u/#
"""

Hashes = dict[str, str]  # scheme (sha256, mosquitto): hash


def known() -> Mapping[str, Hashes]:
    """The hashes by factory; empty where no credential was ever issued."""
    try:
        seen = _file().stat()
    except FileNotFoundError:
        return {}
    return _read(_file(), (seen.st_mtime_ns, seen.st_ino))


@lru_cache(maxsize=1)
def _read(file: Path, _version: tuple[int, int]) -> Mapping[str, Hashes]:
    found: dict[str, Hashes] = json.loads(file.read_bytes())
    return found


def required() -> bool:
    """Whether a credential was ever issued: from then on nobody is taken without, also where all were taken back."""
    return _file().exists()


def issue(name: str) -> str:
    """A new key of a factory, which replaces the one before; it is shown this once and kept nowhere.

    Raises
    ------
    InputError
        The name cannot be that of a factory.
    """
    if not re.fullmatch(ID_PATTERN, name):
        raise InputError("bad-factory-id", [f"{name!r} is no factory identifier, expected {ID_PATTERN}"])
    if _RESERVED.fullmatch(name):
        raise InputError("bad-factory-id", [f"{name!r} is a name of the platform, expected one that begins otherwise"])
    return _issued(name)


def platform_key() -> str:
    """A new key of the platform's own services."""
    return _issued(PLATFORM)


def client_id(name: str) -> str:
    """The MQTT client id of one of our services, which nobody can guess: who knew it could take over its session."""
    return f"{name}-{hmac.new(secret('broker').encode(), name.encode(), hashlib.sha256).hexdigest()[:24]}"


def _issued(name: str) -> str:
    key = secrets.token_urlsafe(32)
    _keep({**known(), name: {"sha256": _digest(key), "mosquitto": _for_mosquitto(key)}})
    return key


def signature(name: str, body: bytes) -> dict[str, str]:
    """The header by which a factory knows that a message over HTTP comes from us and is new; none without a credential.

    `C2M-Signature: t=SECONDS,v1=HEX`: HMAC-SHA256 over the seconds since 1970, a full stop and the body. Its secret is
    the hexadecimal SHA-256 of the factory's key, which is what both sides have.
    """
    if (held := known().get(name)) is None:
        return {}
    seconds = str(int(time.time()))
    signed = hmac.new(held["sha256"].encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    return {SIGNATURE: f"t={seconds},v1={signed.hexdigest()}"}


def revoke(name: str) -> None:
    """Nobody is taken by this name any more.

    Raises
    ------
    InputError
        There is no such credential.
    """
    rest = dict(known())
    if name not in rest:
        raise InputError("no-credential", [f"factory {name} has no credential: see c2m factory list"])
    del rest[name]
    _keep(rest)


def broker_files(folder: Path) -> list[str]:
    """Writes what Mosquitto checks clients by; the lines of its configuration. Without credentials, all are taken."""
    held = known()
    if not required():
        return ["allow_anonymous true"]
    passwords, acl = folder / "passwords", folder / "acl"
    write_private(passwords, "".join(f"{name}:{hashes['mosquitto']}\n" for name, hashes in held.items()))
    write_private(acl, _ACL)
    return ["allow_anonymous false", f"password_file {passwords}", f"acl_file {acl}"]


@dataclass
class Doorkeeper:
    """Who may speak over HTTP, and how often: a bucket of tokens per factory, filled at the rate of the settings."""

    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)  # tokens left, when

    def refusal(self, factory_id: str, authorization: str | None) -> tuple[int, str] | None:
        """HTTP status and reason; None for who may go in."""
        if required():
            hashes = known().get(factory_id)
            scheme, _, key = (authorization or "").partition(" ")
            if (
                hashes is None
                or scheme.lower() != "bearer"
                or not secrets.compare_digest(hashes["sha256"], _digest(key))
            ):
                return 401, f"no valid key for factory {factory_id}: send Authorization: Bearer KEY"
        return None if self._has_token(factory_id) else (429, "too many messages a second: send larger batches")

    def _has_token(self, factory_id: str) -> bool:
        rate, now = settings().http_messages_per_second, time.monotonic()
        left, then = self._buckets.get(factory_id, (rate, now))
        left = min(rate, left + rate * (now - then))
        self._buckets[factory_id] = max(0.0, left - 1), now
        return left >= 1


def _file() -> Path:
    return settings().home / "credentials.json"


def _keep(held: Mapping[str, Hashes]) -> None:
    write_private(_file(), json.dumps(dict(sorted(held.items())), indent=1))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _for_mosquitto(key: str) -> str:
    salt = secrets.token_bytes(_SALT_BYTES)
    made = hashlib.pbkdf2_hmac("sha512", key.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"
