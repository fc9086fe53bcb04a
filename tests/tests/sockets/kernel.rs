//! Kernels behind a websocket: tokens go in one by one, and what comes out are deltas alone.

use serde_json::{Value as Json, json};

use crate::client::{Client, server};

const ATTENTION: &str = include_str!("../../../circuits/demo/attention.yaml");

fn numbers(value: &Json) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn a_token_that_changes_changes_the_answers_and_a_controller_outside_chooses_how() {
    let server = server(ATTENTION);
    let mut model = Client::connect(&server);
    model.publish("attn.queries", &json!({"pos": 1, "q": [1, 0, 0, 0]}));
    let ack =
        model.publish("attn.tokens", &json!({"pos": 1, "k": [1, 0, 0, 0], "v": [1, 2, 3, 4]}));
    let epoch = ack["ack"]["epoch"].as_u64().unwrap();

    let mut reader = Client::connect(&server);
    reader.control(&json!({"subscribe": {"sub": 1, "topic": "attn.answers", "from": "snapshot",
        "as": "deltas", "credit": 100}}));
    reader.control(&json!({"subscribe": {"sub": 2, "topic": "attn.cost", "credit": 100}}));
    assert_eq!(reader.payload(), json!({"subscribed": {"sub": 1, "epoch": epoch}}));
    let snapshot = reader.payload();
    let answer = numbers(&snapshot["changes"][0]["row"]["o"]);
    for (found, wanted) in answer.iter().zip([1.0, 2.0, 3.0, 4.0]) {
        assert!((found - wanted).abs() < 1e-5, "{snapshot}");
    }

    let mut next = |publish: &mut dyn FnMut(&mut Client) -> Json| {
        let epoch = publish(&mut model)["ack"]["epoch"].as_u64().unwrap();
        let (mut changes, mut cost) = (Vec::new(), Json::Null);
        while changes.is_empty() || cost.is_null() {
            let mut payload = reader.payload();
            if payload["sub"] == 1 {
                changes = payload["changes"].as_array().unwrap().clone();
            } else if payload["mode"].is_string() {
                cost = payload.take();
            }
        }
        (epoch, changes, cost)
    };
    for mode in ["itmd", "pass"] {
        let value = if mode == "itmd" { 5 } else { 6 };
        let token = json!({"pos": 1, "k": [1, 0, 0, 0], "v": [value, 2, 3, 4]});
        let (epoch, changes, cost) = next(&mut |model| {
            model.publish("attn.mode", &json!({"mode": mode}));
            model.publish("attn.tokens", &token)
        });
        let diffs: Vec<&Json> = changes.iter().map(|change| &change["diff"]).collect();
        assert_eq!(diffs, [-1, 1], "what was said goes, and what is so comes");
        let now = numbers(&changes[1]["row"]["o"]);
        assert!((now[0] - f64::from(value)).abs() < 1e-5, "{changes:?}");
        assert_eq!(cost["mode"], mode, "{cost}");
        assert_eq!(cost["epoch"].as_u64(), Some(epoch), "{cost}");
        assert_eq!((&cost["changed"], &cost["emitted"]), (&json!(1), &json!(1)), "{cost}");
    }
    server.finish(1001).unwrap();
}
