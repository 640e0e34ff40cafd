"""Credentials of factories, for MQTT (username and password) and HTTP (bearer key); only hashes of them are kept.

Broker and inlet take nobody without, also on the loopback; a factory reads and writes its own topics alone. A key has
256 bits of chance, so that a plain hash of it tells nothing.

A key expires (`key_days`). `rotate` gives the next one while the old ones hold for some days. Each key is a user of its
own at the broker: the factory's id, then for the next keys F17.2, F17.3: a full stop is in no id. By the wall clock.
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
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from c2m.errors import InputError
from c2m.files import write_private
from c2m.home import secret
from c2m.settings import settings
from c2m.wire.messages import ID_PATTERN

SIGNATURE = "c2m-signature"  # header of what we post
PLATFORM = "c2m-platform"  # user of relay, collector and simulated factories
_RESERVED = re.compile(r"c2m([-_].*)?", re.IGNORECASE)  # names of the platform and of its clients
_SALT_BYTES, _ITERATIONS = 12, 1000  # of Mosquitto's PBKDF2; a key needs no slow hash
_ACL = f"""user {PLATFORM}
topic readwrite c2m/v1/#
topic readwrite spBv1.0/#

"""
_OWN = """
user {user}
topic read c2m/v1/{factory_id}/job-orders
topic write c2m/v1/{factory_id}/job-responses
topic write c2m/v1/{factory_id}/scans
topic readwrite c2m/v1/{factory_id}/status
topic readwrite spBv1.0/{factory_id}/#
"""

Hashes = dict[str, str]  # scheme (sha256, mosquitto): hash; until: moment (ISO) from which on it is no longer taken


def known() -> Mapping[str, Hashes]:
    """The hashes by user, expired ones too; empty where no credential was ever issued.

    Raises
    ------
    InputError
        The file of credentials cannot be read as one.
    """
    try:
        seen = _file().stat()
    except FileNotFoundError:
        return {}
    return _read(_file(), (seen.st_mtime_ns, seen.st_ino))


@lru_cache(maxsize=1)
def _read(file: Path, _version: tuple[int, int]) -> Mapping[str, Hashes]:
    try:
        found: dict[str, Hashes] = json.loads(file.read_bytes())
    except ValueError as error:
        fault = (
            f"{file} cannot be read ({error}); nobody is let in: "
            "restore it from a backup, or remove it and issue all keys anew (c2m factory add)"
        )
        raise InputError("credentials", [fault]) from None
    found.pop(PLATFORM, None)  # homes of earlier versions kept it beside the factories
    return found


def issued() -> bool:
    """Whether a factory has a key, be it expired."""
    return bool(known())


def live() -> dict[str, Hashes]:
    """The hashes by user of the keys that have not expired."""
    now = datetime.now(UTC)
    return {user: hashes for user, hashes in known().items() if (end := expires(hashes)) is None or end > now}


def expires(hashes: Hashes) -> datetime | None:
    """When a key expires; None: never, as with keys of earlier versions."""
    return datetime.fromisoformat(hashes["until"]) if "until" in hashes else None


def owner(user: str) -> str:
    """The factory that a user of the broker speaks for."""
    return user.partition(".")[0]


def of(factory_id: str) -> dict[str, Hashes]:
    """The keys of a factory that have not expired, by user, the newest first."""
    held = {user: hashes for user, hashes in live().items() if owner(user) == factory_id}
    return dict(sorted(held.items(), key=lambda one: -_number(one[0])))


def _number(user: str) -> int:
    return int(user.partition(".")[2] or 1)


def issue(name: str) -> str:
    """A new key of a factory, which replaces all before at once; it is shown this once and kept nowhere.

    Raises
    ------
    InputError
        The name cannot be that of a factory.
    """
    if not re.fullmatch(ID_PATTERN, name):
        raise InputError("bad-factory-id", [f"{name!r} is no factory identifier, expected {ID_PATTERN}"])
    if _RESERVED.fullmatch(name):
        raise InputError("bad-factory-id", [f"{name!r} is a name of the platform, expected one that begins otherwise"])
    rest = {user: hashes for user, hashes in known().items() if owner(user) != name}
    return _issued(name, rest, _in_days(settings().key_days))


def rotate(name: str, overlap_days: float) -> tuple[str, str]:
    """Gives a factory its next key, beside those that it has.

    Parameters
    ----------
    name
        Of the factory.
    overlap_days
        Days that its keys so far hold at most from now on.

    Returns
    -------
    tuple of str
        User and key.

    Raises
    ------
    InputError
        The factory has no key that could be followed.
    """
    numbers = [_number(user) for user in known() if owner(user) == name]
    if not numbers:
        raise InputError("no-credential", [f"factory {name} has no credential: c2m factory add {name} issues one"])
    user, end = f"{name}.{max(numbers) + 1}", _in_days(overlap_days)
    held = {one: _ending(hashes, end) if owner(one) == name else hashes for one, hashes in known().items()}
    return user, _issued(user, held, _in_days(settings().key_days))


def _ending(hashes: Hashes, end: str) -> Hashes:
    return {**hashes, "until": min(end, hashes.get("until", end))}


def _in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


def renew_platform_key() -> None:
    """The platform's own services get a new key; they find it in the home, which is their user's alone."""
    write_private(_platform_file(), secrets.token_urlsafe(32))


def platform_key() -> str | None:
    """The key of the platform's own services; None where no broker was started in this home."""
    file = _platform_file()
    return file.read_text() if file.exists() else None


