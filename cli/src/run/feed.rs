//! Input files become epochs: in the order of the flags, cut where `--epoch-rows` says.

use arqon_engine::{Changes, TopicInput};
use arqon_formats::{InputBatch, InputFile, InputRows, LineFault, ReadError};
use arqon_types::TopicName;

use crate::exit::Failure;

/// Records of an epoch where nobody says how many.
const EPOCH_ROWS_DEFAULT: u64 = 1 << 14;
/// Records that are read at a time.
const BATCH_ROWS_MAX: u64 = 1 << 15;

/// An open input and the topic that it fills.
#[derive(Debug)]
pub(crate) struct OpenInput {
    /// The topic.
    pub(crate) topic: TopicName,
    /// The file.
    pub(crate) file: InputFile,
}

/// What happens to what is read.
pub(crate) trait Sink {
    /// Takes the changes of one epoch.
    fn epoch(&mut self, changes: Vec<TopicInput>) -> Result<(), Failure>;
    /// Hears of a bad line; it is part of the epoch's changes as well.
    fn fault(&mut self, fault: &LineFault);
    /// Hears how many records a batch had; false ends the reading.
    fn go_on(&mut self, n_records: u64) -> bool;
}

/// Reads all inputs to their ends, one after another.
///
/// With `epoch_rows` an epoch is closed every so many records, good and bad, of all inputs
/// together; without it, wherever a file ends or has no more at the moment.
///
/// # Errors
/// A [`Failure`] if a file breaks off, or the sink takes no more.
pub(crate) fn feed(
    inputs: &mut [OpenInput],
    epoch_rows: Option<u64>,
    sink: &mut impl Sink,
) -> Result<(), Failure> {
    let limit = epoch_rows.unwrap_or(EPOCH_ROWS_DEFAULT);
    let mut pending = Vec::new();
    let mut n_pending = 0;
    for OpenInput { topic, file } in inputs {
        loop {
            let wanted = (limit - n_pending).min(BATCH_ROWS_MAX);
            let wanted = usize::try_from(wanted).expect("at most BATCH_ROWS_MAX");
            let batch = match file.next_batch(wanted) {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(error) => {
                    // What was read before the file broke off stands.
                    if n_pending > 0 {
                        sink.epoch(pending)?;
                    }
                    return Err(read_failure(&error));
                }
            };
            let n_records = batch.n_records() as u64;
            batch.faults.iter().for_each(|fault| sink.fault(fault));
            add(&mut pending, topic, batch);
            n_pending += n_records;
            if n_pending == limit || epoch_rows.is_none() {
                sink.epoch(std::mem::take(&mut pending))?;
                n_pending = 0;
            }
            if !sink.go_on(n_records) {
                return Ok(());
            }
        }
    }
    if n_pending > 0 {
        sink.epoch(pending)?;
    }
    Ok(())
}

pub(crate) fn read_failure(error: &ReadError) -> Failure {
    let text = Failure::chain(error);
    match error {
        // The file is there and can be read; it is its content that does not fit.
        ReadError::Header { .. } | ReadError::Schema { .. } => Failure::errors(text),
        _ => Failure::unreachable(text),
    }
}

fn add(pending: &mut Vec<TopicInput>, topic: &TopicName, batch: InputBatch) {
    let mut push = |changes: Changes| {
        if changes.is_empty() {
            return;
        }
        match (pending.last_mut(), changes) {
            (
                Some(TopicInput { topic: last, changes: Changes::Rows(rows) }),
                Changes::Rows(more),
            ) if last == topic => {
                rows.extend(more);
            }
            (_, changes) => pending.push(TopicInput { topic: topic.clone(), changes }),
        }
    };
    push(match batch.rows {
        InputRows::Columns(columns) => Changes::Columns(columns),
        InputRows::Changes(changes) => Changes::Rows(changes),
    });
    push(Changes::Errors(batch.faults.iter().map(|fault| fault.to_error_row(topic)).collect()));
}

#[cfg(test)]
mod tests {
    use arqon_formats::{InputOptions, Location};
    use arqon_proto::BodyCodec;
    use arqon_types::{Discipline, Field, Schema, Type};

    use super::*;

    #[derive(Default)]
    struct Recorder {
        epochs: Vec<Vec<(String, usize)>>,
        n_faults: usize,
        n_records_max: u64,
        n_records: u64,
    }

    impl Sink for Recorder {
        fn epoch(&mut self, changes: Vec<TopicInput>) -> Result<(), Failure> {
            let sizes = changes.iter().map(|input| {
                let name = match &input.changes {
                    Changes::Errors(_) => format!("{}!", input.topic),
                    Changes::Rows(_) | Changes::Columns(_) => input.topic.to_string(),
                };
                (name, input.changes.len())
            });
            self.epochs.push(sizes.collect());
            Ok(())
        }

        fn fault(&mut self, _: &LineFault) {
            self.n_faults += 1;
        }

        fn go_on(&mut self, n_records: u64) -> bool {
            self.n_records += n_records;
            self.n_records < self.n_records_max
        }
    }

    fn input(topic: &str, content: &'static str) -> OpenInput {
        let schema = Schema::new("N", vec![Field::new("n", Type::Int64)]);
        let codec = BodyCodec::new(schema, Discipline::Events, &[]);
        let location = Location::parse("numbers.csv").unwrap();
        let options = InputOptions::default();
        let file = InputFile::embedded(&location, content.as_bytes(), &codec, options).unwrap();
        OpenInput { topic: TopicName::parse(topic).unwrap(), file }
    }

    fn run(epoch_rows: Option<u64>, n_records_max: u64) -> Recorder {
        let mut inputs = [input("a", "n\n1\n2\nx\n4\n"), input("b", "n\n5\n6\n")];
        let mut recorder = Recorder { n_records_max, ..Recorder::default() };
        feed(&mut inputs, epoch_rows, &mut recorder).unwrap();
        recorder
    }

    #[test]
    fn epochs_are_cut_by_records_of_all_inputs_together() {
        let name = |text: &str, n| (text.to_owned(), n);
        let cut = run(Some(3), 99);
        assert_eq!(
            cut.epochs,
            [vec![name("a", 2), name("a!", 1)], vec![name("a", 1), name("b", 2)]]
        );
        assert_eq!(cut.n_faults, 1);
        assert_eq!(run(Some(1), 99).epochs.len(), 6);
        assert_eq!(run(Some(100), 99).epochs.len(), 1);
        assert_eq!(run(None, 99).epochs, [vec![name("a", 3), name("a!", 1)], vec![name("b", 2)]]);
    }

    #[test]
    fn reading_ends_where_the_sink_says() {
        assert_eq!(run(Some(1), 2).epochs.len(), 2);
    }
}
