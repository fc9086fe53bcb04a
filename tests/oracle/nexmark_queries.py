"""The Nexmark queries for DuckDB, over all events at once.

Windows begin at multiples of their length since 1970 and hold their start, not their end; a session
ends with a pause of its gap or longer. Where a query cuts a list, ties are cut as in the circuit
language: by the remaining columns, ascending.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    """A query: the topics it reads, its columns with their types, and its text."""

    topics: str
    columns: str
    sql: str


TABLES = {
    "person": """id BIGINT, name VARCHAR, email_address VARCHAR, credit_card VARCHAR, city VARCHAR,
        state VARCHAR, date_time TIMESTAMP, extra VARCHAR""",
    "auction": """id BIGINT, item_name VARCHAR, description VARCHAR, initial_bid BIGINT,
        reserve BIGINT, date_time TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT,
        extra VARCHAR""",
    "bid": """auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR,
        date_time TIMESTAMP, extra VARCHAR""",
    "side_input": "key BIGINT, value VARCHAR",
}

BID = "auction: int, bidder: int, price: int, date_time: time, extra: str"
WHOLE_BID = """auction: int, bidder: int, price: int, channel: str, url: str, date_time: time,
    extra: str"""

# The bids of an auction's time, and where the window of ten seconds begins that a time falls into.
IN_TIME = "a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires"
START = "time_bucket(INTERVAL 10 SECOND, date_time, TIMESTAMP '1970-01-01')"

RANKS = {1: "price < 10000", 2: "price >= 10000 AND price < 1000000", 3: "price >= 1000000"}
COUNTS = {
    "bids": "count(*)",
    "bidders": "count(DISTINCT bidder)",
    "auctions": "count(DISTINCT auction)",
}


def counts(*kinds):
    """Columns and their SQL: each kind's count in all, and by rank of the price."""
    columns, texts = [], []
    for kind in kinds:
        columns.append(f"total_{kind}: int")
        texts.append(COUNTS[kind])
        for rank, condition in RANKS.items():
            columns.append(f"rank{rank}_{kind}: int")
            texts.append(f"{COUNTS[kind]} FILTER ({condition})")
    return ", ".join(columns), ", ".join(texts)


ALL_COLUMNS, ALL_COUNTS = counts("bids", "bidders", "auctions")
BID_COLUMNS, BID_COUNTS = counts("bids")

