//! No way past the bus: every seeded bypass is found, and an accepted plan has none.

mod lab;

use arqon_compiler::{Unbounded, no_bypass_proof, plan_errors, plan_warnings};
use arqon_plan::*;
use arqon_types::Discipline;
use lab::lab;
use proptest::prelude::*;

/// The rules once more, in the plainest words: whether one more wire is allowed in the lab.
fn is_allowed(plan: &Plan, from: VertexId, to: VertexId) -> bool {
    let name = |id| plan.label(id);
    match (plan.vertex(from), plan.vertex(to)) {
        (Vertex::Client(_), Vertex::Topic(_)) => {
            ["input.audio", "lab.chat", "nvm.jobs", "qml.jobs"].contains(&name(to))
        }
        (Vertex::Topic(_), Vertex::Client(_)) => {
            ["audio.labels", "lab.chat", "nvm.results", "qml.results"].contains(&name(from))
        }
        (Vertex::Topic(_), Vertex::Endpoint(_)) => name(from) == format!("{}.jobs", name(to)),
        (Vertex::Endpoint(_), Vertex::Topic(_)) => name(to) == format!("{}.results", name(from)),
        (Vertex::Client(_) | Vertex::Endpoint(_), _)
        | (_, Vertex::Client(_) | Vertex::Endpoint(_)) => false,
        // Jobs come from many; any other topic has its writer, and only that one may write more.
        (Vertex::Topic(_), Vertex::Topic(_)) => ["nvm.jobs", "qml.jobs"].contains(&name(to)),
        (Vertex::Step(step), Vertex::Topic(_)) => match name(to) {
            "lab.inner" => &*step.node == "pulses",
            "audio.labels" => &*step.node == "labels",
            topic => ["nvm.jobs", "qml.jobs"].contains(&topic),
        },
        (Vertex::Topic(_) | Vertex::Step(_), Vertex::Step(_)) => true,
    }
}

fn bypasses(plan: &Plan) -> Vec<(u32, &'static str)> {
    plan_errors(plan, Unbounded::Refused)
        .iter()
        .filter(|diagnostic| diagnostic.code.id().starts_with("E04"))
        .map(|diagnostic| (diagnostic.primary.span.start, diagnostic.code.id()))
        .collect()
}

/// A client's wire carries what clients do; any other one the rows of a step.
fn port(plan: &Plan, from: VertexId, to: VertexId) -> Port {
    match (plan.vertex(from), plan.vertex(to)) {
        (Vertex::Client(_), _) => Port::Publish,
        (_, Vertex::Client(_)) => Port::Subscribe,
        (_, Vertex::Endpoint(_)) => Port::Jobs,
        (Vertex::Endpoint(_), _) => Port::Results,
        (Vertex::Topic(_) | Vertex::Step(_), Vertex::Topic(_) | Vertex::Step(_)) => Port::Main,
    }
}

#[test]
fn the_lab_is_accepted_without_a_word() {
    let plan = lab().builder.finish();
    assert_eq!(plan_errors(&plan, Unbounded::Refused), []);
    assert_eq!(plan_warnings(&plan), []);
}

