//! Random circuits as text: what a user might have written, so that the compiler is on the way.
//!
//! Every circuit reads the same three tables (`left` full, `right` delta, `feed` events), most of
//! which have an event time, and has one to four nodes, each with its own output topic, some with a
//! graph's kernel, some with a twin that does the same. A quarter of them read a control topic too,
//! and write it. Expressions keep to small numbers, so that
//! the oracle's plain float sums are exact; division by a column that may be zero is wanted, since
//! error rows must be incremental too.

use std::fmt::Write as _;

use crate::random::Random;

/// The schema that all three inputs share.
pub const ROW: &[(&str, &str)] = &[
    ("id", "int64"),
    ("k", "int64"),
    ("s", "string"),
    ("x", "option<int64>"),
    ("d", "decimal<2>"),
    ("f", "float64"),
    ("b", "bool"),
    ("e", "enum<red|green|blue>"),
    ("g", "float32"),
    ("y", "bytes"),
    ("m", "map<int64>"),
    ("t", "tensor<_xf32>"),
    ("at", "timestamp"),
];

/// The input topics and what they carry.
pub const INPUTS: &[(&str, &str)] = &[("left", "full"), ("right", "delta"), ("feed", "events")];

type Fields = Vec<(String, String)>;

/// A topic or node that may be read: what it is called, its rows, and what they say.
#[expect(clippy::struct_excessive_bools, reason = "facts that hang together in no one way")]
#[derive(Debug, Clone)]
struct Readable {
    name: String,
    fields: Fields,
    saying: Saying,
    /// Whether its rows carry marks: they came from a topic row by row.
    has_marks: bool,
    /// Whether they bring along when they came: as the marks, and not by a topic of changes.
    arrives: bool,
    /// Whether every topic that they came from has an event time.
    is_timed: bool,
    /// Whether a final window stands before, after which what is computed may be facts again.
    is_final: bool,
}

/// What rows say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saying {
    /// Facts with a place in the log, so that the last one of a key is known.
    Placed,
    /// Facts of a topic that lets them go: changes, but placed where they go on to a window.
    Retained,
    /// Facts that steps have put together.
    Facts,
    /// Rows that may be retracted.
    Changes,
}

/// The control topic that some circuits have, which clients may write as well.
pub const CONTROL: &str = "back";

/// A circuit that compiles without a diagnostic (with unbounded state allowed).
pub fn circuit(random: &mut Random) -> String {
    let mut text = String::from("arqon: 1\ncircuit: law.random\nschemas:\n  Row:\n");
    for (name, ty) in ROW {
        let _ = writeln!(text, "    {name}: {ty}");
    }
    let mut nodes: Vec<Readable> = Vec::new();
    let mut schemas = String::new();
    let mut topics = String::new();
    let mut flow = String::new();
    for (name, carries) in INPUTS {
        let key = if *carries == "full" { ", key: id" } else { "" };
        let mut is_timed = random.chance(75);
        let mut time = String::new();
        if is_timed {
            let _ = write!(time, ", time: at, late: {}s", random.below(6));
        }
        let retain = retention(random, is_timed, 20);
        let is_retained = !retain.is_empty();
        time.push_str(&retain);
        // One is written by the flow as well, from rows of another one.
        let from = nodes.first().filter(|_| *carries == "delta" && random.chance(20));
        let edge = if from.is_some() { "both, shared: true" } else { "in" };
        if let Some(from) = from {
            is_timed &= from.is_timed;
            let condition = random.pick(&["k < 2", "b", "x // 0 > 0"]);
            let _ = writeln!(
                flow,
                "  nmix:\n    from: {}\n    do:\n      - where: {condition}\n    to: {name}",
                from.name
            );
        }
        let _ = writeln!(
            topics,
            "  {name}: {{ schema: Row, carries: {carries}{key}{time}, edge: {edge} }}"
        );
        nodes.push(Readable {
            name: (*name).to_owned(),
            fields: row(),
            saying: match *carries {
                "events" if is_retained => Saying::Retained,
                "events" => Saying::Placed,
                _ => Saying::Changes,
            },
            has_marks: true,
            arrives: *carries != "delta",
            is_timed,
            is_final: false,
        });
    }
    let control = random.chance(25).then(|| Control::new(random));
    if let Some(control) = &control {
        schemas.push_str("  Back:\n    id: int64\n    k: int64\n    at: timestamp\n");
        topics.push_str(&control.topic());
        nodes.push(control.readable());
    }
    for idx in 0..=random.below(4) {
        let name = format!("n{idx}");
        let Node { body, made, late } = if random.chance(15) {
            errors(random, &nodes, &name)
        } else if random.chance(10) {
            kernel(random, &nodes, &name)
        } else {
            node(random, &nodes, &name)
        };
        let fields = &made.fields;
        flow.push_str(&body);
        let _ = writeln!(flow, "    to: out{idx}");
        let _ = writeln!(schemas, "  Out{idx}:");
        for (field, ty) in fields {
            let _ = writeln!(schemas, "    {field}: {ty}");
        }
        let mut carries = "delta".to_owned();
        if made.saying != Saying::Facts && !made.is_final && random.chance(35) {
            // The last event of a key where events come, else the one row of a key or an error.
            carries = format!("full, key: {}", random.pick(fields).0);
        }
        let times = of_type(fields, "timestamp");
        let time = (!times.is_empty() && random.chance(50)).then(|| *random.pick(&times));
        let retain = retention(random, time.is_some(), 30);
        let is_keyless = carries == "delta";
        let time = time.filter(|_| !retain.is_empty()).map_or_else(String::new, |time| {
            format!(", time: {time}, late: {}s", 1 + random.below(4))
        });
        let _ = writeln!(
            topics,
            "  out{idx}: {{ schema: Out{idx}, carries: {carries}{time}{retain}, edge: out }}"
        );
        if !retain.is_empty() {
            nodes.push(Readable {
                name: format!("out{idx}"),
                saying: Saying::Changes,
                has_marks: made.has_marks && is_keyless,
                arrives: false,
                ..made.clone()
            });
        }
        if random.chance(25)
            && let Some(twin) = twin(random, &nodes, (&made, &body), idx)
        {
            flow.push_str(&twin.body);
            let _ = writeln!(schemas, "  Twin{idx}:");
            for (field, ty) in &twin.made.fields {
                let _ = writeln!(schemas, "    {field}: {ty}");
            }
            let _ =
                writeln!(topics, "  twin{idx}: {{ schema: Twin{idx}, carries: delta, edge: out }}");
            nodes.push(twin.made);
        }
        nodes.push(made);
        nodes.extend(late);
    }
    if let Some(control) = &control {
        flow.push_str(&control.writer(random, &nodes));
    }
    format!("{text}{schemas}topics:\n{topics}flow:\n{flow}")
}

