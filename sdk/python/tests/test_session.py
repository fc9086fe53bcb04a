"""The client against a server that plays the protocol's frames."""

import asyncio
import decimal

import pytest

import arqonbus
from arqonbus import BusError, Change, ConnectionLost, DeltaBatch, Event, GapError, Message
from scripted import control, play, serve

REVENUE_EU = {"region": "EU", "revenue": "42.00", "orders": 2}
REVENUE_US = {"region": "US", "revenue": "30.00", "orders": 1}


def deltas(lower, upper, changes, **more):
    return {
        "type": "event",
        "topic": "shop.revenue",
        "schema": "arqonbus.delta.v1",
        "payload": {
            "sub": 1,
            "lower": lower,
            "upper": upper,
            "changes": [{"epoch": e, "diff": d, "row": r} for e, d, r in changes],
            **more,
        },
    }


def subscribe(**more):
    request = {"sub": 1, "topic": "shop.revenue", "from": "snapshot", "as": "deltas", **more}
    return [
        ("->", {"id": "$sub", **control(subscribe=request)}),
        ("<-", control(subscribed={"sub": 1, "epoch": 7})),
    ]


def test_welcome_is_kept():
    async def client(bus):
        return bus.welcome

    welcome = play([], client)
    assert (welcome.session, welcome.principal) == ("s1", "dana")
    assert welcome.features == ("json", "proto", "arrow")
    assert welcome.limits["frame_bytes_max"] == 1048576


def test_a_refused_token_raises_the_servers_error():
    error = {"id": None, "code": "UNAUTHENTICATED", "message": "no token", "help": "mint one"}
    script = [("->", control(hello={"client": "arqonbus-python"})), ("<-", control(error=error))]

    async def client(url):
        with pytest.raises(BusError) as caught:
            async with arqonbus.connect(url):
                pass
        return caught.value

    refused = serve([*script, ("close", 4401)], client)
    assert (refused.code, refused.message, refused.help) == (
        "UNAUTHENTICATED",
        "no token",
        "mint one",
    )


def test_a_closed_handshake_raises_connection_lost():
    async def client(url):
        with pytest.raises(ConnectionLost) as caught:
            await arqonbus.connect(url)
        return caught.value.code

    assert serve([("->", {"type": "control"}), ("close", 1012)], client) == 1012


def test_publish_waits_for_its_own_ack():
    row = {"id": 10, "customer": 1, "amount": "30.00", "status": "paid"}
    script = [
        (
            "->",
            {
                "id": "$a",
                "type": "event",
                "topic": "shop.orders",
                "payload": row,
                "headers": {"ack": "durable"},
            },
        ),
        (
            "->",
            {
                "id": "$b",
                "type": "event",
                "topic": "shop.orders",
                "payload": None,
                "headers": {"key": {"id": 10}},
            },
        ),
        ("<-", control(ack={"id": "$b", "offset": 13, "epoch": 8})),
        ("<-", control(ack={"id": "$a", "offset": 12, "epoch": 7})),
    ]

    async def client(bus):
        amount = decimal.Decimal("30.00")
        return await asyncio.gather(
            bus.publish("shop.orders", {**row, "amount": amount}, ack="durable"),
            bus.publish("shop.orders", None, key={"id": 10}),
        )

    first, second = play(script, client)
    assert (first.offset, first.epoch) == (12, 7)
    assert (second.offset, second.epoch) == (13, 8)


def test_without_ack_nothing_is_awaited():
    script = [("->", {"type": "event", "headers": {"ack": "none"}})]

    async def client(bus):
        return await bus.publish("shop.orders", {"id": 1}, ack="none")

    assert play(script, client) is None


def test_a_refusal_fails_its_message_alone():
    refusal = {
        "code": "DELTA_ONLY",
        "message": "`shop.stock` carries deltas",
        "help": "send changes",
        "retry_after_ms": None,
    }
    script = [
        ("->", {"id": "$a", "topic": "shop.stock"}),
        ("->", {"id": "$b", "topic": "shop.orders"}),
        ("<-", control(error={"id": "$a", **refusal})),
        ("<-", control(ack={"id": "$b", "offset": 1, "epoch": 1})),
    ]

    async def client(bus):
        return await asyncio.gather(
            bus.publish("shop.stock", {"id": 1}),
            bus.publish("shop.orders", {"id": 1}),
            return_exceptions=True,
        )

    refused, acknowledged = play(script, client)
    assert isinstance(refused, BusError)
    assert (refused.code, refused.help) == ("DELTA_ONLY", "send changes")
    assert str(refused) == "DELTA_ONLY: `shop.stock` carries deltas (help: send changes)"
    assert acknowledged.epoch == 1


