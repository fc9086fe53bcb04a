//! The year of flights in plain Rust structs: what the corrections change, and what the
//! independent recomputation reads. Nothing here knows the circuit or the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_formats::{InputFile, InputOptions, InputRows, Location};
use arqon_plan::TopicPlan;
use arqon_proto::BodyCodec;
use arqon_types::{Row, Schema, Value};

use crate::exit::Failure;

/// A file of the data set, within the command itself so that it runs anywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Embedded {
    /// The topic that it fills.
    pub(super) topic: &'static str,
    file: &'static str,
    bytes: &'static [u8],
}

macro_rules! embedded {
    ($topic:literal) => {
        Embedded {
            topic: $topic,
            file: concat!("circuits/demo/data/nycflights13/", $topic, ".csv.gz"),
            bytes: include_bytes!(concat!(
                "../../../circuits/demo/data/nycflights13/",
                $topic,
                ".csv.gz"
            )),
        }
    };
}

/// The data set, small tables first.
pub(super) const FILES: [Embedded; 5] = [
    embedded!("airlines"),
    embedded!("airports"),
    embedded!("planes"),
    embedded!("weather"),
    embedded!("flights"),
];

impl Embedded {
    /// Opens the file for its topic.
    pub(super) fn open(self, codec: &BodyCodec) -> Result<InputFile, Failure> {
        let location = Location::parse(self.file).expect("the data set is CSV");
        // The circuit reads some of the columns; the data set has a few more.
        let options = InputOptions { ignore_extra: true };
        InputFile::embedded(&location, self.bytes, codec, options)
            .map_err(|error| Failure::internal(Failure::chain(&error)))
    }
}

/// One departure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Flight {
    pub(super) id: i64,
    pub(super) time_hour: i64,
    pub(super) carrier: Arc<str>,
    /// Its number.
    pub(super) number: i64,
    pub(super) tailnum: Option<Arc<str>>,
    pub(super) origin: Arc<str>,
    pub(super) dest: Arc<str>,
    pub(super) sched_dep_time: i64,
    pub(super) dep_delay: Option<i64>,
    pub(super) arr_delay: Option<i64>,
    pub(super) air_time: Option<i64>,
    pub(super) distance: i64,
}

/// What the answers need of a plane.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plane {
    pub(super) manufacturer: String,
    pub(super) seats: i64,
    /// The whole record, so that it can be published again.
    pub(super) row: Row,
}

/// What the answers need of an hour of weather.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weather {
    pub(super) precip: f64,
    pub(super) visib: f64,
    pub(super) wind_speed: Option<f64>,
}

/// All tables, each by its key.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub(super) flights: BTreeMap<i64, Flight>,
    pub(super) airlines: BTreeMap<String, String>,
    pub(super) airports: BTreeMap<String, String>,
    pub(super) planes: BTreeMap<String, Plane>,
    pub(super) weather: BTreeMap<(String, i64), Weather>,
}

impl Tables {
    /// How many rows all tables have.
    pub(super) fn n_rows(&self) -> usize {
        self.flights.len()
            + self.airlines.len()
            + self.airports.len()
            + self.planes.len()
            + self.weather.len()
    }

    /// Reads the data set. `topics` gives the schemas.
    pub(super) fn read(topics: &[TopicPlan]) -> Result<Self, Failure> {
        let mut tables = Self::default();
        let mut names = Names::default();
        for file in FILES {
            let topic = find(topics, file.topic);
            let codec = body_codec(topic);
            let types = topic.schema.types();
            let mut input = file.open(&codec)?;
            let place = Place { schema: &topic.schema };
            while let Some(batch) =
                input.next_batch(1 << 14).map_err(|error| Failure::internal(error.to_string()))?
            {
                let InputRows::Columns(columns) = batch.rows else {
                    return Err(Failure::internal("a table holds plain rows only"));
                };
                for row_idx in 0..columns.len() {
                    tables.add(file.topic, columns.row(row_idx, &types), &place, &mut names);
                }
            }
        }
        Ok(tables)
    }

