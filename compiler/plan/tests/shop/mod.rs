//! The shop circuit as plans built by hand: revenue per region, from orders and customers.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;

use arqon_operators::{Aggregate, AggregateFunction, BinaryOp, Expr, ExprKind, Place};
use arqon_plan::*;
use arqon_types::{Discipline, Edge, Field, Schema, TopicName, Type, Value};

pub(crate) fn place() -> Place {
    Place { line: 1, column: 1 }
}

pub(crate) fn schema(name: &str, fields: &[(&str, Type)]) -> Arc<Schema> {
    let fields = fields.iter().map(|(name, ty)| Field::new(*name, ty.clone())).collect();
    Arc::new(Schema::new(name, fields))
}

pub(crate) fn orders() -> Arc<Schema> {
    schema(
        "Order",
        &[
            ("id", Type::Int64),
            ("customer", Type::Int64),
            ("amount", Type::Decimal(2)),
            ("status", Type::Enum(vec!["open".into(), "paid".into()].into())),
        ],
    )
}

pub(crate) fn customers() -> Arc<Schema> {
    schema("Customer", &[("id", Type::Int64), ("region", Type::String)])
}

pub(crate) fn revenue() -> Arc<Schema> {
    schema(
        "Revenue",
        &[("region", Type::String), ("revenue", Type::Decimal(2)), ("orders", Type::Int64)],
    )
}

pub(crate) fn joined() -> Arc<Schema> {
    let mut joined = (*orders()).clone();
    joined.name = "revenue".into();
    joined.fields.push(Field::new("c", Type::Struct(customers().fields.clone())));
    Arc::new(joined)
}

pub(crate) fn topic(name: &str, schema: &Arc<Schema>, discipline: Discipline, edge: Edge) -> Topic {
    let key = if discipline == Discipline::Events { vec![] } else { vec![0] };
    Topic {
        name: TopicName::parse(name).expect("a name"),
        origin: TopicOrigin::Declared,
        schema: Arc::clone(schema),
        discipline,
        key,
        time: None,
        late: 0,
        edge,
        retain: None,
        control: false,
        shared: false,
        verified: true,
        ranges: TopicRanges::default(),
    }
}

pub(crate) fn step(node: &str, address: &str, verb: Verb, schema: &Arc<Schema>) -> FlowStep {
    FlowStep {
        node: node.into(),
        address: address.into(),
        verb,
        schema: Arc::clone(schema),
        range: TextRange::default(),
    }
}

pub(crate) fn paid() -> Expr {
    let status = orders().fields[3].ty.clone();
    let sides = (Expr::column(3, status.clone()), Expr::literal(Value::Enum(1), status));
    Expr {
        kind: ExprKind::Binary(BinaryOp::Equal, Box::new(sides.0), Box::new(sides.1)),
        ty: Type::Bool,
        place: place(),
    }
}

pub(crate) fn join() -> Join {
    Join {
        kind: JoinKind::Inner,
        left_key: vec![Expr::column(1, Type::Int64)],
        right_key: vec![Expr::column(0, Type::Int64)],
        residual: None,
        asof: None,
        output: JoinOutput::Nested,
    }
}

pub(crate) fn group() -> Group {
    let customer = Expr::column(4, joined().fields[4].ty.clone());
    let region = Expr {
        kind: ExprKind::Field { of: Box::new(customer), idx: 1 },
        ty: Type::String,
        place: place(),
    };
    let aggregate =
        |function, args, ty| Aggregate { function, args, filter: None, ty, place: place() };
    Group {
        keys: vec![region],
        aggregates: vec![
            aggregate(
                AggregateFunction::Sum,
                vec![Expr::column(2, Type::Decimal(2))],
                Type::Decimal(2),
            ),
            aggregate(AggregateFunction::Count, vec![], Type::Int64),
        ],
    }
}

/// The typed graph; `carries` is the discipline of the orders.
pub(crate) fn plan(carries: Discipline) -> Plan {
    let mut builder = PlanBuilder::new("shop.revenue", "shop", "shop.yaml");
    let customer_topic =
        builder.topic(topic("shop.customers", &customers(), Discipline::Full, Edge::In));
    let order_topic = builder.topic(topic("shop.orders", &orders(), carries, Edge::In));
    let revenue_topic =
        builder.topic(topic("shop.revenue", &revenue(), Discipline::Delta, Edge::Out));
    let mut add = |address: &str, verb, schema: &Arc<Schema>| {
        builder.step(step("revenue", address, verb, schema))
    };
    let from = add("revenue", Verb::From, &orders());
    let filter = add("revenue[0]", Verb::Where(paid().into()), &orders());
    let join = add("revenue[1]", Verb::Join(join()), &joined());
    let group = add("revenue[2]", Verb::Group(group()), &revenue());
    let range = TextRange { start: 7, end: 9 };
    builder.wire((order_topic, from), Port::Main, &orders(), range);
    builder.wire((from, filter), Port::Main, &orders(), range);
    builder.wire((filter, join), Port::Main, &orders(), range);
    builder.wire((customer_topic, join), Port::Right, &customers(), range);
    builder.wire((join, group), Port::Main, &joined(), range);
    builder.wire((group, revenue_topic), Port::Main, &revenue(), range);
    builder.role(Role {
        name: "shop.writer".into(),
        range,
        grants: ["shop.customers", "shop.orders"]
            .map(|target| Grant { right: Right::Publish, target: target.into(), range })
            .into(),
    });
    builder.finish()
}

/// The same, executable.
pub(crate) fn dataflow() -> DataflowPlan {
    let topic = |name: &str, schema: Arc<Schema>, discipline, edge| TopicPlan {
        name: TopicName::parse(name).expect("a name"),
        schema: (*schema).clone(),
        discipline,
        key: vec![0],
        time: None,
        edge,
        verified: true,
        lateness: None,
        arrival: false,
        history: History::All,
    };
    let name = |text| TopicName::parse(text).expect("a name");
    let step = |address: &str, operator, inputs: &[u32], schema: Arc<Schema>| Step {
        node: "revenue".into(),
        address: address.into(),
        operator,
        inputs: inputs.iter().copied().map(StepId).collect(),
        schema,
    };
    let filter = Stage { address: "revenue[0]".into(), kind: StageKind::Filter(paid()) };
    DataflowPlan {
        circuit: "shop.revenue".into(),
        namespace: "shop".into(),
        file: "shop.yaml".into(),
        topics: vec![
            topic("shop.customers", customers(), Discipline::Full, Edge::In),
            topic("shop.orders", orders(), Discipline::Full, Edge::In),
            topic("shop.revenue", revenue(), Discipline::Delta, Edge::Out),
        ],
        loops: Vec::new(),
        steps: vec![
            step("shop.customers", Operator::Source(name("shop.customers")), &[], customers()),
            step("shop.orders", Operator::Source(name("shop.orders")), &[], orders()),
            step("revenue[0]", Operator::Map(Map { stages: vec![filter] }), &[1], orders()),
            step("revenue[1]", Operator::Join(join()), &[2, 0], joined()),
            step("revenue[2]", Operator::Group(group()), &[3], revenue()),
        ],
        outputs: vec![Output { topic: name("shop.revenue"), step: StepId(4) }],
        feedbacks: Vec::new(),
        arrangements: Vec::new(),
        releases: Vec::new(),
        state_bytes_max: None,
    }
}
