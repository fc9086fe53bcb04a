//! Files as users have them: good lines are read, bad lines are named and lose only themselves.

#![expect(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

use std::io::Write;

use arqon_formats::{InputFile, InputOptions, InputRows, Location, ReadError};
use arqon_proto::BodyCodec;
use arqon_types::{Change, ColumnBatch, Discipline, Field, Row, Schema, Type, Value};

fn schema() -> Schema {
    Schema::new(
        "Person",
        vec![
            Field::new("id", Type::Int64),
            Field::new("name", Type::String),
            Field::new("age", Type::Int64.optional()),
            Field::new("tags", Type::List(Box::new(Type::String))),
        ],
    )
}

fn person(id: i64, name: &str, age: Option<i64>, tags: &[&str]) -> Row {
    let tags = tags.iter().map(|tag| Value::string(tag)).collect();
    let age = age.map_or(Value::None, Value::Int);
    vec![Value::Int(id), Value::string(name), age, Value::List(tags)].into()
}

struct Read {
    rows: Vec<Row>,
    changes: Vec<Change>,
    faults: Vec<String>,
    n_batches: usize,
}

/// Reads `content` as a file of that name, three records a batch.
fn read(name: &str, content: &[u8], options: InputOptions) -> Result<Read, ReadError> {
    read_as(name, content, options, Discipline::Full)
}

fn read_as(
    name: &str,
    content: &[u8],
    options: InputOptions,
    discipline: Discipline,
) -> Result<Read, ReadError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    let location = Location::parse(path.to_str().unwrap()).unwrap();
    let codec = BodyCodec::new(schema(), discipline, &["id".to_owned()]);
    let mut input = InputFile::open(&location, &codec, options)?;
    let mut all = Read { rows: vec![], changes: vec![], faults: vec![], n_batches: 0 };
    while let Some(batch) = input.next_batch(3)? {
        assert!((1..=3).contains(&batch.n_records()));
        all.n_batches += 1;
        match batch.rows {
            InputRows::Columns(columns) => {
                let types = schema().types();
                assert!(columns.diffs.iter().all(|diff| *diff == 1));
                all.rows.extend((0..columns.len()).map(|at| columns.row(at, &types)));
            }
            InputRows::Changes(changes) => all.changes.extend(changes),
        }
        let prefix = format!("{}/", directory.path().display());
        all.faults.extend(batch.faults.iter().map(|fault| fault.to_string().replace(&prefix, "")));
    }
    assert_eq!(input.bytes_read().so_far(), content.len() as u64);
    assert_eq!(input.bytes_read().total(), Some(content.len() as u64));
    Ok(all)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 0).unwrap()
}

const PEOPLE: &str = "\u{feff}tags,age,id,name\n\
    [],30,1,Ada\n\
    \"[\"\"a\"\",\"\"b\"\"]\",,2,\"Grace \"\"Amazing\"\" Hopper\nof the Navy\"\n\
    [],41,3,\n";

fn people() -> Vec<Row> {
    vec![
        person(1, "Ada", Some(30), &[]),
        person(2, "Grace \"Amazing\" Hopper\nof the Navy", None, &["a", "b"]),
        person(3, "", Some(41), &[]),
    ]
}

#[test]
fn csv_columns_stand_in_any_order_and_cells_may_be_quoted() {
    let plain = read("people.csv", PEOPLE.as_bytes(), InputOptions::default()).unwrap();
    assert_eq!(plain.rows, people());
    assert_eq!(plain.faults, [""; 0]);
    let zipped = read("people.csv.gz", &gzip(PEOPLE.as_bytes()), InputOptions::default()).unwrap();
    assert_eq!(zipped.rows, people());
    // Two gzip members behind each other are one file, and so are two frames of zstd.
    let (head, tail) = PEOPLE.as_bytes().split_at(50);
    let joined = [gzip(head), gzip(tail)].concat();
    assert_eq!(read("p.csv.gz", &joined, InputOptions::default()).unwrap().rows, people());
    let joined = [zstd(head), zstd(tail)].concat();
    assert_eq!(read("p.csv.zst", &joined, InputOptions::default()).unwrap().rows, people());
}

