"""Subscriptions: what a topic delivers, in order, with credit given back as it is taken."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from . import frames
from .errors import ArqonError, ConnectionLost, GapError, ProtocolError
from .frames import Delivery, DeltaBatch, Snapshot, UpsertBatch
from .values import Row, Types

log = logging.getLogger("arqonbus")


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """What a subscription has of its session: a way to send, and the list it stands on."""

    send: Callable[[Mapping[str, Any]], Awaitable[None]]
    open: dict[int, Subscription]


class Subscription:
    """What a topic delivers, in order; made by `Bus.subscribe`.

    Iterating yields `DeltaBatch`, `UpsertBatch`, `Snapshot` or `Event`, as asked for. `epoch` is
    that of the subscription's start, once it has one.
    """

    def __init__(
        self, link: Link, request: dict[str, Any], types: Types, *, progress: bool
    ) -> None:
        self.number: int = request["sub"]
        self.topic: str = request["topic"]
        self.epoch: int | None = None
        # The bus answers the request by its id.
        self.id = frames.new_id()
        self._link = link
        self._request = request
        self._types = types
        self._progress = progress
        # Its length is bounded by the credit: the bus sends no more than it was given.
        self._queue: asyncio.Queue[Delivery | ArqonError] = asyncio.Queue()
        self._started: asyncio.Future[None] | None = None
        self._ended: ArqonError | None = None
        self._closed = False
        self._credit_owed = 0
        self._upper = 0
        self._mark = 0
        self._n_parts_seen = 0
        self._snapshot_rows: list[tuple[Row, int]] = []

    async def start(self) -> None:
        """Subscribes and waits for the bus's answer; harmless when already done."""
        if self._started is None:
            self._started = asyncio.get_running_loop().create_future()
            self._link.open[self.number] = self
            try:
                await self._link.send(frames.control("subscribe", self._request, self.id))
            except BaseException:
                self._link.open.pop(self.number, None)
                self._started.cancel()
                raise
        await asyncio.shield(self._started)

    async def close(self) -> None:
        """Unsubscribes; harmless when already done."""
        if self._closed:
            return
        self._closed = True
        known = self._link.open.pop(self.number, None)
        if known is not None and self._ended is None:
            await self._link.send(frames.control("unsubscribe", {"sub": self.number}))
        self.end(ConnectionLost(None, "the subscription is closed"))

    async def __aenter__(self) -> Subscription:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        if self._closed:
            raise StopAsyncIteration
        await self.start()
        if self._ended is not None and self._queue.empty():
            raise self._ended
        delivery = await self._queue.get()
        if self._closed:
            raise StopAsyncIteration
        if isinstance(delivery, Exception):
            raise delivery
        if isinstance(delivery, Snapshot):
            # A snapshot comes once; the next step of the iteration ends it.
            await self.close()
        else:
            await self._give_back(_weight(delivery))
        return delivery

    async def _give_back(self, n_changes: int) -> None:
        """Half the credit at a time, so that small batches do not each cost a frame."""
        self._credit_owed += n_changes
        if self._credit_owed * 2 >= self._request["credit"]:
            owed, self._credit_owed = self._credit_owed, 0
            try:
                await self._link.send(frames.control("credit", {"sub": self.number, "add": owed}))
            except ArqonError:
                # What has arrived is still handed out; the loss shows when the queue is empty.
                log.debug("credit for %s came too late", self.topic)

    def deliver(self, envelope: Mapping[str, Any]) -> None:
        """Takes a frame that brings rows; called by the session."""
        delivery = frames.read_delivery(envelope, self._types)
        match delivery:
            case DeltaBatch():
                self._check_changes(delivery)
                delivery = dataclasses.replace(
                    delivery, last=self._join(delivery, frames.parts(envelope))
                )
            case UpsertBatch():
                delivery = dataclasses.replace(
                    delivery, last=self._join(delivery, frames.parts(envelope))
                )
            case Snapshot():
                # A snapshot is handed out whole.
                self._snapshot_rows += delivery.rows
                if not self._is_last(frames.parts(envelope)):
                    return
                delivery = dataclasses.replace(delivery, rows=tuple(self._snapshot_rows))
                self._snapshot_rows = []
            case _:
                pass
        self._queue.put_nowait(delivery)

    def _join(self, batch: DeltaBatch | UpsertBatch, n_parts: int) -> bool:
        """Checks that batches join without gap or overlap; true for a batch's last part."""
        joins = batch.lower in (self._upper, self._mark) or self._upper == 0
        if self._n_parts_seen == 0 and not joins:
            ends = f"the last ended at {self._upper}"
            raise ProtocolError(f"a batch of `{self.topic}` begins at {batch.lower}, {ends}")
        last = self._is_last(n_parts)
        if last:
            self._upper = batch.upper
            self._mark = max(self._mark, batch.upper)
        return last

    def _is_last(self, n_parts: int) -> bool:
        self._n_parts_seen = (self._n_parts_seen + 1) % n_parts
        return self._n_parts_seen == 0

    def _check_changes(self, batch: DeltaBatch) -> None:
        if any(not batch.lower <= change.epoch < batch.upper for change in batch.changes):
            raise ProtocolError(f"a change of `{self.topic}` lies outside its batch")

    def control(self, name: str, body: Mapping[str, Any]) -> None:
        """Takes `subscribed`, `progress` or `gap`; called by the session."""
        if name == "subscribed":
            epoch = body.get("epoch")
            self.epoch = None if epoch is None else int(epoch)
            if self._started is not None and not self._started.done():
                self._started.set_result(None)
        elif name == "progress":
            lower, self._mark = self._mark, int(body["upper"])
            if self._progress and lower < self._mark:
                self._queue.put_nowait(DeltaBatch(self.topic, lower, self._mark, ()))
        elif name == "gap":
            gap = GapError(self.topic, int(body["after"]), int(body["next"]))
            self._queue.put_nowait(gap)

    def end(self, error: ArqonError) -> None:
        """Takes the news that nothing more will come; called by the session."""
        if self._ended is not None:
            return
        self._ended = error
        self._link.open.pop(self.number, None)
        if self._started is not None and not self._started.done():
            self._started.set_exception(error)
            # Nobody may be waiting for the answer any more.
            self._started.exception()
        self._queue.put_nowait(error)


def _weight(delivery: Delivery) -> int:
    match delivery:
        case DeltaBatch() | UpsertBatch():
            return len(delivery)
        case Snapshot():
            return len(delivery.rows)
        case _:
            return 1
