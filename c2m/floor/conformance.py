"""The conformance kit: it plays the platform towards one factory's gateway and judges every rule of the conversation.

Job orders of the kit are marked `conformance-...` and are taken back before work begins, so that a real gateway can be
judged on its own floor. A gateway passes when no finding failed; what it left no occasion to judge is skipped.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from queue import Empty, Queue
from urllib.parse import urlsplit

from c2m import clock
from c2m.errors import InputError
from c2m.floor import credentials, http
from c2m.floor.delivery import Letter, NotDeliveredError
from c2m.floor.mqtt import Connection, ReceivedMessage
from c2m.ids import derive_id
from c2m.ledger.states import RANK
from c2m.settings import settings
from c2m.wire.messages import (
    KIND_OF_TYPE,
    OPERATIONS,
    PLATFORM,
    STATUS,
    VERSION,
    Cancel,
    Envelope,
    Item,
    JobOrder,
    JobResponse,
    Kind,
    Payload,
    ResponseMessage,
    RoutingStep,
    Start,
    StatusMessage,
    compose,
    parse,
    parse_topic,
    topic,
)

FROM_FACTORY: tuple[Kind, ...] = ("job-responses", "scans", "status")
QUIET_S = 1.0  # after which nothing more is expected to come by itself

Send = Callable[[bytes], object]
Heard = tuple[str, bytes]  # topic, body


@dataclass(frozen=True)
class RuleFinding:
    """A rule; whether the gateway keeps it, None where there was no occasion to judge; what was seen."""

    rule: str
    kept: bool | None
    seen: str


@contextmanager
def over_mqtt(factory_id: str, kinds: Sequence[Kind] = FROM_FACTORY) -> Iterator[tuple[Send, "Queue[Heard]"]]:
    """The platform's end at the broker of the settings; it hears what is retained of these kinds, then what comes."""
    heard: Queue[Heard] = Queue()

    def hand_on(message: ReceivedMessage) -> None:
        heard.put((message.topic, message.payload))
        connection.acknowledge(message)

    topics = [topic(factory_id, kind) for kind in kinds]
    connection = Connection(f"c2m-conformance-{factory_id}-{len(topics)}", topics, hand_on)
    with connection:
        if not connection.ready.wait(10):
            raise ConnectionError("no connection to the broker within 10 s")
        yield partial(_publish, connection, topic(factory_id, "job-orders")), heard


def _publish(connection: Connection, name: str, body: bytes) -> None:
    connection.publish(name, body).result(10)


@contextmanager
def over_http(factory_id: str, url: str, port: int) -> Iterator[tuple[Send, "Queue[Heard]"]]:
    """The platform's end over HTTP: posts to the gateway's `url`, takes its answers on a loopback `port`."""
    heard: Queue[Heard] = Queue()

    def accept(speaker: str, kind: str, body: bytes) -> "Future[str]":
        heard.put((f"c2m/v1/{speaker}/{kind}", body))
        done: Future[str] = Future()
        done.set_result("")
        return done

    with http.Client() as client, http.serve(http.inlet("/v1/factories/{factory_id}/{kind}", accept), port):
        ours = url == settings().http_factory_url.format(factory_id=factory_id)  # simulated ones ask for a key
        carry = http.carrier(client, lambda _: url, lambda _: credentials.simulated_login() if ours else {})
        yield lambda body: list(carry([Letter("", factory_id, "job-orders", body)])), heard