#[test]
fn every_single_wire_between_any_two_vertices_is_judged_rightly() {
    let plan = lab().builder.finish();
    let ids: Vec<VertexId> = plan.vertices().map(|(id, _)| id).collect();
    let (mut n_found, mut n_allowed) = (0, 0);
    for &from in &ids {
        for &to in &ids {
            let mut builder = PlanBuilder::from(plan.clone());
            let range = TextRange { start: 9_000, end: 9_005 };
            builder.wire((from, to), port(&plan, from, to), &lab::pulse(), range);
            let found = bypasses(&builder.finish());
            let wire = format!("{} -> {}", plan.label(from), plan.label(to));
            if is_allowed(&plan, from, to) {
                assert_eq!(found, [], "false alarm: {wire}");
                n_allowed += 1;
            } else {
                let [(start, _)] = found.as_slice() else { panic!("{wire}: {found:?}") };
                assert_eq!(*start, 9_000, "{wire}: the wire's own place");
                n_found += 1;
            }
        }
    }
    assert!(100 < n_found && 50 < n_allowed, "{n_found} found, {n_allowed} allowed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Several bypasses at once: each is found at its own place, among any number of good wires.
    #[test]
    fn many_seeded_bypasses_are_all_found(
        pairs in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..12),
    ) {
        let plan = lab().builder.finish();
        let ids: Vec<VertexId> = plan.vertices().map(|(id, _)| id).collect();
        let mut builder = PlanBuilder::from(plan.clone());
        let mut seeded = Vec::new();
        for (at, (from, to)) in pairs.iter().enumerate() {
            let (from, to) = (*from.get(&ids), *to.get(&ids));
            let start = 9_000 + 10 * u32::try_from(at).unwrap();
            // A second wire of a writer who is reported already is the same fault.
            let is_first = pairs[..at].iter().all(|(a, b)| (*a.get(&ids), *b.get(&ids)) != (from, to));
            let into_topic = matches!(plan.vertex(to), Vertex::Topic(_));
            if !is_allowed(&plan, from, to) && is_first {
                let same_writer = |(a, b): &(prop::sample::Index, prop::sample::Index)| {
                    let node = |id: VertexId| match plan.vertex(id) {
                        Vertex::Step(step) => step.node.clone(),
                        _ => plan.label(id).into(),
                    };
                    *b.get(&ids) == to && node(*a.get(&ids)) == node(from)
                };
                if !into_topic || !pairs[..at].iter().any(same_writer) {
                    seeded.push(start);
                }
            }
            let range = TextRange { start, end: start + 5 };
            builder.wire((from, to), port(&plan, from, to), &lab::pulse(), range);
        }
        let mutated = builder.finish();
        // A way from operator to operator is one fault that shows both of its ends.
        let faults = plan_errors(&mutated, Unbounded::Refused);
        let places: Vec<u32> = faults
            .iter()
            .filter(|fault| fault.code.id().starts_with("E04"))
            .flat_map(|fault| std::iter::once(&fault.primary).chain(&fault.secondary))
            .map(|label| label.span.start)
            .collect();
        for start in &seeded {
            prop_assert!(places.contains(start), "seeded {seeded:?}, found {places:?}");
        }
        if seeded.is_empty() {
            prop_assert!(places.is_empty(), "false alarm: {places:?}");
        }
        prop_assert_eq!(no_bypass_proof(&mutated).contains("VIOLATED"), !places.is_empty());
    }
}

#[test]
fn the_proof_can_be_read() {
    let plan = lab().builder.finish();
    let expected = "\
no bypass in `lab.audio_labels`: holds

  1. each of the 6 wires of clients ends at an edge topic
     lab.mic -> input.audio   topic, edge: in
     lab.mic -> lab.chat   topic, edge: both
     audio.labels -> lab.science   topic, edge: out
     lab.chat -> lab.science   topic, edge: both
     nvm.results -> lab.science   topic, results of `nvm`
     lab.science -> nvm.jobs   topic, jobs of `nvm`

  2. each operator is declared, and touches only its own jobs and results
     nvm (declared) reads nvm.jobs; writes nvm.results
     qml (declared) reads qml.jobs; writes qml.results

  3. each way from a client to an operator leads through topics
     lab.mic -> input.audio -> pulses -> nvm.jobs -> nvm   through input.audio, nvm.jobs
     lab.mic -> input.audio -> pulses -> lab.inner -> labels -> qml.jobs -> qml   \
through input.audio, lab.inner, qml.jobs
     lab.science -> nvm.jobs -> nvm   through nvm.jobs

  4. each topic has one writer, unless it is shared
     input.audio: clients
     audio.labels: node `labels`
     lab.chat: clients
     lab.inner: node `pulses`
     nvm.jobs (shared: jobs): node `pulses`, clients
     nvm.results: operator `nvm`
     qml.jobs (shared: jobs): node `labels`
     qml.results: operator `qml`
";
    assert_eq!(no_bypass_proof(&plan), expected);
}