/// For how long a topic has rows, if it is said: by their time or, without one, by their arrival; or
/// how many bytes of them.
fn retention(random: &mut Random, is_timed: bool, percent: usize) -> String {
    if !random.chance(percent) {
        return String::new();
    }
    if random.chance(50) {
        let most = *random.pick(&[300, 900]);
        return format!(", retain: {}B", 1 + random.below(most));
    }
    format!(", retain: {}s", 1 + random.below(if is_timed { 12 } else { 4 }))
}

/// A topic that the flow reads, and writes with an epoch of delay.
struct Control {
    carries: &'static str,
    is_timed: bool,
    is_keyed: bool,
    retain: String,
}

impl Control {
    fn new(random: &mut Random) -> Self {
        let carries = *random.pick(&["full", "delta", "events"]);
        let is_keyed = carries == "full" || (carries == "delta" && random.chance(30));
        let is_timed = (carries == "full" || !is_keyed) && random.chance(50);
        let retain = retention(random, is_timed, 30);
        Self { carries, is_timed, is_keyed, retain }
    }

    fn topic(&self) -> String {
        let key = if self.is_keyed { ", key: id" } else { "" };
        let time = if self.is_timed { ", time: at, late: 3s" } else { "" };
        let Self { carries, retain, .. } = self;
        format!(
            "  back: {{ schema: Back, carries: {carries}{key}{time}{retain}, control: true, shared: true, edge: both }}\n"
        )
    }

    fn readable(&self) -> Readable {
        let field = |(name, ty): (&str, &str)| (name.to_owned(), ty.to_owned());
        Readable {
            name: "back".to_owned(),
            fields: [("id", "int64"), ("k", "int64"), ("at", "timestamp")].map(field).to_vec(),
            saying: match self.carries {
                "events" if self.retain.is_empty() => Saying::Placed,
                "events" => Saying::Retained,
                _ => Saying::Changes,
            },
            has_marks: self.carries == "full" || !self.is_keyed,
            arrives: false,
            is_timed: self.is_timed,
            is_final: false,
        }
    }

    /// A node that writes it, from anything that fits; what goes round comes to its end.
    fn writer(&self, random: &mut Random, nodes: &[Readable]) -> String {
        let fits = |node: &&Readable| {
            let has = |ty| !of_type(&node.fields, ty).is_empty();
            let is_fact = node.saying == Saying::Placed && !node.is_final;
            has("int64")
                && has("timestamp")
                && match self.carries {
                    "events" => is_fact,
                    "full" => node.saying != Saying::Facts && !node.is_final,
                    _ => true,
                }
        };
        let fitting: Vec<&Readable> = nodes.iter().filter(fits).collect();
        if fitting.is_empty() {
            return String::new();
        }
        let from = random.pick(&fitting);
        let ints = of_type(&from.fields, "int64");
        let times = of_type(&from.fields, "timestamp");
        let (id, k, at) = (random.pick(&ints), random.pick(&ints), random.pick(&times));
        let mut body = format!("  nback:\n    from: {}\n    do:\n", from.name);
        let _ = writeln!(body, "      - where: {id} < 4");
        let _ = writeln!(body, "      - select:\n          - id: {id} + 1\n          - k: {k} % 3");
        let _ = writeln!(body, "          - at: {at}");
        // Copies of copies would be many soon; and a full topic is best written one row a key.
        if self.carries == "delta" {
            body.push_str("      - distinct: all\n");
        }
        if self.carries == "full" && random.chance(50) {
            body.push_str("      - top: 1\n        by: [k desc]\n        per: [id]\n");
        }
        body.push_str("    to: back\n");
        body
    }
}

fn row() -> Fields {
    ROW.iter().map(|(name, ty)| ((*name).to_owned(), (*ty).to_owned())).collect()
}

fn of_type<'a>(fields: &'a Fields, wanted: &str) -> Vec<&'a str> {
    fields.iter().filter(|(_, ty)| ty == wanted).map(|(name, _)| name.as_str()).collect()
}

/// A node as text, what it yields, and what came too late for it.
struct Node {
    body: String,
    made: Readable,
    late: Option<Readable>,
}

