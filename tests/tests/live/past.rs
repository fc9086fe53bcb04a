//! What a new circuit begins with: rows keep the time at which they came, and what nobody holds is
//! named.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arqon_client::{Message, Subscribe};
use arqon_server::{Cause, EpochClock, Replacing};
use arqon_types::Epoch;

use crate::house::House;
use crate::{SALES, order};

const MINUTE: i64 = 60_000_000_000;

/// A clock that a test moves.
#[derive(Debug)]
struct Moved(Arc<AtomicI64>);

impl EpochClock for Moved {
    fn time(&mut self, _: Epoch, _: Cause) -> Result<i64, String> {
        Ok(self.now())
    }

    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn rows_go_by_the_time_at_which_they_came_whoever_holds_them() {
    let clock = Arc::new(AtomicI64::new(0));
    let house = House::with_clock(2, Some(Box::new(Moved(Arc::clone(&clock)))));
    let client = house.client();
    let hour = SALES.replace("edge: in }", "edge: in, retain: 1h }");
    house.install(&hour).unwrap();
    house.publish(&client, order(1, "EU", 1)).unwrap();
    clock.store(40 * MINUTE, Ordering::SeqCst);
    house.publish(&client, order(2, "EU", 10)).unwrap();
    clock.store(50 * MINUTE, Ordering::SeqCst);
    let replaced = house.replace(&hour.replace("amount > 0", "amount >= 0")).unwrap();
    assert_eq!((replaced.n_rows, replaced.updates), (2, 0));
    let mut sales = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    for (minute, amount, expected) in [(55, 100, 111), (70, 1000, 1110), (101, 10_000, 11100)] {
        clock.store(minute * MINUTE, Ordering::SeqCst);
        let next = order(minute, "EU", amount);
        let epoch = house.publish(&client, next).unwrap();
        let rows = house.rows(&mut sales, epoch);
        assert_eq!(rows, [(format!(r#"{{"region":"EU","total":{expected}}}"#), 1)], "{minute}");
    }
    house.server.finish(1001).unwrap();
}

#[test]
fn a_past_that_nobody_holds_is_named() {
    let house = House::new(1);
    let client = house.client();
    let events = SALES.replace("carries: full, key: id, edge: in }", "edge: in }");
    let events = events.replace("      - group", "      - within: { last: 1h }\n      - group");
    let timed = |text: &str| {
        text.replace("amount: int64 }", "amount: int64, at: timestamp }")
            .replace("edge: in }", "time: at, edge: in }")
    };
    let events = timed(&events);
    house.install(&events).unwrap();
    let row = r#"{"id":1,"region":"EU","amount":5,"at":"2026-01-01T00:00:00Z"}"#;
    house.publish(&client, Message::row("shop.orders", row)).unwrap();
    let again = events.replace("amount > 0", "amount > 1");
    let replaced = house.put(&again, Replacing::Compatibly, |_| {}).unwrap();
    assert_eq!(replaced.starts_without.len(), 1, "{replaced:?}");
    assert_eq!(replaced.starts_without[0].as_str(), "shop.orders");
    assert_eq!((replaced.n_rows, replaced.updates), (0, 1), "what it said of them goes");
    house.drop("shop.sales").unwrap();

    // Some of these rows have gone, and the topic cannot say which.
    for retain in ["carries: delta, retain: 1h", "carries: full, key: id, retain: 1KiB"] {
        let text = SALES.replace("carries: full, key: id", retain);
        house.install(&text).unwrap();
        let message = if retain.contains("delta") {
            let row = r#"{"id":1,"region":"EU","amount":5}"#;
            Message::changes("shop.orders", [(1, row)])
        } else {
            order(1, "EU", 5)
        };
        house.publish(&client, message).unwrap();
        let replaced = house.replace(&text.replace("amount > 0", "amount > 1")).unwrap();
        assert_eq!((replaced.n_rows, replaced.starts_without.len()), (0, 1), "{replaced:?}");
        house.drop("shop.sales").unwrap();
    }
    house.server.finish(1001).unwrap();
}