def _platform_file() -> Path:
    return settings().home / "platform.key"


def simulated_login() -> dict[str, str]:
    """The header by which simulated factories know what the relay posts to them; its key opens nothing else."""
    return {"authorization": f"Bearer {secret('factories')}"}


def client_id(name: str) -> str:
    """The MQTT client id of one of our services, which nobody can guess: who knew it could take over its session."""
    return f"{name}-{hmac.new(secret('broker').encode(), name.encode(), hashlib.sha256).hexdigest()[:24]}"


def _issued(user: str, held: Mapping[str, Hashes], until: str) -> str:
    key = secrets.token_urlsafe(32)
    _keep({**held, user: {"sha256": _digest(key), "mosquitto": _for_mosquitto(key), "until": until}})
    return key


def is_platform(key: str) -> bool:
    """Whether it is the key of the platform's own services."""
    return secrets.compare_digest(key.encode(), (platform_key() or "").encode()) and bool(key)


def signature(name: str, body: bytes) -> dict[str, str]:
    """The header by which a factory knows that a message over HTTP comes from us and is new; none without a credential.

    `C2M-Signature: t=SECONDS,v1=HEX`: HMAC-SHA256 over the seconds since 1970, a full stop and the body. Its secret is
    the hexadecimal SHA-256 of the factory's key, which is what both sides have. While a key is followed by the next
    one, there is a `v1` of each.
    """
    held = of(name)
    if not held:
        return {}
    seconds = str(int(time.time()))
    signed = (_signed(hashes["sha256"], f"{seconds}.".encode() + body) for hashes in held.values())
    return {SIGNATURE: ",".join((f"t={seconds}", *(f"v1={one}" for one in signed)))}


def _signed(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def revoke(name: str) -> None:
    """Nobody is taken by this name any more.

    Raises
    ------
    InputError
        There is no such credential.
    """
    rest = {user: hashes for user, hashes in known().items() if owner(user) != name}
    if rest == known():
        raise InputError("no-credential", [f"factory {name} has no credential: see c2m factory list"])
    _keep(rest)


def broker_files(folder: Path) -> list[str]:
    """Writes what Mosquitto checks clients by; the lines of its configuration."""
    passwords, acl = folder / "passwords", folder / "acl"
    hashed = {user: hashes["mosquitto"] for user, hashes in live().items()}
    own = [_OWN.format(user=user, factory_id=owner(user)) for user in hashed]
    if key := platform_key():
        hashed[PLATFORM] = _for_mosquitto(key)
    write_private(passwords, "".join(f"{user}:{one}\n" for user, one in hashed.items()))
    write_private(acl, "".join((_ACL, *own)))
    return ["allow_anonymous false", f"password_file {passwords}", f"acl_file {acl}"]


@dataclass
class Doorkeeper:
    """Who may speak over HTTP, and how often: a bucket of tokens per factory, filled at the rate of the settings."""

    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)  # tokens left, when

    def refusal(self, factory_id: str, authorization: str | None) -> tuple[int, str] | None:
        """HTTP status and reason; None for who may go in."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not (_opens(factory_id, key) or is_platform(key)):
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


def _opens(name: str, key: str) -> bool:
    """Whether it is a valid key of a factory; all keys are compared, so that the time tells nothing."""
    told = _digest(key)
    good = [secrets.compare_digest(hashes["sha256"], told) for hashes in of(name).values()]
    return any(good)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _for_mosquitto(key: str) -> str:
    salt = secrets.token_bytes(_SALT_BYTES)
    made = hashlib.pbkdf2_hmac("sha512", key.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"
