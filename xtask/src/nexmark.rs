//! `cargo xtask nexmark`: the events of the Nexmark benchmark as CSV, a file for each kind, with
//! the field names of the crate `nexmark`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use nexmark::EventGenerator;
use nexmark::config::NexmarkConfig;
use nexmark::event::Event;

use crate::step::say;

/// Time of the first event, 2026-01-01T00:00:00Z in milliseconds, so that equal arguments give
/// equal bytes.
const BASE_TIME_MS: u64 = 1_767_225_600_000;

/// Rows of the side input: query 13 joins by the auction modulo this number.
const SIDE_INPUTS: u64 = 10_000;

/// Where to write and how much.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many events: of 50, one is a person, three are auctions and the others bids.
    #[arg(long, default_value_t = 200_000)]
    events: usize,
    /// Events in a second of their own time.
    #[arg(long, default_value_t = 1_000)]
    rate: usize,
    /// Folder for `person.csv`, `auction.csv`, `bid.csv` and `side_input.csv`; made when it is
    /// missing.
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool, String> {
    let Arguments { events, rate, folder } = arguments;
    if *rate == 0 {
        return Err("at a rate of 0 no event ever comes".to_owned());
    }
    write_events(*events, *rate, folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(true)
}

/// Writes the first events in their order, and the side input.
pub(crate) fn write_events(n_events: usize, rate: usize, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut person = Table::create(
        folder,
        "person",
        "id,name,email_address,credit_card,city,state,date_time,extra",
    )?;
    let mut auction = Table::create(
        folder,
        "auction",
        "id,item_name,description,initial_bid,reserve,date_time,expires,seller,category,extra",
    )?;
    let mut bid = Table::create(folder, "bid", "auction,bidder,price,channel,url,date_time,extra")?;
    let config = NexmarkConfig {
        base_time: BASE_TIME_MS,
        first_rate: rate,
        next_rate: rate,
        ..NexmarkConfig::default()
    };
    for event in EventGenerator::new(config).take(n_events) {
        match event {
            Event::Person(it) => person.row(&[
                it.id.to_string(),
                it.name,
                it.email_address,
                it.credit_card,
                it.city,
                it.state,
                time(it.date_time),
                it.extra,
            ])?,
            Event::Auction(it) => auction.row(&[
                it.id.to_string(),
                it.item_name,
                it.description,
                it.initial_bid.to_string(),
                it.reserve.to_string(),
                time(it.date_time),
                time(it.expires),
                it.seller.to_string(),
                it.category.to_string(),
                it.extra,
            ])?,
            Event::Bid(it) => bid.row(&[
                it.auction.to_string(),
                it.bidder.to_string(),
                it.price.to_string(),
                it.channel,
                it.url,
                time(it.date_time),
                it.extra,
            ])?,
        }
    }
    let mut side_input = Table::create(folder, "side_input", "key,value")?;
    for key in 0..SIDE_INPUTS {
        side_input.row(&[key.to_string(), format!("value {key}")])?;
    }
    [person, auction, bid, side_input].into_iter().try_for_each(Table::finish)
}

/// Milliseconds since 1970 as they are written, `2026-01-01T00:00:00.250Z`.
fn time(milliseconds: u64) -> String {
    let nanoseconds = i64::try_from(milliseconds).expect("times of events are near") * 1_000_000;
    arqon_types::format_timestamp(nanoseconds)
}

struct Table {
    file: BufWriter<File>,
    name: &'static str,
    n_rows: u64,
}

impl Table {
    fn create(folder: &Path, name: &'static str, header: &str) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(folder.join(format!("{name}.csv")))?);
        writeln!(file, "{header}")?;
        Ok(Self { file, name, n_rows: 0 })
    }

    fn row(&mut self, cells: &[String]) -> io::Result<()> {
        for (at, cell) in cells.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            if cell.contains(['"', ',', '\n', '\r']) {
                write!(self.file, "{comma}\"{}\"", cell.replace('"', "\"\""))?;
            } else {
                write!(self.file, "{comma}{cell}")?;
            }
        }
        self.n_rows += 1;
        writeln!(self.file)
    }

    fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        say(&format!("{:<10} {:>9} rows", self.name, self.n_rows));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_written_by_kind_and_the_same_every_time() {
        let folder = std::env::temp_dir().join(format!("arqon-nexmark-{}", std::process::id()));
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        write_events(1_000, 1_000, &folder).unwrap();
        let first = read("bid.csv");
        write_events(1_000, 1_000, &folder).unwrap();
        assert_eq!(read("bid.csv"), first);
        let n_rows = |name: &str| read(name).lines().count() - 1;
        assert_eq!((n_rows("person.csv"), n_rows("auction.csv"), n_rows("bid.csv")), (20, 60, 920));
        let person = read("person.csv");
        assert!(person.starts_with("id,name,email_address,credit_card,city,state,date_time,extra"));
        assert!(person.lines().nth(1).unwrap().contains(",2026-01-01T00:00:00Z,"), "{person}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