QUERIES = {
    0: Query("bid", BID, "SELECT auction, bidder, price, date_time, extra FROM bid"),
    1: Query(
        "bid",
        BID.replace("price: int", "price: decimal"),
        "SELECT auction, bidder, 0.908 * price, date_time, extra FROM bid",
    ),
    2: Query(
        "bid",
        "auction: int, price: int",
        "SELECT auction, price FROM bid WHERE auction % 123 = 0",
    ),
    3: Query(
        "auction person",
        "name: str, city: str, state: str, id: int",
        """
        SELECT p.name, p.city, p.state, a.id
        FROM auction a JOIN person p ON a.seller = p.id
        WHERE a.category = 10 AND p.state IN ('or', 'id', 'ca')
        """,
    ),
    4: Query(
        "auction bid",
        "category: int, avg: float",
        f"""
        SELECT category, avg(final)
        FROM (
            SELECT max(b.price) AS final, a.category
            FROM auction a, bid b WHERE {IN_TIME}
            GROUP BY a.id, a.category
        )
        GROUP BY category
        """,
    ),
    5: Query(
        "bid",
        "auction: int, num: int",
        """
        WITH hopping AS (
            SELECT auction, time_bucket(INTERVAL 2 SECOND, date_time, TIMESTAMP '1970-01-01')
                - step * INTERVAL 2 SECOND AS window_start
            FROM bid, range(5) AS steps (step)
        ), counted AS (
            SELECT auction, window_start, count(*) AS num
            FROM hopping GROUP BY auction, window_start
        )
        SELECT auction, num
        FROM counted JOIN (
            SELECT window_start, max(num) AS most FROM counted GROUP BY window_start
        ) AS best USING (window_start)
        WHERE num >= most
        """,
    ),
    6: Query(
        "auction bid",
        "seller: int, avg: float",
        f"""
        SELECT seller, avg(final) OVER (
            PARTITION BY seller ORDER BY date_time, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW
        )
        FROM (
            SELECT a.seller, b.price AS final, b.date_time, a.id
            FROM auction a, bid b WHERE {IN_TIME}
            QUALIFY row_number() OVER (
                PARTITION BY a.id ORDER BY b.price DESC, b.date_time, b.bidder, b.extra
            ) <= 1
        )
        """,
    ),
    7: Query(
        "bid",
        BID,
        f"""
        SELECT auction, bidder, price, date_time, extra
        FROM (SELECT *, {START} AS window_start FROM bid) JOIN (
            SELECT {START} AS window_start, max(price) AS most FROM bid GROUP BY 1
        ) AS best USING (window_start)
        WHERE price = most
        """,
    ),
    8: Query(
        "person auction",
        "id: int, name: str, starttime: time",
        f"""
        SELECT p.id, p.name, p.starttime
        FROM (SELECT DISTINCT id, name, {START} AS starttime FROM person) AS p JOIN (
            SELECT DISTINCT seller, {START} AS starttime FROM auction
        ) AS a ON p.id = a.seller AND p.starttime = a.starttime
        """,
    ),
    9: Query(
        "auction bid",
        """id: int, item_name: str, description: str, initial_bid: int, reserve: int,
        date_time: time, expires: time, seller: int, category: int, extra: str, auction: int,
        bidder: int, price: int, bid_date_time: time, bid_extra: str""",
        f"""
        SELECT a.*, b.auction, b.bidder, b.price, b.date_time, b.extra
        FROM auction a, bid b WHERE {IN_TIME}
        QUALIFY row_number() OVER (
            PARTITION BY a.id ORDER BY b.price DESC, b.date_time, a.item_name, a.description,
                a.initial_bid, a.reserve, a.date_time, a.expires, a.seller, a.category, a.extra,
                b.bidder, b.extra
        ) <= 1
        """,
    ),
    10: Query(
        "bid",
        f"{BID}, date: str, time: str",
        """
        SELECT auction, bidder, price, date_time, extra,
            strftime(date_time, '%Y-%m-%d'), strftime(date_time, '%H:%M')
        FROM bid
        """,
    ),
    11: Query(
        "bid",
        "bidder: int, bid_count: int, starttime: time, endtime: time",
        """
        WITH begun AS (
            SELECT bidder, date_time, coalesce(
                date_time - lag(date_time) OVER (PARTITION BY bidder ORDER BY date_time)
                    >= INTERVAL 10 SECOND, true
            )::INT AS begins
            FROM bid
        ), numbered AS (
            SELECT bidder, date_time, sum(begins) OVER (
                PARTITION BY bidder ORDER BY date_time
                RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS session
            FROM begun
        )
        SELECT bidder, count(*), min(date_time), max(date_time) + INTERVAL 10 SECOND
        FROM numbered GROUP BY bidder, session
        """,
    ),
    12: Query(
        "bid",
        "bidder: int, bid_count: int, starttime: time, endtime: time",
        f"""
        SELECT bidder, count(*), {START}, {START} + INTERVAL 10 SECOND
        FROM bid GROUP BY bidder, {START}
        """,
    ),
    13: Query(
        "bid side_input",
        "auction: int, bidder: int, price: int, date_time: time, value: str",
        """
        SELECT auction, bidder, price, date_time, value
        FROM bid JOIN side_input ON auction % 10000 = key
        """,
    ),
    14: Query(
        "bid",
        """auction: int, bidder: int, price: decimal, bid_time_type: str, date_time: time,
        extra: str, c_counts: int""",
        """
        SELECT auction, bidder, 0.908 * price, CASE
                WHEN hour(date_time) >= 8 AND hour(date_time) <= 18 THEN 'dayTime'
                WHEN hour(date_time) <= 6 OR hour(date_time) >= 20 THEN 'nightTime'
                ELSE 'otherTime' END,
            date_time, extra, len(regexp_replace(extra, '[^c]', '', 'g'))
        FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000
        """,
    ),
    15: Query(
        "bid",
        f"day: str, {ALL_COLUMNS}",
        f"SELECT strftime(date_time, '%Y-%m-%d') AS day, {ALL_COUNTS} FROM bid GROUP BY day",
    ),
    16: Query(
        "bid",
        f"channel: str, day: str, minute: str, {ALL_COLUMNS}",
        f"""
        SELECT channel, strftime(date_time, '%Y-%m-%d') AS day, max(strftime(date_time, '%H:%M')),
            {ALL_COUNTS}
        FROM bid GROUP BY channel, day
        """,
    ),
    17: Query(
        "bid",
        f"""auction: int, day: str, {BID_COLUMNS}, min_price: int, max_price: int,
        avg_price: float, sum_price: int""",
        f"""
        SELECT auction, strftime(date_time, '%Y-%m-%d') AS day, {BID_COUNTS}, min(price),
            max(price), avg(price), sum(price)::BIGINT
        FROM bid GROUP BY auction, day
        """,
    ),
    18: Query(
        "bid",
        WHOLE_BID,
        """
        SELECT * FROM bid QUALIFY row_number() OVER (
            PARTITION BY bidder, auction ORDER BY date_time DESC, price, channel, url, extra
        ) <= 1
        """,
    ),
    19: Query(
        "bid",
        f"{WHOLE_BID}, rank_number: int",
        """
        SELECT *, row_number() OVER (
            PARTITION BY auction ORDER BY price DESC, bidder, channel, url, date_time, extra
        ) AS rank_number
        FROM bid QUALIFY rank_number <= 10
        """,
    ),
    20: Query(
        "bid auction",
        """auction: int, bidder: int, price: int, channel: str, url: str, bid_date_time: time,
        bid_extra: str, item_name: str, description: str, initial_bid: int, reserve: int,
        auction_date_time: time, expires: time, seller: int, category: int, auction_extra: str""",
        """
        SELECT auction, bidder, price, channel, url, b.date_time, b.extra, item_name, description,
            initial_bid, reserve, a.date_time, expires, seller, category, a.extra
        FROM bid b JOIN auction a ON b.auction = a.id
        WHERE a.category = 10
        """,
    ),
    21: Query(
        "bid",
        "auction: int, bidder: int, price: int, channel: str, channel_id: str",
        """
        SELECT auction, bidder, price, channel, CASE lower(channel)
                WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2'
                WHEN 'baidu' THEN '3'
                ELSE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) END
        FROM bid
        WHERE regexp_matches(url, '(&|^)channel_id=([^&]*)')
            OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')
        """,
    ),
    22: Query(
        "bid",
        """auction: int, bidder: int, price: int, channel: str, dir1: str, dir2: str,
        dir3: str""",
        """
        SELECT auction, bidder, price, channel, split_part(url, '/', 4), split_part(url, '/', 5),
            split_part(url, '/', 6)
        FROM bid
        """,
    ),
}
