//! No way past the bus, shown by mutation: every seeded bypass is found under its code, at its
//! place and with a way that is really there, and no circuit without one is accused.
//!
//! `ARQON_CASES` and `ARQON_SEED` choose how many mutants and from which seed; `cargo xtask torture
//! bypass` sets them for the long run. A failure prints the seed.

mod search;
mod mutant;

use std::collections::BTreeMap;

use arqon_compiler::{Options, Unbounded, compile, no_bypass_proof, plan_errors};
use arqon_grammar::Diagnostic;
use arqon_plan::{Plan, TextRange, WireRef};
use arqon_tests::random::Random;
use arqon_tests::setting::setting;
use arqon_tests::topologies::topology;
use arqon_tests::{corpus, generator};

use mutant::{KINDS, mutate, mutate_text};
use search::{find_way, is_lawful, quarrel};

const CASES: u64 = 1_000;

fn faults(plan: &Plan) -> Vec<Diagnostic> {
    let found = plan_errors(plan, Unbounded::Allowed);
    found.into_iter().filter(|fault| fault.code.id().starts_with("E04")).collect()
}

/// The plan of a circuit that must have no fault.
fn planned(about: &str, text: &str) -> Plan {
    let options = Options { allow_unbounded: true, ..Options::default() };
    let compiled = compile(text, "bypass.yaml", &options);
    let briefs: Vec<String> = compiled
        .diagnostics
        .iter()
        .filter(|fault| fault.is_error())
        .map(|fault| fault.brief(text))
        .collect();
    assert!(briefs.is_empty(), "{about}: {briefs:#?}\n{text}");
    compiled.plan.expect("a circuit without faults has a plan")
}

/// Nobody is accused, and the plain search finds nothing either.
fn assert_clean(about: &str, plan: &Plan) {
    let found: Vec<String> = faults(plan).into_iter().map(|fault| fault.message).collect();
    assert!(found.is_empty(), "{about}: false alarm: {found:?}");
    let proof = no_bypass_proof(plan);
    assert!(proof.contains(": holds\n") && !proof.contains("VIOLATED"), "{about}: {proof}");
    for wire in plan.wires() {
        assert!(is_lawful(plan, &wire), "{about}: {}", drawn(plan, &wire));
    }
    for (topic, _) in plan.topics() {
        assert!(quarrel(plan, topic).is_empty(), "{about}: {} has two writers", plan.label(topic));
    }
}

fn drawn(plan: &Plan, wire: &WireRef<'_>) -> String {
    format!("{} -> {}", plan.label(wire.from), plan.label(wire.to))
}