fn node(random: &mut Random, nodes: &[Readable], name: &str) -> Node {
    let mut made = random.pick(nodes).clone();
    if random.chance(12) {
        let body = node_loop(random, nodes, &made.name, &made.fields, name);
        let made = Readable {
            name: name.to_owned(),
            saying: Saying::Changes,
            has_marks: false,
            arrives: false,
            is_final: false,
            ..made
        };
        return Node { body, made, late: None };
    }
    let twins: Vec<&Readable> = nodes.iter().filter(|other| other.fields == made.fields).collect();
    let mut from = made.name.clone();
    if random.chance(20) && twins.len() > 1 {
        let twin = random.pick(&twins);
        from = format!("[{from}, {}]", twin.name);
        made.saying = union(made.saying, twin.saying);
        made.has_marks &= twin.has_marks;
        made.arrives &= twin.arrives;
        made.is_timed &= twin.is_timed;
        made.is_final |= twin.is_final;
    }
    name.clone_into(&mut made.name);
    let mut late = None;
    let mut body = format!("  {name}:\n    from: {from}\n    do:\n");
    let n_steps = 1 + random.below(4);
    for at in 0..n_steps {
        let can_judge = made.has_marks && late.is_none();
        if can_judge && random.chance(30) && window(random, &mut made, &mut late, &mut body) {
            made.arrives = false;
            continue;
        }
        if made.arrives && random.chance(25) {
            arrival(random, &mut made.fields, &mut body);
            continue;
        }
        let n_before = body.len();
        step(random, nodes, (&mut made.fields, &mut made.saying), &mut body, at);
        let written = &body[n_before..];
        let goes_row_by_row = ["- where", "- with", "- drop"].iter().any(|it| written.contains(it))
            && !written.contains("- join")
            && !written.contains("- loop");
        made.has_marks &= goes_row_by_row || written.is_empty();
        made.arrives &= goes_row_by_row || written.is_empty();
        made.is_final |= written.contains("- join") && nodes.iter().any(|other| other.is_final);
    }
    if body.ends_with("do:\n") {
        body.push_str("      - where: true\n");
    }
    Node { body, made, late }
}

/// A graph of two columns of some rows, and what its kernel answers about it. Of ways that are
/// longest some edges are refused.
fn kernel(random: &mut Random, nodes: &[Readable], name: &str) -> Node {
    let with_ints: Vec<&Readable> =
        nodes.iter().filter(|node| !of_type(&node.fields, "int64").is_empty()).collect();
    let (edges, roots) = (*random.pick(&with_ints), *random.pick(&with_ints));
    let mut end = |of: &Readable| {
        let ints = of_type(&of.fields, "int64");
        format!("{} % {}", random.pick(&ints), 3 + random.below(4))
    };
    let (src, dst, weight, root) = (end(edges), end(edges), end(edges), end(roots));
    let mut body = format!(
        "  {name}edges:\n    from: {}\n    do:\n      - select: {{ src: {src}, dst: {dst}, \
         weight: {weight} }}\n  {name}roots:\n    from: {}\n    do:\n      - select: {{ id: {root} \
         }}\n",
        edges.name, roots.name
    );
    let (algorithm, value) = *random.pick(&[
        ("reachability", None),
        ("shortest_paths", Some("distance")),
        ("components", Some("component")),
    ]);
    let roots = if algorithm == "components" { "" } else { &format!(", roots: {name}roots") };
    let modes = random.pick(&["", ", modes: [pass]", ", modes: [itmd]"]);
    let _ = writeln!(
        body,
        "  {name}:\n    from: {{ edges: {name}edges{roots} }}\n    do:\n      - {{ kernel: \
         dynamic_graph, args: {{ algorithm: {algorithm} }}{modes} }}"
    );
    let field = |name: &str| (name.to_owned(), "int64".to_owned());
    let made = Readable {
        name: name.to_owned(),
        fields: std::iter::once("id").chain(value).map(field).collect(),
        saying: Saying::Changes,
        has_marks: false,
        arrives: false,
        is_timed: false,
        is_final: false,
    };
    Node { body, made, late: None }
}

/// A node that reads what others refuse. Only which node it was and why: how it is worded, and which
/// step of the node said it, is the compiler's choice.
fn errors(random: &mut Random, nodes: &[Readable], name: &str) -> Node {
    let owners: Vec<&Readable> = nodes.iter().filter(|it| !it.name.contains('.')).collect();
    let mut from = format!("{}.errors", random.pick(&owners).name);
    if random.chance(30) {
        from = format!("[{from}, {}.errors]", random.pick(&owners).name);
    }
    let text = |name: &str| (name.to_owned(), "string".to_owned());
    let mut made = Readable {
        name: name.to_owned(),
        fields: vec![text("node"), text("code")],
        saying: Saying::Changes,
        has_marks: false,
        arrives: false,
        is_timed: false,
        is_final: false,
    };
    let mut body = format!("  {name}:\n    from: {from}\n    do:\n      - select: [node, code]\n");
    for at in 0..random.below(3) {
        step(random, nodes, (&mut made.fields, &mut made.saying), &mut body, at);
        made.is_final |= body.contains("- join") && nodes.iter().any(|other| other.is_final);
    }
    Node { body, made, late: None }
}

/// A node with the steps of another one, and perhaps one more, so that they have much in common.
fn twin(
    random: &mut Random,
    nodes: &[Readable],
    (of, body): (&Readable, &str),
    idx: usize,
) -> Option<Node> {
    // Where a loop is the node, its own name stands in it.
    if body.matches(&of.name).count() != 1 {
        return None;
    }
    let name = format!("m{idx}");
    let mut body = body.replace(&of.name, &name);
    let mut made = Readable { name, has_marks: false, arrives: false, ..of.clone() };
    if random.chance(50) {
        step(random, nodes, (&mut made.fields, &mut made.saying), &mut body, 9);
        made.is_final |= nodes.iter().any(|other| other.is_final);
    }
    let _ = writeln!(body, "    to: twin{idx}");
    Some(Node { body, made, late: None })
}

