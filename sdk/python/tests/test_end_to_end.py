"""The client against a real `arqon run`; the program is named by the variable ARQON_BIN."""

import asyncio
import contextlib
import decimal
import json
import os
import pathlib

import pytest

import arqonbus
from arqonbus import BusError, Message

ARQON = os.environ.get("ARQON_BIN")
CIRCUIT = pathlib.Path(__file__).with_name("shop.yaml")
DEADLINE = 60.0

pytestmark = pytest.mark.skipif(not ARQON, reason="ARQON_BIN names no program to run against")

TYPES = {"revenue": decimal.Decimal}


def order(id, customer, amount, status="paid"):
    return {"id": id, "customer": customer, "amount": decimal.Decimal(amount), "status": status}


@contextlib.asynccontextmanager
async def running():
    """`arqon run` on a free loopback port, with what it says of itself; ended afterwards."""
    process = await asyncio.create_subprocess_exec(
        *(ARQON, "run", str(CIRCUIT), "--listen", "127.0.0.1:0", "--format", "json"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        assert line, f"arqon ended with {await process.wait()} before it was ready"
        yield json.loads(line)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def against_the_bus(test):
    """Runs a coroutine with a fresh bus and its ready line, under a deadline."""

    async def main():
        async with asyncio.timeout(DEADLINE), running() as ready:
            async with arqonbus.connect(ready["ws"], token=ready["token"]) as bus:
                await test(bus, ready)

    asyncio.run(main())


def test_answers_follow_what_is_published():
    async def test(bus, _):
        table = await bus.table("shop.revenue", key="region", types=TYPES)
        assert table.rows() == []
        await bus.publish("shop.customers", {"id": 1, "region": "EU"})
        await bus.publish("shop.customers", {"id": 2, "region": "EU", "name": "Ada"})
        await bus.publish("shop.orders", order(10, 1, "30.00"))
        ack = await bus.publish("shop.orders", order(11, 2, "12.00"))
        await table.until(ack.epoch)
        eu = {"region": "EU", "revenue": decimal.Decimal("42.00"), "orders": 2}
        assert table.rows() == [eu]

        ack = await bus.publish("shop.customers", {"id": 1, "region": "US"})
        await table.until(ack.epoch)
        assert table.get("EU") == {**eu, "revenue": decimal.Decimal("12.00"), "orders": 1}
        assert table.get("US")["revenue"] == decimal.Decimal("30.00")

        ack = await bus.publish("shop.orders", None, key={"id": 10})
        await table.until(ack.epoch)
        assert table.get("US") is None
        assert list(table.to_pandas()["revenue"]) == [decimal.Decimal("12.00")]

        late = await bus.table("shop.revenue", key="region", types=TYPES)
        assert late.rows() == table.rows()

    against_the_bus(test)


def test_a_batch_is_one_epoch():
    async def test(bus, _):
        acks = await bus.batch(
            [
                Message("shop.customers", {"id": 1, "region": "EU"}),
                Message("shop.orders", order(10, 1, "30.00")),
                Message("shop.moves", changes=[(+1, {"item": "cup", "pieces": 3})]),
            ]
        )
        assert len({ack.epoch for ack in acks}) == 1
        levels = await bus.table("shop.levels", key="item")
        await levels.until(acks[0].epoch)
        assert levels.get("cup") == {"item": "cup", "pieces": 3}

        bad = [Message("shop.orders", order(11, 1, "1.00")), Message("shop.orders", {"id": 12})]
        with pytest.raises(BusError) as caught:
            await bus.batch(bad)
        assert caught.value.code == "SCHEMA_MISMATCH"
        ack = await bus.publish("shop.orders", order(13, 1, "2.00"))
        revenue = await bus.table("shop.revenue", key="region", types=TYPES)
        await revenue.until(ack.epoch)
        assert revenue.get("EU")["orders"] == 2

    against_the_bus(test)


def test_changes_add_up_and_each_delta_is_seen_once():
    async def test(bus, _):
        first = {"item": "cup", "pieces": 3}
        ack = await bus.publish_changes("shop.moves", [(+1, first)])
        seen = bus.subscribe("shop.levels", from_="snapshot", progress=True)
        total = arqonbus.Multiset(key="item")
        async with seen:
            second = {"item": "cup", "pieces": -1}
            last = await bus.publish_changes("shop.moves", [(+2, second)])
            assert last.epoch > ack.epoch
            async for batch in seen:
                total.apply(batch)
                if batch.upper > last.epoch:
                    break
        assert total.counts() == [({"item": "cup", "pieces": 1}, 1)]

    against_the_bus(test)


def test_refusals_say_why():
    async def refusal(call):
        with pytest.raises(BusError) as caught:
            await call
        assert caught.value.message
        return caught.value.code

    async def test(bus, ready):
        assert await refusal(bus.publish("shop.revenue", {"region": "EU"})) == "FORBIDDEN"
        assert await refusal(bus.table("shop.orders")) == "FORBIDDEN"
        assert await refusal(bus.publish("shop.moves", {"item": "a", "pieces": 1})) == "DELTA_ONLY"
        assert await refusal(bus.publish("shop.orders", {"id": "x"})) == "SCHEMA_MISMATCH"
        for token in (None, "nonsense", ready["token"][:-4] + "AAAA"):
            code = await refusal(arqonbus.connect(ready["ws"], token=token))
            assert code == "UNAUTHENTICATED"
        ack = await bus.publish("shop.customers", {"id": 1, "region": "EU"})
        assert ack.epoch is not None

    against_the_bus(test)
