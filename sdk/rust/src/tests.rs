//! The client against a server that plays the protocol's frames by hand.

use std::time::Duration;

use arqon_proto::{Control, Envelope, Payload, RowCodec};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use uuid::Uuid;

use crate::limits::QUEUE_BYTES_MAX;
use crate::{
    AckMode, As, Begin, Client, ConnectError, Delivery, Encoding, Ending, Epoch, ErrorCode, Field,
    FoldError, Message, Options, Schema, SessionError, Subscribe, Subscription, Table, Type,
    connect,
};

const DEADLINE: Duration = Duration::from_secs(20);
const WELCOME: &str = r#"{"welcome":{"session":"s1","principal":"ada","limits":{"message_bytes_max":100000,"batch_messages_max":3,"subscriptions_max":8,"outbox_bytes_max":1000000,"ping_interval_ms":20000},"server_time":"2026-01-01T00:00:00Z","features":["json","proto"]}}"#;

/// The server's side of one session.
struct Peer {
    socket: WebSocketStream<TcpStream>,
}

impl Peer {
    async fn accept(listener: TcpListener, subprotocol: &'static str) -> Self {
        let (tcp, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
        let choose = |request: &Request, mut response: Response| {
            let asked = &request.headers()["sec-websocket-protocol"];
            assert_eq!(asked, subprotocol);
            response.headers_mut().insert("sec-websocket-protocol", asked.clone());
            Ok::<_, ErrorResponse>(response)
        };
        Self { socket: accept_hdr_async(tcp, choose).await.unwrap() }
    }

    /// The next frame that is not a ping or pong.
    async fn hear(&mut self) -> Bytes {
        loop {
            let next = timeout(DEADLINE, self.socket.next()).await.expect("a frame in time");
            match next.expect("the session goes on").unwrap() {
                Frame::Ping(_) | Frame::Pong(_) => {}
                frame => return frame.into_data(),
            }
        }
    }

    async fn hear_json(&mut self) -> Value {
        serde_json::from_slice(&self.hear().await).unwrap()
    }

    async fn say(&mut self, json: impl Into<String>) {
        self.socket.send(Frame::text(json.into())).await.unwrap();
    }

    async fn say_control(&mut self, payload: &str) {
        let frame =
            format!(r#"{{"type":"control","topic":"system.control.session","payload":{payload}}}"#);
        self.say(frame).await;
    }

    async fn ack(&mut self, id: &Value, offset: u64, epoch: u64) {
        let ack = json!({"ack": {"id": id, "offset": offset, "epoch": epoch}});
        self.say_control(&ack.to_string()).await;
    }

    async fn refuse(&mut self, id: &Value, code: &str) {
        let error = json!({"error": {"id": id, "code": code, "message": "no", "help": "ask",
            "retry_after_ms": 50}});
        self.say_control(&error.to_string()).await;
    }

    async fn say_delta(&mut self, sub: u64, lower: u64, upper: u64, changes: &Value) {
        let frame = json!({"type": "event", "topic": "shop.revenue",
            "schema": "arqonbus.delta.v1",
            "payload": {"sub": sub, "lower": lower, "upper": upper, "changes": changes}});
        self.say(frame.to_string()).await;
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn id_of(id: Uuid) -> Value {
    Value::String(id.to_string())
}

/// A JSON session and its other side, after the welcome.
async fn session() -> (Client, Peer) {
    let (listener, url) = listen().await;
    let greet = async {
        let mut peer = Peer::accept(listener, "arqon.v1.json").await;
        peer.hear().await;
        peer.say_control(WELCOME).await;
        peer
    };
    let (client, peer) = tokio::join!(connect(&url, "t"), greet);
    (client.unwrap(), peer)
}

/// A subscription that the peer has confirmed at epoch 7.
async fn subscribed(client: &Client, peer: &mut Peer, request: Subscribe) -> (Subscription, Value) {
    let confirm = async {
        let frame = peer.hear_json().await;
        let sub = &frame["payload"]["subscribe"]["sub"];
        peer.say_control(&json!({"subscribed": {"sub": sub, "epoch": 7}}).to_string()).await;
        frame
    };
    let (subscription, frame) = tokio::join!(client.subscribe(request), confirm);
    (subscription.unwrap(), frame)
}

async fn next(subscription: &mut Subscription) -> Result<Delivery, SessionError> {
    let next = timeout(DEADLINE, subscription.next()).await.expect("a delivery in time");
    next.expect("the subscription goes on")
}

#[tokio::test]
async fn a_session_begins_with_hello_and_welcome() {
    let (listener, url) = listen().await;
    let greet = async {
        let mut peer = Peer::accept(listener, "arqon.v1.json").await;
        let hello = peer.hear_json().await;
        assert_eq!(
            hello,
            json!({"type": "control", "topic": "system.control.session",
                "payload": {"hello": {"token": "secret", "client": "notebook"}}})
        );
        peer.say_control(WELCOME).await;
        peer
    };
    let options = Options::json().with_name("notebook");
    let (client, _peer) = tokio::join!(options.connect(&url, "secret"), greet);
    let client = client.unwrap();
    assert_eq!(client.welcome().principal, "ada");
    assert_eq!(client.encoding(), Encoding::Json);
    assert!(!format!("{client:?}").contains("secret"));
}

#[tokio::test]
async fn a_refused_hello_is_a_typed_error() {
    let (listener, url) = listen().await;
    let refuse = async {
        let mut peer = Peer::accept(listener, "arqon.v1.json").await;
        peer.hear().await;
        peer.refuse(&Value::Null, "UNAUTHENTICATED").await;
    };
    let (client, ()) = tokio::join!(connect(&url, "t"), refuse);
    let Err(ConnectError::Refused(refusal)) = client else { panic!("{client:?} is a refusal") };
    assert_eq!(refusal.code, ErrorCode::Unauthenticated);
    assert!(matches!(connect("no url", "t").await, Err(ConnectError::Handshake(_))));
}

#[tokio::test]
async fn messages_are_written_as_the_protocol_has_them() {
    let (client, mut peer) = session().await;
    let order = Message::row("shop.orders", r#" {"id":10,"amount":"30.00"} "#)
        .with_ack(AckMode::Durable)
        .with_header("who", "me");
    let id = id_of(order.id());
    let answer = async {
        let frame = peer.hear_json().await;
        assert_eq!(
            frame,
            json!({"id": id, "type": "event", "topic": "shop.orders",
                "payload": {"id": 10, "amount": "30.00"},
                "headers": {"ack": "durable", "who": "me"}})
        );
        peer.ack(&id, 12, 7).await;
    };
    let (ack, ()) = tokio::join!(client.publish(order.clone()), answer);
    let ack = ack.unwrap();
    assert_eq!((ack.id, ack.offset, ack.epoch, ack.durable), (order.id(), 12, Epoch(7), None));

    client.send(Message::delete("shop.orders", r#"{"id":10}"#)).await.unwrap();
    let mut frame = peer.hear_json().await;
    frame["id"].take();
    assert_eq!(
        frame,
        json!({"id": null, "type": "event", "topic": "shop.orders", "payload": null,
            "headers": {"ack": "none", "key": {"id": 10}}})
    );

    let changes = [(1, r#"{"id":1}"#), (-1, r#"{"id":2}"#)];
    let receipt = client.submit(Message::changes("shop.stock", changes)).await.unwrap();
    let frame = peer.hear_json().await;
    assert_eq!(frame["schema"], "arqonbus.delta.v1");
    assert_eq!(
        frame["payload"],
        json!({"changes": [{"diff": 1, "row": {"id": 1}}, {"diff": -1, "row": {"id": 2}}]})
    );
    peer.ack(&frame["id"], 2, 8).await;
    assert_eq!(receipt.await.unwrap().epoch, Epoch(8));
}

#[tokio::test]
async fn acks_find_their_message_in_any_order() {
    let (client, mut peer) = session().await;
    let first = client.submit(Message::row("a", "1")).await.unwrap();
    let message = Message::row("a", "2").with_id(Uuid::from_u128(2));
    let second = client.submit(message.clone()).await.unwrap();
    let again = client.submit(message).await;
    assert!(matches!(again, Err(SessionError::InFlight(id)) if id.as_u128() == 2));
    let (one, two) = (peer.hear_json().await, peer.hear_json().await);
    peer.ack(&id_of(Uuid::from_u128(99)), 5, 5).await;
    peer.ack(&two["id"], 2, 7).await;
    peer.refuse(&one["id"], "DELTA_ONLY").await;
    assert_eq!(second.await.unwrap().offset, 2);
    let Err(SessionError::Refused(refusal)) = first.await else { panic!("it was refused") };
    assert_eq!(refusal.code, ErrorCode::DeltaOnly);
    assert_eq!(refusal.help.as_deref(), Some("ask"));
    assert_eq!(refusal.retry_after, Some(Duration::from_millis(50)));
    assert_eq!(refusal.to_string(), "DELTA_ONLY: no");
}

#[tokio::test]
async fn a_batch_is_acknowledged_whole_or_refused_whole() {
    let (client, mut peer) = session().await;
    let messages = vec![Message::row("a", "1"), Message::row("b", "2")];
    let answer = async {
        let frame = peer.hear_json().await;
        let inner = frame["payload"]["batch"]["messages"].clone();
        assert_eq!((&inner[0]["topic"], &inner[1]["payload"]), (&json!("a"), &json!(2)));
        peer.ack(&inner[1]["id"], 4, 7).await;
        peer.ack(&inner[0]["id"], 3, 7).await;
        let frame = peer.hear_json().await;
        peer.refuse(&frame["id"], "UNKNOWN_ROW").await;
    };
    let publish = async {
        let acks = client.publish_batch(messages.clone()).await.unwrap();
        let offsets: Vec<u64> = acks.iter().map(|ack| ack.offset).collect();
        assert_eq!(offsets, [3, 4]);
        let refused = client.publish_batch(messages.clone()).await;
        assert!(
            matches!(refused, Err(SessionError::Refused(r)) if r.code == ErrorCode::UnknownRow)
        );
    };
    tokio::join!(publish, answer);
    let twice = vec![messages[0].clone(), messages[0].clone()];
    assert!(matches!(client.publish_batch(twice).await, Err(SessionError::InFlight(_))));
    let four = vec![messages[0].clone(); 4];
    let refused = client.publish_batch(four).await;
    assert!(matches!(refused, Err(SessionError::TooLarge { size: 4, size_max: 3, .. })));
    assert_eq!(client.publish_batch(Vec::new()).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_no_json_or_too_long_never_leaves() {
    let (client, mut peer) = session().await;
    for text in ["", "{", "{} {}", r#"1},"topic":"other"#, "{\"a\":\u{0}}"] {
        let refused = client.publish(Message::row("a", text)).await;
        assert!(matches!(refused, Err(SessionError::Row { .. })), "{text}");
    }
    let long = format!("\"{}\"", "x".repeat(100_000));
    let refused = client.publish(Message::row("a", long.clone())).await;
    assert!(matches!(refused, Err(SessionError::TooLarge { .. })));
    let refused = client.subscribe(Subscribe::to("a").filter(long)).await;
    assert!(matches!(refused, Err(SessionError::TooLarge { .. })));
    client.send(Message::row("a", "\"after\"")).await.unwrap();
    assert_eq!(peer.hear_json().await["payload"], "after");
}

#[tokio::test]
async fn a_subscription_delivers_typed_frames_and_gives_credit_back() {
    let (client, mut peer) = session().await;
    let request = Subscribe::to("shop.revenue").filter("region == \"EU\"").credit(4);
    let (mut revenue, frame) = subscribed(&client, &mut peer, request).await;
    assert_eq!(
        frame["payload"],
        json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "snapshot",
            "as": "deltas", "where": "region == \"EU\"", "credit": 4}})
    );
    assert_eq!(revenue.begin(), Epoch(7));

    let row = |epoch: u64, diff: i64| json!({"epoch": epoch, "diff": diff, "row": {"id": 1}});
    peer.say_delta(1, 0, 8, &json!([row(7, 2)])).await;
    peer.say_control(r#"{"progress":{"sub":1,"upper":9}}"#).await;
    peer.say_control(r#"{"gap":{"sub":1,"after":41,"next":57}}"#).await;
    peer.say(r#"{"type":"event","topic":"shop.revenue","schema":"x","payload":{"id":2},"headers":{"sub":1,"offset":12}}"#).await;
    let Delivery::Delta { topic, lower, upper, part, changes } = next(&mut revenue).await.unwrap()
    else {
        panic!("a delta comes first")
    };
    assert_eq!((&*topic, lower, upper, part), ("shop.revenue", Epoch(0), Epoch(8), None));
    assert_eq!((changes[0].epoch, changes[0].diff), (Epoch(7), 2));
    assert_eq!(changes[0].row, r#"{"id":1}"#);
    assert_eq!(next(&mut revenue).await.unwrap(), Delivery::Progress { upper: Epoch(9) });
    assert_eq!(next(&mut revenue).await.unwrap(), Delivery::Gap { after: 41, next: 57 });
    let event = next(&mut revenue).await.unwrap();
    assert!(matches!(event, Delivery::Event { offset: 12, row, .. } if row == r#"{"id":2}"#));
    let credit = peer.hear_json().await;
    assert_eq!(credit["payload"], json!({"credit": {"sub": 1, "add": 2}}));

    drop(revenue);
    assert_eq!(peer.hear_json().await["payload"], json!({"unsubscribe": {"sub": 1}}));
}

#[tokio::test]
async fn a_refused_ended_or_cancelled_subscription_is_cleaned_up() {
    let (client, mut peer) = session().await;
    let refuse = async {
        let frame = peer.hear_json().await;
        assert_eq!(frame["payload"]["subscribe"]["as"], "upserts");
        peer.refuse(&frame["id"], "NO_KEY").await;
    };
    let request = Subscribe::to("a").deliver(As::Upserts).from(Begin::Now);
    let (refused, ()) = tokio::join!(client.subscribe(request), refuse);
    assert!(matches!(refused, Err(SessionError::Refused(r)) if r.code == ErrorCode::NoKey));

    let (mut ended, frame) = subscribed(&client, &mut peer, Subscribe::to("a")).await;
    peer.refuse(&frame["id"], "GONE").await;
    let fault = next(&mut ended).await;
    assert!(matches!(fault, Err(SessionError::Refused(r)) if r.code == ErrorCode::Gone));
    assert!(ended.next().await.is_none());

    let request = Subscribe::to("a").from(Begin::Epoch(3));
    let cancelled = timeout(Duration::from_millis(20), client.subscribe(request)).await;
    assert!(cancelled.is_err());
    let frame = peer.hear_json().await;
    assert_eq!(frame["payload"]["subscribe"]["from"], json!({"epoch": 3}));
    peer.say_control(r#"{"subscribed":{"sub":3,"epoch":7}}"#).await;
    assert_eq!(peer.hear_json().await["payload"], json!({"unsubscribe": {"sub": 3}}));

    peer.refuse(&id_of(Uuid::from_u128(7)), "QUOTA").await;
    peer.refuse(&Value::Null, "INTERNAL").await;
    let (_later, _) = subscribed(&client, &mut peer, Subscribe::to("b")).await;
    let codes: Vec<ErrorCode> = client.take_refusals().into_iter().map(|r| r.code).collect();
    assert_eq!(codes, [ErrorCode::Quota, ErrorCode::Internal]);
    assert_eq!(client.take_refusals(), []);
}

#[tokio::test]
async fn a_snapshot_ends_after_its_last_part() {
    let (client, mut peer) = session().await;
    let request = Subscribe::to("shop.revenue").deliver(As::Snapshot);
    let (mut once, _) = subscribed(&client, &mut peer, request).await;
    for part in [1, 2] {
        let frame = json!({"type": "event", "topic": "shop.revenue",
            "schema": "arqonbus.snapshot.v1",
            "payload": {"sub": 1, "epoch": 7, "part": part, "parts": 2,
                "rows": [{"row": {"id": part}, "count": 3}]}});
        peer.say(frame.to_string()).await;
    }
    let mut table = Table::default();
    timeout(DEADLINE, table.until(&mut once, Epoch(7))).await.unwrap().unwrap();
    let rows: Vec<(&str, i64)> = table.rows().collect();
    assert_eq!(rows, [(r#"{"id":1}"#, 3), (r#"{"id":2}"#, 3)]);
    assert!(once.next().await.is_none());
}

#[tokio::test]
async fn a_table_follows_its_topic_and_names_what_is_missing() {
    let (client, mut peer) = session().await;
    let (mut revenue, _) = subscribed(&client, &mut peer, Subscribe::to("shop.revenue")).await;
    let change = |epoch, diff, id| json!({"epoch": epoch, "diff": diff, "row": {"id": id}});
    peer.say_delta(1, 0, 8, &json!([change(7, 2, 1), change(7, 1, 2)])).await;
    peer.say_delta(1, 8, 10, &json!([change(8, -1, 1), change(9, -1, 2), change(9, 1, 3)])).await;
    peer.say_control(r#"{"progress":{"sub":1,"upper":12}}"#).await;
    let mut table = Table::default();
    timeout(DEADLINE, table.until(&mut revenue, Epoch(11))).await.unwrap().unwrap();
    let rows: Vec<(&str, i64)> = table.rows().collect();
    assert_eq!(rows, [(r#"{"id":1}"#, 1), (r#"{"id":3}"#, 1)]);
    assert_eq!((table.upper(), table.len(), table.count("{}")), (Epoch(12), 2, 0));

    peer.say_delta(1, 12, 14, &json!([])).await;
    let hole = timeout(DEADLINE, table.until(&mut revenue, Epoch(13))).await.unwrap();
    let Err(FoldError::Bounds { expected, found }) = hole else { panic!("{hole:?} is a hole") };
    assert_eq!((expected, found), (Epoch(10), Epoch(12)));
}

#[test]
fn a_table_folds_upserts_and_parts() {
    use crate::{Part, Upsert};
    let upserts = |lower, upper, part: Option<(u32, u32)>, upserts: &[(&str, Option<&str>)]| {
        Delivery::Upserts {
            topic: "t".into(),
            lower: Epoch(lower),
            upper: Epoch(upper),
            part: part.map(|(part, parts)| Part { part, parts }),
            upserts: upserts
                .iter()
                .map(|(key, row)| Upsert {
                    epoch: Epoch(lower),
                    key: (*key).to_owned(),
                    row: row.map(str::to_owned),
                })
                .collect(),
        }
    };
    let mut table = Table::default();
    table.apply(&upserts(0, 8, Some((1, 2)), &[("a", Some("1"))])).unwrap();
    assert_eq!(table.upper(), Epoch::ZERO);
    table.apply(&upserts(0, 8, Some((2, 2)), &[("b", Some("1"))])).unwrap();
    assert_eq!((table.upper(), table.count("1")), (Epoch(8), 2));
    table.apply(&upserts(8, 9, None, &[("a", Some("2")), ("b", None), ("c", None)])).unwrap();
    assert_eq!(table.rows().collect::<Vec<_>>(), [("2", 1)]);
    let cut = table.clone().apply(&upserts(9, 10, Some((2, 2)), &[]));
    assert!(matches!(cut, Err(FoldError::Part { expected: 1, found: 2 })));
    table.apply(&upserts(9, 10, Some((1, 2)), &[])).unwrap();
    assert!(matches!(table.apply(&upserts(10, 11, None, &[])), Err(FoldError::Bounds { .. })));
    let gap = Delivery::Gap { after: 1, next: 3 };
    assert!(matches!(table.apply(&gap), Err(FoldError::Events)));
}

#[tokio::test]
async fn everybody_learns_why_the_server_closed() {
    let (client, mut peer) = session().await;
    let (mut revenue, _) = subscribed(&client, &mut peer, Subscribe::to("a")).await;
    let receipt = client.submit(Message::row("a", "1")).await.unwrap();
    peer.hear().await;
    peer.refuse(&Value::Null, "UNAUTHENTICATED").await;
    let reason = CloseFrame { code: 4401.into(), reason: "expired".into() };
    peer.socket.close(Some(reason)).await.unwrap();
    let read_to_the_end = async { while peer.socket.next().await.is_some() {} };
    let (answer, ()) = tokio::join!(receipt, read_to_the_end);
    let Err(SessionError::Ended(Ending::Server { code: 4401, reason, refusal })) = answer else {
        panic!("{answer:?} tells the end")
    };
    assert_eq!((&*reason, refusal.unwrap().code), ("expired", ErrorCode::Unauthenticated));
    assert!(matches!(next(&mut revenue).await, Err(SessionError::Ended(_))));
    assert!(revenue.next().await.is_none());
    let late = client.publish(Message::row("a", "1")).await;
    assert!(matches!(late, Err(SessionError::Ended(Ending::Server { code: 4401, .. }))));
    let late = client.subscribe(Subscribe::to("a")).await;
    assert!(matches!(late, Err(SessionError::Ended(_))));
    timeout(DEADLINE, client.close()).await.unwrap();
}

#[tokio::test]
async fn closing_here_is_clean_and_comes_after_what_was_sent() {
    let (client, mut peer) = session().await;
    let (mut revenue, _) = subscribed(&client, &mut peer, Subscribe::to("a")).await;
    let receipt = client.submit(Message::row("a", "1")).await.unwrap();
    let answer = async {
        let frame = peer.hear_json().await;
        peer.ack(&frame["id"], 1, 1).await;
        let close = timeout(DEADLINE, peer.socket.next()).await.unwrap().unwrap().unwrap();
        let Frame::Close(Some(close)) = close else { panic!("{close:?} closes") };
        assert_eq!(u16::from(close.code), 1000);
        while peer.socket.next().await.is_some() {}
    };
    tokio::join!(client.close(), answer);
    assert_eq!(receipt.await.unwrap().offset, 1);
    assert!(revenue.next().await.is_none());
    let late = client.publish(Message::row("a", "1")).await;
    assert!(matches!(late, Err(SessionError::Ended(Ending::Local))));
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_session() {
    let (client, mut peer) = session().await;
    drop(client.clone());
    client.send(Message::row("a", "1")).await.unwrap();
    drop(client);
    peer.hear().await;
    let close = timeout(DEADLINE, peer.socket.next()).await.unwrap();
    assert!(matches!(close, Some(Ok(Frame::Close(Some(_))))), "{close:?}");
}

#[tokio::test]
async fn pings_are_answered_and_silence_is_noticed() {
    let (client, mut peer) = session().await;
    peer.socket.send(Frame::Ping("x".into())).await.unwrap();
    loop {
        let frame = timeout(DEADLINE, peer.socket.next()).await.unwrap().unwrap().unwrap();
        match frame {
            Frame::Pong(body) => break assert_eq!(&body[..], b"x"),
            Frame::Ping(_) => {}
            other => panic!("{other:?} is no pong"),
        }
    }
    drop(client);

    let (listener, url) = listen().await;
    let greet = async {
        let mut peer = Peer::accept(listener, "arqon.v1.json").await;
        peer.hear().await;
        peer.say_control(&WELCOME.replace("20000", "100")).await;
        peer
    };
    let (client, peer) = tokio::join!(connect(&url, "t"), greet);
    let client = client.unwrap();
    let receipt = client.submit(Message::row("a", "1")).await.unwrap();
    let answer = timeout(DEADLINE, receipt).await.unwrap();
    assert!(matches!(answer, Err(SessionError::Ended(Ending::Silent))), "{answer:?}");
    drop(peer);
}

#[tokio::test]
async fn what_is_no_frame_ends_the_session() {
    let (client, mut peer) = session().await;
    let receipt = client.submit(Message::row("a", "1")).await.unwrap();
    peer.say("hello").await;
    let answer = timeout(DEADLINE, receipt).await.unwrap();
    assert!(matches!(answer, Err(SessionError::Ended(Ending::Frame(_)))), "{answer:?}");
}

#[tokio::test]
async fn a_slow_reader_holds_the_session_and_loses_nothing() {
    const N_FRAMES: u64 = 40;
    let (client, mut peer) = session().await;
    let (mut slow, _) = subscribed(&client, &mut peer, Subscribe::to("shop.revenue")).await;
    let receipt = client.submit(Message::row("a", "1")).await.unwrap();
    let frame = peer.hear_json().await;
    let filler = "x".repeat(1 << 20);
    assert!(filler.len() as u64 * N_FRAMES > 2 * QUEUE_BYTES_MAX as u64);
    let serve = async {
        for epoch in 0..N_FRAMES {
            let changes = json!([{"epoch": epoch, "diff": 1, "row": [epoch, filler]}]);
            peer.say_delta(1, epoch, epoch + 1, &changes).await;
        }
        peer.ack(&frame["id"], 1, 1).await;
        peer
    };
    let read = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut table = Table::default();
        table.until(&mut slow, Epoch(N_FRAMES - 1)).await.unwrap();
        assert_eq!(table.len() as u64, N_FRAMES);
    };
    let (_peer, (), ack) =
        timeout(DEADLINE, async { tokio::join!(serve, read, receipt) }).await.unwrap();
    assert_eq!(ack.unwrap().epoch, Epoch(1));
}

#[tokio::test]
async fn nobody_waits_for_a_reader_that_has_gone() {
    let (client, mut peer) = session().await;
    let (gone, _) = subscribed(&client, &mut peer, Subscribe::to("shop.revenue")).await;
    let receipt = client.submit(Message::row("a", "1")).await.unwrap();
    let frame = peer.hear_json().await;
    let filler = "x".repeat(1 << 20);
    let serve = async {
        for epoch in 0..30_u64 {
            let changes = json!([{"epoch": epoch, "diff": 1, "row": filler}]);
            peer.say_delta(1, epoch, epoch + 1, &changes).await;
        }
        peer.ack(&frame["id"], 1, 1).await;
        peer
    };
    let leave = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(gone);
    };
    let (_peer, (), ack) =
        timeout(DEADLINE, async { tokio::join!(serve, leave, receipt) }).await.unwrap();
    assert!(ack.is_ok());
}

#[tokio::test]
async fn a_protobuf_session_encodes_rows_by_their_schema() {
    let (listener, url) = listen().await;
    let schema = Schema::new(
        "Order",
        vec![Field::new("id", Type::Int64), Field::new("amount", Type::Decimal(2))],
    );
    let codec = RowCodec::new(schema.clone());
    let serve = async {
        let mut peer = Peer::accept(listener, "arqon.v1.proto").await;
        let decode = |bytes: Bytes| Envelope::decode(&bytes, Encoding::Proto).unwrap();
        let hello = decode(peer.hear().await);
        assert!(matches!(hello.payload, Payload::Control(Control::Hello(_))));
        let text = format!(r#"{{"type":"control","topic":"t","payload":{WELCOME}}}"#);
        let welcome = Envelope::decode(&text.into(), Encoding::Json).unwrap();
        let welcome = welcome.encode(Encoding::Proto);
        peer.socket.send(Frame::Binary(welcome)).await.unwrap();

        let asked = decode(peer.hear().await);
        let Payload::Control(Control::Subscribe(asked)) = asked.payload else {
            panic!("{asked:?}")
        };
        let standing = arqon_proto::Subscribed { sub: asked.sub, epoch: 1 };
        let standing = Envelope::control(Control::Subscribed(standing)).encode(Encoding::Proto);
        peer.socket.send(Frame::Binary(standing)).await.unwrap();

        let order = decode(peer.hear().await);
        let Payload::Row(row) = &order.payload else { panic!("{order:?} has a row") };
        assert_eq!(
            codec.to_json(&codec.decode_proto(row).unwrap()),
            r#"{"id":10,"amount":"30.00"}"#
        );
        let ack = arqon_proto::Ack { id: order.id.unwrap(), offset: 1, epoch: 2, durable: None };
        let ack = Envelope::control(Control::Ack(ack)).encode(Encoding::Proto);
        peer.socket.send(Frame::Binary(ack)).await.unwrap();
        let delta = arqon_proto::Delta {
            sub: Some(asked.sub),
            lower: Some(0),
            upper: Some(3),
            part: None,
            changes: vec![arqon_proto::RowChange { epoch: Some(2), diff: 1, row: row.clone() }],
        };
        let delta = Envelope::event("shop.orders", Payload::Delta(delta)).encode(Encoding::Proto);
        peer.socket.send(Frame::Binary(delta)).await.unwrap();
        let delete = decode(peer.hear().await);
        let mut key = Vec::new();
        RowCodec::new(Schema::new("key", vec![Field::new("id", Type::Int64)]))
            .encode_proto(&[arqon_types::Value::Int(10)], &mut key);
        assert_eq!(delete.headers.key.as_deref(), Some(&key[..]));
        peer
    };
    let play = async {
        let options = Options::proto().with_schema("shop.orders", schema, &["id".to_owned()]);
        let client = options.connect(&url, "t").await.unwrap();
        assert_eq!(client.encoding(), Encoding::Proto);
        let mut orders = client.subscribe(Subscribe::to("shop.orders")).await.unwrap();
        // A number is accepted where digits are kept.
        let order = Message::row("shop.orders", r#"{"id":"10","amount":30}"#);
        let ack = client.publish(order).await.unwrap();
        let mut table = Table::default();
        table.until(&mut orders, ack.epoch).await.unwrap();
        assert_eq!(table.count(r#"{"id":10,"amount":"30.00"}"#), 1);
        let unknown = client.publish(Message::row("shop.stock", "{}")).await;
        assert!(matches!(unknown, Err(SessionError::NoSchema { topic }) if topic == "shop.stock"));
        let wrong = client.publish(Message::row("shop.orders", r#"{"id":1}"#)).await;
        assert!(matches!(wrong, Err(SessionError::Row { source, .. }) if source.field == "amount"));
        client.send(Message::delete("shop.orders", r#"{"id":10}"#)).await.unwrap();
        (client, orders)
    };
    let both = Box::pin(async { tokio::join!(serve, play) });
    timeout(DEADLINE, both).await.unwrap();
}
