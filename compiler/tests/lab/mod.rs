//! A circuit with two operators as a plan built by hand: pulses are measured, then labelled.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;

use arqon_operators::Expr;
use arqon_plan::*;
use arqon_types::{Discipline, Edge, Field, Schema, TopicName, Type};

pub(crate) fn pulse() -> Arc<Schema> {
    let field = |name: &str, ty| Field::new(name, ty);
    Arc::new(Schema::new("Pulse", vec![field("id", Type::Int64), field("loud", Type::Bool)]))
}

/// A fresh place for each name in the imagined file.
pub(crate) struct Places(pub(crate) u32);

impl Places {
    pub(crate) fn next(&mut self) -> TextRange {
        self.0 += 10;
        TextRange { start: self.0, end: self.0 + 5 }
    }
}

pub(crate) fn topic(name: &str, edge: Edge, origin: TopicOrigin, places: &mut Places) -> Topic {
    Topic {
        name: TopicName::parse(name).expect("a name"),
        origin,
        schema: pulse(),
        discipline: Discipline::Events,
        key: Vec::new(),
        time: None,
        late: 0,
        edge,
        retain: None,
        control: false,
        shared: false,
        verified: true,
        ranges: TopicRanges { name: places.next(), ..TopicRanges::default() },
    }
}

pub(crate) fn step(node: &str, address: &str, verb: Verb, range: TextRange) -> FlowStep {
    FlowStep { node: node.into(), address: address.into(), verb, schema: pulse(), range }
}

pub(crate) struct Lab {
    pub(crate) builder: PlanBuilder,
    pub(crate) places: Places,
}

impl Lab {
    pub(crate) fn topic(&mut self, name: &str, edge: Edge, origin: TopicOrigin) -> VertexId {
        let topic = topic(name, edge, origin, &mut self.places);
        self.builder.topic(topic)
    }

    pub(crate) fn step(&mut self, node: &str, address: &str, verb: Verb) -> VertexId {
        let range = self.places.next();
        self.builder.step(step(node, address, verb, range))
    }

    pub(crate) fn wire(&mut self, from: VertexId, to: VertexId, port: Port) -> TextRange {
        let range = self.places.next();
        self.builder.wire((from, to), port, &pulse(), range);
        range
    }

    fn operator(&mut self, name: &str) -> [VertexId; 2] {
        let operator = || name.to_owned();
        let jobs = self.topic(
            &format!("{name}.jobs"),
            Edge::None,
            TopicOrigin::Jobs { operator: operator() },
        );
        let results = self.topic(
            &format!("{name}.results"),
            Edge::None,
            TopicOrigin::Results { operator: operator() },
        );
        let range = self.places.next();
        let endpoint = self.builder.endpoint(Endpoint {
            name: operator(),
            contract: format!("arqonbus.{name}@1"),
            vias: vec![Via { name: "sim".into(), transport: format!("builtin {name}") }],
            selected: Some(0),
            limited: true,
            declared: true,
            range,
        });
        self.wire(jobs, endpoint, Port::Jobs);
        self.wire(endpoint, results, Port::Results);
        [jobs, results]
    }
}

fn call(operator: &str) -> Verb {
    let kept = Expr::column(0, Type::Int64);
    Verb::Call(Call { operator: operator.into(), job: Vec::new(), keep: vec![kept] })
}

/// Accepted as it stands.
pub(crate) fn lab() -> Lab {
    let builder = PlanBuilder::new("lab.audio_labels", "lab", "lab.yaml");
    let mut lab = Lab { builder, places: Places(0) };
    let audio = lab.topic("input.audio", Edge::In, TopicOrigin::Declared);
    let labels = lab.topic("audio.labels", Edge::Out, TopicOrigin::Declared);
    let chat = lab.topic("lab.chat", Edge::Both, TopicOrigin::Declared);
    let inner = lab.topic("lab.inner", Edge::None, TopicOrigin::Declared);
    let [nvm_jobs, nvm_results] = lab.operator("nvm");
    let [qml_jobs, qml_results] = lab.operator("qml");

    let pulses = lab.step("pulses", "pulses", Verb::From);
    let measured = lab.step("pulses", "pulses[0]", call("nvm"));
    lab.wire(audio, pulses, Port::Main);
    lab.wire(pulses, measured, Port::Main);
    lab.wire(measured, nvm_jobs, Port::Jobs);
    lab.wire(nvm_results, measured, Port::Results);
    lab.wire(measured, inner, Port::Main);

    let reader = lab.step("labels", "labels", Verb::From);
    let labelled = lab.step("labels", "labels[0]", call("qml"));
    lab.wire(inner, reader, Port::Main);
    lab.wire(reader, labelled, Port::Main);
    lab.wire(labelled, qml_jobs, Port::Jobs);
    lab.wire(qml_results, labelled, Port::Results);
    lab.wire(labelled, labels, Port::Main);
    let _ = chat;

    let mut grant =
        |right, target: &str| Grant { right, target: target.into(), range: lab.places.next() };
    let mic = vec![grant(Right::Publish, "input.audio"), grant(Right::Publish, "lab.chat")];
    let science = vec![
        grant(Right::Subscribe, "audio.labels"),
        grant(Right::Subscribe, "lab.chat"),
        grant(Right::Subscribe, "nvm.results"),
        grant(Right::Execute, "nvm"),
    ];
    for (name, grants) in [("lab.mic", mic), ("lab.science", science)] {
        let range = lab.places.next();
        lab.builder.role(Role { name: name.into(), range, grants });
    }
    lab
}
