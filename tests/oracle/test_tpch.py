"""TPC-H circuits against DuckDB: as loaded, cut into random epochs while rows go and come back,
and after rows have changed for good.

`ARQON_CASES` and `ARQON_SEED` choose how many random splits and from which seed, `ARQON_BACKENDS`
on which back ends; `cargo xtask torture tpch` sets them for the long run.
"""

import functools
import random
import shutil

import pytest

import splits
import tpch
from conftest import columns_of, on_backends, setting
from relation import Wanted
from tpch_queries import QUERIES

SEED = setting("ARQON_SEED", 1994)
N_SPLITS = setting("ARQON_CASES", 2)
# Changes and loads alike are cut into epochs of this many rows, so that each retraction meets state
# that earlier epochs have built.
EPOCH_ROWS = "5000"

# The share of each table's rows that goes and comes back; lines go with their orders.
TOUCHED = {"orders": 0.07, "customer": 0.1, "part": 0.1, "partsupp": 0.05, "supplier": 0.3}


@pytest.fixture(scope="module")
def loaded(tpch_tables):
    database = tpch.load(tpch_tables)
    yield database
    database.close()


@pytest.fixture(scope="module")
def wanted(loaded):
    """The answers for the tables as loaded: by query, and whether with its other parameters."""

    @functools.cache
    def answer(number, is_other):
        query = QUERIES[number]
        return Wanted(answer_of(loaded, query, query.other if is_other else query.params))

    return answer


@pytest.fixture(scope="module")
def all_rows(loaded):
    """The rows of all tables, by table."""
    return {table: tpch.rows(loaded, table) for table in tpch.TABLES}


@pytest.fixture(scope="module", params=range(SEED, SEED + N_SPLITS), ids="seed {}".format)
def split(request, all_rows, tmp_path_factory):
    """A seed, and files by (table, step) in a random order that ends with the tables as loaded."""
    chance = random.Random(request.param)
    folder = tmp_path_factory.mktemp("split")
    steps = [
        [
            (table, write(folder / f"{table}_{at}.ndjson", table, step, rows))
            for at, (step, rows) in enumerate(
                splits.went_and_came(all_rows[table], 0.05, chance)
            )
        ]
        for table in tpch.TABLES
    ]
    yield request.param, splits.mixed(steps, chance)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def changed(all_rows, tmp_path_factory, tpch_tables):
    """Files that delete some rows and insert most again, some changed; with a DuckDB to which the
    same was done."""
    chance = random.Random(SEED)
    folder = tmp_path_factory.mktemp("changed")
    database = tpch.load(tpch_tables)
    files = []
    for table, gone, back in changes(all_rows, chance):
        tpch.replace(database, table, gone, back)
        for step, rows in (("delete", gone), ("insert", back)):
            rows = chance.sample(rows, len(rows))
            path = folder / f"{step}_{table}.ndjson"
            files.append((table, write(path, table, step, rows)))
    yield files, database
    database.close()


@pytest.mark.parametrize("number", QUERIES)
def test_the_answer_as_loaded(arqon, tpch_tables, wanted, number, tmp_path):
    assert wanted(number, False).rows, "a query without an answer proves nothing"
    check(arqon, number, {}, tables(tpch_tables, number), wanted(number, False), tmp_path)


@pytest.mark.parametrize("number", QUERIES)
def test_the_answer_under_a_random_split(arqon, split, wanted, number, tmp_path):
    seed, inputs = split
    # Every second time with other parameters.
    is_other = seed % 2 == 1
    params = QUERIES[number].other if is_other else {}
    check(arqon, number, params, inputs, wanted(number, is_other), tmp_path)


@pytest.mark.parametrize("number", QUERIES)
def test_the_answer_after_rows_changed(arqon, tpch_tables, changed, number, tmp_path):
    files, database = changed
    params = QUERIES[number].other
    answer = Wanted(answer_of(database, QUERIES[number], params))
    inputs = tables(tpch_tables, number) + files
    check(arqon, number, params, inputs, answer, tmp_path, "--epoch-rows", EPOCH_ROWS)


