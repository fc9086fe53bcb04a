"""The connection: one session on the bus, what it publishes, and what answers it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import websockets.asyncio.client
import websockets.exceptions
import websockets.typing

from . import frames
from .errors import ArqonError, BusError, ConnectionLost, ProtocolError
from .frames import Ack, AckMode, As, From, Welcome
from .subscription import Link, Subscription
from .table import Table
from .values import Types

log = logging.getLogger("arqonbus")

CREDIT_DEFAULT = 10_000
FRAME_BYTES_MAX = 64 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One message of an atomic batch: a row, a delete by `key`, or signed `changes`."""

    topic: str
    row: Mapping[str, Any] | None = None
    key: Mapping[str, Any] | None = None
    changes: Sequence[tuple[int, Mapping[str, Any]]] | None = None

    def envelope(self, id: str) -> dict[str, Any]:
        """The message as it is written."""
        if self.changes is not None:
            return frames.changes(self.topic, self.changes, id=id)
        return frames.event(self.topic, self.row, id=id, key=self.key)


class connect:
    """Opens a session; to be used with `async with`, or awaited and closed by hand.

        async with arqonbus.connect("ws://127.0.0.1:41234", token=token) as bus:
            await bus.publish("shop.orders", {"id": 10})

    `client` names the program in the bus's records. `timeout` bounds, in seconds, the handshake
    alone (`TimeoutError`); wrap later calls in `asyncio.timeout` where they must not wait. Raises
    `OSError` where nobody listens, and `BusError` where the bus refuses the token.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        client: str = "arqonbus-python",
        timeout: float = 10.0,
    ) -> None:
        self._url = url
        self._hello = {"client": client} if token is None else {"token": token, "client": client}
        self._timeout = timeout
        self._bus: Bus | None = None

    def __await__(self) -> Generator[Any, None, Bus]:
        return self._open().__await__()

    async def __aenter__(self) -> Bus:
        self._bus = await self._open()
        return self._bus

    async def __aexit__(self, *_: object) -> None:
        if self._bus is not None:
            await self._bus.close()

    async def _open(self) -> Bus:
        async with asyncio.timeout(self._timeout):
            socket = await websockets.asyncio.client.connect(
                self._url,
                subprotocols=[websockets.typing.Subprotocol(frames.SUBPROTOCOL)],
                compression=None,
                max_size=FRAME_BYTES_MAX,
                proxy=None,
            )
            try:
                if socket.subprotocol != frames.SUBPROTOCOL:
                    raise ProtocolError(f"the server does not speak {frames.SUBPROTOCOL}")
                await socket.send(frames.dump(frames.control("hello", self._hello)))
                return Bus(socket, _read_first(await socket.recv()))
            except websockets.exceptions.ConnectionClosed as closed:
                raise _lost(closed) from closed
            except BaseException:
                await socket.close()
                raise


class Bus:
    """A session on the bus. `welcome` is what the server said of it."""

    def __init__(
        self, socket: websockets.asyncio.client.ClientConnection, welcome: Welcome
    ) -> None:
        self.welcome = welcome
        self._socket = socket
        # What a frame's id answers: an ack resolves, an error fails.
        self._acks: dict[str, asyncio.Future[Ack]] = {}
        self._batches: dict[str, list[str]] = {}
        self._subscriptions: dict[int, Subscription] = {}
        self._link = Link(self._send, self._subscriptions)
        self._n_subscriptions = 0
        self._lost: ArqonError | None = None
        self._reader = asyncio.create_task(self._read(), name="arqonbus reader")

    async def publish(
        self,
        topic: str,
        row: Mapping[str, Any] | None,
        *,
        key: Mapping[str, Any] | None = None,
        ack: AckMode | None = None,
        id: str | None = None,
    ) -> Ack | None:
        """Publishes a row; on a `full` topic none deletes `key`. Returns the acknowledgement.

        `ack` says what to wait for: `accepted`, `durable`, `applied`, or `none` (then nothing is
        returned, and a refusal is only logged). Without it the bus takes the topic's default. A
        message repeated with the same `id` takes effect once. Raises `BusError` on refusal.

            await bus.publish("shop.orders", {"id": 10, "amount": Decimal("30.00")})
            await bus.publish("shop.orders", None, key={"id": 10})
        """
        envelope = frames.event(topic, row, id=id or frames.new_id(), key=key, ack=ack)
        return await self._publish(envelope, ack)

    async def publish_changes(
        self,
        topic: str,
        changes: Iterable[tuple[int, Mapping[str, Any]]],
        *,
        ack: AckMode | None = None,
        id: str | None = None,
    ) -> Ack | None:
        """Publishes signed changes to a topic that carries `delta`; all in one epoch.

            await bus.publish_changes("shop.stock", [(-1, old), (+1, new)])
        """
        envelope = frames.changes(topic, changes, id=id or frames.new_id(), ack=ack)
        return await self._publish(envelope, ack)

    async def batch(self, messages: Iterable[Message]) -> list[Ack]:
        """Publishes messages in one epoch, all or nothing; the acknowledgements in their order.

            await bus.batch([Message("a", {"id": 1}), Message("b", None, key={"id": 2})])
        """
        envelopes = [message.envelope(frames.new_id()) for message in messages]
        if not envelopes:
            return []
        batch_id = frames.new_id()
        ids = [envelope["id"] for envelope in envelopes]
        futures = [self._expect_ack(id) for id in ids]
        self._batches[batch_id] = ids
        try:
            await self._send(frames.control("batch", {"messages": envelopes}, batch_id))
            return await asyncio.gather(*futures)
        finally:
            self._batches.pop(batch_id, None)
            for id in ids:
                self._forget_ack(id)

    def subscribe(
        self,
        topic: str,
        *,
        from_: From = "snapshot",
        as_: As = "deltas",
        where: str | None = None,
        credit: int = CREDIT_DEFAULT,
        types: Types | None = None,
        progress: bool = False,
    ) -> Subscription:
        """A subscription to iterate over; it starts with the first step of the iteration.

            async with bus.subscribe("shop.revenue", where='region == "EU"') as batches:
                async for batch in batches:
                    for change in batch:
                        print(change.epoch, change.diff, change.row)

        `from_` is `"now"`, `"snapshot"`, `{"epoch": 7}`, `{"offset": 12}` or `{"time": "…"}`.
        At most about `credit` changes wait here unread; the bus holds back the rest, and credit is
        given back as batches are taken. `types` converts fields: `{"amount": Decimal}`. With
        `progress`, marks of progress come too, as batches without changes.
        """
        if credit < 1:
            raise ValueError("credit is at least 1")
        self._n_subscriptions += 1
        request: dict[str, Any] = {"sub": self._n_subscriptions, "topic": topic}
        request |= {"from": from_, "as": as_}
        if where is not None:
            request["where"] = where
        request["credit"] = credit
        return Subscription(self._link, request, types or {}, progress=progress)

    async def table(
        self,
        topic: str,
        *,
        key: str | Sequence[str] | None = None,
        where: str | None = None,
        types: Types | None = None,
        credit: int = CREDIT_DEFAULT,
    ) -> Table:
        """The topic's rows, kept up to date; returns when the snapshot is in.

            table = await bus.table("shop.revenue", key="region")
            print(table.get("EU"), table.to_pandas())
        """
        subscription = self.subscribe(
            topic, where=where, types=types, credit=credit, progress=True
        )
        table = Table(subscription, key)
        await table.start()
        return table

    async def close(self) -> None:
        """Ends the session; what still waits fails with `ConnectionLost`."""
        await self._socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def __aenter__(self) -> Bus:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _publish(self, envelope: dict[str, Any], ack: AckMode | None) -> Ack | None:
        if ack == "none":
            await self._send(envelope)
            return None
        future = self._expect_ack(envelope["id"])
        try:
            await self._send(envelope)
            return await future
        finally:
            self._forget_ack(envelope["id"])

    def _expect_ack(self, id: str) -> asyncio.Future[Ack]:
        if id in self._acks:
            raise ValueError(f"a message with the id {id} is already under way")
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._acks[id] = future
        return future

    def _forget_ack(self, id: str) -> None:
        future = self._acks.pop(id, None)
        if future is not None and not future.cancel() and not future.cancelled():
            # Where several messages fail at once, only one exception is raised.
            future.exception()

    async def _send(self, envelope: Mapping[str, Any]) -> None:
        if self._lost is not None:
            raise self._lost
        try:
            await self._socket.send(frames.dump(envelope))
        except websockets.exceptions.ConnectionClosed as closed:
            raise self._lost or _lost(closed) from closed

    async def _read(self) -> None:
        lost: ArqonError = ConnectionLost(None, "the session ended")
        try:
            async for text in self._socket:
                self._take(frames.load(text))
            lost = ConnectionLost(self._socket.close_code, self._socket.close_reason or "")
        except websockets.exceptions.ConnectionClosed as closed:
            lost = _lost(closed)
        except ArqonError as error:
            lost = error
            await self._socket.close(1002, "the frame is not as agreed")
        except Exception as error:
            lost = ProtocolError(f"a frame is not as agreed: {error!r}")
            lost.__cause__ = error
            await self._socket.close(1002, "the frame is not as agreed")
        finally:
            self._fail_all(lost)

    def _fail_all(self, lost: ArqonError) -> None:
        self._lost = lost
        for future in self._acks.values():
            if not future.done():
                future.set_exception(lost)
        for subscription in list(self._subscriptions.values()):
            subscription.end(lost)

    def _take(self, envelope: Mapping[str, Any]) -> None:
        if envelope["type"] != "control":
            sub = frames.delivery_sub(envelope)
            subscription = self._subscriptions.get(sub) if sub is not None else None
            # A frame may still be under way when its subscription has been closed.
            if subscription is not None:
                subscription.deliver(envelope)
            return
        for name, body in (envelope.get("payload") or {}).items():
            match name:
                case "ack":
                    self._take_ack(frames.read_ack(body))
                case "error":
                    self._take_error(frames.read_error(body), body)
                case "subscribed" | "progress" | "gap":
                    subscription = self._subscriptions.get(int(body["sub"]))
                    if subscription is not None:
                        subscription.control(name, body)
                case _:
                    log.debug("a control message of a kind unknown here: %s", name)

    def _take_ack(self, ack: Ack) -> None:
        future = self._acks.get(ack.id)
        if future is not None and not future.done():
            future.set_result(ack)

    def _take_error(self, error: BusError, body: Mapping[str, Any]) -> None:
        ids = self._batches.get(error.id or "", [error.id or ""])
        futures = [self._acks[id] for id in ids if id in self._acks]
        for future in futures:
            if not future.done():
                future.set_exception(error)
        about = [
            subscription
            for subscription in self._subscriptions.values()
            if subscription.id == error.id or subscription.number == body.get("sub")
        ]
        for subscription in about:
            subscription.end(error)
        if not futures and not about:
            log.warning("the bus reports %s", error)


def _read_first(text: str | bytes) -> Welcome:
    payload = frames.load(text).get("payload") or {}
    if "error" in payload:
        raise frames.read_error(payload["error"])
    if "welcome" not in payload:
        raise ProtocolError("the server's first frame is no welcome")
    return frames.read_welcome(payload["welcome"])


def _lost(closed: websockets.exceptions.ConnectionClosed) -> ConnectionLost:
    frame = closed.rcvd or closed.sent
    return ConnectionLost(frame.code, frame.reason) if frame else ConnectionLost(None, "no close")
