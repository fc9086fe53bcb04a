"""The TPC-H queries for DuckDB, as the specification words them, and the tables they read."""

from dataclasses import dataclass

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
    "supplier": """s_suppkey BIGINT, s_name VARCHAR, s_address VARCHAR, s_nationkey BIGINT,
        s_phone VARCHAR, s_acctbal DECIMAL(15,2), s_comment VARCHAR""",
    "nation": "n_nationkey BIGINT, n_name VARCHAR, n_regionkey BIGINT, n_comment VARCHAR",
    "region": "r_regionkey BIGINT, r_name VARCHAR, r_comment VARCHAR",
}


@dataclass(frozen=True)
class Query:
    """A query: the tables it reads, its columns with their types, and its text."""

    tables: tuple[str, ...]
    columns: dict[str, str]
    sql: str


QUERIES = {
    1: Query(
        ("lineitem",),
        {
            "l_returnflag": "str",
            "l_linestatus": "str",
            "sum_qty": "decimal",
            "sum_base_price": "decimal",
            "sum_disc_price": "decimal",
            "sum_charge": "decimal",
            "avg_qty": "float",
            "avg_price": "float",
            "avg_disc": "float",
            "count_order": "int",
        },
        """
        SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice),
            sum(l_extendedprice * (1 - l_discount)),
            sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)),
            avg(l_quantity), avg(l_extendedprice), avg(l_discount), count(*)
        FROM lineitem
        WHERE l_shipdate <= DATE '1998-12-01' - INTERVAL 90 DAY
        GROUP BY l_returnflag, l_linestatus
        """,
    ),
    3: Query(
        ("customer", "orders", "lineitem"),
        {
            "l_orderkey": "int",
            "revenue": "decimal",
            "o_orderdate": "date",
            "o_shippriority": "int",
        },
        # The specification leaves ties open; the circuit language cuts them by what remains.
        """
        SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue,
            o_orderdate, o_shippriority
        FROM customer, orders, lineitem
        WHERE c_mktsegment = 'BUILDING' AND c_custkey = o_custkey AND l_orderkey = o_orderkey
            AND o_orderdate < DATE '1995-03-15' AND l_shipdate > DATE '1995-03-15'
        GROUP BY l_orderkey, o_orderdate, o_shippriority
        ORDER BY revenue DESC, o_orderdate, l_orderkey, o_shippriority
        LIMIT 10
        """,
    ),
    5: Query(
        ("customer", "orders", "lineitem", "supplier", "nation", "region"),
        {"n_name": "str", "revenue": "decimal"},
        """
        SELECT n_name, sum(l_extendedprice * (1 - l_discount))
        FROM customer, orders, lineitem, supplier, nation, region
        WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey
            AND c_nationkey = s_nationkey AND s_nationkey = n_nationkey
            AND n_regionkey = r_regionkey AND r_name = 'ASIA'
            AND o_orderdate >= DATE '1994-01-01'
            AND o_orderdate < DATE '1994-01-01' + INTERVAL 1 YEAR
        GROUP BY n_name
        """,
    ),
    6: Query(
        ("lineitem",),
        {"revenue": "decimal"},
        """
        SELECT sum(l_extendedprice * l_discount)
        FROM lineitem
        WHERE l_shipdate >= DATE '1994-01-01'
            AND l_shipdate < DATE '1994-01-01' + INTERVAL 1 YEAR
            AND l_discount BETWEEN 0.06 - 0.01 AND 0.06 + 0.01 AND l_quantity < 24
        """,
    ),
    13: Query(
        ("customer", "orders"),
        {"c_count": "int", "custdist": "int"},
        """
        SELECT c_count, count(*)
        FROM (
            SELECT c_custkey, count(o_orderkey)
            FROM customer LEFT OUTER JOIN orders
                ON c_custkey = o_custkey AND o_comment NOT LIKE '%special%requests%'
            GROUP BY c_custkey
        ) AS c_orders (c_custkey, c_count)
        GROUP BY c_count
        """,
    ),
    18: Query(
        ("customer", "orders", "lineitem"),
        {
            "c_name": "str",
            "c_custkey": "int",
            "o_orderkey": "int",
            "o_orderdate": "date",
            "o_totalprice": "decimal",
            "sum_quantity": "decimal",
        },
        """
        SELECT c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice,
            sum(l_quantity) AS sum_quantity
        FROM customer, orders, lineitem
        WHERE o_orderkey IN (
                SELECT l_orderkey FROM lineitem GROUP BY l_orderkey HAVING sum(l_quantity) > 300
            )
            AND c_custkey = o_custkey AND o_orderkey = l_orderkey
        GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
        ORDER BY o_totalprice DESC, o_orderdate, c_name, c_custkey, o_orderkey, sum_quantity
        LIMIT 100
        """,
    ),
}


def load(folder):
    """A DuckDB with the tables of a folder."""
    database = duckdb.connect(":memory:")
    for name, columns in TABLES.items():
        database.execute(f"CREATE TABLE {name} ({columns})")
        database.execute(f"COPY {name} FROM '{folder / name}.csv' (HEADER, DELIMITER ',')")
    return database


def answer(database, query):
    """DuckDB's rows for a query."""
    return database.execute(query.sql).fetchall()
