//! Random circuits of many topics, nodes, operators, routes and roles, for what is decided about
//! ways through a circuit.
//!
//! The steps are plain, since [`crate::generator`] makes the others: what varies is who reads and
//! writes what, and who may.

use std::fmt::Write as _;

use crate::random::Random;

/// A circuit without faults, and what stands in it.
#[derive(Debug, Clone)]
pub struct Topology {
    /// The circuit; `routes:` and then `access:` stand at its end, each with at least one entry.
    pub text: String,
    /// Topics that clients publish to.
    pub inputs: Vec<String>,
    /// Topics without an edge, each written by one node.
    pub inner: Vec<String>,
    /// Topics that clients read, each written by one node or route.
    pub outputs: Vec<String>,
    /// Nodes.
    pub nodes: Vec<String>,
    /// Operators.
    pub operators: Vec<String>,
}

/// A circuit of one to three inputs, as many outputs, and one to four operators.
pub fn topology(random: &mut Random) -> Topology {
    let mut made = Topology {
        text: String::new(),
        inputs: names("in", 1 + random.below(3)),
        inner: names("inner", 1 + random.below(3)),
        outputs: names("out", 1 + random.below(3)),
        nodes: Vec::new(),
        operators: names("op", 1 + random.below(4)),
    };
    let head = "arqon: 1\ncircuit: bypass.random\nschemas:\n  Row: { id: int64, level: float64 }\n  \
                Job: { level: float64 }\n  Answer: { level: float64 }\n";
    let topics = topics(&made, random);
    let operators = operators(&made, random);
    let flow = flow(&mut made, random);
    let routes = routes(&made, random);
    let access = access(&made, random);
    made.text = format!("{head}{topics}{operators}{flow}{routes}{access}");
    made
}

fn names(stem: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{stem}{at}")).collect()
}

fn topics(made: &Topology, random: &mut Random) -> String {
    let mut text = "topics:\n".to_owned();
    for name in &made.inputs {
        let edge = if random.chance(25) { "both" } else { "in" };
        let _ = writeln!(text, "  {name}: {{ schema: Row, edge: {edge} }}");
    }
    for name in &made.inner {
        let _ = writeln!(text, "  {name}: {{ schema: Row, carries: delta }}");
    }
    for name in made.outputs.iter().chain(["relayed".to_owned()].iter()) {
        let _ = writeln!(text, "  {name}: {{ schema: Row, carries: delta, edge: out }}");
    }
    text.push_str("  common: { schema: Row, carries: delta, edge: out, shared: true }\n");
    text
}

fn operators(made: &Topology, random: &mut Random) -> String {
    let mut text = "operators:\n".to_owned();
    for name in &made.operators {
        let _ = writeln!(
            text,
            "  {name}:\n    contract: {{ job: Job, result: Answer }}\n    via:\n      \
             shim: {{ http: {{ url: \"http://127.0.0.1:7443/{name}\" }} }}"
        );
        if random.chance(40) {
            text.push_str("      far: { remote: { type: ear } }\n    use: shim\n");
        }
        text.push_str("    limits: { parallel: 1 }\n");
    }
    text
}

/// A node for each topic that is written, from an input, an inner topic or a node before it.
fn flow(made: &mut Topology, random: &mut Random) -> String {
    let mut text = "flow:\n".to_owned();
    let mut readable = made.inputs.clone();
    let written: Vec<String> = made.inner.iter().chain(&made.outputs).cloned().collect();
    for (at, topic) in written.iter().enumerate() {
        let name = format!("node{at}");
        let from = random.pick(&readable).clone();
        let _ = write!(text, "  {name}:\n    from: {from}\n    do:\n      - where: level > 0.5\n");
        if random.chance(60) {
            let operator = random.pick(&made.operators);
            let _ = write!(
                text,
                "      - call: {operator}\n        job: {{ level: =level }}\n        keep: [id]\n      \
                 - select:\n          id: id\n          level: result.level\n"
            );
        }
        let _ = writeln!(text, "    to: {topic}");
        readable.push(name.clone());
        if made.inner.contains(topic) {
            readable.push(topic.clone());
        }
        made.nodes.push(name);
    }
    text
}

fn routes(made: &Topology, random: &mut Random) -> String {
    let mut text = format!("routes:\n  - {} -> relayed\n", random.pick(&made.inputs));
    for from in made.inputs.iter().chain(&made.inner) {
        if random.chance(30) {
            let _ = writeln!(text, "  - {from} -> common when level > 0.9");
        }
    }
    text
}

fn access(made: &Topology, random: &mut Random) -> String {
    let mut text = format!("access:\n  writer: {{ publish: [{}] }}\n", made.inputs.join(", "));
    let mut read: Vec<String> = made.outputs.clone();
    read.extend(["common".to_owned(), "relayed".to_owned()]);
    for operator in &made.operators {
        if random.chance(40) {
            read.push(format!("{operator}.results"));
        }
    }
    if random.chance(40) {
        read.push(format!("{}.errors", random.pick(&made.nodes)));
    }
    let _ = writeln!(text, "  reader: {{ subscribe: [{}] }}", read.join(", "));
    if random.chance(60) {
        let _ = writeln!(text, "  worker: {{ execute: [{}] }}", random.pick(&made.operators));
    }
    text
}
