//! Compiled circuits as bytes: equal for equal plans, refused when damaged; and the verifier.

mod shop;

use arqon_operators::Expr;
use arqon_plan::*;
use arqon_types::{Discipline, Type};
use proptest::prelude::*;

fn bytes() -> Vec<u8> {
    let plan = shop::plan(Discipline::Full);
    encode(&Artifact { plan, dataflow: shop::dataflow() }).expect("a plan that holds")
}

#[test]
fn equal_plans_are_equal_bytes_and_come_back_whole() {
    let bytes = bytes();
    assert_eq!(bytes, self::bytes());
    assert!(is_artifact(&bytes));
    let artifact = decode(&bytes).unwrap();
    assert_eq!(artifact.dataflow, shop::dataflow());
    assert_eq!(encode(&artifact).unwrap(), bytes);
    assert_eq!(content_hash(&bytes).unwrap().to_string().len(), 64);
    let join = artifact.plan.named("revenue").unwrap();
    assert_eq!(artifact.plan.facts(join), shop::plan(Discipline::Full).facts(join));
}

#[test]
fn another_circuit_has_another_hash() {
    let mut dataflow = shop::dataflow();
    dataflow.circuit = "shop.other".into();
    let other = encode(&Artifact { plan: shop::plan(Discipline::Full), dataflow }).unwrap();
    assert_ne!(content_hash(&other).unwrap(), content_hash(&bytes()).unwrap());
}

#[test]
fn odd_bytes_are_refused_with_a_reason() {
    let whole = bytes();
    let refused = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    assert_eq!(refused(b""), "this is not a compiled circuit");
    assert_eq!(refused(b"arqon: 1\n"), "this is not a compiled circuit");
    assert_eq!(
        refused(&whole[..whole.len() - 1]),
        format!("{} bytes where the header announces {}", whole.len() - 53, whole.len() - 52)
    );
    let mut other = whole.clone();
    other[8] = 0;
    assert_eq!(
        refused(&other),
        format!(
            "compiled with artifact version 0, this program reads version {ARTIFACT_VERSION}; \
             compile the circuit again"
        )
    );
    let mut damaged = whole;
    damaged[60] ^= 1;
    assert_eq!(refused(&damaged), "the content hash does not match; the file is damaged");
}

/// The bytes with their body replaced and the header made right again.
fn resealed(body: &[u8]) -> Vec<u8> {
    let whole = bytes();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&whole[8..12]).update(body);
    let length = (body.len() as u64).to_le_bytes();
    [&whole[..12], &length, hasher.finalize().as_bytes(), body].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Hostile bytes with a right hash are answered, and what is accepted is a verified plan.
    #[test]
    fn damage_under_a_right_hash_is_answered(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut body = bytes()[52..].to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        if let Ok(artifact) = decode(&resealed(&body)) {
            prop_assert!(verify(&artifact.dataflow).is_ok());
            prop_assert_eq!(decode(&encode(&artifact).unwrap()).unwrap().dataflow, artifact.dataflow);
        }
    }

    #[test]
    fn any_bytes_are_answered(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(decode(&body).is_err());
        let _answered = decode(&resealed(&body));
    }
}

fn broken(change: impl FnOnce(&mut DataflowPlan)) -> String {
    let mut dataflow = shop::dataflow();
    change(&mut dataflow);
    verify(&dataflow).expect_err("a broken plan").to_string()
}

#[test]
fn the_verifier_names_each_broken_invariant() {
    assert_eq!(verify(&shop::dataflow()), Ok(()));
    let cases: [(&str, String); 12] = [
        ("`revenue[1]`: input 4 stands after it", broken(|p| p.steps[3].inputs[1] = StepId(4))),
        (
            "`revenue[1]`: 1 inputs where two inputs is wanted",
            broken(|p| {
                p.steps[3].inputs.pop();
            }),
        ),
        ("`shop.orders`: key [9] lies outside of 4 fields", broken(|p| p.topics[1].key = vec![9])),
        ("`shop.orders`: a `full` topic has no key", broken(|p| p.topics[1].key.clear())),
        (
            "`revenue[0]`: a condition is int64",
            broken(|p| {
                let Operator::Map(map) = &mut p.steps[2].operator else { unreachable!() };
                map.stages[0].kind = StageKind::Filter(Expr::column(0, Type::Int64));
            }),
        ),
        (
            "`revenue[0]`: column 7 of a row with 4 columns; `revenue[0]`: a condition is int64",
            broken(|p| {
                let Operator::Map(map) = &mut p.steps[2].operator else { unreachable!() };
                map.stages[0].kind = StageKind::Filter(Expr::column(7, Type::Int64));
            }),
        ),
        (
            "`revenue[1]`: a key is decimal<2> left, int64 right",
            broken(|p| {
                let Operator::Join(join) = &mut p.steps[3].operator else { unreachable!() };
                join.left_key = vec![Expr::column(2, Type::Decimal(2))];
            }),
        ),
        (
            "`revenue[1]`: 1 keys left, 0 right",
            broken(|p| {
                let Operator::Join(join) = &mut p.steps[3].operator else { unreachable!() };
                join.right_key.clear();
            }),
        ),
        (
            "`shop.revenue`: the rows of `revenue[1]` are not those of the topic",
            broken(|p| {
                p.outputs[0].step = StepId(3);
            }),
        ),
        (
            "`shop.revenue`: the topic has two outputs",
            broken(|p| {
                p.outputs.push(p.outputs[0].clone());
            }),
        ),
        (
            "`shop.revenue`: what goes back to the topic has no source to come from",
            broken(|p| {
                let Output { topic, step } = p.outputs[0].clone();
                p.feedbacks = vec![Feedback { topic, step, is_shared: false }];
            }),
        ),
        (
            "`shop.orders`: the source's schema is not that of topic `shop.customers`; \
          `shop.orders`: `shop.customers` has two sources",
            broken(|p| {
                p.steps[1].operator = p.steps[0].operator.clone();
            }),
        ),
    ];
    for (expected, found) in cases {
        assert_eq!(found, expected);
    }
}
