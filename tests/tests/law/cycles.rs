//! A random circuit in which a node comes to read what is computed from it: the cycle is named.

use std::collections::{BTreeMap, BTreeSet};

use arqon_compiler::{Options, compile};
use arqon_tests::generator;
use arqon_tests::random::Random;

use crate::runs::seeds;

const CASES: u64 = 150;

#[test]
fn a_cycle_without_delay_is_named() {
    let (mut n_found, mut n_otherwise) = (0, 0);
    for seed in seeds(CASES) {
        let mut random = Random::new(seed);
        let text = generator::circuit(&mut random);
        let Some(cyclic) = closed(&mut random, &text) else { continue };
        let compiled =
            compile(&cyclic, "law.yaml", &Options { allow_unbounded: true, ..Options::default() });
        assert!(compiled.dataflow.is_none(), "seed {seed}: it has a plan\n{cyclic}");
        let faults: Vec<String> = compiled
            .diagnostics
            .iter()
            .filter(|fault| fault.code.to_string() == "E0304")
            .map(|fault| fault.message.clone())
            .collect();
        let said: Vec<String> =
            compiled.diagnostics.iter().map(|it| format!("{}: {}", it.code, it.message)).collect();
        // Rows that cannot be put together, or a join before a window, are told first: then a cycle
        // is not all that is wrong.
        if compiled.diagnostics.iter().any(|it| it.is_error() && it.code.to_string() != "E0304") {
            n_otherwise += 1;
            continue;
        }
        assert_eq!(faults.len(), 1, "seed {seed}: {said:#?}\n{cyclic}");
        let path = faults[0].strip_prefix("cycle without delay: ").expect("it says what it is");
        let path: Vec<&str> = path.split(" -> ").collect();
        let distinct: BTreeSet<&&str> = path[1..].iter().collect();
        assert_eq!(distinct.len(), path.len() - 1, "seed {seed}: {path:?} passes a node twice");
        assert_eq!(path.first(), path.last(), "seed {seed}: {path:?}");
        let edges = readers(&cyclic);
        for pair in path.windows(2).map(|pair| [outer(pair[0]), outer(pair[1])]) {
            let is_read = pair[0] == pair[1] || edges[pair[1]].contains(pair[0]);
            assert!(is_read, "seed {seed}: {path:?}: {pair:?}\n{cyclic}");
        }
        n_found += 1;
    }
    assert!(n_otherwise < n_found, "{n_found} cycles, {n_otherwise} wrong otherwise");
}

/// The node of the circuit in whose loop a node stands, or itself.
fn outer(node: &str) -> &str {
    node.split_once('.').map_or(node, |(outer, _)| outer)
}

/// The circuit with one more input of a node: itself, or a node that reads it by however many steps.
fn closed(random: &mut Random, text: &str) -> Option<String> {
    let edges = readers(text);
    let mut ways = Vec::new();
    for node in edges.keys() {
        let head = format!("  {node}:\n    from: ");
        if text.contains(&head) {
            let is_node = |name: &&&str| text.contains(&format!("\n  {name}:\n"));
            let later = edges
                .keys()
                .filter(is_node)
                .filter(|later| later == &node || reaches(&edges, node, later));
            ways.extend(later.map(|later| (node, later, head.clone())));
        }
    }
    if ways.is_empty() {
        return None;
    }
    let (node, later, head) = random.pick(&ways);
    let at = text.find(head.as_str()).expect("the node is there") + head.len();
    let line_end = at + text[at..].find('\n').expect("lines end");
    if random.chance(50) {
        let before = text[at..line_end].trim_matches(['[', ']']);
        let from = format!("[{before}, {later}]");
        return Some(format!("{}{from}{}", &text[..at], &text[line_end..]));
    }
    let steps = format!("  {node}:\n    from: {}\n    do:\n", &text[at..line_end]);
    let join = "      - join: LATER\n        match: {}\n        as: closing\n        kind: semi\n"
        .replace("LATER", later);
    Some(text.replacen(&steps, &format!("{steps}{join}"), 1))
}

/// What each node reads, of whatever kind; a topic that nodes write reads them, unless it goes back
/// to the flow an epoch later.
fn readers(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let (_, flow) = text.split_once("\nflow:\n").expect("the generator writes a flow");
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut node = "";
    for line in flow.lines() {
        let name = line.strip_prefix("  ").filter(|it| !it.starts_with(' '));
        if let Some(name) = name {
            node = name.trim_end_matches(':');
            edges.entry(node).or_default();
        }
        let words = line.split(|it: char| !it.is_alphanumeric() && it != '_');
        let is_reading = ["from: ", "- join: ", "let: "].iter().any(|it| line.contains(it));
        if is_reading {
            edges.entry(node).or_default().extend(words);
        }
        let written = line.strip_prefix("    to: ").filter(|topic| *topic != generator::CONTROL);
        if let Some(topic) = written {
            edges.entry(topic).or_default().insert(node);
        }
    }
    let nodes: BTreeSet<&str> = edges.keys().copied().collect();
    for reads in edges.values_mut() {
        reads.retain(|name| nodes.contains(name));
    }
    edges
}

/// Whether `later` reads `node`, by however many steps.
fn reaches(edges: &BTreeMap<&str, BTreeSet<&str>>, node: &str, later: &str) -> bool {
    // The generator's nodes read earlier ones only.
    edges[later].iter().any(|read| *read == node || reaches(edges, node, read))
}
