//! What a graph's kernel answers, by the definitions: rounds over all edges until nothing changes.

use std::collections::BTreeMap;

use arqon_plan::{KernelColumn, KernelPlan};
use arqon_types::Value;

use super::Collection;

/// An edge: its two ends and its length.
type Edge = [i64; 3];

/// The rows of a kernel over edges and roots, and how many edges it refuses.
///
/// # Panics
/// If the kernel is of another kind, or answers within a bound.
pub(super) fn answers(kernel: &KernelPlan, inputs: &[Collection]) -> (Collection, i64) {
    let port = |name: &str| kernel.ports.iter().position(|port| port.name == name);
    let Some(Value::Enum(algorithm)) = kernel.kernel.argument("algorithm", &kernel.arguments)
    else {
        panic!("`{}` is no graph's kernel", kernel.kernel.name())
    };
    let mut n_refused = 0;
    let mut edges: Vec<Edge> = Vec::new();
    if let Some(at) = port("edges") {
        for (row, n) in &inputs[at] {
            let read = |field: usize| {
                kernel.ports[at].fields[field].map_or(1, |column| integer(&row[column]))
            };
            if *algorithm == 1 && read(2) < 0 {
                n_refused += n;
            } else if *n > 0 {
                edges.push([read(0), read(1), read(2)]);
            }
        }
    }
    let roots: Vec<i64> = port("roots").map_or_else(Vec::new, |at| {
        let column = kernel.ports[at].fields[0].expect("a root has an id");
        let there = inputs[at].iter().filter(|(_, n)| **n > 0);
        there.map(|(row, _)| integer(&row[column])).collect()
    });
    let found = match algorithm {
        0 => least(&edges, roots.iter().map(|id| (*id, 0)).collect(), |_| 0),
        1 => least(&edges, roots.iter().map(|id| (*id, 0)).collect(), |edge| edge[2]),
        2 => {
            let back = edges.iter().map(|[src, dst, weight]| [*dst, *src, *weight]);
            let both: Vec<Edge> = edges.iter().copied().chain(back).collect();
            let ids = both.iter().map(|[src, ..]| (*src, *src)).collect();
            least(&both, ids, |_| 0)
        }
        other => panic!("algorithm {other} answers within a bound"),
    };
    let value = |column: &KernelColumn, id: i64, number: i64| match column {
        KernelColumn::Made(0) => Value::Int(id),
        KernelColumn::Made(_) => Value::Int(number),
        KernelColumn::Along(_) => panic!("nothing comes along with a vertex"),
    };
    let row = |(id, number): (i64, i64)| {
        (kernel.columns.iter().map(|column| value(column, id, number)).collect(), 1)
    };
    (found.into_iter().map(row).collect(), n_refused)
}

/// From the numbers of some vertices those of all that they lead to: the least of what comes along
/// edges, each of which adds something.
fn least(
    edges: &[Edge],
    mut found: BTreeMap<i64, i64>,
    adds: impl Fn(&Edge) -> i64,
) -> BTreeMap<i64, i64> {
    loop {
        let mut changed = false;
        for edge in edges {
            let Some(at) = found.get(&edge[0]) else { continue };
            let Some(number) = at.checked_add(adds(edge)) else { continue };
            if found.get(&edge[1]).is_none_or(|known| number < *known) {
                found.insert(edge[1], number);
                changed = true;
            }
        }
        if !changed {
            return found;
        }
    }
}

fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        other => panic!("{other:?} is no integer"),
    }
}
