//! A random circuit in which a node comes to read what is computed from it: the cycle is named.
//!
//! Nodes with a loop are left alone here.

use std::collections::{BTreeMap, BTreeSet};

use arqon_compiler::{Options, compile};
use arqon_tests::generator;
use arqon_tests::random::Random;

use crate::runs::seeds;

const CASES: u64 = 150;

#[test]
fn a_cycle_without_delay_is_named() {
    let (mut n_found, mut n_mismatched) = (0, 0);
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
        // Rows that cannot be put together, or that have no mark or time any more behind the new
        // join, are told first, since a cycle is not all that is wrong.
        let is_told_first =
            |fault: &String| ["E0220", "E0306", "E0307"].iter().any(|code| fault.starts_with(code));
        if said.iter().any(is_told_first) {
            n_mismatched += 1;
            continue;
        }
        assert_eq!(faults.len(), 1, "seed {seed}: {said:#?}\n{cyclic}");
        let path = faults[0].strip_prefix("cycle without delay: ").expect("it says what it is");
        let path: Vec<&str> = path.split(" -> ").collect();
        let distinct: BTreeSet<&&str> = path[1..].iter().collect();
        assert_eq!(distinct.len(), path.len() - 1, "seed {seed}: {path:?} passes a node twice");
        assert_eq!(path.first(), path.last(), "seed {seed}: {path:?}");
        let edges = readers(&cyclic);
        for pair in path.windows(2) {
            let is_read = edges[pair[1]].contains(pair[0]);
            assert!(is_read, "seed {seed}: {path:?}: {pair:?}\n{cyclic}");
        }
        n_found += 1;
    }
    assert!(n_mismatched < n_found, "{n_found} cycles, {n_mismatched} of other rows");
}

/// The circuit with one more input of a node: itself, or a node that reads it by however many steps.
fn closed(random: &mut Random, text: &str) -> Option<String> {
    let mut edges = readers(text);
    let looped: BTreeSet<&str> = looped(text);
    edges.retain(|node, _| !looped.contains(node));
    for reads in edges.values_mut() {
        reads.retain(|node| !looped.contains(node));
    }
    let mut ways = Vec::new();
    for node in edges.keys() {
        let head = format!("  {node}:\n    from: ");
        if text.contains(&head) {
            let later = edges.keys().filter(|later| later == &node || reaches(&edges, node, later));
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

/// The nodes with a loop in them.
fn looped(text: &str) -> BTreeSet<&str> {
    let (_, flow) = text.split_once("\nflow:\n").expect("the generator writes a flow");
    let mut node = "";
    let mut found = BTreeSet::new();
    for line in flow.lines() {
        if let Some(name) = line.strip_prefix("  ").filter(|it| !it.starts_with(' ')) {
            node = name.trim_end_matches(':');
        }
        if line.contains("loop:") {
            found.insert(node);
        }
    }
    found
}

/// What each node reads, of whatever kind.
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
