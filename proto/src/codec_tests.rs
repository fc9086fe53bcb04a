//! Frames in both encodings: the JSON view is golden, protobuf says the same.

use arqon_types::{Field, Schema, Type};
use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use crate::code::ErrorCode;
use crate::frame::{
    Ack, AckMode, As, Begin, Control, CountedRow, Credit, Delta, Encoding, Envelope, ErrorFrame,
    Gap, Headers, Hello, Kind, Part, Payload, Progress, RowChange, SESSION_TOPIC, SNAPSHOT_SCHEMA,
    Secret, SessionLimits, Snapshot, Subscribe, Subscribed, TraceContext, UPSERTS_SCHEMA,
    Unsubscribe, Upsert, Upserts, Welcome,
};
use crate::row_read::RowCodec;
use crate::row_write::Int64Form;

const ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

fn row(json: &str) -> Bytes {
    Bytes::copy_from_slice(json.as_bytes())
}

/// The frame reads as `envelope`, and `envelope` is written as the frame, in both encodings.
fn check(json: &str, envelope: &Envelope) {
    let read = Envelope::decode(&row(json), Encoding::Json).unwrap();
    assert_eq!(&read, envelope, "{json}");
    let written = envelope.encode(Encoding::Json);
    assert_eq!(std::str::from_utf8(&written).unwrap(), json);
    let again = Envelope::decode(&envelope.encode(Encoding::Proto), Encoding::Proto).unwrap();
    assert_eq!(&again, envelope, "{json}");
}