@dataclass
class Judge:
    """One run of the kit. `patience_s`: how long an answer may take."""

    factory_id: str
    send: Send
    heard: "Queue[Heard]"
    category: str = "shirt"
    patience_s: float = 10.0
    has_status: bool = True  # HTTP has none
    version: int | None = None  # of the messages that the gateway understands; None: by its status, without one 1
    _said: list[Envelope] = field(default_factory=list)
    _broken: list[str] = field(default_factory=list)
    _strangers: list[str] = field(default_factory=list)
    _asked: dict[str, JobOrder] = field(default_factory=dict)  # the last offer of each job order

    def __post_init__(self) -> None:
        self._run = derive_id("conformance", self.factory_id, clock.now().isoformat())[:8]

    def findings(self) -> list[RuleFinding]:
        """The whole conversation, then what holds for all of it."""
        return [*self._conversation(), *self._always()]

    def _conversation(self) -> Iterator[RuleFinding]:
        if self.has_status:  # what is published before the gateway listens may reach nobody
            status = self._hear(lambda heard: isinstance(heard, StatusMessage) and heard.data.online, self.patience_s)
            said = status.data.version if isinstance(status, StatusMessage) else None
            self.version = self.version or said
        offer, answer = self._ask(self._order("a"))
        decided = answer is not None and answer.data.accepted is not None and answer.data.revision == 1
        yield RuleFinding("answers an offer by `accepted` and its revision", decided, _words(answer))
        if answer is None:
            return
        self.send(offer)
        again = self._next("a")
        same = again is not None and again.id == answer.id
        yield RuleFinding("answers what it has answered before by the same message", same, _words(again))
        accepted = answer.data.accepted is True
        hint = f"the offer was refused ({answer.data.reason}); have the gateway accept 100 pieces of {self.category}"
        yield from self._work() if accepted else [RuleFinding(rule, None, hint) for rule in _OF_WORK]
        yield from self._second_version(hint if not accepted else "")
        yield from self._cancelled_first()
        _, late = self._ask(self._order("c", accept_in=timedelta(minutes=-10)))
        yield RuleFinding("refuses what arrives after accept_by", _is_refused(late), _words(late))

    def _cancelled_first(self) -> Iterator[RuleFinding]:
        """A cancel that overtakes its offer on the way."""
        _, unknown = self._ask(Cancel(job_order_id=self._id("b"), revision=1))
        gone = unknown is not None and unknown.data.state == "Aborted"
        yield RuleFinding("confirms the cancel of what it does not know by Aborted", gone, _words(unknown))
        _, after = self._ask(self._order("b"))
        yield RuleFinding("refuses an offer that comes after its cancel", _is_refused(after), _words(after))

    def _work(self) -> Iterator[RuleFinding]:
        told = (message for message in self._said if _begun(message, self._id("a")))
        early = next(told, None) or self._hear(lambda message: _begun(message, self._id("a")), QUIET_S)
        yield RuleFinding(_OF_WORK[0], early is None, _words(early) if early else "nothing began")
        self._ask(Start(job_order_id=self._id("a"), revision=1), answered=False)
        started = self._hear(lambda message: _begun(message, self._id("a")), self.patience_s)
        yield RuleFinding(_OF_WORK[1], started is not None, _words(started))
        _, revised = self._ask(self._order("a", revision=2, quantity=120))
        answered = revised is not None and revised.data.revision == 2 and revised.data.accepted is not None
        yield RuleFinding(_OF_WORK[2], answered, _words(revised))
        _, ended = self._ask(Cancel(job_order_id=self._id("a"), revision=2, reason="conformance: taken back"))
        settled = ended is not None and (ended.data.state == "Aborted" or ended.data.accepted is False)
        yield RuleFinding(_OF_WORK[3], settled, _words(ended))

    def _second_version(self, hint: str) -> Iterator[RuleFinding]:
        """What only a gateway of version 2 is asked: ranks and crafts."""
        if (self.version or 1) < VERSION:
            yield from (RuleFinding(rule, None, "it understands version 1") for rule in _OF_VERSION_2)
            return
        _, crafted = self._ask(self._order("e", crafts=("conformance-craft",)))
        yield RuleFinding(_OF_VERSION_2[0], _is_refused(crafted), _words(crafted))
        _, taken = self._ask(self._order("d", accept_in=timedelta(seconds=_ACCEPT_IN_S)))
        if hint or taken is None or taken.data.accepted is not True:
            yield from (RuleFinding(rule, None, hint or f"not accepted: {_words(taken)}") for rule in _OF_VERSION_2[1:])
            return
        agreed = self._asked["d"]
        for rule, revision in zip(_OF_VERSION_2[1:], (2, 3), strict=True):
            told = agreed.model_copy(update={"revision": revision, "rank": 1_000_000 - revision})
            _, ranked = self._ask(told)
            stands = ranked is not None and (ranked.data.revision, ranked.data.state) == (revision, "NotAllowedToStart")
            yield RuleFinding(rule, stands, _words(ranked))
            time.sleep(max(0.0, (agreed.accept_by - clock.now()).total_seconds() + 0.1))
        self._ask(Cancel(job_order_id=self._id("d"), revision=3, reason="conformance: taken back"))

    def _always(self) -> Iterator[RuleFinding]:
        self._hear(lambda _: False, QUIET_S)
        yield RuleFinding("every message keeps the schema", not self._broken, "; ".join(self._broken[:3]) or "all did")
        alone = "; ".join(self._strangers[:3]) or "it did"
        yield RuleFinding("speaks for itself alone", not self._strangers, alone)
        backwards = list(self._backwards())
        yield RuleFinding(
            "`sequence` grows and states go forward", not backwards, "; ".join(backwards[:3]) or "they did"
        )
        online = self._is_online() if self.has_status else None
        words = {True: "online", False: "no retained status that says so", None: "HTTP has none"}[online]
        yield RuleFinding("says by a retained status that it is there", online, words)

    def _is_online(self) -> bool:
        """By the status that the broker has retained for whoever comes later."""
        with over_mqtt(self.factory_id, ["status"]) as (_, heard), suppress(Empty):
            message = parse(heard.get(timeout=QUIET_S)[1])
            return isinstance(message, StatusMessage) and message.data.online
        return False

    def _backwards(self) -> Iterator[str]:
        """Responses that are older than one before, repetitions apart."""
        last: dict[str, JobResponse] = {}
        seen: set[str] = set()
        for message in self._said:
            if not isinstance(message, ResponseMessage) or message.id in seen:
                continue
            seen.add(message.id)
            now, before = message.data, last.get(message.data.job_order_id)
            if before and (now.revision, now.sequence) <= (before.revision, before.sequence):
                yield f"sequence {now.sequence} of revision {now.revision} after {before.sequence} of {before.revision}"
            if before and RANK[now.state] < RANK[before.state]:
                yield f"{now.state} after {before.state}"
            last[now.job_order_id] = now

    def _ask(self, data: Payload, answered: bool = True) -> tuple[bytes, ResponseMessage | None]:
        """Says something about a job order; its bytes, and the response."""
        if isinstance(data, JobOrder):
            self._asked[data.job_order_id.rsplit("-", 1)[1]] = data
        body = compose(data, PLATFORM, clock.now()).body()
        self.send(body)
        job_order_id = getattr(data, "job_order_id", "")
        return body, self._next(job_order_id.rsplit("-", 1)[1]) if answered else None

    def _next(self, name: str) -> ResponseMessage | None:
        return self._hear(
            lambda message: isinstance(message, ResponseMessage) and message.data.job_order_id == self._id(name),
            self.patience_s,
        )  # type: ignore[return-value]

    def _hear(self, holds: Callable[[Envelope], bool], patience_s: float) -> Envelope | None:
        """The next message of which something holds; keeps every one that comes."""
        until = time.monotonic() + patience_s
        while (left := until - time.monotonic()) > 0:
            try:
                name, body = self.heard.get(timeout=left)
            except Empty:
                break
            if (message := self._taken(name, body)) and holds(message):
                return message
        return None

    def _taken(self, name: str, body: bytes) -> Envelope | None:
        message = parse(body)
        if isinstance(message, str):
            self._broken.append(message)
            return None
        if not _is_its_place(message, name):
            self._strangers.append(f"{message.source} said {message.type} on {name}")
        self._said.append(message)
        return message

    def _id(self, name: str) -> str:
        return f"conformance-{self._run}-{name}"

    def _order(
        self,
        name: str,
        revision: int = 1,
        quantity: int = 100,
        accept_in: timedelta = timedelta(hours=12),
        crafts: tuple[str, ...] = (),
    ) -> JobOrder:
        """An offer as the gateway's version has it."""
        now = clock.now()
        pieces = {"conformance-M": quantity - 40, "conformance-L": 40}
        offer = JobOrder(
            job_order_id=self._id(name),
            revision=revision,
            order_id="conformance",
            merchant_id="conformance",
            style_id="conformance",
            category=self.category,
            quantity=quantity,
            quantity_by_sku=pieces,
            start_on=now.date() + timedelta(days=1),
            due_on=now.date() + timedelta(days=21),
            accept_by=now + accept_in,
            operations=tuple(RoutingStep(name=operation, sam_minutes=2.0) for operation in OPERATIONS[:-1]),
            rank=1_000_000,
            items=tuple(_item(sku, n) for sku, n in pieces.items()),
            style_name="conformance",
            crafts=crafts,
            price=1.0,
            currency="USD",
            order_code=_CODE,
            style_code=_CODE,
        )
        return offer.of_version(self.version or 1)