#[test]
fn roles_that_name_nodes_and_operators_are_bypasses() {
    let mut lab = lab();
    let mut grant =
        |right, target: &str| Grant { right, target: target.into(), range: lab.places.next() };
    let grants = vec![
        grant(Right::Subscribe, "labels"),
        grant(Right::Publish, "nvm"),
        grant(Right::Execute, "qmll"),
        grant(Right::Publish, "audio.labels"),
        grant(Right::Subscribe, "audio.lables"),
        grant(Right::Subscribe, "labels.errors"),
    ];
    let range = lab.places.next();
    lab.builder.role(Role { name: "odd".into(), range, grants });
    let messages: Vec<String> = plan_errors(&lab.builder.finish(), Unbounded::Refused)
        .iter()
        .map(|it| format!("{} {} | {}", it.code, it.message, it.help.join(" | ")))
        .collect();
    assert_eq!(
        messages,
        [
            "E0401 role `odd` may subscribe to node `labels`, past every topic | \
             grant topic `audio.labels` instead",
            "E0402 role `odd` reaches operator `nvm` without a topic between | \
             let the role send jobs with `execute: [nvm]`",
            "E0405 operator `qmll` is not declared under `operators` | did you mean `qml`?",
            "E0602 role `odd` may publish to topic `audio.labels`, whose `edge` is `out` | \
             list it under `subscribe` | \
             declare `audio.labels` with `edge: both`, if clients are to publish",
            "E0601 role `odd` names unknown topic `audio.lables` | did you mean `audio.labels`?",
        ]
    );
}

#[test]
fn cycles_are_drawn_and_control_topics_delay() {
    let mut lab = lab();
    let named = |lab: &lab::Lab, name: &str| lab.builder.plan().named(name).unwrap();
    let (labels, steer) = (named(&lab, "labels"), {
        let mut topic = lab::topic(
            "lab.steer",
            arqon_types::Edge::None,
            TopicOrigin::Declared,
            &mut lab.places,
        );
        topic.control = true;
        lab.builder.topic(topic)
    });
    let plan = lab.builder.plan();
    let (pulses, _) = plan.steps().find(|(id, _)| plan.label(*id) == "pulses").unwrap();
    lab.wire(labels, steer, Port::Main);
    lab.wire(steer, pulses, Port::Main);
    assert_eq!(plan_errors(&lab.builder.clone().finish(), Unbounded::Refused), []);
    lab.wire(labels, pulses, Port::Main);
    let found: Vec<String> = plan_errors(&lab.builder.finish(), Unbounded::Refused)
        .iter()
        .map(|it| format!("{} {}", it.code, it.message))
        .collect();
    assert_eq!(found, ["E0304 cycle without delay: pulses -> lab.inner -> labels -> pulses"]);
}

#[test]
fn results_that_feed_their_own_jobs_are_a_cycle() {
    let mut lab = lab();
    let named = |lab: &lab::Lab, name: &str| lab.builder.plan().named(name).unwrap();
    let (labels, inner) = (named(&lab, "labels"), named(&lab, "lab.inner"));
    lab.wire(labels, inner, Port::Main);
    let codes: Vec<&str> = plan_errors(&lab.builder.finish(), Unbounded::Refused)
        .iter()
        .map(|it| it.code.id())
        .collect();
    assert_eq!(codes, ["E0304", "E0406"]);
}

#[test]
fn changes_do_not_pass_as_facts() {
    let mut lab = lab();
    let mut full =
        lab::topic("lab.state", arqon_types::Edge::In, TopicOrigin::Declared, &mut lab.places);
    full.discipline = Discipline::Full;
    full.key = vec![0];
    let state = lab.builder.topic(full);
    let facts = lab.topic("lab.facts", arqon_types::Edge::Out, TopicOrigin::Declared);
    let from = lab.step("copy", "copy", Verb::From);
    lab.wire(state, from, Port::Main);
    lab.wire(from, facts, Port::Main);
    let errors = plan_errors(&lab.builder.finish(), Unbounded::Refused);
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert_eq!(error.code.id(), "E0301");
    assert_eq!(error.message, "node `copy` yields changes, and topic `lab.facts` carries `events`");
    assert_eq!(error.secondary[0].message, "topic `lab.state` carries `full`");
}
