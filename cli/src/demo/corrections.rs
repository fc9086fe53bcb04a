//! What becomes known after the year is over: the corrections that the demo streams.
//!
//! Each correction changes the tables and says the same as messages. Which flights they touch is
//! decided by a fixed sequence, so that every run tells the same story.

use std::sync::Arc;

use arqon_types::{Row, Value};

use super::tables::{Flight, Tables};
use crate::run::durations::number_text;

/// A new state of one key, to be published.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    /// Where to.
    pub(super) topic: &'static str,
    /// The whole row.
    pub(super) row: Row,
}

/// Messages that belong together: they take effect in one epoch, or not at all.
pub(super) type Batch = Vec<Message>;

/// One step of the story.
#[derive(Debug, Clone)]
pub(super) struct Correction {
    /// What happens, for people.
    pub(super) title: String,
    /// Epoch by epoch.
    pub(super) batches: Vec<Batch>,
}

/// A sequence of numbers without chance: `SplitMix64` from a fixed start.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("tables are far below 2^64 rows");
        usize::try_from(self.next() % bound).expect("smaller than a table's length")
    }
}

/// Applies all corrections to `tables`, in the order of the story, and returns them as messages.
pub(super) fn correct(tables: &mut Tables) -> Vec<Correction> {
    let mut sequence = Sequence(2013);
    let ids: Vec<i64> = tables.flights.keys().copied().collect();
    vec![
        one_delay(tables, ids[0]),
        many_delays(tables, &ids, &mut sequence),
        steady_stream(tables, &ids, &mut sequence),
        storm(tables),
        plane_record(tables),
        airline_renamed(tables),
    ]
}

fn one_delay(tables: &mut Tables, id: i64) -> Correction {
    let flight = revise(tables, id, 45);
    let title = format!("flight {}{} left 45 minutes late", flight.carrier, flight.number);
    Correction { title, batches: vec![vec![flight_message(&flight)]] }
}

fn many_delays(tables: &mut Tables, ids: &[i64], sequence: &mut Sequence) -> Correction {
    let batch = revisions(tables, ids, sequence, 1_000);
    Correction { title: "1,000 delays are revised at once".to_owned(), batches: vec![batch] }
}

fn steady_stream(tables: &mut Tables, ids: &[i64], sequence: &mut Sequence) -> Correction {
    let batches = (0..200).map(|_| revisions(tables, ids, sequence, 100)).collect();
    Correction { title: "a stream of 200 batches, 100 delays each".to_owned(), batches }
}

/// The blizzard of 8 February 2013: what had still left Newark that day never did.
fn storm(tables: &mut Tables) -> Correction {
    const DAY: i64 = 86_400_000_000_000;
    // Midnight in New York is 5 in the morning, UTC.
    let midnight = arqon_types::parse_timestamp("2013-02-08T05:00:00Z").expect("a timestamp");
    let mut batch = Batch::new();
    for flight in tables.flights.values_mut() {
        let on_the_day = (midnight..midnight + DAY).contains(&flight.time_hour);
        if on_the_day && &*flight.origin == "EWR" && flight.dep_delay.is_some() {
            flight.dep_delay = None;
            flight.arr_delay = None;
            flight.air_time = None;
            batch.push(flight_message(flight));
        }
    }
    let title = format!("a blizzard cancels {} flights from Newark", batch.len());
    Correction { title, batches: vec![batch] }
}

/// The registry says that a business jet flew for an airline all year; it was an Embraer.
fn plane_record(tables: &mut Tables) -> Correction {
    let plane = tables.planes.get_mut("N711MQ").expect("the data set has the plane");
    "EMBRAER".clone_into(&mut plane.manufacturer);
    plane.seats = 44;
    let mut values = plane.row.to_vec();
    for value in &mut values {
        match value {
            Value::String(text) if text.starts_with("GULFSTREAM") => {
                *value = Value::string("EMBRAER");
            }
            Value::String(text) if &**text == "G1159B" => *value = Value::string("EMB-140"),
            Value::String(text) if &**text == "Turbo-jet" => *value = Value::string("Turbo-fan"),
            Value::Int(22) => *value = Value::Int(44),
            _ => {}
        }
    }
    plane.row = values.into();
    let message = Message { topic: "planes", row: plane.row.clone() };
    let title = "plane N711MQ is an Embraer, not a Gulfstream".to_owned();
    Correction { title, batches: vec![vec![message]] }
}

/// A small message with a large effect: an honest look at the other end.
fn airline_renamed(tables: &mut Tables) -> Correction {
    let name = "JetBlue";
    tables.airlines.insert("B6".to_owned(), name.to_owned());
    let row = vec![Value::string("B6"), Value::string(name)].into();
    let n_flights = tables.flights.values().filter(|flight| &*flight.carrier == "B6").count();
    let n_flights = number_text(n_flights as u64);
    Correction {
        title: format!("airline B6, with {n_flights} flights, is renamed"),
        batches: vec![vec![Message { topic: "airlines", row }]],
    }
}

fn revisions(tables: &mut Tables, ids: &[i64], sequence: &mut Sequence, n_flights: usize) -> Batch {
    (0..n_flights)
        .map(|_| {
            let id = ids[sequence.below(ids.len())];
            let delay = i64::try_from(sequence.below(120)).expect("minutes") - 10;
            flight_message(&revise(tables, id, delay))
        })
        .collect()
}

/// The flight leaves with another delay and arrives as much later or earlier.
fn revise(tables: &mut Tables, id: i64, dep_delay: i64) -> Flight {
    let flight = tables.flights.get_mut(&id).expect("ids are of the table");
    let shift = dep_delay - flight.dep_delay.unwrap_or(0);
    flight.dep_delay = Some(dep_delay);
    flight.arr_delay = flight.arr_delay.map(|delay| delay + shift);
    flight.clone()
}

/// The flight in the order of the topic's fields.
fn flight_message(flight: &Flight) -> Message {
    let text = |text: &Arc<str>| Value::String(Arc::clone(text));
    let optional = |number: Option<i64>| number.map_or(Value::None, Value::Int);
    let row = vec![
        Value::Int(flight.id),
        Value::Timestamp(flight.time_hour),
        text(&flight.carrier),
        Value::Int(flight.number),
        flight.tailnum.as_ref().map_or(Value::None, text),
        text(&flight.origin),
        text(&flight.dest),
        Value::Int(flight.sched_dep_time),
        optional(flight.dep_delay),
        optional(flight.arr_delay),
        optional(flight.air_time),
        Value::Int(flight.distance),
    ];
    Message { topic: "flights", row: row.into() }
}