#[test]
fn what_threads_read_ahead_is_what_one_reads() {
    let line = |id: u32| match id % 1_000 {
        7 => format!("{id},none,old,[]\n"),
        8 => format!("\n{id},\"two\nlines, \"\"quoted\"\"\",,[]\n"),
        9 => format!("{id}\n"),
        _ => format!("{id},name {id},{},[]\n", id % 90),
    };
    let header = "id,name,age,tags\n".to_owned();
    let content: String = std::iter::once(header).chain((0..50_000).map(line)).collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("people.csv");
    std::fs::write(&path, &content).unwrap();
    let location = Location::parse(path.to_str().unwrap()).unwrap();
    let codec = BodyCodec::new(schema(), Discipline::Full, &["id".to_owned()]);
    let read = |n_threads, n_records_max| {
        let mut input = InputFile::open(&location, &codec, InputOptions::default()).unwrap();
        input.read_ahead(n_threads);
        let mut rows = ColumnBatch::empty(&schema().types());
        let (mut faults, mut sizes) = (Vec::new(), Vec::new());
        while let Some(batch) = input.next_batch(n_records_max).unwrap() {
            sizes.push(batch.n_records());
            let InputRows::Columns(columns) = &batch.rows else { panic!("rows are plain") };
            rows.append(columns);
            faults.extend(batch.faults);
        }
        (rows, faults, sizes)
    };
    let (rows, faults, sizes) = read(1, 1 << 14);
    assert_eq!((rows.len(), faults.len()), (49_900, 100));
    assert_eq!(faults[0].line, 9);
    for n_threads in 2..4 {
        assert_eq!(read(n_threads, 1 << 14), (rows.clone(), faults.clone(), sizes.clone()));
        for n_records_max in [5_000, 7] {
            let (same_rows, same_faults, sizes) = read(n_threads, n_records_max);
            assert_eq!((same_rows, same_faults), (rows.clone(), faults.clone()));
            assert!(sizes.iter().all(|n_records| (1..=n_records_max).contains(n_records)));
        }
    }
    // Whoever stops asking leaves no thread behind that waits.
    let mut input = InputFile::open(&location, &codec, InputOptions::default()).unwrap();
    input.read_ahead(3);
    assert_eq!(input.next_batch(10).unwrap().map(|batch| batch.n_records()), Some(10));
}

#[test]
fn windows_lines_and_a_missing_last_line_end_are_read_alike() {
    let crlf = "id,name,age,tags\r\n1,Ada,30,[]\r\n\r\n2,\"B\r\nC\",,[]\r\n3,D,x,[]\r\n4,E,5,[]";
    let all = read("people.csv", crlf.as_bytes(), InputOptions::default()).unwrap();
    let expected = [
        person(1, "Ada", Some(30), &[]),
        person(2, "B\r\nC", None, &[]),
        person(4, "E", Some(5), &[]),
    ];
    assert_eq!(all.rows, expected);
    assert_eq!(all.faults, ["people.csv:6: age: expects int64, found \"x\""]);
    assert_eq!(all.n_batches, 2);
}

#[test]
fn a_bad_csv_line_loses_only_itself() {
    let content = "id,name,age,tags\n\
        1,Ada,30,[]\n\
        two,Bob,1,[]\n\
        \n\
        3,\"multi\nline\",x,[]\n\
        4,short\n\
        5,Eve,,[1]\n\
        6,Fay,,[\n\
        ,Gil,,[]\n\
        8,Hal,8,[]\n";
    let all = read("people.csv", content.as_bytes(), InputOptions::default()).unwrap();
    assert_eq!(all.rows, [person(1, "Ada", Some(30), &[]), person(8, "Hal", Some(8), &[])]);
    let places: Vec<&str> =
        all.faults.iter().map(|fault| &fault[..fault.rfind(": ").unwrap()]).collect();
    assert_eq!(all.faults.len(), 6, "{:#?}", all.faults);
    assert!(all.faults[0].starts_with("people.csv:3: id: expects int64"), "{:?}", all.faults[0]);
    assert!(all.faults[1].starts_with("people.csv:5: age: "), "{:?}", all.faults[1]);
    assert_eq!(all.faults[2], "people.csv:7: has 2 cells, the header 4");
    assert!(all.faults[3].starts_with("people.csv:8: tags[0]: "), "{places:?}");
    assert!(all.faults[4].starts_with("people.csv:9: tags[0]: is not JSON"), "{places:?}");
    assert_eq!(all.faults[5], "people.csv:10: id: is empty, and int64 is no option");
}

#[test]
fn text_that_is_not_utf_8_is_a_bad_line() {
    let content = b"id,name,age,tags\n1,\xFF\xFE,1,[]\n2,ok,1,[]\n";
    let all = read("people.csv", content, InputOptions::default()).unwrap();
    assert_eq!(all.faults, ["people.csv:2: name: is not UTF-8"]);
    assert_eq!(all.rows, [person(2, "ok", Some(1), &[])]);
}

#[test]
fn headers_must_fit_the_schema() {
    let check = |header: &str, options| match read("p.csv", header.as_bytes(), options) {
        Ok(_) => "fits".to_owned(),
        Err(error) => error.to_string().rsplit_once("p.csv:1: ").unwrap().1.to_owned(),
    };
    let strict = InputOptions::default();
    let lenient = InputOptions { ignore_extra: true };
    assert_eq!(check("id,name,tags\n", strict), "fits");
    assert_eq!(
        check("id,name,tags,mood\n", strict),
        "column `mood` is no field of `Person` (id, name, age, tags); \
         --ignore-extra skips such columns"
    );
    assert_eq!(check("id,name,tags,mood\n", lenient), "fits");
    assert_eq!(
        check("id,name\n", strict),
        "the header has no column `tags`, and list<string> is no option"
    );
    assert_eq!(check("id,id,name,tags\n", strict), "the header names `id` twice");
    let extra = read("p.csv", b"x,id,y,tags,name\n1,2,3,[],n\n", lenient).unwrap();
    assert_eq!(extra.rows, [person(2, "n", None, &[])]);
    assert_eq!(read("p.csv", b"", strict).unwrap().rows, []);
}

