"""Each verb and aggregate against DuckDB, over rows that come and go, at once and in epochs."""

import datetime
import decimal
import json
import random
from dataclasses import dataclass

import duckdb
import pytest

from conftest import BACKENDS

HEAD = """arqon: 1
circuit: verbs
schemas:
  Left:
    id: int64
    k: option<int64>
    g: string
    x: option<float64>
    d: decimal<2>
    e: option<decimal<3>>
    b: bool
    o: option<bool>
    s: enum<open|paid|void>
    ts: timestamp
  Right: {{ k: int64, n: option<string>, w: int64, ts: timestamp }}
topics:
  l: {{ schema: Left, carries: delta, edge: in }}
  r: {{ schema: Right, carries: delta, edge: in }}
  out: {{ schema: {{ {row} }}, carries: delta, edge: out }}
access: {{ tester: {{ publish: [l, r], subscribe: [out] }} }}
flow:
"""

TABLES = """
CREATE TYPE status AS ENUM ('open', 'paid', 'void');
CREATE TABLE l (id BIGINT, k BIGINT, g VARCHAR, x DOUBLE, d DECIMAL(18, 2), e DECIMAL(18, 3),
    b BOOLEAN, o BOOLEAN, s status, ts TIMESTAMP);
CREATE TABLE r (k BIGINT, n VARCHAR, w BIGINT, ts TIMESTAMP);
"""


@dataclass(frozen=True)
class Case:
    """Steps over `l`, or whole nodes, what they give, and the same in SQL."""

    row: str
    steps: str
    sql: str
    nodes: str = ""

    def circuit(self):
        """The circuit: the nodes, then `n` with the steps."""
        steps = "\n".join("      " + line for line in self.steps.strip("\n").split("\n"))
        node = f"  n:\n    from: l\n    do:\n{steps}\n    to: out\n" if self.steps else ""
        return HEAD.format(row=self.row) + self.nodes.strip("\n") + "\n" + node


