"""The TPC-H queries for DuckDB, as the specification words them.

A query's parameters have the specification's validation values, and other values of the ranges
that it allows. Where the specification leaves ties open, they are cut as in the circuit language:
by the remaining columns, ascending.
"""

import datetime
import decimal
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Query:
    """A query: the tables it reads, its columns with their types, its text and its parameters.

    `optional` are columns that SQL leaves NULL where nothing was found.
    """

    tables: str
    columns: str
    sql: str
    params: dict[str, object] = field(default_factory=dict)
    other: dict[str, object] = field(default_factory=dict)
    optional: tuple[str, ...] = ()


def day(text):
    """A date parameter."""
    return datetime.date.fromisoformat(text)


D = decimal.Decimal

QUERIES = {
    1: Query(
        "lineitem",
        """l_returnflag: str, l_linestatus: str, sum_qty: decimal, sum_base_price: decimal,
        sum_disc_price: decimal, sum_charge: decimal, avg_qty: float, avg_price: float,
        avg_disc: float, count_order: int""",
        """
        SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice),
            sum(l_extendedprice * (1 - l_discount)),
            sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)),
            avg(l_quantity), avg(l_extendedprice), avg(l_discount), count(*)
        FROM lineitem
        WHERE l_shipdate <= DATE '1998-12-01' - $DELTA
        GROUP BY l_returnflag, l_linestatus
        """,
        {"DELTA": datetime.timedelta(days=90)},
        {"DELTA": datetime.timedelta(days=117)},
    ),
    2: Query(
        "part supplier partsupp nation region",
        """s_acctbal: decimal, s_name: str, n_name: str, p_partkey: int, p_mfgr: str,
        s_address: str, s_phone: str, s_comment: str""",
        """
        SELECT s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment
        FROM part, supplier, partsupp, nation, region
        WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND p_size = $SIZE
            AND p_type LIKE '%' || $TYPE AND s_nationkey = n_nationkey
            AND n_regionkey = r_regionkey AND r_name = $REGION
            AND ps_supplycost = (
                SELECT min(ps_supplycost)
                FROM partsupp, supplier, nation, region
                WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey
                    AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey
                    AND r_name = $REGION
            )
        ORDER BY s_acctbal DESC, n_name, s_name, p_partkey, p_mfgr, s_address, s_phone, s_comment
        LIMIT 100
        """,
        {"SIZE": 15, "TYPE": "BRASS", "REGION": "EUROPE"},
        {"SIZE": 21, "TYPE": "STEEL", "REGION": "ASIA"},
    ),
    3: Query(
        "customer orders lineitem",
        "l_orderkey: int, revenue: decimal, o_orderdate: date, o_shippriority: int",
        """
        SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue,
            o_orderdate, o_shippriority
        FROM customer, orders, lineitem
        WHERE c_mktsegment = $SEGMENT AND c_custkey = o_custkey AND l_orderkey = o_orderkey
            AND o_orderdate < $DATE AND l_shipdate > $DATE
        GROUP BY l_orderkey, o_orderdate, o_shippriority
        ORDER BY revenue DESC, o_orderdate, l_orderkey, o_shippriority
        LIMIT 10
        """,
        {"SEGMENT": "BUILDING", "DATE": day("1995-03-15")},
        {"SEGMENT": "MACHINERY", "DATE": day("1995-03-04")},
    ),
    4: Query(
        "orders lineitem",
        "o_orderpriority: str, order_count: int",
        """
        SELECT o_orderpriority, count(*)
        FROM orders
        WHERE o_orderdate >= $DATE AND o_orderdate < $DATE + INTERVAL 3 MONTH
            AND EXISTS (
                SELECT * FROM lineitem
                WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate
            )
        GROUP BY o_orderpriority
        """,
        {"DATE": day("1993-07-01")},
        {"DATE": day("1996-11-01")},
    ),
    5: Query(
        "customer orders lineitem supplier nation region",
        "n_name: str, revenue: decimal",
        """
        SELECT n_name, sum(l_extendedprice * (1 - l_discount))
        FROM customer, orders, lineitem, supplier, nation, region
        WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey
            AND c_nationkey = s_nationkey AND s_nationkey = n_nationkey
            AND n_regionkey = r_regionkey AND r_name = $REGION
            AND o_orderdate >= $DATE AND o_orderdate < $DATE + INTERVAL 1 YEAR
        GROUP BY n_name
        """,
        {"REGION": "ASIA", "DATE": day("1994-01-01")},
        {"REGION": "AFRICA", "DATE": day("1996-01-01")},
    ),
    6: Query(
        "lineitem",
        "revenue: decimal",
        """
        SELECT sum(l_extendedprice * l_discount)
        FROM lineitem
        WHERE l_shipdate >= $DATE AND l_shipdate < $DATE + INTERVAL 1 YEAR
            AND l_discount BETWEEN $DISCOUNT - 0.01 AND $DISCOUNT + 0.01
            AND l_quantity < $QUANTITY
        """,
        {"DATE": day("1994-01-01"), "DISCOUNT": D("0.06"), "QUANTITY": 24},
        {"DATE": day("1997-01-01"), "DISCOUNT": D("0.03"), "QUANTITY": 25},
        optional=("revenue",),
    ),
    7: Query(
        "supplier lineitem orders customer nation",
        "supp_nation: str, cust_nation: str, l_year: int, revenue: decimal",
        """
        SELECT supp_nation, cust_nation, l_year, sum(volume)
        FROM (
            SELECT n1.n_name AS supp_nation, n2.n_name AS cust_nation,
                extract(year FROM l_shipdate) AS l_year,
                l_extendedprice * (1 - l_discount) AS volume
            FROM supplier, lineitem, orders, customer, nation n1, nation n2
            WHERE s_suppkey = l_suppkey AND o_orderkey = l_orderkey AND c_custkey = o_custkey
                AND s_nationkey = n1.n_nationkey AND c_nationkey = n2.n_nationkey
                AND (n1.n_name = $NATION1 AND n2.n_name = $NATION2
                    OR n1.n_name = $NATION2 AND n2.n_name = $NATION1)
                AND l_shipdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
        ) AS shipping
        GROUP BY supp_nation, cust_nation, l_year
        """,
        {"NATION1": "FRANCE", "NATION2": "GERMANY"},
        {"NATION1": "CHINA", "NATION2": "KENYA"},
    ),
    8: Query(
        "part supplier lineitem orders customer nation region",
        "o_year: int, mkt_share: float",
        """
        SELECT o_year, sum(CASE WHEN nation = $NATION THEN volume ELSE 0 END) / sum(volume)
        FROM (
            SELECT extract(year FROM o_orderdate) AS o_year,
                l_extendedprice * (1 - l_discount) AS volume, n2.n_name AS nation
            FROM part, supplier, lineitem, orders, customer, nation n1, nation n2, region
            WHERE p_partkey = l_partkey AND s_suppkey = l_suppkey AND l_orderkey = o_orderkey
                AND o_custkey = c_custkey AND c_nationkey = n1.n_nationkey
                AND n1.n_regionkey = r_regionkey AND r_name = $REGION
                AND s_nationkey = n2.n_nationkey
                AND o_orderdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
                AND p_type = $TYPE
        ) AS all_nations
        GROUP BY o_year
        """,
        {"NATION": "BRAZIL", "REGION": "AMERICA", "TYPE": "ECONOMY ANODIZED STEEL"},
        {"NATION": "CHINA", "REGION": "ASIA", "TYPE": "SMALL PLATED COPPER"},
    ),
    9: Query(
        "part supplier lineitem partsupp orders nation",
        "nation: str, o_year: int, sum_profit: decimal",
        """
        SELECT nation, o_year, sum(amount)
        FROM (
            SELECT n_name AS nation, extract(year FROM o_orderdate) AS o_year,
                l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity AS amount
            FROM part, supplier, lineitem, partsupp, orders, nation
            WHERE s_suppkey = l_suppkey AND ps_suppkey = l_suppkey AND ps_partkey = l_partkey
                AND p_partkey = l_partkey AND o_orderkey = l_orderkey
                AND s_nationkey = n_nationkey AND p_name LIKE '%' || $COLOR || '%'
        ) AS profit
        GROUP BY nation, o_year
        """,
        {"COLOR": "green"},
        {"COLOR": "dim"},
    ),
    10: Query(
        "customer orders lineitem nation",
        """c_custkey: int, c_name: str, revenue: decimal, c_acctbal: decimal, n_name: str,
        c_address: str, c_phone: str, c_comment: str""",
        """
        SELECT c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) AS revenue,
            c_acctbal, n_name, c_address, c_phone, c_comment
        FROM customer, orders, lineitem, nation
        WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate >= $DATE
            AND o_orderdate < $DATE + INTERVAL 3 MONTH AND l_returnflag = 'R'
            AND c_nationkey = n_nationkey
        GROUP BY c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
        ORDER BY revenue DESC, c_custkey, c_name, c_acctbal, n_name, c_address, c_phone, c_comment
        LIMIT 20
        """,
        {"DATE": day("1993-10-01")},
        {"DATE": day("1994-06-01")},
    ),
    11: Query(
        "partsupp supplier nation",
        "ps_partkey: int, value: decimal",
        """
        SELECT ps_partkey, sum(ps_supplycost * ps_availqty) AS value
        FROM partsupp, supplier, nation
        WHERE ps_suppkey = s_suppkey AND s_nationkey = n_nationkey AND n_name = $NATION
        GROUP BY ps_partkey
        HAVING sum(ps_supplycost * ps_availqty) > (
            SELECT sum(ps_supplycost * ps_availqty) * $FRACTION
            FROM partsupp, supplier, nation
            WHERE ps_suppkey = s_suppkey AND s_nationkey = n_nationkey AND n_name = $NATION
        )
        """,
        {"NATION": "GERMANY", "FRACTION": D("0.0001")},
        {"NATION": "JAPAN", "FRACTION": D("0.005")},
    ),
    12: Query(
        "orders lineitem",
        "l_shipmode: str, high_line_count: int, low_line_count: int",
        """
        SELECT l_shipmode,
            sum(CASE WHEN o_orderpriority = '1-URGENT' OR o_orderpriority = '2-HIGH'
                THEN 1 ELSE 0 END),
            sum(CASE WHEN o_orderpriority <> '1-URGENT' AND o_orderpriority <> '2-HIGH'
                THEN 1 ELSE 0 END)
        FROM orders, lineitem
        WHERE o_orderkey = l_orderkey AND l_shipmode IN ($SHIPMODE1, $SHIPMODE2)
            AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate
            AND l_receiptdate >= $DATE AND l_receiptdate < $DATE + INTERVAL 1 YEAR
        GROUP BY l_shipmode
        """,
        {"SHIPMODE1": "MAIL", "SHIPMODE2": "SHIP", "DATE": day("1994-01-01")},
        {"SHIPMODE1": "TRUCK", "SHIPMODE2": "REG AIR", "DATE": day("1995-01-01")},
    ),
    13: Query(
        "customer orders",
        "c_count: int, custdist: int",
        """
        SELECT c_count, count(*)
        FROM (
            SELECT c_custkey, count(o_orderkey)
            FROM customer LEFT OUTER JOIN orders ON c_custkey = o_custkey
                AND o_comment NOT LIKE '%' || $WORD1 || '%' || $WORD2 || '%'
            GROUP BY c_custkey
        ) AS c_orders (c_custkey, c_count)
        GROUP BY c_count
        """,
        {"WORD1": "special", "WORD2": "requests"},
        {"WORD1": "pending", "WORD2": "accounts"},
    ),
    14: Query(
        "lineitem part",
        "promo_revenue: float",
        """
        SELECT 100.00 * sum(CASE WHEN p_type LIKE 'PROMO%'
                THEN l_extendedprice * (1 - l_discount) ELSE 0 END)
            / sum(l_extendedprice * (1 - l_discount))
        FROM lineitem, part
        WHERE l_partkey = p_partkey AND l_shipdate >= $DATE
            AND l_shipdate < $DATE + INTERVAL 1 MONTH
        """,
        {"DATE": day("1995-09-01")},
        {"DATE": day("1997-02-01")},
        optional=("promo_revenue",),
    ),
    15: Query(
        "supplier lineitem",
        "s_suppkey: int, s_name: str, s_address: str, s_phone: str, total_revenue: decimal",
        """
        WITH revenue AS (
            SELECT l_suppkey AS supplier_no,
                sum(l_extendedprice * (1 - l_discount)) AS total_revenue
            FROM lineitem
            WHERE l_shipdate >= $DATE AND l_shipdate < $DATE + INTERVAL 3 MONTH
            GROUP BY l_suppkey
        )
        SELECT s_suppkey, s_name, s_address, s_phone, total_revenue
        FROM supplier, revenue
        WHERE s_suppkey = supplier_no
            AND total_revenue = (SELECT max(total_revenue) FROM revenue)
        """,
        {"DATE": day("1996-01-01")},
        {"DATE": day("1994-05-01")},
    ),
    16: Query(
        "partsupp part supplier",
        "p_brand: str, p_type: str, p_size: int, supplier_cnt: int",
        """
        SELECT p_brand, p_type, p_size, count(DISTINCT ps_suppkey)
        FROM partsupp, part
        WHERE p_partkey = ps_partkey AND p_brand <> $BRAND AND p_type NOT LIKE $TYPE || '%'
            AND p_size IN ($SIZE1, $SIZE2, $SIZE3, $SIZE4, $SIZE5, $SIZE6, $SIZE7, $SIZE8)
            AND ps_suppkey NOT IN (
                SELECT s_suppkey FROM supplier WHERE s_comment LIKE '%Customer%Complaints%'
            )
        GROUP BY p_brand, p_type, p_size
        """,
        {
            "BRAND": "Brand#45",
            "TYPE": "MEDIUM POLISHED",
            **{f"SIZE{at}": size for at, size in enumerate([49, 14, 23, 45, 19, 3, 36, 9], 1)},
        },
        {
            "BRAND": "Brand#12",
            "TYPE": "SMALL PLATED",
            **{f"SIZE{at}": size for at, size in enumerate([1, 2, 4, 8, 16, 32, 50, 40], 1)},
        },
    ),
    17: Query(
        "lineitem part",
        "avg_yearly: float",
        """
        SELECT sum(l_extendedprice) / 7.0
        FROM lineitem, part
        WHERE p_partkey = l_partkey AND p_brand = $BRAND AND p_container = $CONTAINER
            AND l_quantity < (
                SELECT 0.2 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey
            )
        """,
        {"BRAND": "Brand#23", "CONTAINER": "MED BOX"},
        {"BRAND": "Brand#24", "CONTAINER": "WRAP CASE"},
        optional=("avg_yearly",),
    ),
    18: Query(
        "customer orders lineitem",
        """c_name: str, c_custkey: int, o_orderkey: int, o_orderdate: date, o_totalprice: decimal,
        sum_quantity: decimal""",
        """
        SELECT c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice,
            sum(l_quantity) AS sum_quantity
        FROM customer, orders, lineitem
        WHERE o_orderkey IN (
                SELECT l_orderkey FROM lineitem
                GROUP BY l_orderkey HAVING sum(l_quantity) > $QUANTITY
            )
            AND c_custkey = o_custkey AND o_orderkey = l_orderkey
        GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
        ORDER BY o_totalprice DESC, o_orderdate, c_name, c_custkey, o_orderkey, sum_quantity
        LIMIT 100
        """,
        {"QUANTITY": 300},
        {"QUANTITY": 260},
    ),
    19: Query(
        "lineitem part",
        "revenue: decimal",
        """
        SELECT sum(l_extendedprice * (1 - l_discount))
        FROM lineitem, part
        WHERE p_partkey = l_partkey AND l_shipmode IN ('AIR', 'AIR REG')
            AND l_shipinstruct = 'DELIVER IN PERSON'
            AND (p_brand = $BRAND1
                    AND p_container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')
                    AND l_quantity BETWEEN $QUANTITY1 AND $QUANTITY1 + 10
                    AND p_size BETWEEN 1 AND 5
                OR p_brand = $BRAND2
                    AND p_container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')
                    AND l_quantity BETWEEN $QUANTITY2 AND $QUANTITY2 + 10
                    AND p_size BETWEEN 1 AND 10
                OR p_brand = $BRAND3
                    AND p_container IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')
                    AND l_quantity BETWEEN $QUANTITY3 AND $QUANTITY3 + 10
                    AND p_size BETWEEN 1 AND 15)
        """,
        {
            "QUANTITY1": 1,
            "QUANTITY2": 10,
            "QUANTITY3": 20,
            "BRAND1": "Brand#12",
            "BRAND2": "Brand#23",
            "BRAND3": "Brand#34",
        },
        {
            "QUANTITY1": 5,
            "QUANTITY2": 15,
            "QUANTITY3": 25,
            "BRAND1": "Brand#11",
            "BRAND2": "Brand#22",
            "BRAND3": "Brand#33",
        },
        optional=("revenue",),
    ),
    20: Query(
        "supplier nation partsupp part lineitem",
        "s_name: str, s_address: str",
        """
        SELECT s_name, s_address
        FROM supplier, nation
        WHERE s_suppkey IN (
                SELECT ps_suppkey FROM partsupp
                WHERE ps_partkey IN (SELECT p_partkey FROM part WHERE p_name LIKE $COLOR || '%')
                    AND ps_availqty > (
                        SELECT 0.5 * sum(l_quantity) FROM lineitem
                        WHERE l_partkey = ps_partkey AND l_suppkey = ps_suppkey
                            AND l_shipdate >= $DATE AND l_shipdate < $DATE + INTERVAL 1 YEAR
                    )
            )
            AND s_nationkey = n_nationkey AND n_name = $NATION
        """,
        {"COLOR": "forest", "DATE": day("1994-01-01"), "NATION": "CANADA"},
        {"COLOR": "a", "DATE": day("1996-01-01"), "NATION": "CHINA"},
    ),
    21: Query(
        "supplier lineitem orders nation",
        "s_name: str, numwait: int",
        """
        SELECT s_name, count(*) AS numwait
        FROM supplier, lineitem l1, orders, nation
        WHERE s_suppkey = l1.l_suppkey AND o_orderkey = l1.l_orderkey AND o_orderstatus = 'F'
            AND l1.l_receiptdate > l1.l_commitdate
            AND EXISTS (
                SELECT * FROM lineitem l2
                WHERE l2.l_orderkey = l1.l_orderkey AND l2.l_suppkey <> l1.l_suppkey
            )
            AND NOT EXISTS (
                SELECT * FROM lineitem l3
                WHERE l3.l_orderkey = l1.l_orderkey AND l3.l_suppkey <> l1.l_suppkey
                    AND l3.l_receiptdate > l3.l_commitdate
            )
            AND s_nationkey = n_nationkey AND n_name = $NATION
        GROUP BY s_name
        ORDER BY numwait DESC, s_name
        LIMIT 100
        """,
        {"NATION": "SAUDI ARABIA"},
        {"NATION": "CHINA"},
    ),
    22: Query(
        "customer orders",
        "cntrycode: str, numcust: int, totacctbal: decimal",
        """
        SELECT cntrycode, count(*), sum(c_acctbal)
        FROM (
            SELECT substring(c_phone FROM 1 FOR 2) AS cntrycode, c_acctbal
            FROM customer
            WHERE substring(c_phone FROM 1 FOR 2) IN ($I1, $I2, $I3, $I4, $I5, $I6, $I7)
                AND c_acctbal > (
                    SELECT avg(c_acctbal) FROM customer
                    WHERE c_acctbal > 0.00
                        AND substring(c_phone FROM 1 FOR 2) IN ($I1, $I2, $I3, $I4, $I5, $I6, $I7)
                )
                AND NOT EXISTS (SELECT * FROM orders WHERE o_custkey = c_custkey)
        ) AS custsale
        GROUP BY cntrycode
        """,
        {f"I{at}": code for at, code in enumerate("13 31 23 29 30 18 17".split(), 1)},
        {f"I{at}": code for at, code in enumerate("10 12 14 16 20 22 24".split(), 1)},
    ),
}