_OF_WORK = (
    "does not begin before it is told to start",
    "begins, or says that it may, when it is told to start",
    "answers a new quantity by its revision",
    "answers a cancel by Aborted, or refuses it",
)
_OF_VERSION_2 = (
    "refuses work that needs a craft which it does not have",
    "answers another rank by its revision, and what was agreed stands",
    "answers another rank after accept_by too",
)
_CODE = "007/靛蓝 É #1"  # merchants spell their codes as they like
_ACCEPT_IN_S = 3.0  # that an offer may be accepted in, where the kit waits for it to pass


def _item(sku_id: str, quantity: int) -> Item:
    return Item(
        sku_id=sku_id,
        colour="靛蓝 blue",
        size=sku_id[-1],
        quantity=quantity,
        personalisation={"name 1": "Zoë 王", "note": ""},
        **{f"{name}_code": f"{_CODE} {sku_id}" for name in ("sku", "colour", "size")},
    )


def _is_its_place(message: Envelope, name: str) -> bool:
    """Whether a message came on the topic of its factory and kind."""
    return parse_topic(name) == (message.factory_id, KIND_OF_TYPE[message.type])


def _begun(message: Envelope, job_order_id: str) -> bool:
    if message.type == STATUS:
        return False
    if isinstance(message, ResponseMessage):
        return message.data.job_order_id == job_order_id and RANK[message.data.state] >= RANK["AllowedToStart"]
    return any(getattr(scan, "job_order_id", None) == job_order_id for scan in getattr(message, "data", ()))