CASES = {
    "every aggregate": Case(
        """g: string, n: int64, nx: int64, sx: option<float64>, sd: decimal<2>,
        se: option<decimal<3>>, ad: float64, ax: option<float64>, mi: option<float64>,
        ma: decimal<2>, dc: int64, ls: list<int64>, sv: option<float64>, va: option<float64>,
        qa: decimal<2>, qe: option<decimal<3>>, ab: bool, lb: bool, ao: option<bool>,
        lo: option<bool>, tp: list<decimal<2>>, tk: list<int64>""",
        """
- group: [g]
  agg:
    n: count()
    nx: count(x)
    sx: sum(x)
    sd: sum(d)
    se: sum(e)
    ad: avg(d)
    ax: avg(x)
    mi: min(x)
    ma: max(d)
    dc: distinct_count(k)
    ls: list(k)
    sv: stddev(x)
    va: variance(d)
    qa: quantile(d, 0.5)
    qe: quantile(e, 0.25)
    ab: any(b)
    lb: all(b)
    ao: any(o)
    lo: all(o)
    tp: top(d, 2)
    tk: top(k, 2)
""",
        """SELECT g, count(*) n, count(x) nx, fsum(x) sx, sum(d)::DECIMAL(18, 2) sd,
            sum(e)::DECIMAL(18, 3) se, avg(d)::DOUBLE ad, favg(x) ax, min(x) mi, max(d) ma,
            count(DISTINCT k) dc, coalesce(list(k ORDER BY k) FILTER (k IS NOT NULL), []) ls,
            stddev_samp(x) sv, var_samp(d) va, quantile_disc(d, 0.5) qa,
            quantile_disc(e, 0.25) qe, bool_or(b) ab, bool_and(b) lb, bool_or(o) ao,
            bool_and(o) lo, (list(d ORDER BY d DESC))[:2] tp,
            coalesce((list(k ORDER BY k DESC) FILTER (k IS NOT NULL))[:2], []) tk
        FROM l GROUP BY g""",
    ),
    "aggregates with filters": Case(
        """b: bool, n: int64, sd: decimal<2>, ad: option<float64>, mi: option<decimal<2>>,
        ma: option<float64>, dc: int64, ls: list<int64>, an: bool, al: bool,
        qa: option<decimal<2>>, fi: option<decimal<2>>""",
        """
- group: [b]
  agg:
    n: count(where=d > 0)
    sd: sum(d, where=s == "paid")
    ad: avg(d, where=s == "paid")
    mi: min(d, where=s == "paid")
    ma: max(x, where=s == "paid")
    dc: distinct_count(k, where=s == "paid")
    ls: list(k, where=s == "paid")
    an: any(b, where=s == "paid")
    al: all(d > 0, where=s == "paid")
    fi: first(d, by=ts, where=s == "paid")
    qa: quantile(d, 0.9, where=s == "paid")
  where: n > 1
""",
        """SELECT b, count(*) FILTER (d > 0) n,
            coalesce(sum(d) FILTER (s = 'paid'), 0)::DECIMAL(18, 2) sd,
            avg(d) FILTER (s = 'paid') ad, min(d) FILTER (s = 'paid') mi,
            max(x) FILTER (s = 'paid') ma, count(DISTINCT k) FILTER (s = 'paid') dc,
            coalesce(list(k ORDER BY k) FILTER (s = 'paid' AND k IS NOT NULL), []) ls,
            coalesce(bool_or(b) FILTER (s = 'paid'), false) an,
            coalesce(bool_and(d > 0) FILTER (s = 'paid'), true) al,
            (list(d ORDER BY ts, d) FILTER (s = 'paid'))[1] fi,
            quantile_disc(d, 0.9) FILTER (s = 'paid') qa
        FROM l GROUP BY b HAVING count(*) FILTER (d > 0) > 1""",
    ),
    "the empty group": Case(
        """n: int64, sd: decimal<2>, sx: option<float64>, ad: option<float64>,
        mi: option<decimal<2>>, dc: int64, ls: list<int64>, fi: option<decimal<2>>,
        la: option<int64>, st: option<float64>, an: bool, al: bool, tp: list<decimal<2>>""",
        """
- where: d > 3
- group: []
  agg:
    n: count()
    sd: sum(d)
    sx: sum(x)
    ad: avg(d)
    mi: min(d)
    dc: distinct_count(k)
    ls: list(k)
    fi: first(d, by=ts)
    la: last(id, by=ts)
    st: stddev(d)
    an: any(b)
    al: all(b)
    tp: top(d, 1)
""",
        """SELECT count(*) n, coalesce(sum(d), 0)::DECIMAL(18, 2) sd, fsum(x) sx, avg(d) ad,
            min(d) mi, count(DISTINCT k) dc,
            coalesce(list(k ORDER BY k) FILTER (k IS NOT NULL), []) ls,
            (list(d ORDER BY ts, d))[1] fi, (list(id ORDER BY ts DESC, id DESC))[1] la,
            stddev_samp(d) st, coalesce(bool_or(b), false) an, coalesce(bool_and(b), true) al,
            coalesce((list(d ORDER BY d DESC))[:1], []) tp
        FROM l WHERE d > 3""",
    ),
    "first and last over options": Case(
        "g: string, f: option<int64>, l: option<int64>, ff: option<decimal<2>>, lx: option<int64>",
        """
- group: [g]
  agg:
    f: first(k, by=ts)
    l: last(k, by=ts)
    ff: first(d, by=e)
    lx: last(id, by=x)
""",
        """SELECT g, (list(k ORDER BY ts, k) FILTER (k IS NOT NULL))[1] f,
            (list(k ORDER BY ts DESC, k DESC) FILTER (k IS NOT NULL))[1] l,
            (list(d ORDER BY e NULLS FIRST, d))[1] ff,
            (list(id ORDER BY x DESC NULLS LAST, id DESC))[1] lx
        FROM l GROUP BY g""",
    ),
    "keys that are none, enums and truths": Case(
        "k: option<int64>, s: enum<open|paid|void>, y: bool, n: int64, lo: enum<open|paid|void>",
        """
- group: { k: k, s: s, y: d > 0 }
  agg: { n: count(), lo: min(s) }
""",
        "SELECT k, s::VARCHAR s, d > 0 y, count(*) n, min(s)::VARCHAR lo FROM l GROUP BY l.k, l.s, y",
    ),
    "distinct": Case(
        "k: option<int64>, g: string",
        "- distinct: [k, g]",
        "SELECT DISTINCT k, g FROM l",
    ),
    "top with ties and rank": Case(
        "id: int64, g: string, b: bool, place: int64",
        """
- select: [id, g, b]
- top: 2
  by: [id]
  per: [b]
  ties: all
  rank: place
""",
        """SELECT id, g, b, place FROM
            (SELECT id, g, b, rank() OVER (PARTITION BY b ORDER BY id) place FROM l)
        WHERE place <= 2""",
    ),
    "top with an offset": Case(
        "k: option<int64>, d: decimal<2>, p: int64",
        """
- select: [k, d]
- top: 3
  by: [k, d desc]
  offset: 2
  rank: p
""",
        """SELECT k, d, p FROM
            (SELECT k, d, row_number() OVER (ORDER BY k NULLS FIRST, d DESC) p FROM l)
        WHERE p BETWEEN 3 AND 5""",
    ),
    "left join with a condition": Case(
        "id: int64, k: option<int64>, n: option<string>, w: option<int64>",
        """
- join: r
  match: { k: k }
  as: c
  kind: left
  where: c.w > 0 and b
- select: [id, k, c.n, { w: c.w }]
""",
        "SELECT id, l.k, n, w FROM l LEFT JOIN r ON l.k = r.k AND w > 0 AND b",
    ),
    "full join with a condition": Case(
        """id: option<int64>, k: option<int64>, n: option<string>, w: option<int64>,
        rk: option<int64>""",
        """
- join: r
  match: { k: k }
  as: c
  kind: full
  where: c.w > id - 4
- select: [id, k, c.n, { w: c.w }, { rk: c.k }]
""",
        "SELECT id, l.k, n, w, r.k rk FROM l FULL JOIN r ON l.k = r.k AND w > id - 4",
    ),
    "semi and anti joins together": Case(
        "id: int64, y: bool",
        "",
        """SELECT id, true y FROM l WHERE EXISTS (FROM r WHERE r.k = l.k AND w > id - 5)
        UNION ALL
        SELECT id, false y FROM l WHERE NOT EXISTS (FROM r WHERE r.k = l.k AND w > id - 5)""",
        """
  with_any:
    from: l
    do:
      - join: r
        match: { k: k }
        as: c
        kind: semi
        where: c.w > id - 5
      - select: [id, { y: 'true' }]
  without:
    from: l
    do:
      - join: r
        match: { k: k }
        as: c
        kind: anti
        where: c.w > id - 5
      - select: [id, { y: 'false' }]
  n: { from: [with_any, without], to: out }
""",
    ),
    "decimals of two scales are one key": Case(
        "id: int64, other: int64",
        """
- select: [id, d]
- join: l
  match: { d: e }
  as: c
- select: [id, { other: c.id }]
""",
        "SELECT a.id, b.id other FROM l a JOIN l b ON a.d = b.e",
    ),
    "NaN and minus zero are one key each": Case(
        "id: int64, n: int64",
        """
- select: [id, x]
- join: l
  match: { x: x }
  as: c
- group: [id]
  agg: { n: count() }
""",
        "SELECT a.id, count(*) n FROM l a JOIN l b ON a.x = b.x GROUP BY a.id",
    ),
    "a scalar subquery": Case(
        "id: int64, n: int64",
        "",
        "SELECT id, (SELECT count(*) FROM r) n FROM l WHERE id > (SELECT avg(w) FROM r)",
        """
  t:
    from: r
    do:
      - group: []
        agg: { m: avg(w), n: count() }
  n:
    from: l
    do:
      - join: t
        match: {}
        as: t
      - where: (float64(id) > t.m) // false
      - select: [id, t.n]
    to: out
""",
    ),
    "the latest row before": Case(
        "id: int64, w: option<int64>, n: option<string>, rt: option<timestamp>",
        """
- join: r
  match: { k: k }
  as: c
  kind: left
  asof: { time: ts, of: ts, within: 2m }
- select: [id, { w: c.w }, { n: c.n }, { rt: c.ts }]
""",
        """SELECT id, q.w, q.n, q.ts rt FROM l LEFT JOIN LATERAL (
            SELECT * FROM r
            WHERE r.k = l.k AND r.ts <= l.ts AND r.ts >= l.ts - INTERVAL 2 MINUTE
            ORDER BY ts DESC, k DESC, n DESC NULLS LAST, w DESC LIMIT 1) q ON true""",
    ),
    "along an order": Case(
        """id: int64, g: string, k: option<int64>, d: decimal<2>, prev: option<decimal<2>>,
        nxt: option<decimal<2>>, rn: int64, rk: int64, dr: int64, run: decimal<2>,
        m3: decimal<2>, c: int64""",
        """
- select: [id, g, k, d]
- over:
    per: [g]
    by: [id]
    with:
      prev: lag(d)
      nxt: lead(d)
      rn: row_number()
      rk: rank()
      dr: dense_rank()
      run: sum(d)
      m3: max(d, rows=3)
      c: count(k)
""",
        """SELECT id, g, k, d, lag(d) OVER w prev, lead(d) OVER w nxt, row_number() OVER w rn,
            rank() OVER v rk, dense_rank() OVER v dr,
            (sum(d) OVER (w ROWS UNBOUNDED PRECEDING))::DECIMAL(18, 2) run,
            max(d) OVER (w ROWS 2 PRECEDING) m3, count(k) OVER (w ROWS UNBOUNDED PRECEDING) c
        FROM l WINDOW w AS (PARTITION BY g ORDER BY id, k NULLS FIRST, d),
            v AS (PARTITION BY g ORDER BY id)""",
    ),
    "what can be reached": Case(
        "id: int64, c: int64",
        """
- select: [id]
- where: id < 4
- distinct: all
- with: { c: '0' }
- loop:
    do:
      - join: r
        match: { id: k }
        as: e
      - select: { id: e.w + 3, c: c + 1 }
    merge: { min: c, by: id }
""",
        """WITH RECURSIVE t AS (
            SELECT DISTINCT id, 0 c FROM l WHERE id < 4
            UNION SELECT w + 3, c + 1 FROM t JOIN r ON r.k = t.id WHERE c < 10)
        SELECT id, min(c) c FROM t GROUP BY id""",
    ),
}