/// A step that asks when its rows came.
fn arrival(random: &mut Random, fields: &mut Fields, body: &mut String) {
    let name = format!("came{}", fields.len());
    let seconds = random.below(5);
    if random.chance(30) || fields.iter().any(|(other, _)| *other == name) {
        let _ = writeln!(body, "      - where: epoch_time() != t\"1970-01-01T00:00:0{seconds}Z\"");
        return;
    }
    let _ = writeln!(body, "      - with:\n          {name}: epoch_time() - {seconds}s");
    fields.push((name, "timestamp".to_owned()));
}

/// A window over the rows so far; false if they have no timestamp, or bounds already.
fn window(
    random: &mut Random,
    made: &mut Readable,
    late: &mut Option<Readable>,
    body: &mut String,
) -> bool {
    let times = of_type(&made.fields, "timestamp");
    if times.is_empty() || times.contains(&"window_end") || times.contains(&"window_start") {
        return false;
    }
    let time = (*random.pick(&times)).to_owned();
    *late = Some(Readable {
        name: format!("{}.late", made.name),
        has_marks: false,
        arrives: false,
        saying: Saying::Facts,
        ..made.clone()
    });
    if made.is_timed && random.chance(20) {
        let last = 1 + random.below(9);
        let _ = writeln!(body, "      - within: {{ time: {time}, last: {last}s }}");
        made.has_marks = false;
        made.saying = Saying::Changes;
        return true;
    }
    let size = 1 + random.below(8);
    let kind = match random.below(3) {
        0 => format!("tumble: {size}s"),
        1 => format!("hop: {size}s, every: {}s", 1 + random.below(size)),
        _ => {
            let per = random.pick(&made.fields).0.clone();
            format!("session: {}s, per: [{per}]", 1 + random.below(4))
        }
    };
    let is_final = made.is_timed && random.chance(40);
    let is_final_text = if is_final { ", final: true" } else { "" };
    let _ = writeln!(body, "      - window: {{ {kind}, time: {time}{is_final_text} }}");
    let is_session = kind.starts_with("session");
    made.has_marks &= !is_final && !is_session;
    made.is_final |= is_final;
    made.saying = match made.saying {
        _ if is_final => Saying::Facts,
        _ if is_session => Saying::Changes,
        saying => union(saying, Saying::Facts),
    };
    for bound in ["window_start", "window_end"] {
        made.fields.push((bound.to_owned(), "timestamp".to_owned()));
    }
    true
}

fn union(one: Saying, other: Saying) -> Saying {
    match (one, other) {
        (Saying::Changes, _) | (_, Saying::Changes) => Saying::Changes,
        (Saying::Facts, _) | (_, Saying::Facts) => Saying::Facts,
        (Saying::Retained, _) | (_, Saying::Retained) => Saying::Retained,
        (Saying::Placed, Saying::Placed) => Saying::Placed,
    }
}

fn step(
    random: &mut Random,
    nodes: &[Readable],
    (fields, saying): (&mut Fields, &mut Saying),
    body: &mut String,
    at: usize,
) {
    match random.below(14) {
        13 => {
            over(random, fields, body, at);
            *saying = Saying::Changes;
        }
        10 | 11 => {
            step_loop(random, nodes, fields, body, Within { margin: 6, is_free: false });
            *saying = Saying::Changes;
        }
        12 => unnest(random, fields, body, at),
        0 | 1 => {
            let condition = condition(random, fields);
            let _ = writeln!(body, "      - where: {condition}");
        }
        2 => with(random, fields, body, at),
        3 if fields.len() > 2 => {
            let gone = random.below(fields.len());
            let (name, _) = fields.remove(gone);
            let _ = writeln!(body, "      - drop: [{name}]");
        }
        4 | 5 => join(random, nodes, (fields, saying), body, at),
        6 | 7 => {
            group(random, fields, body);
            *saying = Saying::Changes;
        }
        8 => {
            let kept = subset(random, fields, 3);
            let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
            let _ = writeln!(body, "      - distinct: [{}]", names.join(", "));
            *fields = kept;
            *saying = union(*saying, Saying::Facts);
        }
        _ => {
            top(random, fields, body, at);
            *saying = Saying::Changes;
        }
    }
}

/// Where a loop stands, and what it may do there.
#[derive(Clone, Copy)]
struct Within {
    margin: usize,
    /// Whether all loops around have a last round that counts, so that rows may be taken back.
    is_free: bool,
}

/// A `loop` over the rows so far, whose rows stay what they are.
fn step_loop(
    random: &mut Random,
    nodes: &[Readable],
    fields: &Fields,
    body: &mut String,
    within: Within,
) {
    let Within { margin, .. } = within;
    let pad = " ".repeat(margin);
    let ints = of_type(fields, "int64");
    let is_outermost = margin == 6;
    // Within another loop a least or greatest value would not be monotone.
    let (merge, is_best) = if is_outermost || within.is_free {
        merge(random, &ints)
    } else {
        ("distinct".to_owned(), false)
    };
    let (bounds, is_exact) = bounds(random, margin + 2, is_best);
    let is_free = is_exact && (is_outermost || within.is_free);
    let _ = writeln!(body, "{pad}- loop:");
    round(random, nodes, fields, body, Within { margin: margin + 4, is_free });
    let _ = writeln!(body, "{pad}  merge: {merge}");
    body.push_str(&bounds);
}

