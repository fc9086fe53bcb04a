"""DuckDB at TPC-H queries over files: `duckdb_peer.py FOLDER QUERY FORMAT THREADS`.

A run reads the files anew and answers once. `--check RESULT.csv` holds another program's answer
against DuckDB's, `--pack` writes the tables of a query as Parquet files beside its CSV files.
"""

import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "oracle"))

import duckdb

import tpch
from tpch_queries import QUERIES


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("query", type=int, choices=QUERIES)
    parser.add_argument("format", choices=("csv", "parquet"))
    parser.add_argument("threads", type=int)
    parser.add_argument("--check", type=pathlib.Path)
    parser.add_argument("--pack", action="store_true")
    arguments = parser.parse_args()
    query = QUERIES[arguments.query]
    database = duckdb.connect(config={"threads": arguments.threads})
    for table in query.tables.split():
        file = arguments.folder / f"{table}.{arguments.format}"
        if arguments.format == "csv":
            columns = ", ".join(f"'{name}': '{ty}'" for name, ty in tpch.columns(table).items())
            source = f"read_csv('{file}', header = true, columns = {{{columns}}})"
        else:
            source = f"read_parquet('{file}')"
        database.execute(f"CREATE VIEW {table} AS FROM {source}")
        packed = arguments.folder / f"{table}.parquet"
        if arguments.pack and not packed.exists():
            database.execute(f"COPY {table} TO '{packed}' (FORMAT parquet)")
    if arguments.pack:
        return
    rows = database.execute(query.sql, query.params).fetchall()
    if arguments.check:
        from conftest import columns_of
        from relation import Wanted

        Wanted(rows).check(arguments.check, columns_of(query.columns), query.optional)


main()
