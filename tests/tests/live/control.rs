//! The control API over plain sockets: who may ask, what is answered, what is refused.

use std::io::{Read, Write};
use std::net::TcpStream;

use arqon_plan::encode;
use serde_json::Value as Json;

use crate::house::{House, artifact};
use crate::{COUNTS, SALES, order};

/// The status and the body of an answer to raw bytes.
fn ask_raw(house: &House, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(house.server.address().unwrap()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Connection: close"), "{head}");
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn ask(house: &House, line: &str, body: &[u8]) -> (u16, Json) {
    let token = house.server.token().unwrap();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (status, answer) = ask_raw(house, &[head.as_bytes(), body].concat());
    (status, serde_json::from_str(&answer).unwrap_or(Json::String(answer)))
}

#[test]
fn circuits_are_looked_after_in_http() {
    let house = House::new(1);
    assert_eq!(ask_raw(&house, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").0, 200);
    let (status, installed) = ask(&house, "POST /v1/circuits", SALES.as_bytes());
    assert_eq!((status, &installed["epoch"]), (201, &1.into()), "{installed}");
    let counts = encode(&artifact(COUNTS)).unwrap();
    assert_eq!(ask(&house, "POST /v1/circuits", &counts).0, 201);
    assert_eq!(ask(&house, "POST /v1/circuits", SALES.as_bytes()).0, 409);
    let client = house.client();
    house.publish(&client, order(1, "EU", 30)).unwrap();

    let (_, all) = ask(&house, "GET /v1/circuits", b"");
    assert_eq!(all["circuits"][1]["name"], "shop.sales", "{all}");
    let (_, sales) = ask(&house, "GET /v1/circuits/shop.sales", b"");
    assert_eq!((&sales["state"], &sales["rows_held"]), (&"running".into(), &1.into()), "{sales}");
    let (_, topics) = ask(&house, "GET /v1/topics", b"");
    assert_eq!(topics["topics"][2]["name"], "shop.sales", "{topics}");
    assert_eq!(topics["topics"][3]["name"], "system.epochs", "{topics}");
    assert_eq!(topics["topics"][2]["rows"], 1, "{topics}");
    let (_, topology) = ask(&house, "GET /v1/topology", b"");
    assert_eq!(topology["sessions"][0]["principal"], "admin", "{topology}");
    let (status, metrics) = ask(&house, "GET /metrics", b"");
    let metrics = metrics.as_str().unwrap();
    assert_eq!(status, 200);
    for line in [
        "arqon_circuit_up{circuit=\"shop.sales\"} 1",
        "arqon_circuit_rows_in_total{circuit=\"shop.sales\"} 1",
        "arqon_circuit_churn_ratio{circuit=\"shop.counts\"} 1",
        "# TYPE arqon_step_rows_held gauge",
        "arqon_topic_rows{topic=\"shop.sales\"} 1",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }

    let changed = SALES.replace("amount > 0", "amount > 30");
    let (status, diff) = ask(&house, "POST /v1/circuits/shop.sales/diff", changed.as_bytes());
    assert_eq!((status, &diff["compatible"]), (200, &true.into()), "{diff}");
    let (status, replaced) = ask(&house, "PUT /v1/circuits/shop.sales", changed.as_bytes());
    assert_eq!((status, &replaced["updates"]), (200, &1.into()), "{replaced}");
    let narrow = SALES.replace("total: int64 }", "total: float64 }").replace("sum(", "avg(");
    let (status, refused) = ask(&house, "PUT /v1/circuits/shop.sales", narrow.as_bytes());
    assert_eq!((status, &refused["error"]["code"]), (409, &"INCOMPATIBLE".into()), "{refused}");
    let (status, _) = ask(&house, "PUT /v1/circuits/shop.sales?force=true", narrow.as_bytes());
    assert_eq!(status, 200);
    assert_eq!(ask(&house, "PUT /v1/circuits/shop.counts", SALES.as_bytes()).0, 409);
    assert_eq!(ask(&house, "DELETE /v1/circuits/shop.sales", b"").0, 200);
    let (status, unknown) = ask(&house, "DELETE /v1/circuits/shop.sales", b"");
    assert_eq!((status, &unknown["error"]["code"]), (404, &"UNKNOWN_CIRCUIT".into()));
    assert_eq!(ask(&house, "PUT /v1/circuits/shop.sales", SALES.as_bytes()).0, 404);
    house.server.finish(1001).unwrap();
}

#[test]
fn errors_carry_the_diagnostics_of_the_compiler() {
    let house = House::new(1);
    let wrong = SALES.replace("sum(amount)", "sum(amuont)");
    let (status, refused) = ask(&house, "POST /v1/circuits", wrong.as_bytes());
    assert_eq!((status, &refused["error"]["code"]), (422, &"NOT_A_CIRCUIT".into()), "{refused}");
    let found = &refused["error"]["diagnostics"][0];
    assert_eq!(found["severity"], "error");
    assert_eq!(found["range"]["start"]["line"], 17, "{found}");
    for body in [b"" as &[u8], b"\xff\xfe", b"arqon: 1\ncircuit: x\nimport: [y.yaml]\n"] {
        assert_eq!(ask(&house, "POST /v1/circuits", body).0, 422, "{body:?}");
    }
    assert_eq!(ask(&house, "GET /v1/circuits", b"").1["circuits"], serde_json::json!([]));
    house.server.finish(1001).unwrap();
}

#[test]
fn what_is_no_sound_request_is_refused() {
    let house = House::new(1);
    let token = house.server.token().unwrap().to_owned();
    let plain = |rest: &str| format!("GET /v1/circuits HTTP/1.1\r\nHost: x\r\n{rest}\r\n");
    let authorized = |line: &str, rest: &str| {
        format!("{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{rest}\r\n")
    };
    for (status, request) in [
        (401, plain("")),
        (401, plain("Authorization: Bearer x\r\n")),
        (401, "POST /v1/circuits HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n".to_owned()),
        (403, authorized("GET /healthz", "Origin: https://evil.example\r\n")),
        (404, authorized("GET /v2", "")),
        (404, authorized("GET /v1/circuitsx", "")),
        (403, authorized("GET /v1/circuits/../../x", "")),
        (405, authorized("DELETE /v1/circuits", "")),
        (405, authorized("POST /metrics", "")),
        (400, authorized("PUT /v1/circuits/shop.sales?frce=true", "")),
        (400, authorized("GET /v1/circuits", "Content-Length: 1\r\nContent-Length: 1\r\n")),
        (411, authorized("POST /v1/circuits", "Transfer-Encoding: chunked\r\n")),
        (413, authorized("POST /v1/circuits", "Content-Length: 999999999\r\n")),
        (400, authorized("GET /v1/circuits", "") + "GET / HTTP/1.1\r\n\r\n"),
    ] {
        assert_eq!(ask_raw(&house, request.as_bytes()).0, status, "{request}");
    }
    // A body that is promised, and comes after the word.
    let head = authorized(
        "POST /v1/circuits",
        &format!("Content-Length: {}\r\nExpect: 100-continue\r\n", SALES.len()),
    );
    let mut stream = TcpStream::connect(house.server.address().unwrap()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut word = [0; 25];
    stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(SALES.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
    house.server.finish(1001).unwrap();
}
