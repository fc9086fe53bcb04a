//! The same work as a circuit: compiled from YAML and run by the engine.

use arqon_types::{Column, Row, StringColumn, Value};

use crate::data::{
    EventColumns, Name, Names, ROOTS, Size, edge, event, left, length, reading, right, signed,
};
use crate::running::{Build, Running, float, inserts, int, key_number, now};
use crate::sample::{Sample, distance_weight, event_weight, node_weight, sums_weight};

const STATELESS: &str = "\
arqon: 1
circuit: bench.stateless
schemas:
  Event: { id: int64, key: KEY, value: float64, at: int64 }
topics:
  events: { schema: Event, carries: events, edge: in }
  kept: { schema: Event, carries: events, edge: out }
flow:
  keep:
    from: events
    do:
      - where: value * 1.8 + 32.0 > 500.0 and at % 3 != 0
      - with: { value: value * 1.8 + 32.0, at: 'div(at, 1000)' }
    to: kept
";

const AGGREGATE: &str = "\
arqon: 1
circuit: bench.aggregate
schemas:
  Reading: { key: KEY, value: int64 }
  Sums: { key: KEY, n: int64, total: int64, most: int64 }
topics:
  readings: { schema: Reading, carries: delta, check: none, edge: in }
  sums: { schema: Sums, carries: delta, key: key, edge: out }
flow:
  sum:
    from: readings
    do:
      - group: [key]
        agg: { n: count(), total: sum(value), most: max(value) }
    to: sums
";

/// C, whose key is called `KEY`.
pub const JOIN: &str = "\
arqon: 1
circuit: bench.join
schemas:
  Left: { key: KEY, amount: int64 }
  Right: { key: KEY, label: KEY }
  Sums: { label: KEY, n: int64, total: int64 }
topics:
  left: { schema: Left, carries: delta, check: none, edge: in }
  right: { schema: Right, carries: delta, check: none, edge: in }
  sums: { schema: Sums, carries: delta, key: label, edge: out }
flow:
  sum:
    from: left
    do:
      - join: right
        match: { key: key }
        as: r
      - group: { label: r.label }
        agg: { n: count(), total: sum(amount) }
    to: sums
";

const REACH: &str = "\
arqon: 1
circuit: bench.reach
schemas:
  Node: { id: int64 }
  Edge: { src: int64, dst: int64 }
topics:
  roots: { schema: Node, carries: delta, check: none, edge: in }
  edges: { schema: Edge, carries: delta, check: none, edge: in }
  reached: { schema: Node, carries: delta, key: id, edge: out }
flow:
  reach:
    from: roots
    do:
      - loop:
          - join: edges
            match: { id: src }
            as: e
          - select: { id: e.dst }
        merge: distinct
    to: reached
";

const PATHS: &str = "\
arqon: 1
circuit: bench.paths
schemas:
  Node: { id: int64 }
  Edge: { src: int64, dst: int64, length: int64 }
  Reached: { id: int64, distance: int64 }
topics:
  roots: { schema: Node, carries: delta, check: none, edge: in }
  edges: { schema: Edge, carries: delta, check: none, edge: in }
  reached: { schema: Reached, carries: delta, key: id, edge: out }
flow:
  reach:
    from: roots
    do:
      - with: { distance: 0 }
      - loop:
          - join: edges
            match: { id: src }
            as: e
          - select: { id: e.dst, distance: distance + e.length }
        merge: { min: distance, by: id }
    to: reached
";

const COMPONENTS: &str = "\
arqon: 1
circuit: bench.components
schemas:
  Node: { id: int64 }
  Edge: { src: int64, dst: int64 }
  Member: { id: int64, component: int64 }
topics:
  roots: { schema: Node, carries: delta, check: none, edge: in }
  edges: { schema: Edge, carries: delta, check: none, edge: in }
  members: { schema: Member, carries: delta, key: id, edge: out }