    fn add(&mut self, topic: &str, row: Row, place: &Place<'_>, names: &mut Names) {
        match topic {
            "flights" => {
                let flight = Flight {
                    id: place.int(&row, "id"),
                    time_hour: place.timestamp(&row, "time_hour"),
                    carrier: names.shared(place.text(&row, "carrier")),
                    number: place.int(&row, "flight"),
                    tailnum: place.text_or_none(&row, "tailnum").map(|text| names.shared(text)),
                    origin: names.shared(place.text(&row, "origin")),
                    dest: names.shared(place.text(&row, "dest")),
                    sched_dep_time: place.int(&row, "sched_dep_time"),
                    dep_delay: place.int_or_none(&row, "dep_delay"),
                    arr_delay: place.int_or_none(&row, "arr_delay"),
                    air_time: place.int_or_none(&row, "air_time"),
                    distance: place.int(&row, "distance"),
                };
                self.flights.insert(flight.id, flight);
            }
            "airlines" => {
                let name = place.text(&row, "name").to_owned();
                self.airlines.insert(place.text(&row, "carrier").to_owned(), name);
            }
            "airports" => {
                let name = place.text(&row, "name").to_owned();
                self.airports.insert(place.text(&row, "faa").to_owned(), name);
            }
            "planes" => {
                let tailnum = place.text(&row, "tailnum").to_owned();
                let plane = Plane {
                    manufacturer: place.text(&row, "manufacturer").to_owned(),
                    seats: place.int(&row, "seats"),
                    row,
                };
                self.planes.insert(tailnum, plane);
            }
            "weather" => {
                let key =
                    (place.text(&row, "origin").to_owned(), place.timestamp(&row, "time_hour"));
                let weather = Weather {
                    precip: place.float(&row, "precip"),
                    visib: place.float(&row, "visib"),
                    wind_speed: place.float_or_none(&row, "wind_speed"),
                };
                self.weather.insert(key, weather);
            }
            other => panic!("`{other}` is no table of the data set"),
        }
    }
}

/// The topic of that name; the demo's circuit declares it.
pub(super) fn find<'t>(topics: &'t [TopicPlan], name: &str) -> &'t TopicPlan {
    topics
        .iter()
        .find(|topic| topic.name.as_str() == name)
        .unwrap_or_else(|| panic!("the demo's circuit declares topic `{name}`"))
}

/// The codec of a topic's messages.
pub(super) fn body_codec(topic: &TopicPlan) -> BodyCodec {
    let key: Vec<String> =
        topic.key.iter().map(|at| topic.schema.fields[*at].name.to_string()).collect();
    BodyCodec::new(topic.schema.clone(), topic.discipline, &key)
}

/// Texts that many flights share, each held once.
#[derive(Default)]
struct Names(BTreeMap<String, Arc<str>>);

impl Names {
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.0.get(text) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = Arc::from(text);
        self.0.insert(text.to_owned(), Arc::clone(&shared));
        shared
    }
}

/// Reads fields of a row by name.
struct Place<'p> {
    schema: &'p Schema,
}

impl Place<'_> {
    fn value<'r>(&self, row: &'r Row, name: &str) -> &'r Value {
        let at = self.schema.position(name).unwrap_or_else(|| {
            panic!("the demo's circuit declares `{name}` in `{}`", self.schema.name)
        });
        &row[at]
    }

    fn int(&self, row: &Row, name: &str) -> i64 {
        self.int_or_none(row, name).unwrap_or_else(|| panic!("`{name}` is an int64"))
    }

    fn int_or_none(&self, row: &Row, name: &str) -> Option<i64> {
        match self.value(row, name) {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    fn timestamp(&self, row: &Row, name: &str) -> i64 {
        match self.value(row, name) {
            Value::Timestamp(nanoseconds) => *nanoseconds,
            other => panic!("`{name}` is a timestamp, not {other:?}"),
        }
    }

    fn float(&self, row: &Row, name: &str) -> f64 {
        self.float_or_none(row, name).unwrap_or_else(|| panic!("`{name}` is a float64"))
    }

    fn float_or_none(&self, row: &Row, name: &str) -> Option<f64> {
        match self.value(row, name) {
            Value::Float(number) => Some(number.get()),
            _ => None,
        }
    }

    fn text<'r>(&self, row: &'r Row, name: &str) -> &'r str {
        self.text_or_none(row, name).unwrap_or_else(|| panic!("`{name}` is a string"))
    }

    fn text_or_none<'r>(&self, row: &'r Row, name: &str) -> Option<&'r str> {
        match self.value(row, name) {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}
