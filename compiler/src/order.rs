//! Puts things that need each other in order, and finds the circles.

/// What [`dependency_order`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// All members, each after what it needs, as far as no circle forbids it.
    pub(crate) order: Vec<usize>,
    /// Each circle once: every member needs the next, the last one the first.
    pub(crate) cycles: Vec<Vec<usize>>,
}

/// Orders `0..needs.len()` so that each member stands after those that it needs; members that do
/// not need each other keep their order.
///
/// Walks with its own stack, so long chains are safe. Cost: O(members + needs).
pub(crate) fn dependency_order(needs: &[Vec<usize>]) -> Order {
    let mut states = vec![State::New; needs.len()];
    let mut order = Vec::with_capacity(needs.len());
    let mut cycles = Vec::new();
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..needs.len() {
        if states[start] != State::New {
            continue;
        }
        states[start] = State::Open;
        path.push((start, 0));
        while let Some((member, next)) = path.last_mut() {
            let member = *member;
            let Some(&needed) = needs[member].get(*next) else {
                states[member] = State::Done;
                order.push(member);
                path.pop();
                continue;
            };
            *next += 1;
            match states[needed] {
                State::New => {
                    states[needed] = State::Open;
                    path.push((needed, 0));
                }
                State::Open => {
                    let at = path
                        .iter()
                        .position(|(open, _)| *open == needed)
                        .expect("an open member stands on the path");
                    cycles.push(path[at..].iter().map(|(open, _)| *open).collect());
                }
                State::Done => {}
            }
        }
    }
    Order { order, cycles }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_stand_first() {
        let found = dependency_order(&[vec![2], vec![], vec![1]]);
        assert_eq!(found, Order { order: vec![1, 2, 0], cycles: vec![] });
    }

    #[test]
    fn circles_are_found() {
        let found = dependency_order(&[vec![1], vec![2], vec![1], vec![3]]);
        assert_eq!(found.cycles, vec![vec![1, 2], vec![3]]);
        assert_eq!(found.order.len(), 4);
    }

    #[test]
    fn long_chains_need_no_stack() {
        let n = 200_000;
        let needs: Vec<Vec<usize>> =
            (0..n).map(|at| if at + 1 < n { vec![at + 1] } else { vec![] }).collect();
        assert_eq!(dependency_order(&needs).order[0], n - 1);
    }
}
