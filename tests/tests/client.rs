//! The Rust client against the real server: one circuit, both subprotocols, one answer.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use arqon_client::{
    AckMode, As, Begin, Client, ConnectError, Delivery, ErrorCode, Message, Options, SessionError,
    Subscribe, Table,
};
use arqon_engine::EngineOptions;
use arqon_plan::DataflowPlan;
use arqon_server::{EdgeOptions, Idle, Server, ServerOptions, random_secret};
use arqon_shield::Settings;
use arqon_types::{Epoch, Field, Schema, Type};

const DEADLINE: Duration = Duration::from_secs(60);
const CIRCUIT: &str = "
arqon: 1
circuit: shop
schemas:
  Order:   { id: int64, region: string, amount: decimal<2> }
  Revenue: { region: string, revenue: decimal<2>, orders: int64 }
topics:
  orders:  { schema: Order, carries: full, key: id, edge: both }
  revenue: { schema: Revenue, carries: delta, key: region, edge: out }
flow:
  by_region:
    from: orders
    do:
      - group: [region]
        agg: { revenue: sum(amount), orders: count() }
    to: revenue
access:
  shop.writer: { publish: [orders], subscribe: [orders, revenue] }
";

fn plan() -> DataflowPlan {
    let compiled =
        arqon_compiler::compile(CIRCUIT, "shop.yaml", &arqon_compiler::Options::default());
    compiled.dataflow.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

fn serve() -> (Server, String, String) {
    let edge = EdgeOptions {
        listen: "127.0.0.1:0".parse().expect("an address"),
        settings: Settings::default(),
        secret: random_secret().expect("a secret"),
    };
    let options = ServerOptions {
        engine: EngineOptions::default(),
        edge: Some(edge),
        clock: None,
        idle: Idle::Tick,
    };
    let server = Server::start(plan(), options, |_| {}).expect("the server starts");
    let url = format!("ws://{}", server.address().expect("the edge listens"));
    let token = server.token().expect("the edge has topics").to_owned();
    (server, url, token)
}

/// Runs the play against a server, then ends the server.
fn with_server(play: impl AsyncFnOnce(String, String)) {
    let (server, url, token) = serve();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let in_time = async { tokio::time::timeout(DEADLINE, Box::pin(play(url, token))).await };
    let played = catch_unwind(AssertUnwindSafe(|| runtime.block_on(in_time)));
    // A circuit that stopped says why; that explains more than what the play saw of it.
    server.finish(1001).expect("the circuit runs to its end");
    played.unwrap_or_else(|panic| resume_unwind(panic)).expect("the play ends in time");
}

fn order(id: i64, region: &str, amount: &str) -> Message {
    let row = format!(r#"{{"id":{id},"region":"{region}","amount":"{amount}"}}"#);
    Message::row("orders", row).with_ack(AckMode::Applied)
}

fn proto() -> Options {
    let order = vec![
        Field::new("id", Type::Int64),
        Field::new("region", Type::String),
        Field::new("amount", Type::Decimal(2)),
    ];
    let revenue = vec![
        Field::new("region", Type::String),
        Field::new("revenue", Type::Decimal(2)),
        Field::new("orders", Type::Int64),
    ];
    Options::proto()
        .with_schema("orders", Schema::new("Order", order), &["id".to_owned()])
        .with_schema("revenue", Schema::new("Revenue", revenue), &["region".to_owned()])
}

async fn revenue_of(client: &Client, form: As, epoch: Epoch) -> Vec<(String, i64)> {
    let mut subscription =
        client.subscribe(Subscribe::to("revenue").deliver(form)).await.expect("a subscription");
    let mut table = Table::default();
    table.until(&mut subscription, epoch).await.expect("the state comes whole");
    table.rows().map(|(row, count)| (row.to_owned(), count)).collect()
}

#[test]
fn both_subprotocols_see_the_same_answer_in_every_form() {
    with_server(async |url, token| {
        let json = Options::json().connect(&url, &token).await.expect("a JSON session");
        let proto = proto().connect(&url, &token).await.expect("a protobuf session");
        let mut live = json.subscribe(Subscribe::to("revenue")).await.expect("a subscription");
        let mut table = Table::default();

        json.publish(order(1, "EU", "10.00")).await.expect("an ack");
        let acks = proto
            .publish_batch(vec![order(2, "EU", "5.50"), order(3, "US", "7.25")])
            .await
            .expect("acks of the batch");
        assert_eq!(acks[0].epoch, acks[1].epoch);
        json.publish(order(1, "US", "10.00")).await.expect("an ack");
        let delete = Message::delete("orders", r#"{"id":3}"#).with_ack(AckMode::Applied);
        let last = proto.publish(delete).await.expect("an ack").epoch;

        let expected = [
            (r#"{"region":"EU","revenue":"5.50","orders":1}"#.to_owned(), 1),
            (r#"{"region":"US","revenue":"10.00","orders":1}"#.to_owned(), 1),
        ];
        table.until(&mut live, last).await.expect("deltas without a hole");
        let rows: Vec<(String, i64)> =
            table.rows().map(|(row, count)| (row.to_owned(), count)).collect();
        assert_eq!(rows, expected);
        for client in [&json, &proto] {
            for form in [As::Deltas, As::Snapshot, As::Upserts] {
                assert_eq!(revenue_of(client, form, last).await, expected, "{form:?}");
            }
        }
        json.close().await;
        proto.close().await;
    });
}

#[test]
fn a_repeated_message_takes_effect_once() {
    with_server(async |url, token| {
        let client = arqon_client::connect(&url, &token).await.expect("a session");
        let message = order(1, "EU", "1.00");
        let first = client.publish(message.clone()).await.expect("an ack");
        let again = client.publish(message).await.expect("the same ack");
        assert_eq!(first, again);
    });
}

#[test]
fn what_the_bus_refuses_is_a_typed_error() {
    with_server(async |url, token| {
        let refused = arqon_client::connect(&url, "no token").await;
        let Err(ConnectError::Refused(refusal)) = refused else { panic!("{refused:?}") };
        assert_eq!(refusal.code, ErrorCode::Unauthenticated);

        let client = arqon_client::connect(&url, &token).await.expect("a session");
        let code_of = |answer: Result<(), SessionError>| match answer {
            Err(SessionError::Refused(refusal)) => refusal.code,
            other => panic!("{other:?} is no refusal"),
        };
        let odd = Message::row("orders", r#"{"id":"x"}"#);
        assert_eq!(code_of(client.publish(odd).await.map(drop)), ErrorCode::SchemaMismatch);
        let out = Message::row("revenue", "{}");
        assert_eq!(code_of(client.publish(out).await.map(drop)), ErrorCode::Forbidden);
        let batch = vec![order(7, "EU", "1.00"), Message::row("orders", "{}")];
        assert_eq!(code_of(client.publish_batch(batch).await.map(drop)), ErrorCode::SchemaMismatch);
        let unknown = client.subscribe(Subscribe::to("elsewhere")).await.map(drop);
        assert_eq!(code_of(unknown), ErrorCode::Forbidden);
        let filter = client.subscribe(Subscribe::to("revenue").filter("regoin == 1")).await;
        assert_eq!(code_of(filter.map(drop)), ErrorCode::SchemaMismatch);

        // Nothing of the refused batch took effect.
        let epoch = client.publish(order(1, "EU", "2.00")).await.expect("an ack").epoch;
        let expected = [(r#"{"region":"EU","revenue":"2.00","orders":1}"#.to_owned(), 1)];
        assert_eq!(revenue_of(&client, As::Deltas, epoch).await, expected);
    });
}

#[test]
fn little_credit_delays_and_loses_nothing() {
    const N_ORDERS: i64 = 500;
    with_server(async |url, token| {
        let client = arqon_client::connect(&url, &token).await.expect("a session");
        let request = Subscribe::to("orders").from(Begin::Now).credit(1);
        let mut orders = client.subscribe(request).await.expect("a subscription");
        let mut receipts = Vec::new();
        for id in 0..N_ORDERS {
            receipts.push(client.submit(order(id, "EU", "1.00")).await.expect("room"));
        }
        let mut last = Epoch::ZERO;
        for receipt in receipts {
            last = last.max(receipt.await.expect("an ack").epoch);
        }
        let mut table = Table::default();
        table.until(&mut orders, last).await.expect("deltas without a hole");
        assert_eq!(i64::try_from(table.len()), Ok(N_ORDERS));
        assert!(table.rows().all(|(_, count)| count == 1));

        let request = Subscribe::to("orders").filter("id < 3").deliver(As::Snapshot);
        let mut some = client.subscribe(request).await.expect("a subscription");
        let Some(Ok(Delivery::Snapshot { rows, .. })) = some.next().await else {
            panic!("a snapshot comes")
        };
        assert_eq!(rows.len(), 3);
        assert!(some.next().await.is_none());
    });
}
