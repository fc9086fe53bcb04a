//! What the plan proves: disciplines, keys and bounds.

mod shop;

use arqon_plan::*;
use arqon_types::{Discipline, Edge};

fn at<'a>(plan: &'a Plan, address: &str) -> &'a Facts {
    let (id, _) = plan.vertices().find(|(id, _)| plan.label(*id) == address).expect("a label");
    plan.facts(id)
}

fn state(plan: &Plan, address: &str) -> String {
    match &at(plan, address).state {
        State::Stateless => "stateless".into(),
        State::Bounded(text) => text.to_string(),
        State::Unbounded { topic, held } => {
            format!("unbounded by {}: {held:?}", plan.label(*topic))
        }
        State::Unknown => "unknown".into(),
    }
}

#[test]
fn full_topics_bound_what_is_made_of_them() {
    let plan = shop::plan(Discipline::Full);
    assert_eq!(state(&plan, "shop.orders"), "1 row per key (id)");
    assert_eq!(state(&plan, "revenue[0]"), "stateless");
    assert_eq!(state(&plan, "revenue[1]"), "rows(shop.orders) + rows(shop.customers)");
    assert_eq!(state(&plan, "revenue[2]"), "1 group each of rows(shop.orders)");
    assert_eq!(state(&plan, "shop.revenue"), "rows(shop.orders)");
}

#[test]
fn keys_are_proved_through_steps() {
    let plan = shop::plan(Discipline::Full);
    assert!(at(&plan, "revenue[0]").proves_key(&[0]));
    assert!(at(&plan, "revenue[1]").proves_key(&[0]), "each order meets at most one customer");
    assert!(!at(&plan, "revenue[1]").proves_key(&[1]));
    assert!(at(&plan, "revenue[2]").proves_key(&[0]), "a group's keys are its key");
    assert_eq!(at(&plan, "revenue[2]").key(), Some(vec![0]));
    let (_, revenue) = plan.topics().last().unwrap();
    let into = plan.inputs(plan.named(revenue.name.as_str()).unwrap()).next().unwrap();
    assert_eq!((into.wire.discipline, into.wire.key.as_slice()), (Discipline::Delta, &[0][..]));
}

#[test]
fn events_bound_nothing() {
    let plan = shop::plan(Discipline::Events);
    assert_eq!(at(&plan, "revenue[0]").discipline, Some(Discipline::Events));
    assert_eq!(at(&plan, "revenue[2]").discipline, Some(Discipline::Delta));
    assert_eq!(state(&plan, "revenue[1]"), "unbounded by shop.orders: JoinLeft");
    assert!(!at(&plan, "revenue[0]").proves_key(&[0]));
}

#[test]
fn clients_stand_where_edges_and_roles_say() {
    let plan = shop::plan(Discipline::Full);
    let clients: Vec<String> = plan
        .vertices()
        .filter_map(|(id, vertex)| match vertex {
            Vertex::Client(client) => {
                let ends: Vec<&str> = plan
                    .outputs(id)
                    .map(|wire| plan.label(wire.to))
                    .chain(plan.inputs(id).map(|wire| plan.label(wire.from)))
                    .collect();
                Some(format!("{:?} {}: {}", client.side, plan.label(id), ends.join(", ")))
            }
            Vertex::Topic(_) | Vertex::Step(_) | Vertex::Endpoint(_) => None,
        })
        .collect();
    assert_eq!(
        clients,
        ["In shop.writer: shop.customers, shop.orders", "Out clients: shop.revenue"]
    );
}

#[test]
fn a_step_that_was_not_typed_silences_what_follows() {
    let mut builder = PlanBuilder::new("c", "c", "c.yaml");
    let orders = shop::orders();
    let topic = builder.topic(shop::topic("t", &orders, Discipline::Events, Edge::In));
    let from = builder.step(shop::step("a", "a", Verb::From, &orders));
    let odd = builder.step(shop::step("a", "a[0]", Verb::Unknown, &orders));
    let after = builder.step(shop::step("a", "a[1]", Verb::Distinct, &orders));
    builder.wire((topic, from), Port::Main, &orders, TextRange::default());
    builder.wire((from, odd), Port::Main, &orders, TextRange::default());
    builder.wire((odd, after), Port::Main, &orders, TextRange::default());
    let plan = builder.finish();
    assert_eq!(state(&plan, "a[1]"), "unknown");
    assert_eq!(at(&plan, "a[1]").discipline, None);
}

#[test]
fn a_cycle_does_not_stop_the_walk() {
    let mut builder = PlanBuilder::from(shop::plan(Discipline::Full));
    let [orders, group] =
        ["shop.orders", "revenue"].map(|name| builder.plan().named(name).unwrap());
    let filter = VertexId(4);
    assert_eq!(builder.plan().label(filter), "revenue[0]");
    builder.wire((group, orders), Port::Main, &shop::orders(), TextRange::default());
    builder.wire((group, filter), Port::Main, &shop::orders(), TextRange::default());
    let plan = builder.finish();
    assert_eq!(plan.walk().len(), plan.n_vertices());
}
