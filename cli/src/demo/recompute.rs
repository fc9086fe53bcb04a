//! The answers of the flights circuit from scratch, by plain loops over the tables.
//!
//! This is the demo's referee: it shares no line with the compiler or the engine, so that equal
//! answers mean something.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arqon_types::{Row, Value};

use super::tables::{Tables, Weather};

/// The rows of one topic, each with its multiplicity.
pub(super) type Relation = BTreeMap<Row, i64>;

/// Rows of the five outputs by topic.
pub(super) fn recompute(tables: &Tables) -> BTreeMap<&'static str, Relation> {
    [
        ("carrier_delays", carrier_delays(tables)),
        ("weather_delays", weather_delays(tables)),
        ("top_routes", top_routes(tables)),
        ("fleet", fleet(tables)),
        ("totals", totals(tables)),
    ]
    .into_iter()
    .map(|(topic, rows)| (topic, rows.into_iter().map(|row| (row, 1)).collect()))
    .collect()
}

/// A mean of whole numbers: none of none, else the exact sum divided once.
#[derive(Default, Clone, Copy)]
struct Mean {
    sum: i64,
    n: i64,
}

impl Mean {
    fn add(&mut self, number: Option<i64>) {
        if let Some(number) = number {
            self.sum += number;
            self.n += 1;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a year's minutes are far below 2^53")]
    fn value(self) -> Value {
        if self.n == 0 { Value::None } else { Value::float(self.sum as f64 / self.n as f64) }
    }
}

fn optional(number: Option<i64>) -> Value {
    number.map_or(Value::None, Value::Int)
}

fn carrier_delays(tables: &Tables) -> Vec<Row> {
    #[derive(Default)]
    struct Sum {
        flights: i64,
        cancelled: i64,
        late: i64,
        arrival: Mean,
        worst: Option<i64>,
    }
    let mut sums: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
    for flight in tables.flights.values() {
        let Some(airline) = tables.airlines.get(&*flight.carrier) else { continue };
        let sum = sums.entry((&flight.carrier, airline)).or_default();
        sum.flights += 1;
        sum.cancelled += i64::from(flight.dep_delay.is_none());
        sum.late += i64::from(flight.dep_delay.unwrap_or(0) > 15);
        sum.arrival.add(flight.arr_delay);
        sum.worst = sum.worst.max(flight.dep_delay);
    }
    sums.into_iter()
        .map(|((carrier, airline), sum)| {
            vec![
                Value::string(carrier),
                Value::string(airline),
                Value::Int(sum.flights),
                Value::Int(sum.cancelled),
                Value::Int(sum.late),
                sum.arrival.value(),
                optional(sum.worst),
            ]
            .into()
        })
        .collect()
}

fn sky(weather: &Weather) -> &'static str {
    if weather.precip > 0.1 {
        "rain"
    } else if weather.precip > 0.0 {
        "drizzle"
    } else if weather.visib < 3.0 {
        "fog"
    } else if weather.wind_speed.unwrap_or(0.0) > 25.0 {
        "wind"
    } else {
        "fair"
    }
}

fn weather_delays(tables: &Tables) -> Vec<Row> {
    #[derive(Default)]
    struct Sum {
        flights: i64,
        cancelled: i64,
        departure: Mean,
    }
    let mut skies: BTreeMap<(&str, i64), &str> = BTreeMap::new();
    for ((origin, hour), weather) in &tables.weather {
        skies.insert((origin, *hour), sky(weather));
    }
    let mut sums: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
    for flight in tables.flights.values() {
        let origin: &str = &flight.origin;
        let sky = skies.get(&(origin, flight.time_hour)).copied().unwrap_or("unknown");
        let sum = sums.entry((origin, sky)).or_default();
        sum.flights += 1;
        sum.cancelled += i64::from(flight.dep_delay.is_none());
        sum.departure.add(flight.dep_delay);
    }
    sums.into_iter()
        .map(|((origin, sky), sum)| {
            vec![
                Value::string(origin),
                Value::string(sky),
                Value::Int(sum.flights),
                Value::Int(sum.cancelled),
                sum.departure.value(),
            ]
            .into()
        })
        .collect()
}

fn top_routes(tables: &Tables) -> Vec<Row> {
    let mut routes: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
    for flight in tables.flights.values().filter(|flight| flight.dep_delay.is_some()) {
        let (flights, distance) =
            routes.entry((&flight.origin, &flight.dest)).or_insert((0, i64::MIN));
        *flights += 1;
        *distance = (*distance).max(flight.distance);
    }
    let mut routes: Vec<_> = routes.into_iter().collect();
    // The map's order stands among routes of equal traffic: the sort is stable.
    routes.sort_by_key(|(_, (flights, _))| std::cmp::Reverse(*flights));
    routes
        .into_iter()
        .take(10)
        .map(|((origin, dest), (flights, distance))| {
            let airport = tables.airports.get(dest);
            vec![
                Value::string(origin),
                Value::string(dest),
                airport.map_or(Value::None, |name| Value::string(name)),
                Value::Int(flights),
                Value::Int(distance),
            ]
            .into()
        })
        .collect()
}

fn fleet(tables: &Tables) -> Vec<Row> {
    #[derive(Default)]
    struct Sum {
        flights: i64,
        planes: BTreeSet<Arc<str>>,
        seats: Option<i64>,
        air_time: Mean,
    }
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for flight in tables.flights.values() {
        let known = flight
            .tailnum
            .as_ref()
            .and_then(|tailnum| tables.planes.get(&**tailnum).map(|plane| (tailnum, plane)));
        let maker = known.map_or("unknown", |(_, plane)| plane.manufacturer.as_str());
        let sum = sums.entry(maker).or_default();
        sum.flights += 1;
        sum.air_time.add(flight.air_time);
        if let Some((tailnum, plane)) = known {
            sum.planes.insert(Arc::clone(tailnum));
            sum.seats = Some(sum.seats.unwrap_or(0) + plane.seats);
        }
    }
    sums.into_iter()
        .map(|(maker, sum)| {
            let n_planes = i64::try_from(sum.planes.len()).expect("a few thousand planes");
            vec![
                Value::string(maker),
                Value::Int(sum.flights),
                Value::Int(n_planes),
                optional(sum.seats),
                sum.air_time.value(),
            ]
            .into()
        })
        .collect()
}

fn totals(tables: &Tables) -> Vec<Row> {
    let flights = tables.flights.values();
    let n_flights = i64::try_from(tables.flights.len()).expect("a year of flights");
    let departed = flights.clone().filter(|flight| flight.dep_delay.is_some()).count();
    let departed = i64::try_from(departed).expect("a year of flights");
    let miles = flights.map(|flight| flight.distance).sum();
    vec![vec![Value::Int(n_flights), Value::Int(departed), Value::Int(miles)].into()]
}