/// How a loop merges, and whether it may swing to and fro for ever.
fn merge(random: &mut Random, ints: &[&str]) -> (String, bool) {
    if ints.len() < 2 || random.chance(60) {
        return ("distinct".to_owned(), false);
    }
    let (field, by) = (random.pick(ints), random.pick(ints));
    let word = *random.pick(&["min", "max"]);
    (format!("{{ {word}: {field}, by: {by} }}"), true)
}

/// `rounds` and `exact`, and whether the last round counts.
fn bounds(random: &mut Random, margin: usize, is_bounded: bool) -> (String, bool) {
    let pad = " ".repeat(margin);
    if !is_bounded && random.chance(65) {
        return (String::new(), false);
    }
    let is_exact = random.chance(50);
    let exact = if is_exact { format!("{pad}exact: true\n") } else { String::new() };
    (format!("{pad}rounds: {}\n{exact}", 1 + random.below(6)), is_exact)
}

/// Steps after which the rows have the fields that they had, out of few values.
fn round(
    random: &mut Random,
    nodes: &[Readable],
    fields: &Fields,
    body: &mut String,
    within: Within,
) {
    let Within { margin, is_free } = within;
    let pad = " ".repeat(margin);
    let ints = of_type(fields, "int64");
    for at in 0..=random.below(2) {
        let Some(field) = (!ints.is_empty()).then(|| *random.pick(&ints)) else {
            let _ = writeln!(body, "{pad}- distinct: all");
            continue;
        };
        match random.below(9) {
            0 => {
                let condition = condition(random, fields);
                let _ = writeln!(body, "{pad}- where: {condition}");
            }
            1 | 2 => {
                let value = match random.below(3) {
                    0 => format!("if {field} < 3 then {field} + 1 else {field}"),
                    1 => format!("{field} % 3"),
                    _ => format!("div(6, {field})"),
                };
                let _ = writeln!(body, "{pad}- with:\n{pad}    {field}: {value}");
            }
            3 if margin < 14 => step_loop(random, nodes, fields, body, within),
            4 if is_free => {
                let _ = writeln!(body, "{pad}- top: {}\n{pad}  by: [{field}]", 1 + at);
                let _ = writeln!(body, "{pad}  per: [{}]", random.pick(&ints));
            }
            _ => round_join(random, nodes, &ints, body, (within, at)),
        }
    }
}

/// A join in a loop; of the other side at most one value stays.
fn round_join(
    random: &mut Random,
    nodes: &[Readable],
    ints: &[&str],
    body: &mut String,
    (Within { margin, is_free }, at): (Within, usize),
) {
    let pad = " ".repeat(margin);
    let Readable { name: other, fields: theirs, .. } = random.pick(nodes);
    let theirs = of_type(theirs, "int64");
    if theirs.is_empty() {
        let _ = writeln!(body, "{pad}- distinct: all");
        return;
    }
    let (mine, target) = (random.pick(ints), random.pick(ints));
    let (key, value) = (random.pick(&theirs), random.pick(&theirs));
    let name = format!("l{margin}_{at}");
    let _ = writeln!(body, "{pad}- join: {other}\n{pad}  match: {{ {mine}: {key} }}");
    let _ = writeln!(body, "{pad}  as: {name}");
    if is_free && random.chance(30) {
        let _ = writeln!(body, "{pad}  kind: anti");
    } else if random.chance(25) {
        let _ = writeln!(body, "{pad}  kind: semi");
    } else {
        let _ = writeln!(body, "{pad}- with:\n{pad}    {target}: {name}.{value}");
        let _ = writeln!(body, "{pad}- drop: [{name}]");
    }
}

/// A node that begins with a loop of two variables, each of which the other may become.
fn node_loop(
    random: &mut Random,
    nodes: &[Readable],
    source: &str,
    fields: &Fields,
    name: &str,
) -> String {
    let ints = of_type(fields, "int64");
    let mut next = String::from("      next:\n");
    let mut is_bounded = false;
    for variable in ["v", "w"] {
        let mut from = vec![format!("{name}{}", random.pick(&["s", "t"]))];
        if random.chance(70) {
            from.push(source.to_owned());
        }
        if random.chance(40) {
            from.push(format!("{name}{variable}"));
        }
        let (merge, is_best) = merge(random, &ints);
        is_bounded |= is_best || from.len() == 1;
        let from = from.join(", ");
        let _ = writeln!(next, "        {name}{variable}: {{ from: [{from}], merge: {merge} }}");
    }
    let (bounds, is_free) = bounds(random, 6, is_bounded);
    let mut body = format!(
        "  {name}:\n    loop:\n      let: {{ {name}v: {source}, {name}w: {source} }}\n      flow:\n"
    );
    // The variables may be joined, too: with each other, and with themselves.
    let mut readable = nodes.to_vec();
    readable.extend(["v", "w"].map(|variable| Readable {
        name: format!("{name}{variable}"),
        fields: fields.clone(),
        saying: Saying::Changes,
        has_marks: false,
        arrives: false,
        is_timed: false,
        is_final: false,
    }));
    if is_free {
        let _ = writeln!(
            body,
            "        {name}g:\n          from: {name}v\n          do:\n            - group: []\n              \
             agg: {{ n: count() }}"
        );
    }
    for (node, from) in [("s", "v"), ("t", "w")] {
        let _ =
            writeln!(body, "        {name}{node}:\n          from: {name}{from}\n          do:");
        if is_free {
            let _ = writeln!(
                body,
                "            - join: {name}g\n              match: {{}}\n              as: g\n              \
                 kind: semi\n              where: g.n < {}",
                random.between(1, 8)
            );
        }
        round(random, &readable, fields, &mut body, Within { margin: 12, is_free });
    }
    format!("{body}{next}{bounds}    out: {name}v\n")
}

