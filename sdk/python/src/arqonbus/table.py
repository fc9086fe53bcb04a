"""Tables: deltas folded into a multiset of rows, with exact multiplicities."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import ArqonError, ProtocolError
from .frames import Change, DeltaBatch
from .subscription import Subscription
from .values import Row, to_json

if TYPE_CHECKING:
    import pandas


class FoldError(ArqonError):
    """Changes that do not fit what they change: a row was retracted that is not there."""


class Multiset:
    """Rows with how often each is there, and optionally an index by key.

    >>> rows = Multiset(key="region")
    >>> rows.apply([Change(7, +1, {"region": "EU", "orders": 1})])
    >>> rows.apply([Change(8, -1, {"region": "EU", "orders": 1}),
    ...             Change(8, +1, {"region": "EU", "orders": 2})])
    >>> rows.get("EU")
    {'region': 'EU', 'orders': 2}
    """

    def __init__(self, key: str | Sequence[str] | None = None) -> None:
        self._key = (key,) if isinstance(key, str) else tuple(key or ())
        self._rows: dict[str, tuple[Row, int]] = {}
        # A negative count may stand for a while inside a batch that comes in parts.
        self._negative: set[str] = set()
        self._index: dict[str, dict[str, None]] = {}

    def apply(self, changes: Iterable[Change], *, complete: bool = True) -> None:
        """Adds the changes up; `complete` says that no part of the same batch follows.

        Raises `FoldError` where a complete batch leaves a row there less than never.
        """
        for change in changes:
            self._add(change.row, change.diff)
        if complete and self._negative:
            row, count = self._rows[min(self._negative)]
            raise FoldError(f"a row is there {count} times: {row}")

    def rows(self) -> list[Row]:
        """The rows in the order they came, each as often as it is there."""
        return [row for row, count in self._rows.values() for _ in range(count)]

    def counts(self) -> list[tuple[Row, int]]:
        """Each different row with its multiplicity."""
        return list(self._rows.values())

    def get(self, *key: Any, default: Row | None = None) -> Row | None:
        """The one row of a key, or the default; the key's values stand in the index's order."""
        if not self._key:
            raise LookupError("the table has no key; name one where it is made")
        if len(key) != len(self._key):
            raise LookupError(f"the key is ({', '.join(self._key)}), not {len(key)} values")
        found = self._index.get(_canonical(list(key)), {})
        if len(found) > 1:
            raise LookupError(f"{len(found)} rows have the key {key}")
        return next((self._rows[text][0] for text in found), default)

    def __len__(self) -> int:
        return sum(count for _, count in self._rows.values())

    def __contains__(self, row: object) -> bool:
        return isinstance(row, Mapping) and _canonical(row) in self._rows

    def _add(self, row: Row, diff: int) -> None:
        text = _canonical(row)
        count = self._rows.get(text, (row, 0))[1] + diff
        if count:
            self._rows[text] = (row, count)
        else:
            self._rows.pop(text, None)
        if count < 0:
            self._negative.add(text)
        else:
            self._negative.discard(text)
        if self._key:
            self._index_row(text, row, count)

    def _index_row(self, text: str, row: Row, count: int) -> None:
        try:
            key = _canonical([row[name] for name in self._key])
        except KeyError as error:
            raise FoldError(f"the key's field {error} is not in the row {row}") from error
        if count > 0:
            self._index.setdefault(key, {})[text] = None
        elif key in self._index:
            self._index[key].pop(text, None)
            if not self._index[key]:
                del self._index[key]


class Table:
    """A topic's rows, kept up to date by its deltas.

    Made by `Bus.table`. Between two `await`s the rows stand still, and they are always those of a
    whole epoch.

        table = await bus.table("shop.revenue", key="region")
        await table.until(ack.epoch)
        table.get("EU")
    """

    def __init__(self, subscription: Subscription, key: str | Sequence[str] | None) -> None:
        self._subscription = subscription
        self._rows = Multiset(key)
        self._upper = 0
        # Changes of a batch in parts wait until it is whole.
        self._waiting: list[Change] = []
        self._moved = asyncio.Condition()
        self._fault: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def topic(self) -> str:
        """The topic's name."""
        return self._subscription.topic

    @property
    def epoch(self) -> int:
        """The last epoch whose changes are all in the table."""
        return self._upper - 1

    def rows(self) -> list[Row]:
        """The rows, each as often as it is there."""
        return self._rows.rows()

    def counts(self) -> list[tuple[Row, int]]:
        """Each different row with its multiplicity."""
        return self._rows.counts()

    def get(self, *key: Any, default: Row | None = None) -> Row | None:
        """The one row of a key, or the default."""
        return self._rows.get(*key, default=default)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, row: object) -> bool:
        return row in self._rows

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a data frame; needs pandas."""
        import pandas

        return pandas.DataFrame.from_records(self.rows())

    async def until(self, epoch: int) -> None:
        """Waits until every change up to and including `epoch` is in the table.

        Raises what ended the subscription, where it ended before.
        """
        async with self._moved:
            await self._moved.wait_for(lambda: self._upper > epoch or self._fault is not None)
        if self._upper <= epoch:
            raise self._fault or ProtocolError("the subscription ended")

    async def close(self) -> None:
        """Unsubscribes; the rows stay readable."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._subscription.close()

    async def __aenter__(self) -> Table:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Subscribes and waits for the snapshot."""
        await self._subscription.start()
        self._task = asyncio.create_task(self._follow(), name=f"table {self.topic}")
        try:
            await self.until(0)
        except BaseException:
            await self.close()
            raise

    async def _follow(self) -> None:
        fault: BaseException = ProtocolError("the subscription ended")
        try:
            async for batch in self._subscription:
                self._fold(batch)
                async with self._moved:
                    self._moved.notify_all()
        except Exception as error:
            fault = error
        except asyncio.CancelledError as error:
            fault = error
            raise
        finally:
            self._fault = fault
            async with self._moved:
                self._moved.notify_all()

    def _fold(self, batch: object) -> None:
        if not isinstance(batch, DeltaBatch):
            raise ProtocolError(f"`{self.topic}` sends no deltas; a table needs a topic with rows")
        self._waiting.extend(batch.changes)
        if batch.last:
            changes, self._waiting = self._waiting, []
            self._rows.apply(changes)
            self._upper = max(self._upper, batch.upper)


def _canonical(value: Any) -> str:
    """Equal rows, and only they, have equal texts; the order of fields does not count."""
    return json.dumps(to_json(value), sort_keys=True, separators=(",", ":"))