flow:
  back:
    from: edges
    do:
      - select: { src: dst, dst: src }
  both:
    from: [edges, back]
  component:
    from: roots
    do:
      - with: { component: id }
      - loop:
          - join: both
            match: { id: src }
            as: e
          - select: { id: e.dst, component: component }
        merge: { min: component, by: id }
    to: members
";

/// Some events are kept, with other fields.
///
/// # Panics
/// If the circuit does not compile or the engine fails: then there is nothing to measure. So do
/// the others.
pub fn stateless(size: Size, build: Build) -> Sample {
    let names = Names::all();
    kept_events(size, build, size.epochs(), |rows| {
        let n_rows = usize::try_from(rows.end - rows.start).expect("epochs are small");
        let (mut ids, mut times) = (Vec::with_capacity(n_rows), Vec::with_capacity(n_rows));
        let mut values = Vec::with_capacity(n_rows);
        let mut keys = StringColumn::default();
        for event in rows.map(event) {
            ids.push(event.id);
            keys.push(names.of(event.key));
            values.push(event.value);
            times.push(event.at);
        }
        vec![Column::Int(ids), Column::String(keys), Column::Float(values), Column::Int(times)]
    })
}

/// The same of events that are columns in memory.
pub fn decoded(size: Size, build: Build) -> Sample {
    let names = Names::all();
    let epochs: Vec<EventColumns> =
        size.epochs().map(|rows| EventColumns::of(rows, &names)).collect();
    kept_events(size, build, &epochs, |columns| {
        let keys = StringColumn::from_ends(columns.ends.clone(), columns.keys.clone());
        vec![
            Column::Int(columns.ids.clone()),
            Column::String(keys.expect("keys end where they end")),
            Column::Float(columns.values.clone()),
            Column::Int(columns.times.clone()),
        ]
    })
}

/// Keeps some of the events of each epoch, with other fields.
fn kept_events<E>(
    size: Size,
    build: Build,
    epochs: impl IntoIterator<Item = E>,
    columns: impl Fn(E) -> Vec<Column>,
) -> Sample {
    let mut run = Running::start(STATELESS, size, build, |row, at| {
        let Column::String(keys) = &row[1] else { panic!("keys are text, and not {:?}", row[1]) };
        let word = Name::word(keys.bytes(at));
        event_weight(int(&row[0], at), word, float(&row[2], at), int(&row[3], at))
    });
    let start = now();
    for epoch in epochs {
        run.load(vec![inserts("events", columns(epoch))]);
    }
    run.settle();
    let (load, loaded) = (start.elapsed(), run.answer);
    run.finish(size.n_rows, load, loaded, Vec::new())
}

/// Count, sum and max per key.
pub fn aggregate(size: Size, build: Build) -> Sample {
    let mut run = Running::start(AGGREGATE, size, build, |row, at| {
        sums_weight(key_number(&row[0], at), int(&row[1], at), int(&row[2], at), int(&row[3], at))
    });
    let start = now();
    for rows in size.epochs() {
        let columns = vec![
            build.keys.column(rows.clone().map(|idx| reading(idx).0)),
            Column::Int(rows.map(|idx| reading(idx).1).collect()),
        ];
        run.load(vec![inserts("readings", columns)]);
    }
    run.settle();
    let (load, loaded) = (start.elapsed(), run.answer);
    let row = |idx: u64| -> Row {
        let (key, value) = reading(idx);
        vec![build.keys.value(key), Value::Int(value)].into()
    };
    let rounds = (0..size.n_rounds).map(|round| {
        let changes = size.round(round, 50).map(|(idx, diff)| (row(idx), diff)).collect();
        run.round(vec![("readings", changes)])
    });
    let rounds = rounds.collect();
    run.finish(size.n_rows, load, loaded, rounds)
}