def _is_refused(message: ResponseMessage | None) -> bool:
    return message is not None and message.data.accepted is False


def _words(message: Envelope | None) -> str:
    if message is None:
        return "no answer"
    return _answer_words(message.data) if isinstance(message, ResponseMessage) else message.type


def _answer_words(said: JobResponse) -> str:
    reason = f" ({said.reason})" if said.reason else ""
    return f"{said.state}, accepted {said.accepted}, revision {said.revision}, sequence {said.sequence}{reason}"


def judge(
    url: str, factory_id: str, category: str, patience_s: float, port: int, version: int | None = None
) -> list[RuleFinding]:
    """Judges the gateway of a factory by a conversation with it.

    Parameters
    ----------
    url
        mqtt://host:port of the broker where it listens, or its own http(s) endpoint.
    factory_id
        Whom it speaks for.
    category
        Of the pieces that it is asked to make.
    patience_s
        Seconds that it has for an answer.
    port
        On which its HTTP calls are taken.
    version
        Of the messages that it understands, where it does not say so itself.

    Returns
    -------
    list of RuleFinding
        One per rule of the conversation.

    Raises
    ------
    InputError
        The address is none, or nobody is there.
    """
    is_mqtt = urlsplit(url).scheme == "mqtt"
    if not is_mqtt and urlsplit(url).scheme not in ("http", "https"):
        raise InputError("gateway-address", [f"{url!r} begins with neither mqtt://, http:// nor https://"])
    over = over_mqtt(factory_id) if is_mqtt else over_http(factory_id, url, port)
    try:
        with over as (send, heard):
            return Judge(factory_id, send, heard, category, patience_s, is_mqtt, version).findings()
    except (ConnectionError, NotDeliveredError) as error:
        seen = f"{url} cannot be reached ({error}): expected the gateway, or the broker where it listens, to run there"
        raise InputError("gateway-unreachable", [seen]) from error