fn check_control(json: &str, control: Control) {
    let frame = format!(r#"{{"type":"control","topic":"{SESSION_TOPIC}","payload":{json}}}"#);
    check(&frame, &Envelope::control(control));
}

#[test]
fn control_frames_are_as_the_protocol_writes_them() {
    check_control(
        r#"{"hello":{"token":"t","client":"notebook"}}"#,
        Control::Hello(Hello {
            token: Some(Secret("t".into())),
            client: Some("notebook".into()),
            ..Hello::default()
        }),
    );
    check_control(
        r#"{"welcome":{"session":"s","principal":"p","limits":{"message_bytes_max":1,"batch_messages_max":2,"subscriptions_max":3,"outbox_bytes_max":4,"ping_interval_ms":5},"server_time":"2026-01-01T00:00:00Z","features":["json","proto"]}}"#,
        Control::Welcome(Welcome {
            session: "s".into(),
            principal: "p".into(),
            limits: SessionLimits {
                message_bytes_max: 1,
                batch_messages_max: 2,
                subscriptions_max: 3,
                outbox_bytes_max: 4,
                ping_interval_ms: 5,
            },
            server_time: 1_767_225_600_000_000_000,
            features: vec!["json".into(), "proto".into()],
        }),
    );
    check_control(
        &format!(r#"{{"ack":{{"id":"{ID}","offset":12,"epoch":7}}}}"#),
        Control::Ack(Ack { id: ID, offset: 12, epoch: 7, durable: None }),
    );
    for (from, begin) in [
        (r#""now""#, Begin::Now),
        (r#""snapshot""#, Begin::Snapshot),
        (r#"{"epoch":7}"#, Begin::Epoch(7)),
        (r#"{"offset":12}"#, Begin::Offset(12)),
        (r#"{"time":"2026-01-01T00:00:00Z"}"#, Begin::Time("2026-01-01T00:00:00Z".into())),
    ] {
        check_control(
            &format!(
                r#"{{"subscribe":{{"sub":1,"topic":"shop.revenue","from":{from},"as":"deltas","where":"region == \"EU\"","credit":1000}}}}"#
            ),
            Control::Subscribe(Subscribe {
                sub: 1,
                topic: "shop.revenue".into(),
                from: begin,
                form: As::Deltas,
                filter: Some("region == \"EU\"".into()),
                credit: Some(1000),
            }),
        );
    }
    check_control(
        r#"{"subscribed":{"sub":1,"epoch":7}}"#,
        Control::Subscribed(Subscribed { sub: 1, epoch: 7 }),
    );
    check_control(
        r#"{"progress":{"sub":1,"upper":9}}"#,
        Control::Progress(Progress { sub: 1, upper: 9 }),
    );
    check_control(
        r#"{"credit":{"sub":1,"add":1000}}"#,
        Control::Credit(Credit { sub: 1, add: 1000 }),
    );
    check_control(r#"{"unsubscribe":{"sub":1}}"#, Control::Unsubscribe(Unsubscribe { sub: 1 }));
    check_control(
        r#"{"gap":{"sub":1,"after":41,"next":57}}"#,
        Control::Gap(Gap { sub: 1, after: 41, next: 57 }),
    );
    check_control(
        &format!(
            r#"{{"error":{{"id":"{ID}","code":"DELTA_ONLY","message":"m","help":"h","retry_after_ms":null}}}}"#
        ),
        Control::Error(ErrorFrame {
            id: Some(ID),
            code: ErrorCode::DeltaOnly,
            message: "m".into(),
            help: Some("h".into()),
            retry_after_ms: None,
        }),
    );
}

#[test]
fn events_are_as_the_protocol_writes_them() {
    check(
        &format!(
            r#"{{"id":"{ID}","type":"event","topic":"shop.orders","payload":{{"id":10}},"headers":{{"ack":"durable"}}}}"#
        ),
        &Envelope {
            id: Some(ID),
            headers: Headers { ack: Some(AckMode::Durable), ..Headers::default() },
            ..Envelope::event("shop.orders", Payload::Row(row(r#"{"id":10}"#)))
        },
    );
    check(
        r#"{"type":"event","topic":"shop.orders","payload":null,"headers":{"key":{"id":10}}}"#,
        &Envelope {
            headers: Headers { key: Some(row(r#"{"id":10}"#)), ..Headers::default() },
            ..Envelope::event("shop.orders", Payload::Null)
        },
    );
    let change = |epoch, diff| RowChange { epoch, diff, row: row(r#"{"id":1}"#) };
    check(
        r#"{"type":"event","topic":"shop.stock","schema":"arqonbus.delta.v1","payload":{"changes":[{"diff":1,"row":{"id":1}},{"diff":-1,"row":{"id":1}}]}}"#,
        &Envelope::event(
            "shop.stock",
            Payload::Delta(Delta {
                changes: vec![change(None, 1), change(None, -1)],
                ..Delta::default()
            }),
        ),
    );
    check(
        r#"{"type":"event","topic":"shop.revenue","schema":"arqonbus.delta.v1","payload":{"sub":1,"lower":0,"upper":8,"part":1,"parts":2,"changes":[{"epoch":7,"diff":1,"row":{"id":1}}]}}"#,
        &Envelope::event(
            "shop.revenue",
            Payload::Delta(Delta {
                sub: Some(1),
                lower: Some(0),
                upper: Some(8),
                part: Some(Part { part: 1, parts: 2 }),
                changes: vec![change(Some(7), 1)],
            }),
        ),
    );
    check(
        r#"{"type":"event","topic":"shop.revenue","schema":"arqonbus.snapshot.v1","payload":{"sub":1,"epoch":7,"rows":[{"row":{"id":1},"count":1}]}}"#,
        &Envelope {
            schema: Some(SNAPSHOT_SCHEMA.into()),
            ..Envelope::event(
                "shop.revenue",
                Payload::Snapshot(Snapshot {
                    sub: 1,
                    epoch: 7,
                    part: None,
                    rows: vec![CountedRow { row: row(r#"{"id":1}"#), count: 1 }],
                }),
            )
        },
    );
    let gone = Upsert { epoch: 7, key: row(r#"{"id":1}"#), row: None };
    check(
        r#"{"type":"event","topic":"shop.revenue","schema":"arqonbus.upserts.v1","payload":{"sub":1,"lower":0,"upper":8,"upserts":[{"epoch":7,"key":{"id":1},"row":null}]}}"#,
        &Envelope {
            schema: Some(UPSERTS_SCHEMA.into()),
            ..Envelope::event(
                "shop.revenue",
                Payload::Upserts(Upserts {
                    sub: 1,
                    lower: 0,
                    upper: 8,
                    part: None,
                    upserts: vec![gone],
                }),
            )
        },
    );
    check(
        &format!(
            r#"{{"id":"{ID}","type":"event","topic":"audio.labels","ts":"2026-01-01T00:00:00.5Z","schema":"lab.Label","payload":{{}},"headers":{{"sub":1,"offset":12,"who":"me"}},"trace":{{"traceparent":"00-1"}}}}"#
        ),
        &Envelope {
            id: Some(ID),
            ts: Some(1_767_225_600_500_000_000),
            schema: Some("lab.Label".into()),
            headers: Headers {
                sub: Some(1),
                offset: Some(12),
                other: [("who".to_owned(), "me".to_owned())].into(),
                ..Headers::default()
            },
            trace: Some(TraceContext { traceparent: "00-1".into(), ..TraceContext::default() }),
            ..Envelope::event("audio.labels", Payload::Row(row("{}")))
        },
    );
}

#[test]
fn a_batch_holds_whole_frames() {
    let inner = Envelope::event("a", Payload::Row(row("{}")));
    for encoding in [Encoding::Json, Encoding::Proto] {
        let batch = Envelope::control(Control::Batch(vec![inner.encode(encoding)]));
        let read = Envelope::decode(&batch.encode(encoding), encoding).unwrap();
        let Payload::Control(Control::Batch(messages)) = read.payload else {
            panic!("{read:?} is a batch")
        };
        assert_eq!(Envelope::decode(&messages[0], encoding).unwrap(), inner);
    }
}

#[test]
fn subscribe_may_leave_out_what_has_a_default() {
    let frame = r#"{"type":"control","topic":"t","payload":{"subscribe":{"sub":1,"topic":"a"}}}"#;
    let read = Envelope::decode(&row(frame), Encoding::Json).unwrap();
    let Payload::Control(Control::Subscribe(subscribe)) = read.payload else {
        panic!("{read:?} subscribes")
    };
    assert_eq!(subscribe.from, Begin::Now);
    assert_eq!(subscribe.form, As::Deltas);
    assert_eq!((subscribe.filter, subscribe.credit), (None, None));
}

#[test]
fn faults_carry_the_frames_id() {
    let cases = [
        (r#"{"type":"control","topic":"t","payload":{"credit":{"sub":1}}}"#, "missing field `add`"),
        (r#"{"type":"control","topic":"t","payload":{"credit":{"sub":1,"add":1,"x":1}}}"#, "x"),
        (r#"{"type":"control","topic":"t","payload":{"subscribed":7}}"#, "subscribed"),
        (r#"{"type":"event","topic":"t","payload":1,"headers":{"ack":"often"}}"#, "often"),
        (r#"{"type":"event","topic":"t","payload":1,"ts":"yesterday"}"#, "yesterday"),
        (
            r#"{"type":"event","topic":"t","schema":"arqonbus.delta.v1","payload":{"changes":[{"row":{}}]}}"#,
            "diff",
        ),
    ];
    for (json, word) in cases {
        let json = json.replacen('{', &format!("{{\"id\":\"{ID}\","), 1);
        let fault = Envelope::decode(&row(&json), Encoding::Json).unwrap_err();
        assert_eq!((fault.id, fault.code.clone()), (Some(ID), ErrorCode::SchemaMismatch));
        assert!(fault.message.contains(word) || json.contains(word), "{json}: {fault}");
    }
    for json in ["", "[]", "{}", "{\"type\":\"loud\",\"topic\":\"t\"}", "{\"id\":7}", "\u{0}"] {
        assert_eq!(Envelope::decode(&row(json), Encoding::Json).unwrap_err().id, None, "{json}");
    }
    let deep = format!("{{\"type\":\"event\",\"topic\":\"t\",\"x\":{}", "[".repeat(100_000));
    assert!(Envelope::decode(&row(&deep), Encoding::Json).is_err());
}

#[test]
fn a_frame_that_cannot_be_read_is_answered_by_its_id() {
    let faulty = [
        r#""type":"loud","topic":"t""#,
        r#""type":"event""#,
        r#""type":"event","topic":"t","ts":5"#,
        r#""type":"event","topic":"t","headers":{"n":1}"#,
        r#""type":"control","topic":"t","payload":{"dance":{}}"#,
    ];
    for rest in faulty {
        let frame = format!(r#"{{{rest},"id":"{ID}"}}"#);
        let fault = Envelope::decode(&row(&frame), Encoding::Json).unwrap_err();
        assert_eq!(fault.id, Some(ID), "{frame}");
    }
    let in_order = format!(r#"["{ID}","event","t"]"#);
    assert!(Envelope::decode(&row(&in_order), Encoding::Json).is_err());
}

#[test]
fn numbers_of_64_bits_may_be_strings() {
    let control = |json: &str| {
        let frame = format!(r#"{{"type":"control","topic":"{SESSION_TOPIC}","payload":{json}}}"#);
        Envelope::decode(&row(&frame), Encoding::Json).map(|envelope| envelope.payload)
    };
    let pairs = [
        (
            r#"{"subscribe":{"sub":"1","topic":"t","from":{"epoch":"7"},"credit":"9"}}"#,
            r#"{"subscribe":{"sub":1,"topic":"t","from":{"epoch":7},"credit":9}}"#,
        ),
        (
            r#"{"subscribe":{"sub":"18446744073709551615","topic":"t","from":{"offset":"2"}}}"#,
            r#"{"subscribe":{"sub":18446744073709551615,"topic":"t","from":{"offset":2},"credit":null}}"#,
        ),
        (r#"{"credit":{"sub":"1","add":"2"}}"#, r#"{"credit":{"sub":1,"add":2}}"#),
        (r#"{"unsubscribe":{"sub":"1"}}"#, r#"{"unsubscribe":{"sub":1}}"#),
    ];
    for (text, number) in pairs {
        assert_eq!(control(text).unwrap(), control(number).unwrap());
    }
    for odd in ["\"-1\"", "\"\"", "\"1.0\"", "-1", "1.5", "null", "\"18446744073709551616\""] {
        assert!(control(&format!(r#"{{"unsubscribe":{{"sub":{odd}}}}}"#)).is_err(), "{odd}");
    }
    let delta = |diff: &str| {
        let frame = format!(
            r#"{{"type":"event","topic":"t","schema":"arqonbus.delta.v1","payload":{{"lower":"1","changes":[{{"epoch":"1","diff":{diff},"row":{{}}}}]}}}}"#
        );
        Envelope::decode(&row(&frame), Encoding::Json).map(|envelope| envelope.payload)
    };
    let Ok(Payload::Delta(read)) = delta("\"-3\"") else { panic!("a delta") };
    assert_eq!((read.lower, read.changes[0].epoch, read.changes[0].diff), (Some(1), Some(1), -3));
    assert_eq!(delta("-3").unwrap(), Payload::Delta(read));
    assert!(delta("\"1e3\"").is_err());
}

#[test]
fn a_hello_may_ask_for_int64_as_strings() {
    let frame = |json: &str| {
        let frame = format!(r#"{{"type":"control","topic":"{SESSION_TOPIC}","payload":{json}}}"#);
        Envelope::decode(&row(&frame), Encoding::Json)
    };
    let form = |json: &str| match frame(json).unwrap().payload {
        Payload::Control(Control::Hello(hello)) => hello.int64,
        other => panic!("{other:?}"),
    };
    assert_eq!(form(r#"{"hello":{"int64":"string"}}"#), Int64Form::String);
    assert_eq!(form(r#"{"hello":{"int64":"number"}}"#), Int64Form::Number);
    assert_eq!(form(r#"{"hello":{}}"#), Int64Form::Number);
    assert!(frame(r#"{"hello":{"int64":"roman"}}"#).is_err());

    let wide = Type::Struct(vec![Field::new("wide", Type::Option(Box::new(Type::Int64)))]);
    let fields = vec![
        Field::new("n", Type::Int64),
        Field::new("inner", Type::List(Box::new(wide))),
        Field::new("at", Type::Float64),
    ];
    let codec = RowCodec::new(Schema::new("Wide", fields));
    let text = r#"{"n":"9223372036854775807","inner":[{"wide":"-1"},{"wide":null}],"at":1.5}"#;
    let values = codec.decode(text).unwrap();
    let mut out = Vec::new();
    codec.encode_as(&values, Int64Form::String, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), text);
    assert!(codec.to_json(&values).starts_with(r#"{"n":9223372036854775807,"inner":[{"wide":-1}"#));
}

#[test]
fn a_token_is_never_shown() {
    let hello = Hello { token: Some(Secret("canary".into())), ..Hello::default() };
    assert!(!format!("{:?}", Envelope::control(Control::Hello(hello))).contains("canary"));
}

#[test]
fn codes_have_one_name_each() {
    for code in ErrorCode::ALL {
        assert_eq!(&ErrorCode::parse(code.as_str()), code);
    }
    assert_eq!(ErrorCode::parse("NEW"), ErrorCode::Other("NEW".into()));
    assert_eq!(Kind::Control, Envelope::control(Control::Batch(Vec::new())).kind);
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        for encoding in [Encoding::Json, Encoding::Proto] {
            if let Ok(envelope) = Envelope::decode(&bytes, encoding) {
                let again = Envelope::decode(&envelope.encode(encoding), encoding);
                prop_assert_eq!(again, Ok(envelope));
            }
        }
    }

    #[test]
    fn a_cut_or_changed_frame_is_read_or_refused(cut in 0..200_usize, at in 0..200_usize, to: u8) {
        let change = RowChange { epoch: Some(7), diff: -1, row: row("{}") };
        let delta = Delta {
            sub: Some(1), lower: Some(0), upper: Some(8), part: None, changes: vec![change],
        };
        for encoding in [Encoding::Json, Encoding::Proto] {
            let frame = Envelope::event("shop.revenue", Payload::Delta(delta.clone()));
            let mut bytes = frame.encode(encoding).to_vec();
            bytes.truncate(bytes.len().saturating_sub(cut % 3));
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(envelope) = Envelope::decode(&bytes.into(), encoding) {
                prop_assert!(envelope.topic.len() < 100);
            }
        }
    }
}
