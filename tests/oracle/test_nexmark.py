"""Nexmark circuits against DuckDB: as loaded, the events cut into random epochs, kind by kind, and
with topics of changes from which events go and to which they come back.

`ARQON_CASES` and `ARQON_SEED` choose how many random splits and from which seed, `ARQON_BACKENDS`
on which back ends; `cargo xtask torture nexmark` sets them for the long run.
"""

import csv
import functools
import random
import shutil

import duckdb
import pytest

import splits
from conftest import ROOT, columns_of, on_backends, setting
from nexmark_queries import QUERIES, TABLES
from relation import Wanted

SEED = setting("ARQON_SEED", 2010)
N_SPLITS = setting("ARQON_CASES", 2)
# Splits in which events also go and come back.
N_RETURNS = max(1, N_SPLITS // 4)

# Events cannot be taken back: for that their topics carry changes, and let rows come back late.
EVENTS = "carries: events, time: date_time"
CHANGES = "carries: delta, time: date_time, late: 365d"


@pytest.fixture(scope="module")
def wanted(nexmark_events):
    """The answers of a DuckDB with all events, by the number of the query."""
    database = duckdb.connect(":memory:")
    for name, columns in TABLES.items():
        database.execute(f"CREATE TABLE {name} ({columns})")
        database.execute(f"COPY {name} FROM '{nexmark_events / name}.csv' (HEADER)")

    @functools.cache
    def answer(number):
        rows = database.execute(QUERIES[number].sql).fetchall()
        assert rows, "a query without an answer proves nothing"
        return Wanted(rows)

    yield answer
    database.close()


@pytest.fixture(scope="module", params=range(SEED, SEED + N_SPLITS), ids="seed {}".format)
def split(request, nexmark_events, tmp_path_factory):
    """Files by topic in a random order: each kind's events in pieces, in the order they came."""
    chance = random.Random(request.param)
    folder = tmp_path_factory.mktemp("split")
    steps = []
    for name in TABLES:
        header, *lines = lines_of(nexmark_events, name)
        pieces = splits.cut(lines, chance)
        steps.append(
            [
                (name, write(folder / f"{name}_{at}.csv", [header, *piece]))
                for at, piece in enumerate(pieces)
            ]
        )
    yield splits.mixed(steps, chance)
    shutil.rmtree(folder)


@pytest.fixture(scope="module", params=range(SEED, SEED + N_RETURNS), ids="seed {}".format)
def returns(request, nexmark_events, tmp_path_factory):
    """Files likewise, in any order, of which a share is taken back and comes again later."""
    chance = random.Random(request.param)
    folder = tmp_path_factory.mktemp("returns")
    steps = []
    for name in TABLES:
        header, *lines = lines_of(nexmark_events, name)
        if name == "side_input":
            steps.append([(name, write(folder / f"{name}.csv", [header, *lines]))])
            continue
        files = []
        for at, (step, piece) in enumerate(splits.went_and_came(lines, 0.05, chance)):
            path = folder / f"{name}_{at}"
            if step == "insert":
                files.append((name, write(path.with_suffix(".csv"), [header, *piece])))
            else:
                gone = [{"$diff": -1, "$row": row} for row in typed(name, header, piece)]
                files.append((name, splits.write(path.with_suffix(".ndjson"), gone)))
        steps.append(files)
    yield splits.mixed(steps, chance)
    shutil.rmtree(folder)


@pytest.mark.parametrize("number", QUERIES)
def test_the_answer_as_loaded(arqon, nexmark_events, wanted, number, tmp_path):
    inputs = [(topic, nexmark_events / f"{topic}.csv") for topic in QUERIES[number].topics.split()]
    check(arqon, circuit(number), number, inputs, wanted, tmp_path)


@pytest.mark.parametrize("number", QUERIES)
def test_the_answer_under_a_random_split(arqon, split, wanted, number, tmp_path):
    check(arqon, circuit(number), number, split, wanted, tmp_path)


@pytest.mark.parametrize("number", QUERIES)
def test_the_answer_when_events_went_and_came(arqon, returns, wanted, number, tmp_path):
    text = circuit(number).read_text("utf-8")
    assert EVENTS in text
    changing = tmp_path / "changing.yaml"
    changing.write_text(text.replace(EVENTS, CHANGES), encoding="utf-8")
    check(arqon, changing, number, returns, wanted, tmp_path)


def check(arqon, path, number, inputs, wanted, folder):
    """Holds the answer of the circuit at `path` against the wanted one, on each back end."""
    query = QUERIES[number]
    inputs = [(topic, file) for topic, file in inputs if topic in query.topics.split()]

    def run(backend):
        out = folder / f"result_{backend}.csv"
        # What is known of an auction or a day is kept for good.
        more = ("--allow", "unbounded", "--backend", backend)
        arqon.run(path, inputs, [("result", out)], *more)
        return out

    answer = wanted(number)
    for out in on_backends(run):
        answer.check(out, columns_of(query.columns))
        # Hundreds of such files would fill the disk; one that is wrong stays.
        out.unlink()


def circuit(number):
    """Where a query's circuit stands."""
    return ROOT / f"circuits/bench/nexmark/q{number}.yaml"


def lines_of(folder, name):
    """The lines of a kind's file with their ends, the header first."""
    return (folder / f"{name}.csv").read_text("utf-8").splitlines(True)


def typed(name, header, lines):
    """Rows of a CSV file as they are written in NDJSON."""
    columns = dict(column.split() for column in " ".join(TABLES[name].split()).split(", "))
    numbers = {column for column, kind in columns.items() if kind == "BIGINT"}
    return [
        {column: int(cell) if column in numbers else cell for column, cell in row.items()}
        for row in csv.DictReader([header, *lines])
    ]


def write(path, lines):
    """A file of lines that have their ends."""
    path.write_text("".join(lines), encoding="utf-8")
    return path