def test_changes_are_published_as_a_delta():
    payload = {"changes": [{"diff": 1, "row": {"id": 1}}, {"diff": -1, "row": {"id": 2}}]}
    script = [
        ("->", {"id": "$a", "schema": "arqonbus.delta.v1", "payload": payload}),
        ("<-", control(ack={"id": "$a", "offset": 3, "epoch": 2})),
    ]

    async def client(bus):
        return await bus.publish_changes("shop.stock", [(+1, {"id": 1}), (-1, {"id": 2})])

    assert play(script, client).epoch == 2


BATCH = [
    {"id": "$a", "type": "event", "topic": "a", "payload": {"id": 1}},
    {"id": "$b", "type": "event", "topic": "b", "payload": None, "headers": {"key": {"id": 2}}},
    {"id": "$c", "type": "event", "topic": "c", "schema": "arqonbus.delta.v1"},
]
MESSAGES = [
    Message("a", {"id": 1}),
    Message("b", key={"id": 2}),
    Message("c", changes=[(+1, {"id": 3})]),
]


def test_a_batch_is_acknowledged_message_by_message():
    acks = [control(ack={"id": id, "offset": 4, "epoch": 9}) for id in ("$b", "$c", "$a")]
    script = [("->", control(batch={"messages": BATCH})), *(("<-", ack) for ack in acks)]

    async def client(bus):
        assert await bus.batch([]) == []
        return await bus.batch(MESSAGES)

    assert [ack.epoch for ack in play(script, client)] == [9, 9, 9]


def test_a_refused_batch_fails_as_one():
    error = {"id": "$batch", "code": "SCHEMA_MISMATCH", "message": "message 1 …", "help": None}
    script = [
        ("->", {"id": "$batch", **control(batch={"messages": BATCH})}),
        ("<-", control(error=error)),
    ]

    async def client(bus):
        with pytest.raises(BusError, match="SCHEMA_MISMATCH"):
            await bus.batch(MESSAGES)
        assert not bus._acks

    play(script, client)


def test_deltas_come_in_order_and_credit_is_given_back():
    script = [
        *subscribe(where='region == "EU"', credit=4),
        ("<-", deltas(0, 8, [(7, 1, REVENUE_EU)])),
        ("<-", control(progress={"sub": 1, "upper": 9})),
        ("<-", deltas(9, 11, [(9, -1, REVENUE_EU), (10, 1, REVENUE_US)])),
        ("->", control(credit={"sub": 1, "add": 3})),
        ("->", control(unsubscribe={"sub": 1})),
    ]

    async def client(bus):
        got = []
        batches = bus.subscribe(
            "shop.revenue",
            where='region == "EU"',
            credit=4,
            types={"revenue": decimal.Decimal},
        )
        async with batches:
            async for batch in batches:
                got.append(batch)
                if batch.upper == 11:
                    break
        assert batches.epoch == 7
        return got

    first, second = play(script, client)
    row = {**REVENUE_EU, "revenue": decimal.Decimal("42.00")}
    assert first == DeltaBatch("shop.revenue", 0, 8, (Change(7, 1, row),))
    assert [(c.epoch, c.diff, c.row["region"]) for c in second] == [(9, -1, "EU"), (10, 1, "US")]


def test_progress_comes_where_it_is_wanted():
    script = [
        *subscribe(),
        ("<-", deltas(0, 8, [])),
        ("<-", control(progress={"sub": 1, "upper": 12})),
    ]

    async def client(bus):
        batches = bus.subscribe("shop.revenue", progress=True)
        return [await anext(batches), await anext(batches)]

    assert [(b.lower, b.upper, len(b)) for b in play(script, client)] == [(0, 8, 0), (8, 12, 0)]


def test_events_carry_their_offset():
    frame = {
        "id": "e1",
        "type": "event",
        "topic": "shop.revenue",
        "schema": "shop.Order",
        "ts": "2026-01-01T00:00:00Z",
        "payload": {"id": 10},
        "headers": {"sub": 1, "offset": 12},
    }
    script = [*subscribe(**{"from": {"offset": 12}}), ("<-", frame)]

    async def client(bus):
        return await anext(bus.subscribe("shop.revenue", from_={"offset": 12}))

    assert play(script, client) == Event(
        "shop.revenue", 12, {"id": 10}, "e1", "2026-01-01T00:00:00Z"
    )


def test_a_snapshot_comes_once():
    frame = {"type": "event", "topic": "shop.revenue", "schema": "arqonbus.snapshot.v1"}
    script = subscribe(**{"as": "snapshot"})
    for part, row in enumerate([REVENUE_EU, REVENUE_US], 1):
        payload = {"sub": 1, "epoch": 7, "part": part, "parts": 2}
        payload["rows"] = [{"row": row, "count": part}]
        script.append(("<-", {**frame, "payload": payload}))

    async def client(bus):
        return [snapshot async for snapshot in bus.subscribe("shop.revenue", as_="snapshot")]

    (snapshot,) = play([*script, ("->", control(unsubscribe={"sub": 1}))], client)
    assert (snapshot.epoch, snapshot.rows) == (7, ((REVENUE_EU, 1), (REVENUE_US, 2)))


