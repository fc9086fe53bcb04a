"""Nexmark circuits against DuckDB: the events cut into random epochs, kind by kind.

`ARQON_CASES` and `ARQON_SEED` choose how many random splits and from which seed, `ARQON_BACKENDS`
on which back ends; `cargo xtask torture nexmark` sets them for the long run.
"""

import random

import duckdb
import pytest

import splits
from conftest import BACKENDS, setting
from nexmark_queries import QUERIES, TABLES
from relation import assert_equal, read_csv

SEED = setting("ARQON_SEED", 2010)
N_SPLITS = setting("ARQON_CASES", 2)


@pytest.fixture(scope="module")
def loaded(nexmark_events):
    """A DuckDB with all events."""
    database = duckdb.connect(":memory:")
    for name, columns in TABLES.items():
        database.execute(f"CREATE TABLE {name} ({columns})")
        database.execute(f"COPY {name} FROM '{nexmark_events / name}.csv' (HEADER)")
    yield database
    database.close()


@pytest.fixture(scope="module", params=range(SEED, SEED + N_SPLITS), ids="seed {}".format)
def split(request, nexmark_events, tmp_path_factory):
    """Files by topic in a random order: each kind's events in pieces, in the order they came."""
    chance = random.Random(request.param)
    folder = tmp_path_factory.mktemp("split")
    steps = []
    for name in TABLES:
        header, *lines = (nexmark_events / f"{name}.csv").read_text("utf-8").splitlines(True)
        pieces = []
        for at, piece in enumerate(splits.cut(lines, chance)):
            path = folder / f"{name}_{at}.csv"
            path.write_text(header + "".join(piece), encoding="utf-8")
            pieces.append((name, path))
        steps.append(pieces)
    return splits.mixed(steps, chance)


@pytest.mark.parametrize("number", QUERIES)
def test_the_answer_under_a_random_split(arqon, loaded, split, number, tmp_path):
    query = QUERIES[number]
    wanted = loaded.execute(query.sql).fetchall()
    assert wanted, "a query without an answer proves nothing"
    inputs = [(topic, path) for topic, path in split if topic in query.topics.split()]
    columns = dict(column.split(": ") for column in " ".join(query.columns.split()).split(", "))
    out = tmp_path / "result.csv"
    for backend in BACKENDS:
        # What is known of an auction or a day is kept for good.
        more = ("--allow", "unbounded", "--backend", backend)
        circuit = f"circuits/bench/nexmark/q{number}.yaml"
        arqon.run(circuit, inputs, [("result", out)], *more)
        assert_equal(read_csv(out, columns), wanted)