/// Join on the key, then count and sum per group.
pub fn join(size: Size, build: Build) -> Sample {
    let n_keys = size.join_keys();
    let mut run = Running::start(JOIN, size, build, |row, at| {
        sums_weight(key_number(&row[0], at), int(&row[1], at), int(&row[2], at), 0)
    });
    let start = now();
    for rows in size.epochs() {
        let lefts = vec![
            build.keys.column(rows.clone().map(|idx| left(idx, n_keys).0)),
            Column::Int(rows.clone().map(|idx| left(idx, n_keys).1).collect()),
        ];
        let rights = vec![
            build.keys.column(rows.clone().map(|idx| right(idx, n_keys).0)),
            build.keys.column(rows.map(|idx| right(idx, n_keys).1)),
        ];
        run.close(vec![inserts("left", lefts), inserts("right", rights)]);
    }
    let (load, loaded) = (start.elapsed(), run.answer);
    let left_row = |idx: u64| -> Row {
        let (key, amount) = left(idx, n_keys);
        vec![build.keys.value(key), Value::Int(amount)].into()
    };
    let right_row = |idx: u64| -> Row {
        let (key, group) = right(idx, n_keys);
        vec![build.keys.value(key), build.keys.value(group)].into()
    };
    let rounds = (0..size.n_rounds).map(|round| {
        let lefts = size.round(round, 25).map(|(idx, diff)| (left_row(idx), diff)).collect();
        let rights = size.round(round, 25).map(|(idx, diff)| (right_row(idx), diff)).collect();
        run.round(vec![("left", lefts), ("right", rights)])
    });
    let rounds = rounds.collect();
    run.finish(2 * size.n_rows, load, loaded, rounds)
}

/// The nodes that the roots reach.
pub fn reach(size: Size, build: Build) -> Sample {
    let run = Running::start(REACH, size, build, |row, at| node_weight(key_number(&row[0], at)));
    graph(run, size, &ROOTS, |from, to, _| [from, to])
}

/// How far they are.
pub fn paths(size: Size, build: Build) -> Sample {
    let run = Running::start(PATHS, size, build, |row, at| {
        distance_weight(key_number(&row[0], at), int(&row[1], at))
    });
    graph(run, size, &ROOTS, |from, to, idx| [from, to, length(idx)])
}

/// The least node that each hangs together with.
pub fn components(size: Size, build: Build) -> Sample {
    let run = Running::start(COMPONENTS, size, build, |row, at| {
        distance_weight(key_number(&row[0], at), int(&row[1], at))
    });
    let nodes: Vec<u64> = (0..size.nodes()).collect();
    graph(run, size, &nodes, |from, to, _| [from, to])
}

/// Loads a graph in one epoch, and has edges come and go one by one; `row` is an edge's.
fn graph<const N: usize>(
    mut run: Running,
    size: Size,
    roots: &[u64],
    row: fn(i64, i64, u64) -> [i64; N],
) -> Sample {
    let n_nodes = size.nodes();
    let of = |idx: u64| {
        let (from, to) = edge(idx, n_nodes);
        row(signed(from), signed(to), idx)
    };
    let start = now();
    let n_rows = usize::try_from(size.n_rows).expect("a graph is small");
    let mut columns = [(); N].map(|()| Vec::with_capacity(n_rows));
    for idx in 0..size.n_rows {
        for (column, number) in columns.iter_mut().zip(of(idx)) {
            column.push(number);
        }
    }
    let columns = columns.into_iter().map(Column::Int).collect();
    let roots = vec![Column::Int(roots.iter().copied().map(signed).collect())];
    run.close(vec![inserts("edges", columns), inserts("roots", roots)]);
    let (load, loaded) = (start.elapsed(), run.answer);
    let rounds = (0..size.n_rounds).map(|round| {
        let (idx, diff) = size.edge_change(round);
        let row: Row = of(idx).into_iter().map(Value::Int).collect();
        run.round(vec![("edges", vec![(row, diff)])])
    });
    let rounds = rounds.collect();
    run.finish(size.n_rows, load, loaded, rounds)
}