def test_most_answers_change_with_the_rows(loaded, changed):
    """Answers of few rows may stay as they are with some seeds; most must not, or the test above
    proves nothing."""
    _, database = changed

    def differs(query):
        before, after = (answer_of(each, query, query.other) for each in (loaded, database))
        return sorted(before) != sorted(after)

    n_changed = sum(differs(query) for query in QUERIES.values())
    assert 3 * len(QUERIES) <= 4 * n_changed, f"{n_changed} of {len(QUERIES)}"


def check(arqon, number, params, inputs, wanted, folder, *more):
    """Holds a circuit's answer against the wanted one, on each back end; `params` replaces the
    circuit's own."""
    query = QUERIES[number]
    inputs = [(table, path) for table, path in inputs if table in query.tables.split()]

    def run(backend):
        out = folder / f"result_{backend}.csv"
        circuit = f"circuits/bench/tpch/q{number:02}.yaml"
        options = ("--backend", backend, *more)
        arqon.run(circuit, inputs, [("result", out)], *options, params=params)
        return out

    for out in on_backends(run):
        wanted.check(out, columns_of(query.columns), query.optional)


def answer_of(database, query, params):
    """DuckDB's rows for a query."""
    return database.execute(query.sql, params).fetchall()


def tables(folder, number):
    """The tables of a query as inputs."""
    return [(table, folder / f"{table}.csv") for table in QUERIES[number].tables.split()]


def write(path, table, step, rows):
    """A file of rows that are inserted, or of keys that are deleted."""
    if step == "delete":
        keys = ({name: row[name] for name in tpch.KEYS[table]} for row in rows)
        rows = [{"$delete": key} for key in keys]
    return splits.write(path, rows)


def changes(all_rows, chance):
    """(table, rows that go, rows that come) for each table that changes."""
    for table, share in TOUCHED.items():
        rows = all_rows[table]
        touched = chance.sample(rows, int(len(rows) * share))
        n_gone, n_changed = len(touched) // 5, len(touched) // 4
        stay = [dict(row) for row in touched[n_gone:]]
        altered = stay[:n_changed]
        for row in altered:
            ALTERED[table](row, chance)
        yield table, touched, stay
        if table == "orders":
            yield lines_of(all_rows["lineitem"], touched, stay, altered, chance)


def lines_of(lines, touched, stay, altered, chance):
    """What happens to lines when it happens to their orders."""

    def of(orders):
        keys = {order["o_orderkey"] for order in orders}
        return [dict(line) for line in lines if line["l_orderkey"] in keys]

    back = of(stay)
    keys = {order["o_orderkey"] for order in altered}
    for line in back:
        if line["l_orderkey"] in keys:
            alter_line(line, chance)
    return "lineitem", of(touched), back


def alter_line(row, chance):
    row["l_quantity"] = f"{chance.randint(1, 90)}.00"
    row["l_discount"] = f"0.0{chance.randint(0, 9)}"
    row["l_returnflag"] = chance.choice("ANR")
    row["l_receiptdate"] = max(row["l_receiptdate"], f"1995-0{chance.randint(1, 9)}-15")


def alter_order(row, chance):
    row["o_orderdate"] = f"199{chance.randint(3, 7)}-03-{chance.randint(10, 20)}"
    row["o_comment"] = chance.choice(["pending deposits beside accounts", "none"])
    row["o_orderstatus"] = chance.choice("FOP")


def alter_customer(row, chance):
    row["c_acctbal"] = f"{chance.randint(-900, 9000)}.50"
    row["c_nationkey"] = chance.randint(0, 24)
    row["c_phone"] = f"{chance.randint(10, 34)}{row['c_phone'][2:]}"


def alter_part(row, chance):
    row["p_size"] = chance.randint(1, 50)
    row["p_brand"] = f"Brand#{chance.randint(1, 5)}{chance.randint(1, 5)}"
    row["p_name"] = f"almond {row['p_name']}"


def alter_partsupp(row, chance):
    row["ps_availqty"] = chance.randint(1, 9_999)
    row["ps_supplycost"] = f"{chance.randint(1, 1_000)}.25"


def alter_supplier(row, chance):
    row["s_acctbal"] = f"{chance.randint(-900, 9_000)}.75"
    row["s_nationkey"] = chance.randint(0, 24)


ALTERED = {
    "orders": alter_order,
    "customer": alter_customer,
    "part": alter_part,
    "partsupp": alter_partsupp,
    "supplier": alter_supplier,
}
