"""Frames of the subprotocol `arqon.v1.json`: envelopes written, payloads read.

Nothing here knows a socket: text goes in and comes out.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .errors import BusError, ProtocolError
from .values import Row, Types, convert, to_json

SUBPROTOCOL = "arqon.v1.json"
SESSION_TOPIC = "system.control.session"
DELTA_SCHEMA = "arqonbus.delta.v1"
SNAPSHOT_SCHEMA = "arqonbus.snapshot.v1"
UPSERTS_SCHEMA = "arqonbus.upserts.v1"

AckMode = Literal["none", "accepted", "durable", "applied"]
As = Literal["deltas", "snapshot", "upserts"]
From = Literal["now", "snapshot"] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the bus says of itself and of the session it has opened."""

    session: str
    principal: str
    limits: Mapping[str, Any]
    server_time: str | None
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    """Where a published message came to stand; `offset` is none where the topic keeps no log."""

    id: str
    offset: int | None
    epoch: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """A row that came (`diff` > 0) or went (`diff` < 0) in an epoch."""

    epoch: int
    diff: int
    row: Row


@dataclass(frozen=True, slots=True)
class DeltaBatch:
    """All changes of the epochs in `[lower, upper)`, or one part of them.

    A batch without changes is a mark of progress: nothing below `upper` will change any more.
    `last` is false while further parts of the same bounds follow.
    """

    topic: str
    lower: int
    upper: int
    changes: tuple[Change, ...]
    last: bool = True

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)


@dataclass(frozen=True, slots=True)
class Event:
    """One message of a topic that carries events."""

    topic: str
    offset: int | None
    row: Row
    id: str | None = None
    ts: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All rows of a topic at an epoch, each with its multiplicity."""

    topic: str
    epoch: int
    rows: tuple[tuple[Row, int], ...]


@dataclass(frozen=True, slots=True)
class Upsert:
    """The new row of a key, or none where the key is gone."""

    epoch: int
    key: Row
    row: Row | None


@dataclass(frozen=True, slots=True)
class UpsertBatch:
    """The new state of every key that changed in `[lower, upper)`, or one part of it."""

    topic: str
    lower: int
    upper: int
    upserts: tuple[Upsert, ...]
    last: bool = True

    def __len__(self) -> int:
        return len(self.upserts)

    def __iter__(self) -> Iterator[Upsert]:
        return iter(self.upserts)


Delivery = DeltaBatch | Event | Snapshot | UpsertBatch


def new_id() -> str:
    """A fresh UUID of version 7: later ids sort after earlier ones, to the millisecond."""
    millis = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    bits = (millis & (1 << 48) - 1) << 80 | random
    bits = bits & ~(0xF << 76) | 0x7 << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=bits))


def dump(envelope: Mapping[str, Any]) -> str:
    """A frame's text. NaN is refused here: `to_json` has already written it as the bus reads it."""
    return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def load(text: str | bytes) -> dict[str, Any]:
    """The envelope of a frame."""
    try:
        envelope = json.loads(text)
    except ValueError as error:
        raise ProtocolError(f"a frame is not JSON: {error}") from error
    if not isinstance(envelope, dict) or "type" not in envelope:
        raise ProtocolError("a frame is not an envelope")
    return envelope


def control(name: str, body: Mapping[str, Any], id: str | None = None) -> dict[str, Any]:
    """A control envelope of the session, as `hello`, `subscribe` and `credit` are."""
    envelope = {"type": "control", "topic": SESSION_TOPIC, "payload": {name: dict(body)}}
    return {"id": id, **envelope} if id else envelope


