//! Clients that do not keep to the protocol, byte by byte, against a real listener.
//!
//! All on loopback, port 0, each step with a deadline.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod house;
mod violations;

use std::time::Duration;

use arqon_proto::{Control, Encoding, Envelope, Hello, Payload};
use arqon_shield::{Listener, Settings, TokenRequest, TokenSecret};
use arqon_spine::Limits;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use house::{BINARY, CLOSE, DEADLINE, PING, PONG, TEXT, frame, hello, house};

fn small() -> Settings {
    let limits = Limits { message_bytes_max: 10_000, ..Limits::default() };
    Settings { limits, ..Settings::default() }
}

#[tokio::test]
async fn frames_against_the_websocket_protocol_close_with_1002() {
    let house = house(small()).await;
    let cases: [(&str, Vec<u8>); 6] = [
        ("unmasked", vec![TEXT, 2, b'{', b'}']),
        ("reserved bit", frame(TEXT | 0x40, b"{}")),
        ("unknown opcode", frame(0x83, b"{}")),
        ("unknown control opcode", frame(0x8b, b"")),
        ("continuation of nothing", frame(0x80, b"{}")),
        ("fragmented ping", frame(0x09, b"")),
    ];
    for (name, bytes) in cases {
        let mut client = house.session().await;
        client.raw(&bytes).await;
        assert_eq!(client.close_code().await, Some(1002), "{name}");
    }
}

#[tokio::test]
async fn a_length_beyond_the_limit_closes_with_1009_before_the_payload_comes() {
    let house = house(small()).await;
    for length in [10_001, 1 << 32, i64::MAX.cast_unsigned()] {
        let mut client = house.session().await;
        let mut header = vec![TEXT, 0x80 | 0x7f];
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(&[0; 4]);
        client.raw(&header).await;
        assert_eq!(client.close_code().await, Some(1009), "{length}");
    }
}

#[tokio::test]
async fn a_message_that_grows_by_fragments_closes_with_1009_at_the_limit() {
    let house = house(small()).await;
    let mut client = house.session().await;
    client.say(0x01, &[b' '; 1000]).await;
    for _ in 0..20 {
        client.say(0x00, &[b' '; 1000]).await;
    }
    assert_eq!(client.close_code().await, Some(1009));
}

#[tokio::test]
async fn floods_without_a_message_close_with_1008() {
    let house = house(Settings::default()).await;
    let cases = [
        ("empty fragments", [frame(0x01, b"{"), frame(0x00, b"").repeat(2_000)].concat()),
        ("pings", frame(PING, b"").repeat(2_000)),
        ("pongs", frame(PONG, b"").repeat(2_000)),
        ("fragments of a byte", [frame(0x01, b"{"), frame(0x00, b" ").repeat(20_000)].concat()),
    ];
    for (name, bytes) in cases {
        let mut client = house.session().await;
        client.raw(&bytes).await;
        assert_eq!(client.close_code().await, Some(1008), "{name}");
    }
}

#[tokio::test]
async fn text_that_is_not_utf_8_closes_with_1007() {
    let house = house(small()).await;
    let mut client = house.session().await;
    client.say(TEXT, b"{\"\xff\xfe\"}").await;
    assert_eq!(client.close_code().await, Some(1007));
}

#[tokio::test]
async fn a_ping_is_answered_and_a_close_is_returned() {
    let house = house(small()).await;
    let mut client = house.session().await;
    client.say(PING, b"here").await;
    assert_eq!(client.hear().await, Some((PONG, b"here".to_vec())));
    client.say(CLOSE, &1000_u16.to_be_bytes()).await;
    assert_eq!(client.close_code().await, Some(1000));
}

#[tokio::test]
async fn frames_of_the_other_kind_close_with_4400() {
    let house = house(small()).await;
    let mut client = house.session().await;
    client.say(BINARY, b"{}").await;
    assert_eq!(client.close_code().await, Some(4400));
}

