"""TPC-H circuits against DuckDB: as loaded, and after orders have gone and come again."""

import json
import random
import re

import pytest

import tpch
from relation import assert_equal, read_csv

SEED = 1994
N_ORDERS_TOUCHED = 1_000
N_ORDERS_GONE = 200
N_ORDERS_CHANGED = 200
# Changes and loads alike are cut into epochs of this many rows, so that each retraction meets state
# that earlier epochs have built.
EPOCH_ROWS = "5000"

KEYS = {"orders": ("o_orderkey",), "lineitem": ("l_orderkey", "l_linenumber")}


@pytest.fixture(scope="module")
def loaded(tpch_tables):
    database = tpch.load(tpch_tables)
    yield database
    database.close()


@pytest.fixture(scope="module")
def touched(loaded):
    """The keys of 1,000 random orders, in random order."""
    keys = [key for (key,) in loaded.execute("SELECT o_orderkey FROM orders ORDER BY 1").fetchall()]
    return random.Random(SEED).sample(keys, N_ORDERS_TOUCHED)


@pytest.fixture(scope="module")
def gone_and_back(loaded, touched, tmp_path_factory):
    """Files that delete the touched orders and insert all of them again."""
    folder = tmp_path_factory.mktemp("gone_and_back")
    back = {table: rows_of(loaded, table, touched) for table in KEYS}
    return write_changes(folder, loaded, touched, back)


@pytest.fixture(scope="module")
def changed(loaded, touched, tmp_path_factory, tpch_tables):
    """Files that delete the touched orders and insert most again, some changed; with a DuckDB to
    which the same was done."""
    folder = tmp_path_factory.mktemp("changed")
    stay, change = touched[N_ORDERS_GONE:], set(touched[N_ORDERS_GONE:][:N_ORDERS_CHANGED])
    back = {table: rows_of(loaded, table, stay) for table in KEYS}
    chance = random.Random(SEED + 1)
    for row in back["orders"]:
        if row["o_orderkey"] in change:
            row["o_orderdate"] = f"199{chance.randint(3, 7)}-03-{chance.randint(10, 20)}"
            row["o_comment"] = chance.choice(["special packages and requests", "none"])
    for row in back["lineitem"]:
        if row["l_orderkey"] in change:
            row["l_quantity"] = f"{chance.randint(1, 90)}.00"
            row["l_discount"] = f"0.0{chance.randint(0, 9)}"
            row["l_returnflag"] = chance.choice("ANR")
    files = write_changes(folder, loaded, touched, back)

    database = tpch.load(tpch_tables)
    keys = ", ".join(map(str, touched))
    for table, (key, *_) in KEYS.items():
        database.execute(f"DELETE FROM {table} WHERE {key} IN ({keys})")
        rows = [tuple(row.values()) for row in back[table]]
        marks = ", ".join("?" for _ in rows[0])
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    yield files, database
    database.close()


@pytest.mark.parametrize("number", tpch.QUERIES)
def test_the_answer_as_loaded(arqon, tpch_tables, loaded, number, tmp_path):
    query = tpch.QUERIES[number]
    wanted = tpch.answer(loaded, query)
    assert wanted, "a query without an answer proves nothing"
    assert_equal(answer(arqon, number, query, tables(tpch_tables, query), tmp_path), wanted)


@pytest.mark.parametrize("number", tpch.QUERIES)
def test_the_answer_after_orders_went_and_came_back(
    arqon, tpch_tables, loaded, gone_and_back, number, tmp_path
):
    query = tpch.QUERIES[number]
    inputs = tables(tpch_tables, query) + changes(gone_and_back, query)
    got = answer(arqon, number, query, inputs, tmp_path, "--epoch-rows", EPOCH_ROWS)
    assert_equal(got, tpch.answer(loaded, query))


@pytest.mark.parametrize("number", tpch.QUERIES)
def test_the_answer_after_orders_changed(
    arqon, tpch_tables, loaded, changed, number, tmp_path
):
    files, database = changed
    query = tpch.QUERIES[number]
    wanted = tpch.answer(database, query)
    assert wanted != tpch.answer(loaded, query), "changes that change nothing prove nothing"
    inputs = tables(tpch_tables, query) + changes(files, query)
    got = answer(arqon, number, query, inputs, tmp_path, "--epoch-rows", EPOCH_ROWS)
    assert_equal(got, wanted)


def answer(arqon, number, query, inputs, folder, *more):
    """The circuit's rows for a query."""
    out = folder / "result.csv"
    arqon.run(
        f"circuits/bench/tpch/q{number:02}.yaml", inputs, [("result", out)], *more
    )
    return read_csv(out, query.columns)


def tables(folder, query):
    """The tables of a query as inputs."""
    return [(table, folder / f"{table}.csv") for table in query.tables]


def changes(files, query):
    """The changes to a query's tables as inputs: all deletions first, then all insertions."""
    return [
        (table, files[step, table])
        for step in ("delete", "insert")
        for table in query.tables
        if table in KEYS
    ]


def rows_of(database, table, order_keys):
    """The rows of the given orders, as they are written in NDJSON."""
    columns = [column.split()[:2] for column in re.split(r",\s+", tpch.TABLES[table])]
    names = [name for name, _ in columns]
    # Decimals and dates as the texts they are in files.
    text = ", ".join(
        name if kind in ("BIGINT", "VARCHAR") else f"{name}::VARCHAR" for name, kind in columns
    )
    keys = ", ".join(map(str, order_keys))
    key = KEYS[table][0]
    found = database.execute(f"SELECT {text} FROM {table} WHERE {key} IN ({keys})").fetchall()
    return [dict(zip(names, row, strict=True)) for row in found]


def write_changes(folder, database, gone, back):
    """Files by (step, table): `delete` takes the orders out, `insert` brings `back`."""
    chance = random.Random(SEED + 2)
    files = {}
    for table, key in KEYS.items():
        deletes = [
            {"$delete": {name: row[name] for name in key}} for row in rows_of(database, table, gone)
        ]
        for step, lines in (("delete", deletes), ("insert", list(back[table]))):
            chance.shuffle(lines)
            files[step, table] = folder / f"{step}_{table}.ndjson"
            text = "".join(json.dumps(line) + "\n" for line in lines)
            files[step, table].write_text(text, encoding="utf-8")
    return files
