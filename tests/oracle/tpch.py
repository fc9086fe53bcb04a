"""The TPC-H tables: their columns and keys, and how they get into DuckDB."""

import duckdb

TABLES = {
    "lineitem": """l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT, l_linenumber BIGINT,
        l_quantity DECIMAL(15,2), l_extendedprice DECIMAL(15,2), l_discount DECIMAL(15,2),
        l_tax DECIMAL(15,2), l_returnflag VARCHAR, l_linestatus VARCHAR, l_shipdate DATE,
        l_commitdate DATE, l_receiptdate DATE, l_shipinstruct VARCHAR, l_shipmode VARCHAR,
        l_comment VARCHAR""",
    "orders": """o_orderkey BIGINT, o_custkey BIGINT, o_orderstatus VARCHAR,
        o_totalprice DECIMAL(15,2), o_orderdate DATE, o_orderpriority VARCHAR, o_clerk VARCHAR,
        o_shippriority BIGINT, o_comment VARCHAR""",
    "customer": """c_custkey BIGINT, c_name VARCHAR, c_address VARCHAR, c_nationkey BIGINT,
        c_phone VARCHAR, c_acctbal DECIMAL(15,2), c_mktsegment VARCHAR, c_comment VARCHAR""",
    "part": """p_partkey BIGINT, p_name VARCHAR, p_mfgr VARCHAR, p_brand VARCHAR, p_type VARCHAR,
        p_size BIGINT, p_container VARCHAR, p_retailprice DECIMAL(15,2), p_comment VARCHAR""",
    "partsupp": """ps_partkey BIGINT, ps_suppkey BIGINT, ps_availqty BIGINT,
        ps_supplycost DECIMAL(15,2), ps_comment VARCHAR""",
    "supplier": """s_suppkey BIGINT, s_name VARCHAR, s_address VARCHAR, s_nationkey BIGINT,
        s_phone VARCHAR, s_acctbal DECIMAL(15,2), s_comment VARCHAR""",
    "nation": "n_nationkey BIGINT, n_name VARCHAR, n_regionkey BIGINT, n_comment VARCHAR",
    "region": "r_regionkey BIGINT, r_name VARCHAR, r_comment VARCHAR",
}

KEYS = {
    "lineitem": ("l_orderkey", "l_linenumber"),
    "orders": ("o_orderkey",),
    "customer": ("c_custkey",),
    "part": ("p_partkey",),
    "partsupp": ("ps_partkey", "ps_suppkey"),
    "supplier": ("s_suppkey",),
    "nation": ("n_nationkey",),
    "region": ("r_regionkey",),
}


def columns(table):
    """The names of a table's columns with their types in SQL, in order."""
    return dict(column.split() for column in _split(TABLES[table]))


def load(folder):
    """A DuckDB with the tables of a folder."""
    database = duckdb.connect(":memory:")
    for name, text in TABLES.items():
        database.execute(f"CREATE TABLE {name} ({text})")
        database.execute(f"COPY {name} FROM '{folder / name}.csv' (HEADER, DELIMITER ',')")
    return database


def rows(database, table):
    """All rows of a table by their keys, each as it is written in NDJSON: decimals and dates are
    the texts that they are in files."""
    text = ", ".join(
        name if kind in ("BIGINT", "VARCHAR") else f"{name}::VARCHAR AS {name}"
        for name, kind in columns(table).items()
    )
    key = ", ".join(KEYS[table])
    found = database.execute(f"SELECT {text} FROM {table} ORDER BY {key}").fetchall()
    return [dict(zip(columns(table), row, strict=True)) for row in found]


def replace(database, table, gone, back):
    """Takes the rows `gone` out of a table and puts the rows `back` in."""
    where = " AND ".join(f"{name} = ?" for name in KEYS[table])
    keys = [[row[name] for name in KEYS[table]] for row in gone]
    database.executemany(f"DELETE FROM {table} WHERE {where}", keys)
    if back:
        marks = ", ".join("?" for _ in back[0])
        database.executemany(
            f"INSERT INTO {table} VALUES ({marks})", [list(row.values()) for row in back]
        )


def _split(text):
    """The columns of a table's text; the comma in `DECIMAL(15,2)` has no space after it."""
    return [column.strip() for column in " ".join(text.split()).split(", ")]