def left_row(rng):
    """A row of `l`, whose values meet and repeat."""

    def perhaps(value):
        return None if rng.random() < 0.25 else value

    floats = [0.1, 0.2, -0.0, 0.0, 3.5, 2.5, 1e-300, 7.25]
    return {
        "id": rng.randint(1, 12),
        "k": perhaps(rng.randint(1, 5)),
        "g": rng.choice(["a", "b", "é", "", "B"]),
        "x": perhaps(rng.choice(floats)),
        "d": str(decimal.Decimal(rng.randint(-500, 500)) / 100),
        "e": perhaps(str(decimal.Decimal(rng.randint(-3000, 3000)) / 1000)),
        "b": rng.random() < 0.5,
        "o": perhaps(rng.random() < 0.5),
        "s": rng.choice(["open", "paid", "void"]),
        "ts": moment(rng),
    }


def right_row(rng):
    """A row of `r`."""
    return {
        "k": rng.randint(1, 6),
        "n": None if rng.random() < 0.3 else rng.choice(["p", "q", "r"]),
        "w": rng.randint(-3, 3),
        "ts": moment(rng),
    }


def moment(rng):
    """One of a few times, so that some are equal."""
    return f"2026-01-01T00:{rng.randint(0, 5):02}:{rng.choice([0, 0, 30]):02}Z"