/// Each seeded fault is found under its code at its place, and each printed way is there.
fn assert_found(about: &str, plan: &Plan, seeded: &[(TextRange, &'static str)]) {
    let faults = faults(plan);
    let told: Vec<String> =
        faults.iter().map(|fault| format!("{} {}", fault.code, fault.message)).collect();
    for (place, code) in seeded {
        let is_here = |fault: &&Diagnostic| {
            let labels = std::iter::once(&fault.primary).chain(&fault.secondary);
            fault.code.id() == *code
                && labels
                    .into_iter()
                    .any(|label| (label.span.start, label.span.end) == (place.start, place.end))
        };
        assert!(faults.iter().any(|fault| is_here(&fault)), "{about}: no {code}: {told:#?}");
    }
    let proof = no_bypass_proof(plan);
    assert!(proof.contains(": does NOT hold\n"), "{about}: {proof}");
    let ways: Vec<&str> =
        proof.lines().filter_map(|line| line.strip_prefix("     way: ")).collect();
    assert_eq!(ways.len(), faults.len(), "{about}: a way for each: {proof}");
    let mut walked = Vec::new();
    for way in ways {
        let names: Vec<&str> = way.split(" -> ").collect();
        let found = find_way(plan, &names);
        assert!(!found.is_empty(), "{about}: `{way}` is no way in the plan");
        let breaks = |wire: &WireRef<'_>| {
            !is_lawful(plan, wire) || quarrel(plan, wire.to).iter().any(|it| it.from == wire.from)
        };
        let breaking = found.iter().find(|way| way.iter().any(breaks));
        assert!(breaking.is_some(), "{about}: `{way}` breaks no rule");
        walked.extend(found.into_iter().flatten());
    }
    for (place, _) in seeded {
        let is_walked = walked.iter().any(|wire| wire.wire.range == *place);
        assert!(is_walked, "{about}: no way takes the seeded wire: {proof}");
    }
}

#[test]
fn no_circuit_of_the_house_is_accused() {
    let circuits = corpus::circuits();
    assert!(circuits.len() > 50, "{} circuits", circuits.len());
    for circuit in circuits {
        let plan = circuit.compile(&circuit.text).plan.expect("the corpus has plans");
        assert_clean(&circuit.name, &plan);
    }
}

/// Circuits by seed: every third is one of the corpus, every third one of the law's, and every
/// third one of many operators.
fn sound_plan(seed: u64, corpus: &[(String, Plan)]) -> (String, Plan) {
    let mut random = Random::new(seed);
    match seed % 3 {
        0 => random.pick(corpus).clone(),
        1 => {
            let text = generator::circuit(&mut random);
            (format!("law {seed}"), planned(&format!("seed {seed}"), &text))
        }
        _ => {
            let text = topology(&mut random).text;
            (format!("topology {seed}"), planned(&format!("seed {seed}"), &text))
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "`--nocapture` shows the figures")]
fn every_seeded_bypass_is_found() {
    let corpus: Vec<(String, Plan)> = corpus::circuits()
        .into_iter()
        .map(|circuit| {
            let plan = circuit.compile(&circuit.text).plan.expect("the corpus has plans");
            (circuit.name, plan)
        })
        .collect();
    let (first, cases) = (setting("ARQON_SEED", 1), setting("ARQON_CASES", CASES));
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for seed in first..first + cases {
        let mut random = Random::new(seed ^ 0xB1_9A55);
        if seed % 4 == 0 {
            text_case(seed, &mut kinds);
            continue;
        }
        let (name, plan) = sound_plan(seed, &corpus);
        assert_clean(&format!("seed {seed}, {name}"), &plan);
        // A circuit may have nothing for a kind, as without operators; then it is another's turn.
        let (kind, mutant) = (0..1_000)
            .find_map(|_| {
                let kind = *random.pick(KINDS);
                Some((kind, mutate(&plan, kind, &mut random)?))
            })
            .expect("clients and nodes are in every circuit");
        let about = format!("seed {seed}, {name}, {}", mutant.about);
        assert_found(&about, &mutant.plan, &mutant.seeded);
        *kinds.entry(format!("{kind:?}")).or_default() += 1;
    }
    println!("{cases} bypasses from seed {first}, all found: {kinds:?}");
}

/// A bypass in the text of a circuit, through the whole compiler: nothing but that is told.
fn text_case(seed: u64, kinds: &mut BTreeMap<String, u64>) {
    let mut random = Random::new(seed);
    let topology = topology(&mut random);
    let about = format!("seed {seed}");
    assert_clean(&about, &planned(&about, &topology.text));
    let mutant = mutate_text(&topology, &mut random);
    let about = format!("{about}\n{}", mutant.text);
    let options = Options { allow_unbounded: true, ..Options::default() };
    let compiled = compile(&mutant.text, "bypass.yaml", &options);
    let errors = compiled.diagnostics.iter().filter(|fault| fault.is_error());
    for fault in errors.clone() {
        assert!(fault.code.id().starts_with("E04"), "{}: {about}", fault.brief(&mutant.text));
    }
    let n_told = errors.count();
    assert!(n_told <= mutant.seeded.len(), "{n_told} faults of {}: {about}", mutant.seeded.len());
    assert_found(&about, &compiled.plan.expect("its structure is sound"), &mutant.seeded);
    *kinds.entry("Text".to_owned()).or_default() += 1;
}

#[test]
fn random_circuits_are_not_accused() {
    let (first, cases) = (setting("ARQON_SEED", 1), setting("ARQON_CASES", 200));
    for seed in first..first + cases {
        let text = topology(&mut Random::new(seed)).text;
        assert_clean(&format!("seed {seed}\n{text}"), &planned(&format!("seed {seed}"), &text));
    }
}
