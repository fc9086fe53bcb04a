"""The flights circuit against DuckDB: the year as it was, and after corrections."""

import json
import random

import pytest

import flights
from conftest import ROOT
from relation import assert_equal, read_csv

SEED = 2013
CIRCUIT = "circuits/demo/flights.yaml"
DATA = ROOT / "circuits/demo/data/nycflights13"
EPOCH_ROWS = "50000"
N_REVISED, N_CANCELLED, N_DELETED = 1_000, 500, 500
N_PLANES_CHANGED, N_PLANES_GONE, N_WEATHER_CHANGED = 40, 40, 400


@pytest.fixture(scope="module")
def database():
    loaded = flights.load(DATA)
    yield loaded
    loaded.close()


def test_the_year_as_it_was(arqon, database, tmp_path):
    check(arqon, database, tables(), tmp_path)


# Stands after the test above, because it changes the database both use.
def test_the_year_after_corrections(arqon, database, tmp_path):
    before = [database.execute(answer.sql).fetchall() for answer in flights.ANSWERS.values()]
    corrections = []
    for table, lines in corrections_of(database).items():
        path = tmp_path / f"{table}.ndjson"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        apply(database, table, lines)
        corrections.append((table, path))
    after = [database.execute(answer.sql).fetchall() for answer in flights.ANSWERS.values()]
    assert all(map(lambda old, new: sorted(old, key=repr) != sorted(new, key=repr), before, after))
    check(arqon, database, tables() + corrections, tmp_path, "--epoch-rows", EPOCH_ROWS)


def check(arqon, database, inputs, folder, *more):
    """Runs the circuit once and holds each of its answers against DuckDB."""
    outputs = [(topic, folder / f"{topic}.csv") for topic in flights.ANSWERS]
    arqon.run(CIRCUIT, inputs, outputs, *more)
    for topic, path in outputs:
        answer = flights.ANSWERS[topic]
        got = read_csv(path, answer.columns, answer.optional)
        assert_equal(got, database.execute(answer.sql).fetchall())


def tables():
    """The five tables as inputs."""
    return [(table, DATA / f"{table}.csv.gz") for table in flights.TABLES]


def corrections_of(database):
    """Lines of NDJSON by table: revised, cancelled and deleted flights, changed and lost planes,
    and weather that was otherwise."""
    chance = random.Random(SEED)
    n_flights = N_REVISED + N_CANCELLED + N_DELETED
    touched = sample(database, "flights", n_flights, chance)
    lines = []
    for row in touched[:N_REVISED]:
        delay = chance.randint(-10, 400)
        lines.append({**row, "dep_delay": delay, "arr_delay": delay + chance.randint(-20, 20)})
    for row in touched[N_REVISED : N_REVISED + N_CANCELLED]:
        lines.append({**row, "dep_delay": None, "arr_delay": None, "air_time": None})
    for row in touched[N_REVISED + N_CANCELLED :]:
        lines.append({"$delete": {"id": row["id"]}})
    chance.shuffle(lines)

    planes = sample(database, "planes", N_PLANES_CHANGED + N_PLANES_GONE, chance)
    plane_lines = [
        {**row, "manufacturer": "SOMEONE ELSE", "seats": chance.randint(1, 300)}
        for row in planes[:N_PLANES_CHANGED]
    ] + [{"$delete": {"tailnum": row["tailnum"]}} for row in planes[N_PLANES_CHANGED:]]

    weather = sample(database, "weather", N_WEATHER_CHANGED, chance)
    weather_lines = [{**row, "precip": chance.choice([0.0, 0.05, 0.2])} for row in weather]
    return {"flights": lines, "planes": plane_lines, "weather": weather_lines}


def sample(database, table, n_rows, chance):
    """Some rows of a table, the same ones for the same seed."""
    key = ", ".join(flights.KEYS[table])
    cursor = database.execute(f"SELECT * FROM {table} ORDER BY {key}")
    names = [column[0] for column in cursor.description]
    rows = chance.sample(cursor.fetchall(), n_rows)
    return [dict(zip(names, row, strict=True)) for row in rows]


def apply(database, table, lines):
    """Does to DuckDB's table what the lines do to the topic."""
    keys = flights.KEYS[table]
    where = " AND ".join(f"{name} = ?" for name in keys)
    for line in lines:
        row = line.get("$delete", line)
        database.execute(f"DELETE FROM {table} WHERE {where}", [row[name] for name in keys])
        if "$delete" not in line:
            marks = ", ".join("?" for _ in row)
            database.execute(f"INSERT INTO {table} VALUES ({marks})", list(row.values()))
