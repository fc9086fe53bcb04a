"""The flights circuit in SQL, for DuckDB: its tables and its five answers."""

from dataclasses import dataclass

import duckdb

# Times stay texts: both sides write them the same way, and only equality matters.
TABLES = {
    "flights": """id BIGINT, time_hour VARCHAR, carrier VARCHAR, flight BIGINT, tailnum VARCHAR,
        origin VARCHAR, dest VARCHAR, sched_dep_time BIGINT, dep_delay BIGINT, arr_delay BIGINT,
        air_time BIGINT, distance BIGINT""",
    "airlines": "carrier VARCHAR, name VARCHAR",
    "airports": """faa VARCHAR, name VARCHAR, lat DOUBLE, lon DOUBLE, alt BIGINT, tz BIGINT,
        dst VARCHAR, tzone VARCHAR""",
    "planes": """tailnum VARCHAR, year BIGINT, type VARCHAR, manufacturer VARCHAR, model VARCHAR,
        engines BIGINT, seats BIGINT, speed BIGINT, engine VARCHAR""",
    "weather": """origin VARCHAR, year BIGINT, month BIGINT, day BIGINT, hour BIGINT, temp DOUBLE,
        dewp DOUBLE, humid DOUBLE, wind_dir BIGINT, wind_speed DOUBLE, wind_gust DOUBLE,
        precip DOUBLE, pressure DOUBLE, visib DOUBLE, time_hour VARCHAR""",
}

KEYS = {
    "flights": ("id",),
    "airlines": ("carrier",),
    "airports": ("faa",),
    "planes": ("tailnum",),
    "weather": ("origin", "time_hour"),
}


@dataclass(frozen=True)
class Answer:
    """An output topic: its columns with their types, those that may be none, and its SQL."""

    columns: dict[str, str]
    optional: tuple[str, ...]
    sql: str


ANSWERS = {
    "carrier_delays": Answer(
        {
            "carrier": "str",
            "airline": "str",
            "flights": "int",
            "cancelled": "int",
            "late": "int",
            "mean_arr_delay": "float",
            "worst_dep_delay": "int",
        },
        ("mean_arr_delay", "worst_dep_delay"),
        """
        SELECT f.carrier, a.name, count(*), count(*) FILTER (dep_delay IS NULL),
            count(*) FILTER (dep_delay > 15), avg(arr_delay), max(dep_delay)
        FROM flights f JOIN airlines a ON f.carrier = a.carrier
        GROUP BY f.carrier, a.name
        """,
    ),
    "weather_delays": Answer(
        {
            "origin": "str",
            "sky": "str",
            "flights": "int",
            "cancelled": "int",
            "mean_dep_delay": "float",
        },
        ("mean_dep_delay",),
        """
        WITH sky AS (
            SELECT origin, time_hour, CASE
                WHEN precip > 0.1::DOUBLE THEN 'rain'
                WHEN precip > 0 THEN 'drizzle'
                WHEN visib < 3 THEN 'fog'
                WHEN coalesce(wind_speed, 0) > 25 THEN 'wind'
                ELSE 'fair' END AS sky
            FROM weather
        )
        SELECT f.origin, coalesce(w.sky, 'unknown'), count(*),
            count(*) FILTER (dep_delay IS NULL), avg(dep_delay)
        FROM flights f LEFT JOIN sky w ON f.origin = w.origin AND f.time_hour = w.time_hour
        GROUP BY 1, 2
        """,
    ),
    "top_routes": Answer(
        {"origin": "str", "dest": "str", "airport": "str", "flights": "int", "distance": "int"},
        ("airport",),
        """
        WITH busiest AS (
            SELECT origin, dest, count(*) AS flights, max(distance) AS distance
            FROM flights WHERE dep_delay IS NOT NULL
            GROUP BY origin, dest
            ORDER BY flights DESC, origin, dest
            LIMIT 10
        )
        SELECT origin, dest, a.name, flights, distance
        FROM busiest LEFT JOIN airports a ON dest = a.faa
        """,
    ),
    "fleet": Answer(
        {
            "manufacturer": "str",
            "flights": "int",
            "planes": "int",
            "seats": "int",
            "mean_air_time": "float",
        },
        ("seats", "mean_air_time"),
        """
        SELECT coalesce(p.manufacturer, 'unknown'), count(*), count(DISTINCT p.tailnum),
            sum(p.seats)::BIGINT, avg(air_time)
        FROM flights f LEFT JOIN planes p ON f.tailnum = p.tailnum
        GROUP BY 1
        """,
    ),
    "totals": Answer(
        {"flights": "int", "departed": "int", "miles": "int"},
        (),
        "SELECT count(*), count(dep_delay), sum(distance)::BIGINT FROM flights",
    ),
}


def load(folder):
    """A DuckDB with the five tables of a folder; of rows with one key the last stays."""
    database = duckdb.connect(":memory:")
    for name, columns in TABLES.items():
        database.execute(f"CREATE TABLE {name} ({columns})")
        source = f"'{folder / name}.csv.gz' (HEADER, DELIMITER ',', NULLSTR '')"
        database.execute(f"COPY {name} FROM {source}")
        key = ", ".join(KEYS[name])
        database.execute(
            f"DELETE FROM {name} WHERE rowid NOT IN (SELECT max(rowid) FROM {name} GROUP BY {key})"
        )
    return database