#[test]
fn plain_ndjson_lines_are_columns() {
    let content = "\u{feff}{\"name\":\"Ada\",\"id\":1,\"tags\":[]}\r\n\n\
        {\"id\":\"2\",\"name\":\"B\",\"age\":7,\"tags\":[\"x\"]}";
    let all = read("p.ndjson.gz", &gzip(content.as_bytes()), InputOptions::default()).unwrap();
    assert_eq!(all.rows, [person(1, "Ada", None, &[]), person(2, "B", Some(7), &["x"])]);
    assert!(all.changes.is_empty() && all.faults.is_empty());
}

#[test]
fn deletes_and_diffs_keep_the_order_of_the_lines() {
    let content = "{\"id\":1,\"name\":\"A\",\"tags\":[]}\n\
        {\"$delete\":{\"id\":1}}\n\
        {\"id\":2,\"name\":\"B\",\"tags\":[]}\n";
    let all = read("p.jsonl", content.as_bytes(), InputOptions::default()).unwrap();
    let expected = [
        Change::Upsert(person(1, "A", None, &[])),
        Change::Delete(vec![Value::Int(1)].into()),
        Change::Upsert(person(2, "B", None, &[])),
    ];
    assert_eq!(all.changes, expected);
    let content = "{\"$epoch\":7,\"$diff\":-2,\"$row\":{\"id\":1,\"name\":\"A\",\"tags\":[]}}\n";
    let all =
        read_as("p.jsonl", content.as_bytes(), InputOptions::default(), Discipline::Delta).unwrap();
    assert_eq!(all.changes, [Change::Diff { row: person(1, "A", None, &[]), diff: -2 }]);
}

#[test]
fn a_bad_ndjson_line_loses_only_itself() {
    let content = b"{\"id\":1,\"name\":\"A\",\"tags\":[]}\n\
        not json\n\
        {\"id\":1,\"name\":\"A\",\"tags\":[],\"mood\":1}\n\
        [1]\n\
        \xFF\n\
        {\"id\":2,\"name\":\"B\",\"tags\":[]}\n";
    let all = read("p.ndjson", content, InputOptions::default()).unwrap();
    assert_eq!(all.rows, [person(1, "A", None, &[]), person(2, "B", None, &[])]);
    let lines: Vec<&str> = all.faults.iter().map(|fault| &fault[..11]).collect();
    assert_eq!(lines, ["p.ndjson:2:", "p.ndjson:3:", "p.ndjson:4:", "p.ndjson:5:"]);
    assert!(all.faults[1].contains("mood"), "{:?}", all.faults);
}

#[test]
fn a_file_that_breaks_off_is_a_read_error_with_its_line() {
    let people = PEOPLE.repeat(2_000).into_bytes();
    let packed = [("p.csv.gz", gzip(&people)), ("p.csv.zst", zstd(&people))];
    for (name, packed) in packed {
        let error = read(name, &packed[..packed.len() / 2], InputOptions::default())
            .err()
            .expect("half a packed file is not a file");
        assert!(matches!(error, ReadError::Read { .. }), "{error}");
    }
    let missing = Location::parse("no/such/file.csv").unwrap();
    let codec = BodyCodec::new(schema(), Discipline::Events, &[]);
    let error = InputFile::open(&missing, &codec, InputOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `no/such/file.csv`");
}

#[test]
fn a_quote_that_nobody_closes_takes_no_rows_unsaid() {
    let content = b"id,name,age,tags\n1,ann,,[]\n2,bob,,\"[]\n3,cy,,[]\n";
    let read = read("p.csv", content, InputOptions::default()).unwrap();
    assert_eq!(read.rows, [person(1, "ann", None, &[])]);
    let fault = "p.csv:3: a quote is opened and never closed, so all that is left of the file is \
                 in it, 2 lines";
    assert_eq!(read.faults, [fault]);
    let header = header_with_open_quote();
    assert!(header.contains("a quote is opened and never closed in the header"), "{header}");
}

/// What is said of a header with an open quote.
fn header_with_open_quote() -> String {
    let error = read("p.csv", b"id,\"name,age,tags\n1,ann,,[]\n", InputOptions::default());
    let ReadError::Header { reason, .. } = error.err().unwrap() else { panic!("another error") };
    reason
}

#[test]
fn an_endless_record_is_refused_before_it_is_held() {
    let mut content = b"id,name,age,tags\n1,\"".to_vec();
    content.resize(40 << 20, b'x');
    let error = read("p.csv", &content, InputOptions::default()).err().expect("a 40 MiB record");
    let ReadError::Read { line, source, .. } = error else { panic!("{error}") };
    assert_eq!(line, 1);
    assert!(source.to_string().contains("quote"), "{source}");
    let error = read("p.ndjson", &content[20..], InputOptions::default()).err().expect("a line");
    assert!(matches!(error, ReadError::Read { .. }), "{error}");
}
