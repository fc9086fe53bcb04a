"""Python client of ArqonBus: publish, subscribe, and fold deltas into tables.

    async with arqonbus.connect(url, token=token) as bus:
        ack = await bus.publish("shop.orders", {"id": 10, "amount": "30.00"})
        table = await bus.table("shop.revenue", key="region")
        await table.until(ack.epoch)
        print(table.rows())

Reading order of the modules: errors, values, frames, subscription, table, connection.
"""

from .connection import Bus, Message, connect
from .errors import (
    ArqonError,
    BusError,
    ConnectionLost,
    GapError,
    ProtocolError,
)
from .frames import Ack, Change, DeltaBatch, Event, Snapshot, Upsert, UpsertBatch, Welcome
from .subscription import Subscription
from .table import FoldError, Multiset, Table

__all__ = [
    "Ack",
    "ArqonError",
    "Bus",
    "BusError",
    "Change",
    "ConnectionLost",
    "DeltaBatch",
    "Event",
    "FoldError",
    "GapError",
    "Message",
    "Multiset",
    "ProtocolError",
    "Snapshot",
    "Subscription",
    "Table",
    "Upsert",
    "UpsertBatch",
    "Welcome",
    "connect",
]