#[tokio::test]
async fn what_is_no_upgrade_is_refused_in_http() {
    let house = house(Settings::default()).await;
    let status = |text: &str| text.split(' ').nth(1).unwrap_or_default().to_owned();
    let json = "Sec-WebSocket-Protocol: arqon.v1.json\r\n";
    let bomb = "X-Y: z\r\n".repeat(1_000);
    let long = format!("X: {}\r\n", "y".repeat(1 << 20));
    let cases = [
        ("plain", "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "400"),
        ("post", house.upgrade(json).replacen("GET", "POST", 1), "400"),
        ("no subprotocol", house.upgrade(""), "400"),
        ("other subprotocol", house.upgrade("Sec-WebSocket-Protocol: chat\r\n"), "400"),
        (
            "foreign origin",
            house.upgrade(&format!("{json}Origin: https://evil.example\r\n")),
            "403",
        ),
        ("no origin", house.upgrade(&format!("{json}Origin: null\r\n")), "403"),
        ("many headers", house.upgrade(&bomb), "431"),
        ("long header", house.upgrade(&long), "431"),
        ("bare line feed", house.upgrade(&format!("{json}X: y\nZ: q\r\n")), "400"),
        ("junk", "\u{1}\u{2}\r\n\r\n".to_owned(), "400"),
    ];
    for (name, head, wanted) in cases {
        assert_eq!(status(&house.ask(&head).await), wanted, "{name}");
    }
    let own = format!(
        "Sec-WebSocket-Protocol: arqon.v1.json\r\nOrigin: http://127.0.0.1:{}\r\n",
        house.port
    );
    let mut stream = house.dial().await;
    stream.write_all(house.upgrade(&own).as_bytes()).await.unwrap();
    let mut status = [0; 12];
    timeout(DEADLINE, stream.read_exact(&mut status)).await.unwrap().unwrap();
    assert_eq!(&status, b"HTTP/1.1 101");
}

#[tokio::test]
async fn there_is_no_session_without_an_identity() {
    let house = house(Settings::default()).await;
    let other = TokenSecret::new(vec![8; 32]).unwrap();
    let issued_at = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let request =
        TokenRequest { principal: "p".into(), grants: Vec::new(), issued_at, valid_seconds: 60 };
    let id = "01900000-0000-7000-8000-000000000001";
    let event = format!(r#"{{"id":"{id}","type":"event","topic":"shop.clicks","payload":{{}}}}"#);
    let no_token = Envelope::control(Control::Hello(Hello::default()));
    let cases = [
        ("another secret", hello(&other.mint(&request).unwrap(), Encoding::Json)),
        ("no token", no_token.encode(Encoding::Json)),
        ("empty token", hello("", Encoding::Json)),
        ("an event first", Bytes::from(event)),
        ("junk first", Bytes::from_static(b"{")),
        ("a long token", hello(&"a".repeat(100_000), Encoding::Json)),
    ];
    for (name, first) in cases {
        let mut client = house.connect("arqon.v1.json").await;
        client.say(TEXT, &first).await;
        let (_, answer) = client.hear().await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains("\"code\":\"UNAUTHENTICATED\""), "{name}: {answer}");
        assert_eq!(answer.contains(id), name == "an event first", "{name}: {answer}");
        assert_eq!(client.close_code().await, Some(4401), "{name}");
    }
}

#[tokio::test]
async fn a_protobuf_session_begins_alike() {
    let house = house(Settings::default()).await;
    let mut client = house.connect("arqon.v1.proto").await;
    client.say(BINARY, &hello(&house.token(60), Encoding::Proto)).await;
    let (first, bytes) = client.hear().await.unwrap();
    assert_eq!(first, BINARY);
    let welcome = Envelope::decode(&bytes.into(), Encoding::Proto).unwrap();
    let Payload::Control(Control::Welcome(welcome)) = welcome.payload else {
        panic!("{welcome:?} welcomes")
    };
    assert_eq!(welcome.principal, "p");
    client.say(TEXT, b"{}").await;
    assert_eq!(client.close_code().await, Some(4400));
}

#[tokio::test]
async fn silence_ends_a_connection() {
    let limits = Limits { ping_interval_ms: 100, ..Limits::default() };
    let wait = Duration::from_millis(100);
    let house =
        house(Settings { limits, hello_wait: wait, upgrade_wait: wait, ..Settings::default() })
            .await;
    assert_eq!(house.ask("GET / HTTP/1.1\r\n").await, "HTTP/1.1 408 Request Timeout");
    let mut client = house.connect("arqon.v1.json").await;
    assert_eq!(client.close_code().await, Some(4401), "no hello");
    let mut client = house.session().await;
    assert_eq!(client.close_code().await, Some(4408), "no pong");
    let mut client = house.session().await;
    for _ in 0..6 {
        assert_eq!(client.hear().await.map(|(first, _)| first), Some(PING));
        client.say(PONG, b"").await;
    }
}

#[tokio::test]
async fn an_open_session_ends_with_its_token() {
    let house = house(Settings::default()).await;
    let mut client = house.connect("arqon.v1.json").await;
    client.say(TEXT, &hello(&house.token(1), Encoding::Json)).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(client.close_code().await, Some(4401));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_server_that_ends_says_so_after_its_last_words() {
    let house = house(Settings::default()).await;
    let mut client = house.session().await;
    let mut waiting = house.connect("arqon.v1.json").await;
    let event = r#"{"type":"event","topic":"shop.clicks","payload":{"id":1}}"#;
    client.say(TEXT, event.as_bytes()).await;
    let (_, ack) = client.hear().await.unwrap();
    assert!(String::from_utf8(ack).unwrap().contains("\"ack\""));
    house.shutdown.shut_down(1012);
    assert_eq!(client.close_code().await, Some(1012));
    assert_eq!(waiting.close_code().await, Some(1012));
    assert!(TcpStream::connect(("127.0.0.1", house.port)).await.is_err());
}

#[tokio::test]
async fn one_who_neither_reads_nor_asks_does_not_hold_up_the_end() {
    let limits =
        Limits { outbox_bytes_close: 1 << 30, faults_max: usize::MAX, ..Limits::default() };
    let house = house(Settings { limits, ..Settings::default() }).await;
    let _silent = house.dial().await;
    let mut stuck = house.session().await;
    // Each question is answered; at last neither side can write.
    let questions = frame(TEXT, br#"{"type":"dance"}"#).repeat(10_000);
    let mut n_writes = 0;
    while timeout(Duration::from_millis(300), stuck.stream.write_all(&questions)).await.is_ok() {
        n_writes += 1;
        assert!(n_writes < 100, "the server takes what it cannot answer");
    }
    house.shutdown.shut_down(1001);
    timeout(Duration::from_secs(5), house.ended).await.expect("the listener ends").unwrap();
}

#[tokio::test]
async fn the_edge_stays_on_this_machine() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        assert!(Listener::bind(address.parse().unwrap()).await.is_err(), "{address}");
    }
}