fn subset(random: &mut Random, fields: &Fields, most: usize) -> Fields {
    let n = 1 + random.below(most.min(fields.len()));
    let mut kept: Fields = fields.clone();
    while kept.len() > n {
        let gone = random.below(kept.len());
        kept.remove(gone);
    }
    kept
}

fn condition(random: &mut Random, fields: &Fields) -> String {
    let mut options = vec!["true".to_owned()];
    for (name, ty) in fields {
        options.extend(match ty.as_str() {
            "int64" => vec![
                format!("{name} > {}", random.between(-1, 3)),
                format!("{name} % 2 == 0"),
                format!("12 / {name} > 3.0"),
                format!("{name} in [1, 2]"),
            ],
            "option<int64>" => vec![
                format!("is_some({name})"),
                format!("{name} // 0 < {}", random.between(0, 3)),
                format!("{name} == none"),
            ],
            "string" => vec![format!("{name} < \"c\""), format!("{name} ++ \"!\" != \"a!\"")],
            "decimal<2>" => vec![format!("{name} >= 0.5"), format!("{name} * {name} > 1")],
            "float64" => vec![format!("{name} * 2.0 > 0.5"), format!("not ({name} <= 0.25)")],
            "bool" => vec![name.clone(), format!("not {name}")],
            "enum<red|green|blue>" => {
                vec![format!("{name} == \"red\""), format!("{name} < \"blue\"")]
            }
            "float32" => vec![format!("{name} * 2 > 0.5"), format!("{name} <= 0.25")],
            "bytes" => vec![format!("len({name}) > 1"), format!("hex({name}) < \"61\"")],
            "map<int64>" => {
                vec![format!("contains({name}, \"a\")"), format!("{name}[\"b\"] // 0 > 1")]
            }
            // Of no elements there is no mean: such rows are errors.
            "tensor<_xf32>" => vec![format!("rms({name}) > 0.5"), format!("shape({name})[1] == 2")],
            _ => Vec::new(),
        });
    }
    let first = random.pick(&options).clone();
    match random.below(4) {
        0 => format!("({first}) and ({})", random.pick(&options)),
        1 => format!("({first}) or ({})", random.pick(&options)),
        _ => first,
    }
}

fn with(random: &mut Random, fields: &mut Fields, body: &mut String, at: usize) {
    let mut options: Vec<(String, &str)> = vec![("7".to_owned(), "int64")];
    for (name, ty) in fields.iter() {
        match ty.as_str() {
            "int64" => {
                options.push((format!("{name} + 1"), "int64"));
                options.push((format!("div(10, {name})"), "int64"));
                options.push((format!("if {name} > 1 then \"a\" else \"b\""), "string"));
            }
            "option<int64>" => {
                options.push((format!("{name} // 5"), "int64"));
                options.push((format!("{name} * 2"), "option<int64>"));
            }
            "string" => options.push((format!("{name} ++ {name}"), "string")),
            "decimal<2>" => options.push((format!("{name} + 0.25"), "decimal<2>")),
            "float64" => options.push((format!("{name} + 0.25"), "float64")),
            "bool" => options.push((format!("not {name}"), "bool")),
            "float32" => {
                options.push((format!("{name} + 0.25"), "float32"));
                options.push((format!("float64({name}) * 0.5"), "float64"));
            }
            "bytes" => {
                options.push((format!("{name} ++ {name}"), "bytes"));
                options.push((format!("len({name})"), "int64"));
            }
            "map<int64>" => {
                options.push((format!("{name}[\"a\"]"), "option<int64>"));
                options.push((format!("len(keys({name}))"), "int64"));
            }
            "tensor<_xf32>" => {
                options.push((format!("{name}[2]"), "float32"));
                options.push((format!("dot({name}, {name})"), "float64"));
                options.push((format!("concat({name}, {name})"), "tensor<_xf32>"));
            }
            _ => {}
        }
    }
    let (expression, ty) = random.pick(&options).clone();
    let name = format!("w{}_{at}", fields.len());
    if fields.iter().any(|(other, _)| *other == name) {
        return;
    }
    let _ = writeln!(body, "      - with:\n          {name}: {expression}");
    fields.push((name, ty.to_owned()));
}

fn join(
    random: &mut Random,
    nodes: &[Readable],
    (fields, saying): (&mut Fields, &mut Saying),
    body: &mut String,
    at: usize,
) {
    let Readable { name: other, fields: other_fields, saying: other_saying, .. } =
        random.pick(nodes);
    let keyed = ["int64", "option<int64>", "string", "enum<red|green|blue>", "timestamp"];
    let ty = *random.pick(&keyed);
    let (mine, theirs) = (of_type(fields, ty), of_type(other_fields, ty));
    if mine.is_empty() || theirs.is_empty() || fields.iter().any(|(_, ty)| ty == "struct") {
        return;
    }
    let (mine, theirs) = (random.pick(&mine).to_string(), random.pick(&theirs).to_string());
    let kind = *random.pick(&["inner", "left", "full", "semi", "anti"]);
    let alias = format!("j{at}");
    let pairs = if random.chance(8) { String::new() } else { format!("{mine}: {theirs}") };
    let _ = writeln!(body, "      - join: {other}\n        match: {{ {pairs} }}");
    let _ = writeln!(body, "        as: {alias}\n        kind: {kind}");
    let is_asof = (kind == "inner" || kind == "left") && random.chance(35);
    let is_asof = is_asof && asof(random, fields, other_fields, body);
    let grows = (kind == "inner" || kind == "semi") && !is_asof;
    *saying = union(*saying, if grows { Saying::Facts } else { Saying::Changes });
    *saying = union(*saying, *other_saying);
    if random.chance(35)
        && let Some(theirs) = of_type(other_fields, "int64").first()
    {
        let condition = *random.pick(&["{} > 1", "{} % 2 == 0", "12 / {} > 3.0"]);
        let condition = condition.replace("{}", &format!("{alias}.{theirs}"));
        let _ = writeln!(body, "        where: {condition}");
    }
    if kind == "semi" || kind == "anti" {
        return;
    }
    if kind == "left" && random.chance(80) && join_by_key(random, fields, body, at) {
        *saying = Saying::Changes;
    }
    let lifted = |ty: &str| {
        if ty.starts_with("option<") { ty.to_owned() } else { format!("option<{ty}>") }
    };
    if kind == "full" {
        for (_, ty) in fields.iter_mut() {
            *ty = lifted(ty);
        }
    }
    // The right row becomes one plain field, so that later steps stay simple.
    let (field, field_ty) = random.pick(other_fields).clone();
    let name = format!("{alias}_{field}");
    let _ = writeln!(body, "      - with:\n          {name}: {alias}.{field}");
    let _ = writeln!(body, "      - drop: [{alias}]");
    let ty = if kind == "inner" { field_ty } else { lifted(&field_ty) };
    fields.retain(|(other, _)| *other != name);
    fields.push((name, ty));
}

