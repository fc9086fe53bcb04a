//! Machine-applicable changes: each mends its fault, together they mend all they can, and the
//! rest of the text stays as it is.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use arqon_compiler::{Options, compile};
use arqon_grammar::{Diagnostic, apply_fixes};

fn diagnostics(text: &str) -> Vec<Diagnostic> {
    compile(text, "a.yaml", &Options::default()).diagnostics
}

/// The wrong circuits of the corpus, by name.
fn wrong_circuits() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../circuits/err");
    let mut circuits: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .filter_map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            Some((name, fs::read_to_string(path).ok()?))
        })
        .collect();
    circuits.sort();
    circuits
}

fn count(all: &[Diagnostic], one: &Diagnostic) -> usize {
    all.iter().filter(|it| it.code == one.code && it.message == one.message).count()
}

#[test]
fn every_change_makes_its_fault_vanish() {
    let mut mended = BTreeSet::new();
    for (name, text) in wrong_circuits() {
        let found = diagnostics(&text);
        for diagnostic in found.iter().filter(|it| it.fix.is_some()) {
            let fixed = apply_fixes(&text, std::slice::from_ref(diagnostic));
            assert_eq!(fixed.applied, [0], "{name}: {}", diagnostic.brief(&text));
            let after = diagnostics(&fixed.text);
            assert!(
                count(&after, diagnostic) < count(&found, diagnostic),
                "{name}: still there: {}\n{}",
                diagnostic.brief(&text),
                fixed.text
            );
            mended.insert(diagnostic.code.id());
        }
    }
    for trap in
        ["E0104", "E0105", "E0106", "E0107", "E0108", "E0109", "E0110", "E0111", "E0112", "E0113"]
    {
        assert!(mended.contains(trap), "{trap} has no circuit with a change: {mended:?}");
    }
    assert!(25 <= mended.len(), "{mended:?}");
}

#[test]
fn changes_together_come_to_rest_and_keep_the_other_lines() {
    for (name, text) in wrong_circuits() {
        let mut now = text.clone();
        let mut touched = BTreeSet::new();
        for round in 0.. {
            assert!(round < 6, "{name} turns in a circle:\n{now}");
            let found = diagnostics(&now);
            let fixed = apply_fixes(&now, &found);
            if fixed.applied.is_empty() {
                break;
            }
            for fix in fixed.applied.iter().filter_map(|idx| found[*idx].fix.as_ref()) {
                let line = |at: u32| now[..at as usize].matches('\n').count();
                touched.extend(line(fix.span.start)..=line(fix.span.end));
            }
            now = fixed.text;
        }
        if text.lines().count() == now.lines().count() {
            for (at, (before, after)) in text.lines().zip(now.lines()).enumerate() {
                assert!(before == after || touched.contains(&at), "{name}:{}: {after}", at + 1);
            }
        }
    }
}

/// A circuit whose one `where` is `condition`, and what all changes make of the line.
fn check(condition: &str, expected: &str) {
    let head = "arqon: 1\ncircuit: shop\nschemas:\n  Order: { id: int64, amount: int64, price: float64, \
        region: string, name: option<string>, paid: bool }\ntopics:\n  shop.orders: { schema: \
        Order, edge: in }\n  shop.found: { schema: Order, edge: out }\nflow:\n  found:\n    \
        from: shop.orders\n    do:\n      - where: ";
    let mut text = format!("{head}{condition}\n    to: shop.found\n");
    for _ in 0..6 {
        text = apply_fixes(&text, &diagnostics(&text)).text;
    }
    let line = text.lines().find_map(|line| line.strip_prefix("      - where: "));
    assert_eq!(line, Some(expected), "{condition}");
    let left: Vec<String> =
        diagnostics(&text).iter().filter(|it| it.is_error()).map(|it| it.brief(&text)).collect();
    assert!(left.is_empty(), "{condition}: {}", left.join("\n"));
}

#[test]
fn habits_of_other_languages_are_rewritten() {
    check("amount > 1 && paid", "amount > 1 and paid");
    check("amount > 1 || !paid", "amount > 1 or not paid");
    check("!paid", "not paid");
    check("amount = 1", "amount == 1");
    check("amount === 1", "amount == 1");
    check("amount !== 1", "amount != 1");
    check("amount <> 1", "amount != 1");
    check("amount => 1", "amount >= 1");
    check("amount =< 1", "amount <= 1");
    check("name == null", "name == none");
    check("name is null", "name == none");
    check("name is not null and paid", "name != none and paid");
    check("name ?? region == 'EU'", "name // region == \"EU\"");
    check("paid ? amount > 1 : amount > 2", "'if paid then amount > 1 else amount > 2'");
    check("\"EU\" == region", "'\"EU\" == region'");
    check("region == \"a: b\"", "'region == \"a: b\"'");
    check("region == \"a #b\"  # why", "'region == \"a #b\"'  # why");
    check("1 < amount < 9", "1 < amount and amount < 9");
    check("amount > +1", "amount > 1");
    check("price > .5", "price > 0.5");
    check("region like \"E%\" and paid", "like(region, \"E%\") and paid");
    check("amount > 1 AND paid", "amount > 1 and paid");
    check("amuont > 1", "amount > 1");
    check("startswith(region, \"E\")", "starts_with(region, \"E\")");
}