def event(
    topic: str,
    row: Mapping[str, Any] | None,
    *,
    id: str,
    key: Mapping[str, Any] | None = None,
    ack: AckMode | None = None,
    headers: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A message with a row; without one it deletes `key` of a topic that carries `full`."""
    if row is None and key is None:
        raise ValueError(f"a delete on `{topic}` needs its key")
    if row is not None and not isinstance(row, Mapping):
        raise TypeError(f"a row is a mapping of fields, not a {type(row).__name__}")
    envelope: dict[str, Any] = {
        "id": id,
        "type": "event",
        "topic": topic,
        "payload": None if row is None else to_json(row),
    }
    return _with_headers(envelope, key=key, ack=ack, headers=headers)


def changes(
    topic: str,
    diffs: Iterable[tuple[int, Mapping[str, Any]]],
    *,
    id: str,
    ack: AckMode | None = None,
    headers: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A message of signed changes, for a topic that carries `delta`."""
    written = [{"diff": int(diff), "row": to_json(row)} for diff, row in diffs]
    envelope: dict[str, Any] = {
        "id": id,
        "type": "event",
        "topic": topic,
        "schema": DELTA_SCHEMA,
        "payload": {"changes": written},
    }
    return _with_headers(envelope, key=None, ack=ack, headers=headers)


def read_welcome(body: Mapping[str, Any]) -> Welcome:
    """The body of a `welcome`."""
    try:
        return Welcome(
            session=body["session"],
            principal=body["principal"],
            limits=body.get("limits") or {},
            server_time=body.get("server_time"),
            features=tuple(body.get("features") or ()),
        )
    except KeyError as error:
        raise ProtocolError(f"a welcome lacks {error}") from error


def read_error(body: Mapping[str, Any]) -> BusError:
    """The body of an `error`, as the exception to raise."""
    return BusError(
        body.get("code") or "INTERNAL",
        body.get("message") or "the bus gave no message",
        body.get("help") or None,
        id=body.get("id") or None,
        retry_after_ms=_optional_int(body.get("retry_after_ms")),
    )


def read_ack(body: Mapping[str, Any]) -> Ack:
    """The body of an `ack`."""
    offset, epoch = _optional_int(body.get("offset")), _optional_int(body.get("epoch"))
    return Ack(id=body["id"], offset=offset, epoch=epoch)


def delivery_sub(envelope: Mapping[str, Any]) -> int | None:
    """The number of the subscription an event frame belongs to."""
    headers = envelope.get("headers") or {}
    payload = envelope.get("payload")
    if "sub" in headers:
        return int(headers["sub"])
    if isinstance(payload, dict) and envelope.get("schema") in _BATCHED:
        return _optional_int(payload.get("sub"))
    return None


def read_delivery(envelope: Mapping[str, Any], types: Types) -> Delivery:
    """What an event frame brings to its subscription."""
    topic, payload = envelope["topic"], envelope["payload"]
    try:
        reader = _BATCHED.get(envelope.get("schema") or "")
        if reader is not None:
            return reader(topic, payload, types)
        headers = envelope.get("headers") or {}
        return Event(
            topic=topic,
            offset=_optional_int(headers.get("offset")),
            row=convert(payload, types),
            id=envelope.get("id"),
            ts=envelope.get("ts"),
        )
    except (KeyError, TypeError) as error:
        raise ProtocolError(f"a frame of `{topic}` is not as agreed: {error!r}") from error


def parts(envelope: Mapping[str, Any]) -> int:
    """In how many frames come the bounds, or the snapshot, that this frame is a part of."""
    payload = envelope.get("payload")
    return int(payload.get("parts") or 1) if isinstance(payload, dict) else 1


def _read_deltas(topic: str, payload: Mapping[str, Any], types: Types) -> DeltaBatch:
    read = tuple(
        Change(int(change["epoch"]), int(change["diff"]), convert(change["row"], types))
        for change in payload["changes"]
    )
    return DeltaBatch(topic, int(payload["lower"]), int(payload["upper"]), read)


def _read_snapshot(topic: str, payload: Mapping[str, Any], types: Types) -> Snapshot:
    rows = tuple((convert(entry["row"], types), int(entry["count"])) for entry in payload["rows"])
    return Snapshot(topic, int(payload["epoch"]), rows)


def _read_upserts(topic: str, payload: Mapping[str, Any], types: Types) -> UpsertBatch:
    read = tuple(
        Upsert(
            epoch=int(entry["epoch"]),
            key=convert(entry["key"], types),
            row=None if entry["row"] is None else convert(entry["row"], types),
        )
        for entry in payload["upserts"]
    )
    return UpsertBatch(topic, int(payload["lower"]), int(payload["upper"]), read)


_BATCHED: dict[
    str, Callable[[str, Mapping[str, Any], Types], DeltaBatch | Snapshot | UpsertBatch]
] = {
    DELTA_SCHEMA: _read_deltas,
    SNAPSHOT_SCHEMA: _read_snapshot,
    UPSERTS_SCHEMA: _read_upserts,
}


def _with_headers(
    envelope: dict[str, Any],
    *,
    key: Mapping[str, Any] | None,
    ack: AckMode | None,
    headers: Mapping[str, Any] | None,
) -> dict[str, Any]:
    written = dict(headers or {})
    if key is not None:
        written["key"] = to_json(key)
    if ack is not None:
        written["ack"] = ack
    return {**envelope, "headers": written} if written else envelope


def _optional_int(value: Any) -> int | None:
    return None if value is None else int(value)