/// A join directly behind another one, by the key of a table; false if the rows have no number.
fn join_by_key(random: &mut Random, fields: &Fields, body: &mut String, at: usize) -> bool {
    let numbers = of_type(fields, "int64");
    if numbers.is_empty() {
        return false;
    }
    let number = random.pick(&numbers);
    let kind = *random.pick(&["inner", "left", "semi", "anti"]);
    let _ = writeln!(body, "      - join: left\n        match: {{ {number}: id }}");
    let _ = writeln!(body, "        as: key{at}\n        kind: {kind}");
    if random.chance(30) {
        let _ = writeln!(body, "        where: key{at}.k > 0");
    }
    if kind == "inner" || kind == "left" {
        let _ = writeln!(body, "      - drop: [key{at}]");
    }
    true
}

/// `asof` over two fields of one type; false if there are none.
fn asof(random: &mut Random, fields: &Fields, others: &Fields, body: &mut String) -> bool {
    let ty = *random.pick(&["int64", "decimal<2>"]);
    let mut mine = of_type(fields, ty);
    mine.extend(of_type(fields, &format!("option<{ty}>")));
    let mut theirs = of_type(others, ty);
    theirs.extend(of_type(others, &format!("option<{ty}>")));
    if mine.is_empty() || theirs.is_empty() {
        return false;
    }
    let (time, of) = (random.pick(&mine), random.pick(&theirs));
    let _ = writeln!(body, "        asof: {{ time: {time}, of: {of} }}");
    true
}

/// Values along an order of the rows.
fn over(random: &mut Random, fields: &mut Fields, body: &mut String, at: usize) {
    let by = random.pick(fields).0.clone();
    let way = *random.pick(&["", " desc"]);
    let mut options: Vec<(String, String)> = ["row_number()", "rank()", "dense_rank()", "count()"]
        .map(|call| (call.to_owned(), "int64".to_owned()))
        .to_vec();
    for (name, ty) in fields.iter() {
        let lifted = if ty.starts_with("option<") { ty.clone() } else { format!("option<{ty}>") };
        options.push((format!("lag({name})"), lifted.clone()));
        options.push((format!("lead({name}, 2)"), lifted));
        options.push((format!("first({name})"), ty.clone()));
        match ty.as_str() {
            "int64" => {
                options.push((format!("sum({name})"), ty.clone()));
                options.push((format!("max({name})"), ty.clone()));
                options.push((format!("min(12 / {name})"), "float64".to_owned()));
                options.push((format!("sum({name}, where={name} > 1)"), ty.clone()));
            }
            "decimal<2>" => options.push((format!("avg({name})"), "float64".to_owned())),
            "float64" => options.push((format!("sum({name})"), ty.clone())),
            _ => {}
        }
    }
    let is_ordered = !random.chance(20);
    if is_ordered {
        let _ = writeln!(body, "      - over:\n          by: [{by}{way}]");
    } else {
        let _ = writeln!(body, "      - over:");
        options.retain(|(call, _)| {
            ["sum(", "max(", "min(", "avg(", "count("].iter().any(|name| call.starts_with(name))
        });
    }
    if random.chance(60) {
        let _ = writeln!(body, "          per: [{}]", random.pick(fields).0);
    }
    let _ = writeln!(body, "          with:");
    for idx in 0..=random.below(3) {
        let (mut call, ty) = random.pick(&options).clone();
        let takes_rows =
            !["lag", "lead", "row", "rank", "dense"].iter().any(|name| call.starts_with(name));
        if is_ordered && takes_rows && random.chance(40) {
            let before = if call.ends_with("()") { "" } else { ", " };
            call.truncate(call.len() - 1);
            let _ = write!(call, "{before}rows={})", 1 + random.below(4));
        }
        let mut name = format!("o{at}_{idx}_{}", fields.len());
        while fields.iter().any(|(other, _)| *other == name) {
            name.push('x');
        }
        let _ = writeln!(body, "            {name}: {call}");
        fields.push((name, ty));
    }
}