def changes(rng, make, n_changes):
    """A log of rows that come, twice at times, and go; and those that are there at its end."""
    log, there = [], []
    for _ in range(n_changes):
        if there and rng.random() < 0.35:
            log.append((-1, there.pop(rng.randrange(len(there)))))
            continue
        row = rng.choice(there) if there and rng.random() < 0.15 else make(rng)
        there.append(row)
        log.append((1, row))
    return log, there


def write_log(path, log):
    """The log as signed changes."""
    lines = [json.dumps({"$diff": diff, "$row": row}) for diff, row in log]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def wanted(sql, tables):
    """DuckDB's answer over these rows."""
    connection = duckdb.connect()
    connection.execute(TABLES)
    for table, rows in tables.items():
        for row in rows:
            values = [value.removesuffix("Z") if name == "ts" else value for name, value in row.items()]
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)
    answer = connection.execute(sql)
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def canonical(rows):
    """The rows in an order of their own, floats to twelve digits."""

    def plain(value):
        if isinstance(value, float):
            return float(f"{value:.12g}") + 0.0
        if isinstance(value, decimal.Decimal):
            return str(value)
        if isinstance(value, datetime.datetime):
            return value.isoformat() + "Z"
        if isinstance(value, list):
            return [plain(item) for item in value]
        return value

    return sorted(json.dumps({name: plain(row[name]) for name in sorted(row)}) for row in rows)


@pytest.mark.parametrize("name", CASES)
def test_verbs_answer_as_duckdb_does(arqon, tmp_path, name):
    case = CASES[name]
    circuit = tmp_path / "verbs.yaml"
    circuit.write_text(case.circuit(), encoding="utf-8")
    for seed, n_changes in enumerate([0, 9, 60]):
        rng = random.Random(f"{name} {seed}")
        left, l_rows = changes(rng, left_row, n_changes)
        right, r_rows = changes(rng, right_row, n_changes // 2)
        inputs = [
            ("l", write_log(tmp_path / "l.ndjson", left)),
            ("r", write_log(tmp_path / "r.ndjson", right)),
        ]
        answer = canonical(wanted(case.sql, {"l": l_rows, "r": r_rows}))
        output = tmp_path / "out.ndjson"
        for backend in BACKENDS:
            for splits in ([], ["--epoch-rows", "1"], ["--epoch-rows", "3", "--workers", "2"]):
                arqon.run(circuit, inputs, [("out", output)], *splits, "--backend", backend)
                lines = output.read_text(encoding="utf-8").splitlines()
                assert canonical(map(json.loads, lines)) == answer, f"{seed} {splits} {backend}"
