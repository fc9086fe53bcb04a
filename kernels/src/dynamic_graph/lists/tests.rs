//! Rows are sets of ends, whatever comes and goes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What is found in lists that should have these ends, and how often their edges lie there.
fn check(lists: &Lists, wanted: &BTreeMap<(u32, End), i64>, n_vertices: u32) {
    for vertex in 0..n_vertices {
        let start = |vertex| (vertex, End::default());
        let theirs = || wanted.range(start(vertex)..start(vertex + 1));
        let mut ends: Vec<End> = lists.ends(vertex).collect();
        ends.sort_unstable_by_key(|end| end.times(1));
        let times = |((_, end), copies): (&(u32, End), &i64)| end.times(*copies);
        assert_eq!(ends, theirs().map(times).collect::<Vec<_>>());
        assert_eq!(lists.degree(vertex), ends.len());
        for ((_, end), copies) in theirs() {
            let spot = lists.find(vertex, *end).expect("it is there");
            let code = lists.code(&lists.lines[spot.line as usize], spot);
            assert_eq!((lists.is_many(spot), code), (*copies > 1, end.code()));
        }
        let mut vertices = Vec::new();
        lists.copy_vertices(vertex, &mut vertices);
        assert_eq!(vertices, lists.ends(vertex).map(End::vertex).collect::<Vec<_>>());
        let (mut parts, mut from) = (Vec::new(), Some(0));
        while let Some(at) = from {
            from = lists.each_part(vertex, at, |end| parts.push(end));
        }
        assert_eq!(parts, lists.ends(vertex).collect::<Vec<_>>());
        let mut each = Vec::new();
        lists.each(vertex, |end| each.push(end));
        assert_eq!(each, parts);
        for other in 0..30 {
            let leads = ends.iter().any(|end| end.vertex() == other);
            assert_eq!(lists.leads(vertex, other), leads);
        }
    }
    let n_passed: u32 = lists.lines.iter().map(|line| u32::from(line.passed)).sum();
    let n_gone_on = |vertex: u32| {
        let row = lists.rows[vertex as usize];
        let of = |end: End| {
            let spot = lists.find(vertex, end.times(1)).expect("it is there");
            let (home, at) = (row.home(end), spot.line - row.first);
            (at + row.n_lines - home) % row.n_lines
        };
        lists.ends(vertex).map(of).sum::<u32>()
    };
    assert_eq!(n_passed, (0..n_vertices).map(n_gone_on).sum::<u32>(), "what went on is counted");
}

fn saved_and_loaded(lists: &Lists) -> Lists {
    let mut bytes = Vec::new();
    lists.save(&mut SnapshotWriter::new(&mut bytes, "lists").unwrap()).unwrap();
    let mut input = bytes.as_slice();
    let mut reader = SnapshotReader::new(&mut input, "lists").unwrap();
    Lists::load(Keep::Ends, &mut reader, lists.rows.len()).unwrap()
}

proptest! {
    /// Few vertices and many codes, so that rows have up to some hundred ends; some have more than
    /// eight bits in half of the trials.
    #[test]
    fn rows_are_sets(
        changes in prop::collection::vec((0_u32..3, 0_u32..30, 0_u32..12, 0_u32..99), 0..900),
        wide in prop::bool::ANY,
    ) {
        let (mut lists, mut wanted) = (Lists::new(Keep::Ends), BTreeMap::new());
        lists.grow(30);
        for (vertex, other, code, chance) in changes {
            let code = if wide && code == 11 { 267 } else { code };
            let end = End::new(other, code);
            match lists.find(vertex, end) {
                Some(spot) if chance < 9 => {
                    lists.set_times(spot, 2);
                    wanted.insert((vertex, end), 2);
                }
                Some(spot) => {
                    prop_assert!(wanted.remove(&(vertex, end)).is_some());
                    lists.remove(vertex, end, spot);
                }
                None => {
                    prop_assert!(wanted.insert((vertex, end), 1).is_none());
                    lists.insert(vertex, end);
                }
            }
        }
        check(&lists, &wanted, 3);
        for copies in wanted.values_mut() {
            *copies = 1;
        }
        let loaded = saved_and_loaded(&lists);
        check(&loaded, &wanted, 3);
        for vertex in 0..3 {
            let ends = |lists: &Lists| -> Vec<End> {
                lists.ends(vertex).map(|end| end.times(1)).collect()
            };
            prop_assert_eq!(ends(&loaded), ends(&lists), "in the same order");
        }
    }

    #[test]
    fn rows_have_room(degree in 0_u32..100_000) {
        let n_lines = n_lines_for(degree);
        prop_assert!(degree <= ends_max(n_lines));
        prop_assert!(n_lines < 3 || 5 * n_lines <= degree, "and not too much");
        prop_assert!(n_lines == 0 || n_lines_of(size_class(n_lines)) == Some(n_lines));
        prop_assert_eq!(n_lines == 0, degree == 0);
    }
}

/// Ends of one hash pile up, and go again.
#[test]
fn what_goes_on_comes_back() {
    let mut lists = Lists::new(Keep::Ends);
    lists.grow(1);
    (0..200).for_each(|other| lists.insert(0, End::new(other, 0)));
    let row = lists.rows[0];
    let alike: Vec<End> =
        (200..9000).map(|other| End::new(other, 0)).filter(|end| row.home(*end) == 1).collect();
    let alike = &alike[..30];
    // Those of the first two hundred make room, so that the row stays where it is.
    for other in 0..100 {
        let end = End::new(other, 0);
        lists.remove(0, end, lists.find(0, end).unwrap());
    }
    for end in alike {
        lists.insert(0, *end);
    }
    assert!(lists.lines.iter().any(|line| line.passed > 0), "some went on");
    for end in alike {
        lists.remove(0, *end, lists.find(0, *end).unwrap());
        assert_eq!(lists.find(0, *end), None);
    }
    let wanted = (100..200).map(|other| ((0, End::new(other, 0)), 1)).collect();
    check(&lists, &wanted, 1);
}