/// A row for each element of a list that is made of the row's fields.
fn unnest(random: &mut Random, fields: &mut Fields, body: &mut String, at: usize) {
    let mut lists: Vec<(String, &str)> = vec![("'[1, 1, 2]'".to_owned(), "int64")];
    for (name, ty) in fields.iter() {
        match ty.as_str() {
            "int64" => {
                lists.push((format!("'[{name}, {name} + 1, 2]'"), "int64"));
                lists.push((format!("filter([{name}, 1], v -> 6 / v > 2.0)"), "int64"));
            }
            "string" => lists.push((format!("split({name}, \"b\")"), "string")),
            _ => {}
        }
    }
    let (list, ty) = random.pick(&lists).clone();
    let replaced = random.pick(fields).0.clone();
    let name = if random.chance(30) { replaced } else { format!("u{at}") };
    let _ = writeln!(body, "      - unnest:\n          {name}: {list}");
    match fields.iter_mut().find(|(other, _)| *other == name) {
        Some((_, replaced)) => ty.clone_into(replaced),
        None => fields.push((name, ty.to_owned())),
    }
}

fn group(random: &mut Random, fields: &mut Fields, body: &mut String) {
    let mut keys = if random.chance(15) { Vec::new() } else { subset(random, fields, 2) };
    let bound = fields.iter().find(|(name, _)| name.starts_with("window_"));
    if let Some(bound) = bound.filter(|bound| !keys.contains(bound))
        && random.chance(60)
    {
        keys.push(bound.clone());
    }
    let names = keys.iter().map(|(name, _)| name.as_str()).collect::<Vec<&str>>().join(", ");
    let mut aggregates: Vec<(String, String, String)> =
        vec![("n".to_owned(), "count()".to_owned(), "int64".to_owned())];
    let empty = keys.is_empty();
    let lifted = |ty: &str| {
        if empty && !ty.starts_with("option<") { format!("option<{ty}>") } else { ty.to_owned() }
    };
    for (name, ty) in fields.iter() {
        let mut add = |label: &str, call: String, ty: String| {
            aggregates.push((format!("{label}_{name}"), call, ty));
        };
        match ty.as_str() {
            "int64" | "option<int64>" => {
                add("sum", format!("sum({name})"), ty.clone());
                add("min", format!("min({name})"), lifted(ty));
                add("dc", format!("distinct_count({name})"), "int64".to_owned());
                add("big", format!("count(where={name} == 1)"), "int64".to_owned());
                let plain = ty.trim_start_matches("option<").trim_end_matches('>');
                add("list", format!("list({name})"), format!("list<{plain}>"));
                add("top", format!("top({name}, 2)"), format!("list<{plain}>"));
                add("mid", format!("quantile({name}, 0.5)"), lifted(ty));
                add("var", format!("variance({name})"), "option<float64>".to_owned());
                add("dev", format!("stddev({name})"), "option<float64>".to_owned());
            }
            "decimal<2>" => {
                add("sum", format!("sum({name})"), ty.clone());
                add("max", format!("max({name})"), lifted(ty));
            }
            "float64" => {
                add("sum", format!("sum({name})"), ty.clone());
                add("avg", format!("avg({name})"), lifted(ty));
            }
            "float32" => {
                add("sum", format!("sum({name})"), "float64".to_owned());
                add("max", format!("max({name})"), lifted(ty));
            }
            "bytes" | "map<int64>" | "tensor<_xf32>" => {
                add("min", format!("min({name})"), lifted(ty));
                add("dc", format!("distinct_count({name})"), "int64".to_owned());
                add("list", format!("list({name})"), format!("list<{ty}>"));
            }
            "string" => {
                add("last", format!("max({name})"), lifted(ty));
                let filtered = format!("min({name}, where={name} > \"b\")");
                add("least", filtered, format!("option<{ty}>"));
                add("some", format!("any({name} > \"b\")"), "bool".to_owned());
                add("every", format!("all({name} > \"b\")"), "bool".to_owned());
            }
            _ => {}
        }
    }
    let by = random.pick(fields).0.clone();
    let (of, ty) = random.pick(fields).clone();
    aggregates.push((format!("first_{of}"), format!("first({of}, by={by})"), lifted(&ty)));
    aggregates.push((format!("final_{of}"), format!("last({of}, by={by})"), lifted(&ty)));
    let mut output = keys;
    let mut agg = String::new();
    for _ in 0..=random.below(3) {
        let (name, call, ty) = random.pick(&aggregates).clone();
        if output.iter().any(|(other, _)| *other == name) {
            continue;
        }
        let _ = writeln!(agg, "          {name}: {call}");
        output.push((name, ty));
    }
    if agg.is_empty() {
        return;
    }
    let _ = writeln!(body, "      - group: [{names}]\n        agg:\n{}", agg.trim_end());
    *fields = output;
}

fn top(random: &mut Random, fields: &mut Fields, body: &mut String, at: usize) {
    let by = random.pick(fields).0.clone();
    let way = *random.pick(&["", " desc"]);
    let _ = writeln!(body, "      - top: {}\n        by: [{by}{way}]", 1 + random.below(3));
    if random.chance(60) {
        let bound = fields.iter().find(|(name, _)| name.starts_with("window_"));
        let per = match bound.filter(|_| random.chance(50)) {
            Some((bound, _)) => bound.clone(),
            None => random.pick(fields).0.clone(),
        };
        let _ = writeln!(body, "        per: [{per}]");
    }
    if random.chance(25) {
        let _ = writeln!(body, "        offset: 1");
    }
    if random.chance(30) {
        let _ = writeln!(body, "        ties: all");
    }
    let rank = format!("r{at}_{}", fields.len());
    if random.chance(30) && !fields.iter().any(|(name, _)| *name == rank) {
        let _ = writeln!(body, "        rank: {rank}");
        fields.push((rank, "int64".to_owned()));
    }
}
