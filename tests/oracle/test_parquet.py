"""Parquet files: what DuckDB writes is read, what is written is what DuckDB reads.

Every type in every way that DuckDB packs its files, and TPC-H tables in place of CSV.
"""

import duckdb
import pytest

import tpch
from conftest import columns_of
from relation import Wanted
from tpch_queries import QUERIES

N_ROWS = 5_000

KINDS = f"""
    SELECT
        i AS id, i % 3 = 0 AS yes, (i % 100)::TINYINT AS tiny,
        CASE WHEN i % 7 > 0 THEN i * 1000003 END AS wide,
        (i / 8)::FLOAT AS single, CASE WHEN i % 5 > 0 THEN sqrt(i) END AS double,
        (i / 100)::DECIMAL(9, 2) AS price,
        CASE WHEN i % 4 > 0 THEN (i::DECIMAL(18, 10) / 1024)::DECIMAL(18, 10) END AS exact,
        (i * 123456789)::DECIMAL(38, 4) AS huge,
        'name ' || (i % 97) AS name, CASE WHEN i % 2 > 0 THEN repeat('é', i % 50) END AS note,
        encode('raw ' || i) AS raw,
        DATE '1969-12-01' + i::INTEGER AS day,
        TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_seconds(i) AS at,
        CASE WHEN i % 6 > 0 THEN (TIMESTAMP '1960-01-01' + to_hours(i))::TIMESTAMP_MS END AS local,
        make_timestamp_ns(i * 1000000007) AS nano,
        TIME '00:00:01' + to_seconds(i) AS clock, to_days((i % 9)::INTEGER) AS span,
        md5('id' || i)::UUID AS key,
        ['sad', 'ok', 'happy'][i % 3 + 1]::ENUM ('sad', 'ok', 'happy') AS mood,
        CASE WHEN i % 11 > 0 THEN
            list_transform(range(i % 4), lambda n: CASE WHEN n <> 1 THEN 'tag ' || n END) END AS tags,
        list_transform(range(i % 3), lambda n: range(n + i % 2)) AS grid,
        CASE WHEN i % 8 > 0 THEN
            {{'x': i / 4, 'label': CASE WHEN i % 9 > 0 THEN 'at ' || i END}} END AS place,
        map_from_entries(list_transform(range(i % 4), lambda n: ('k' || n, n + i))) AS seen,
        list_transform(range(i % 3), lambda n: {{
            'n': n, 'at': CASE WHEN n > 0 THEN TIMESTAMP '2026-01-01' + to_seconds(i) END}}) AS trail
    FROM range({N_ROWS}) numbers(i)
"""

# What comes back in another type than it went: times of a day and days are durations, written as
# nanoseconds, and all timestamps are of UTC.
BACK = """
    SELECT * REPLACE (
        (local AT TIME ZONE 'UTC')::TIMESTAMP_MS AS local,
        (nano AT TIME ZONE 'UTC')::TIMESTAMP_NS AS nano,
        TIME '00:00:00' + to_microseconds(clock // 1000) AS clock,
        to_days((span // 86400000000000)::INTEGER) AS span,
        mood::ENUM ('sad', 'ok', 'happy') AS mood,
        list_transform(trail, lambda t: {'n': t.n, 'at': t.at AT TIME ZONE 'UTC'}) AS trail)
    FROM read_parquet('%s')
"""


@pytest.fixture(scope="module")
def database():
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TABLE kinds AS {KINDS}")
    yield connection
    connection.close()


@pytest.mark.parametrize(
    "options",
    [
        "COMPRESSION uncompressed",
        "COMPRESSION snappy",
        "COMPRESSION zstd, PARQUET_VERSION V2",
        "COMPRESSION gzip, ROW_GROUP_SIZE 2048",
        "COMPRESSION lz4_raw, DICTIONARY_SIZE_LIMIT 1",
    ],
)
def test_every_type_goes_there_and_back(arqon, database, options, tmp_path):
    before, after = tmp_path / "kinds.parquet", tmp_path / "result.parquet"
    database.execute(f"COPY kinds TO '{before}' (FORMAT parquet, {options})")
    arqon.run("tests/oracle/fixtures/kinds.yaml", [("kinds", before)], [("result", after)])
    back = BACK % after
    assert database.execute(f"SELECT count(*) FROM ({back})").fetchone() == (N_ROWS,)
    for one, other in (("FROM kinds", back), (back, "FROM kinds")):
        differing = database.execute(
            f"SELECT columns(*)::VARCHAR FROM (({one}) EXCEPT ALL ({other})) ORDER BY 1 LIMIT 3"
        )
        assert differing.fetchall() == []


@pytest.mark.parametrize("number", [1, 3, 6, 13, 22])
def test_tables_may_be_parquet(arqon, tpch_tables, number, tmp_path):
    query = QUERIES[number]
    loaded = tpch.load(tpch_tables)
    inputs = []
    for table in query.tables.split():
        path = tmp_path / f"{table}.parquet"
        loaded.execute(f"COPY {table} TO '{path}' (FORMAT parquet)")
        inputs.append((table, path))
    output = tmp_path / "result.csv"
    arqon.run(f"circuits/bench/tpch/q{number:02}.yaml", inputs, [("result", output)])
    wanted = Wanted(loaded.execute(query.sql, query.params).fetchall())
    loaded.close()
    assert wanted.rows, "a query without an answer proves nothing"
    wanted.check(output, columns_of(query.columns), query.optional)