def test_upserts_name_their_keys():
    upserts = [
        {"epoch": 7, "key": {"region": "EU"}, "row": REVENUE_EU},
        {"epoch": 7, "key": {"region": "US"}, "row": None},
    ]
    payload = {"sub": 1, "lower": 0, "upper": 8, "upserts": upserts}
    frame = {"type": "event", "topic": "shop.revenue", "schema": "arqonbus.upserts.v1"}
    script = [*subscribe(**{"as": "upserts"}), ("<-", {**frame, "payload": payload})]

    async def client(bus):
        return await anext(bus.subscribe("shop.revenue", as_="upserts"))

    batch = play(script, client)
    assert [(u.key["region"], u.row) for u in batch] == [("EU", REVENUE_EU), ("US", None)]


def test_a_refused_subscription_raises_where_it_is_used():
    error = {"id": "$sub", "code": "FORBIDDEN", "message": "no topic `shop.revenue`"}
    script = [subscribe()[0], ("<-", control(error=error))]

    async def client(bus):
        with pytest.raises(BusError, match="FORBIDDEN"):
            async for _ in bus.subscribe("shop.revenue"):
                pass

    play(script, client)


def test_a_gap_is_raised_and_the_rest_follows():
    script = [
        *subscribe(),
        ("<-", deltas(0, 8, [])),
        ("<-", control(gap={"sub": 1, "after": 41, "next": 57})),
        ("<-", deltas(8, 58, [(57, 1, REVENUE_EU)])),
    ]

    async def client(bus):
        batches = bus.subscribe("shop.revenue")
        await anext(batches)
        with pytest.raises(GapError) as caught:
            await anext(batches)
        assert (caught.value.after, caught.value.next) == (41, 57)
        return await anext(batches)

    assert play(script, client).upper == 58


def test_batches_that_do_not_join_are_refused():
    script = [*subscribe(), ("<-", deltas(0, 8, [])), ("<-", deltas(9, 10, []))]

    async def client(bus):
        batches = bus.subscribe("shop.revenue")
        await anext(batches)
        with pytest.raises(arqonbus.ProtocolError, match="begins at 9"):
            await anext(batches)

    play(script, client)


def test_a_lost_connection_fails_everything_that_waits():
    script = [*subscribe(), ("->", {"id": "$a", "type": "event"}), ("close", 1012)]

    async def client(bus):
        batches = bus.subscribe("shop.revenue")
        await batches.start()
        with pytest.raises(ConnectionLost) as caught:
            await bus.publish("shop.orders", {"id": 1})
        assert caught.value.code == 1012
        with pytest.raises(ConnectionLost):
            await anext(batches)
        with pytest.raises(ConnectionLost):
            await bus.publish("shop.orders", {"id": 2})

    play(script, client)


def test_a_table_folds_what_comes():
    moved = [(8, -1, REVENUE_EU), (8, 1, {**REVENUE_EU, "orders": 1}), (8, 1, REVENUE_US)]
    script = [
        *subscribe(),
        ("<-", deltas(0, 8, [(7, 1, REVENUE_EU)])),
        ("->", {"id": "$a", "type": "event"}),
        ("<-", deltas(8, 9, moved[:1], part=1, parts=2)),
        ("<-", deltas(8, 9, moved[1:], part=2, parts=2)),
        ("<-", control(ack={"id": "$a", "offset": 1, "epoch": 11})),
        ("<-", control(progress={"sub": 1, "upper": 12})),
        ("->", control(unsubscribe={"sub": 1})),
    ]

    async def client(bus):
        async with await bus.table("shop.revenue", key="region") as table:
            assert (table.epoch, table.rows()) == (7, [REVENUE_EU])
            ack = await bus.publish("shop.orders", {"id": 10})
            await table.until(ack.epoch)
            assert table.epoch == 11
            assert table.get("EU")["orders"] == 1
            assert REVENUE_US in table and len(table) == 2
            frame = table.to_pandas()
            assert list(frame.columns) == ["region", "revenue", "orders"]
            assert sorted(frame["region"]) == ["EU", "US"]

    play(script, client)


def test_a_table_tells_why_it_stopped():
    error = {"id": "$sub", "code": "GONE", "message": "the circuit was replaced"}
    script = [*subscribe(), ("<-", deltas(0, 8, [])), ("<-", control(error=error))]

    async def client(bus):
        table = await bus.table("shop.revenue")
        with pytest.raises(BusError, match="GONE"):
            await table.until(20)
        await table.close()
        assert table.rows() == []

    play(script, client)


def test_a_table_refuses_a_retraction_of_nothing():
    script = [*subscribe(), ("<-", deltas(0, 8, [(7, -1, REVENUE_EU)]))]

    async def client(bus):
        with pytest.raises(arqonbus.FoldError):
            await bus.table("shop.revenue")

    play([*script, ("->", control(unsubscribe={"sub": 1}))], client)
