//! Parquet as other programs write it: each way to store a type, what does not fit, what is damaged.

#![expect(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

use std::error::Error;
use std::sync::Arc;

use arqon_formats::{
    InputFile, InputOptions, InputRows, Location, OutputFile, OutputKind, ReadError,
};
use arqon_proto::BodyCodec;
use arqon_types::{
    DeltaBatch, Discipline, Epoch, Field, Row, Schema, TimeUnit, TimeUnits, TopicName, Type,
    Update, Value, parse_date, parse_timestamp,
};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, Int96};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// The values of a column with their definition and repetition levels.
enum Cells {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Double(Vec<f64>),
    Single(Vec<f32>),
    Bytes(Vec<&'static [u8]>),
    Fixed(Vec<&'static [u8]>),
}

struct Cut {
    cells: Cells,
    defs: Vec<i16>,
    reps: Vec<i16>,
}

/// Values all of which are there.
fn whole(cells: Cells) -> Cut {
    Cut { cells, defs: Vec::new(), reps: Vec::new() }
}

/// A file of one row group.
fn file(message: &str, columns: Vec<Cut>) -> Vec<u8> {
    file_of(message, vec![columns], WriterProperties::builder().build())
}

/// A file of these row groups.
fn file_of(message: &str, groups: Vec<Vec<Cut>>, properties: WriterProperties) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(message).unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    for columns in groups {
        write_group(&mut writer, columns);
    }
    writer.close().unwrap();
    bytes
}

fn write_group(writer: &mut SerializedFileWriter<&mut Vec<u8>>, columns: Vec<Cut>) {
    let mut group = writer.next_row_group().unwrap();
    for Cut { cells, defs, reps } in columns {
        let mut column = group.next_column().unwrap().unwrap();
        let [defs, reps] =
            [&defs, &reps].map(|levels| Some(&levels[..]).filter(|it| !it.is_empty()));
        let levels = (defs, reps);
        let array = |bytes: &&'static [u8]| ByteArray::from(bytes.to_vec());
        match (cells, column.untyped()) {
            (Cells::Int32(cells), ColumnWriter::Int32ColumnWriter(writer)) => {
                writer.write_batch(&cells, levels.0, levels.1).unwrap();
            }
            (Cells::Int64(cells), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(&cells, levels.0, levels.1).unwrap();
            }
            (Cells::Int96(cells), ColumnWriter::Int96ColumnWriter(writer)) => {
                writer.write_batch(&cells, levels.0, levels.1).unwrap();
            }
            (Cells::Double(cells), ColumnWriter::DoubleColumnWriter(writer)) => {
                writer.write_batch(&cells, levels.0, levels.1).unwrap();
            }
            (Cells::Single(cells), ColumnWriter::FloatColumnWriter(writer)) => {
                writer.write_batch(&cells, levels.0, levels.1).unwrap();
            }
            (Cells::Bytes(cells), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                let cells: Vec<ByteArray> = cells.iter().map(array).collect();
                writer.write_batch(&cells, levels.0, levels.1).unwrap();
            }
            (Cells::Fixed(cells), ColumnWriter::FixedLenByteArrayColumnWriter(writer)) => {
                let cells: Vec<_> = cells.iter().map(|cell| array(cell).into()).collect();
                writer.write_batch(&cells, levels.0, levels.1).unwrap();
            }
            _ => panic!("the cells are not of the column's type"),
        }
        column.close().unwrap();
    }
    group.close().unwrap();
}

/// The rows and the faults of a file; two rows a batch.
fn read(
    bytes: &[u8],
    schema: &Schema,
    options: InputOptions,
) -> Result<(Vec<Row>, Vec<String>), ReadError> {
    let read = read_by(bytes, schema, options, Reading { n_threads: 1, n_rows_max: 2 });
    read.broken.map_or(Ok((read.rows, read.faults)), Err)
}

/// How a file is read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    n_threads: usize,
    n_rows_max: usize,
}

/// What a file has, as far as it can be read.
#[derive(Default)]
struct Read {
    rows: Vec<Row>,
    faults: Vec<String>,
    broken: Option<ReadError>,
    /// Records of each batch.
    sizes: Vec<usize>,
}

impl Read {
    /// All but the rows, for people.
    fn text(&self) -> String {
        let broken = self.broken.as_ref().map(|error| match error {
            ReadError::Broken { n_rows, source, .. } => format!("after {n_rows}: {source}"),
            ReadError::Schema { reason, .. } => reason.clone(),
            other => other.source().map_or_else(String::new, ToString::to_string),
        });
        format!("{:?} {:?} {broken:?}", self.sizes, self.faults)
    }

    fn check_same(&self, other: &Self, context: &str) {
        assert_eq!(self.text(), other.text(), "{context}");
        assert!(self.rows == other.rows, "{context}");
    }
}

fn read_by(bytes: &[u8], schema: &Schema, options: InputOptions, reading: Reading) -> Read {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.parquet");
    std::fs::write(&path, bytes).unwrap();
    let location = Location::parse(path.to_str().unwrap()).unwrap();
    let codec = BodyCodec::new(schema.clone(), Discipline::Events, &[]);
    let mut read = Read::default();
    let mut input = match InputFile::open(&location, &codec, options) {
        Ok(input) => input,
        Err(error) => return Read { broken: Some(error), ..read },
    };
    input.read_ahead(reading.n_threads);
    let prefix = format!("{}/", directory.path().display());
    loop {
        let batch = match input.next_batch(reading.n_rows_max) {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error) => {
                // There is no way past damage.
                assert!(input.next_batch(reading.n_rows_max).unwrap().is_none());
                return Read { broken: Some(error), ..read };
            }
        };
        read.sizes.push(batch.n_records());
        let InputRows::Columns(columns) = batch.rows else { panic!("all rows are plain") };
        let types = schema.types();
        read.rows.extend((0..columns.len()).map(|at| columns.row(at, &types)));
        let faults = batch.faults.iter();
        read.faults.extend(faults.map(|fault| fault.to_string().replace(&prefix, "")));
    }
    assert_eq!(input.bytes_read().so_far(), bytes.len() as u64);
    read
}

/// What a file of one column `x` is read as.
fn column(physical: &str, ty: Type, cells: Cells) -> (Vec<Value>, Vec<String>) {
    let bytes = file(&format!("message m {{ required {physical}; }}"), vec![whole(cells)]);
    let schema = Schema::new("T", vec![Field::new("x", ty)]);
    let (rows, faults) = read(&bytes, &schema, InputOptions::default()).unwrap();
    (rows.into_iter().map(|row| row[0].clone()).collect(), faults)
}

fn check(physical: &str, ty: Type, cells: Cells, expected: &[Value]) {
    assert_eq!(column(physical, ty, cells), (expected.to_vec(), Vec::new()), "{physical}");
}

#[test]
fn whole_numbers_of_all_widths_are_int64() {
    let ints = |ints: &[i64]| ints.iter().copied().map(Value::Int).collect::<Vec<_>>();
    for width in ["INT_8", "INT_16", "INT_32"] {
        let cells = Cells::Int32(vec![-3, 4]);
        check(&format!("INT32 x ({width})"), Type::Int64, cells, &ints(&[-3, 4]));
    }
    check("INT32 x", Type::Int64, Cells::Int32(vec![i32::MIN]), &ints(&[i32::MIN.into()]));
    check("INT64 x", Type::Int64, Cells::Int64(vec![i64::MIN]), &ints(&[i64::MIN]));
    check("INT32 x (UINT_32)", Type::Int64, Cells::Int32(vec![-1]), &ints(&[u32::MAX.into()]));
    let (values, faults) = column("INT64 x (UINT_64)", Type::Int64, Cells::Int64(vec![7, -1, 8]));
    assert_eq!(values, ints(&[7, 8]));
    assert_eq!(faults, ["t.parquet:2: x: is 18446744073709551615, out of the range of int64"]);
}

#[test]
fn whole_numbers_are_floats_and_decimals_where_they_are_exact() {
    let cells = || Cells::Int64(vec![1 << 53, (1 << 53) + 1]);
    let (values, faults) = column("INT64 x", Type::Float64, cells());
    assert_eq!(values, [Value::float(9_007_199_254_740_992.0)]);
    assert_eq!(faults, ["t.parquet:2: x: is 9007199254740993, which is not exact as a float64"]);
    check("INT32 x", Type::Float32, Cells::Int32(vec![3]), &[Value::float(3.0)]);
    check("INT32 x", Type::Decimal(2), Cells::Int32(vec![3]), &[Value::Decimal(300)]);
}

#[test]
fn decimals_are_read_from_all_that_they_are_stored_in() {
    let expected = [Value::Decimal(-123), Value::Decimal(5)];
    check("INT32 x (DECIMAL(9, 2))", Type::Decimal(2), Cells::Int32(vec![-123, 5]), &expected);
    check("INT64 x (DECIMAL(18, 2))", Type::Decimal(2), Cells::Int64(vec![-123, 5]), &expected);
    let bytes: Vec<&[u8]> = vec![&[0xFF, 0x85], &[0, 5]];
    let cells = Cells::Fixed(bytes.clone());
    check("FIXED_LEN_BYTE_ARRAY(2) x (DECIMAL(4, 2))", Type::Decimal(2), cells, &expected);
    check("BYTE_ARRAY x (DECIMAL(4, 2))", Type::Decimal(2), Cells::Bytes(bytes), &expected);
    // Another scale, where no digit is lost.
    let scaled = [Value::Decimal(-12_300), Value::Decimal(500)];
    check("INT32 x (DECIMAL(9, 2))", Type::Decimal(4), Cells::Int32(vec![-123, 5]), &scaled);
    let (values, faults) =
        column("INT32 x (DECIMAL(9, 2))", Type::Decimal(1), Cells::Int32(vec![-123, 50]));
    assert_eq!(values, [Value::Decimal(5)]);
    assert_eq!(faults, ["t.parquet:1: x: is -1.23, no decimal<1>"]);
    let (values, faults) =
        column("INT32 x (DECIMAL(9, 1))", Type::Int64, Cells::Int32(vec![20, 25]));
    assert_eq!(values, [Value::Int(2)]);
    assert_eq!(faults, ["t.parquet:2: x: is 2.5, no int64"]);
}

#[test]
fn times_are_read_in_their_units() {
    let at = |text: &str| Value::Timestamp(parse_timestamp(text).unwrap());
    let expected = [at("2026-01-02T03:04:05.678Z")];
    let ms = parse_timestamp("2026-01-02T03:04:05.678Z").unwrap() / 1_000_000;
    for (unit, factor) in [("MILLIS", 1), ("MICROS", 1_000), ("NANOS", 1_000_000)] {
        for zone in [true, false] {
            let physical = format!("INT64 x (TIMESTAMP({unit}, {zone}))");
            check(&physical, Type::Timestamp, Cells::Int64(vec![ms * factor]), &expected);
        }
    }
    check("INT64 x (TIMESTAMP_MILLIS)", Type::Timestamp, Cells::Int64(vec![ms]), &expected);
    let mut old = Int96::new();
    old.set_data(5, 0, 2_440_589);
    let expected = [Value::Timestamp(86_400_000_000_005)];
    check("INT96 x", Type::Timestamp, Cells::Int96(vec![old]), &expected);

    let (values, faults) =
        column("INT64 x (TIMESTAMP(MICROS, true))", Type::Timestamp, Cells::Int64(vec![i64::MAX]));
    assert_eq!((values.len(), faults.len()), (0, 1));
    assert_eq!(
        faults,
        ["t.parquet:1: x: is 9223372036854775807 us, out of the range of timestamp"]
    );
    let day = Value::Date(parse_date("2026-02-03").unwrap());
    check("INT32 x (DATE)", Type::Date, Cells::Int32(vec![20_487]), &[day]);
    let noon = Value::Duration(43_200_000_000_000);
    let cells = Cells::Int64(vec![43_200_000_000]);
    check("INT64 x (TIME(MICROS, false))", Type::Duration, cells, &[noon]);
    let (_, faults) = column("INT32 x (DATE)", Type::Date, Cells::Int32(vec![i32::MAX]));
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn integers_are_timestamps_where_the_schema_says_what_they_count() {
    let bytes = file("message m { required INT64 x; }", vec![whole(Cells::Int64(vec![1_500]))]);
    let mut schema = Schema::new("T", vec![Field::new("x", Type::Timestamp)]);
    let error = read(&bytes, &schema, InputOptions::default()).unwrap_err();
    let ReadError::Schema { reason, .. } = error else { panic!("{error}") };
    assert_eq!(
        reason,
        "column `x` is INT64, which is not read as timestamp; say what the integers count, as in \
         { type: timestamp, unit: ms }"
    );
    schema.units.insert("x", TimeUnits::of(TimeUnit::Milliseconds));
    let (rows, _) = read(&bytes, &schema, InputOptions::default()).unwrap();
    assert_eq!(rows[0][0], Value::Timestamp(1_500_000_000));
}

#[test]
fn texts_are_strings_labels_and_what_csv_cells_are() {
    let label = Type::Enum(vec!["open".into(), "shut".into()].into());
    let (values, faults) =
        column("BYTE_ARRAY x (UTF8)", label, Cells::Bytes(vec![b"shut", b"ajar"]));
    assert_eq!(values, [Value::Enum(1)]);
    assert!(faults[0].starts_with("t.parquet:2: x: "), "{faults:?}");
    let id = "936da01f-9abd-4d9d-80c7-02af85c822a8".as_bytes();
    let uuid = Value::Uuid(0x936d_a01f_9abd_4d9d_80c7_02af_85c8_22a8);
    check("BYTE_ARRAY x (UTF8)", Type::Uuid, Cells::Bytes(vec![id]), std::slice::from_ref(&uuid));
    let bits: &[u8] = b"\x93\x6d\xa0\x1f\x9a\xbd\x4d\x9d\x80\xc7\x02\xaf\x85\xc8\x22\xa8";
    check("FIXED_LEN_BYTE_ARRAY(16) x (UUID)", Type::Uuid, Cells::Fixed(vec![bits]), &[uuid]);
    let (values, faults) =
        column("BYTE_ARRAY x", Type::String, Cells::Bytes(vec![b"\xFF", b"plain"]));
    assert_eq!(values, [Value::string("plain")]);
    assert_eq!(faults, ["t.parquet:1: x: is not UTF-8"]);
    let raw = [Value::Bytes(b"\xFF\0"[..].into())];
    check("BYTE_ARRAY x", Type::Bytes, Cells::Bytes(vec![b"\xFF\0"]), &raw);
    let list = Type::List(Box::new(Type::Int64));
    let items = [Value::List([Value::Int(1), Value::Int(2)].into())];
    check("BYTE_ARRAY x (JSON)", list, Cells::Bytes(vec![b"[1, 2]"]), &items);
}

#[test]
fn floats_are_normalised() {
    let cells = Cells::Double(vec![-0.0, f64::NAN]);
    let expected = [Value::float(0.0), Value::float(f64::NAN)];
    check("DOUBLE x", Type::Float64, cells, &expected);
    check("FLOAT x", Type::Float64, Cells::Single(vec![0.1]), &[Value::float(f64::from(0.1_f32))]);
}

#[test]
fn a_null_where_there_is_no_option_loses_its_row() {
    let cells = Cut { cells: Cells::Int64(vec![1, 3]), defs: vec![1, 0, 1], reps: Vec::new() };
    let bytes = file("message m { optional INT64 x; }", vec![cells]);
    let schema = |ty| Schema::new("T", vec![Field::new("x", ty)]);
    let (rows, faults) = read(&bytes, &schema(Type::Int64), InputOptions::default()).unwrap();
    assert_eq!(rows, [Row::from(vec![Value::Int(1)]), vec![Value::Int(3)].into()]);
    assert_eq!(faults, ["t.parquet:2: x: is null, and its type is no option"]);
    let optional = schema(Type::Int64.optional());
    let (rows, faults) = read(&bytes, &optional, InputOptions::default()).unwrap();
    assert_eq!(rows[1][0], Value::None);
    assert_eq!((rows.len(), faults.len()), (3, 0));
}

#[test]
fn lists_maps_and_structs_are_put_together_from_their_levels() {
    let message = "message m {
        optional group tags (LIST) { repeated group list { optional BYTE_ARRAY element (UTF8); } }
        repeated INT32 bare;
        required group old (LIST) { repeated INT32 array; }
        optional group at { required INT64 x; optional INT64 y; }
        required group seen (MAP) {
            repeated group key_value { required BYTE_ARRAY key (UTF8); required INT32 value; }
        }
    }";
    let cut =
        |cells, defs: &[i16], reps: &[i16]| Cut { cells, defs: defs.into(), reps: reps.into() };
    let bytes = file(
        message,
        vec![
            // ["a", null], null, [].
            cut(Cells::Bytes(vec![b"a"]), &[3, 2, 0, 1], &[0, 1, 0, 0]),
            cut(Cells::Int32(vec![1, 2]), &[1, 1, 0, 0], &[0, 1, 0, 0]),
            cut(Cells::Int32(vec![3]), &[0, 1, 0], &[0, 0, 0]),
            cut(Cells::Int64(vec![7, 8]), &[1, 1, 0], &[]),
            cut(Cells::Int64(vec![9]), &[2, 1, 0], &[]),
            cut(Cells::Bytes(vec![b"k", b"b", b"z", b"z"]), &[1, 1, 0, 1, 1], &[0, 1, 0, 0, 1]),
            cut(Cells::Int32(vec![1, 2, 3, 4]), &[1, 1, 0, 1, 1], &[0, 1, 0, 0, 1]),
        ],
    );
    let list = |ty: Type| Type::List(Box::new(ty));
    let fields = vec![
        Field::new("tags", list(Type::String.optional()).optional()),
        Field::new("bare", list(Type::Int64)),
        Field::new("old", list(Type::Int64)),
        Field::new(
            "at",
            Type::Struct(vec![
                Field::new("y", Type::Int64.optional()),
                Field::new("z", Type::Bool.optional()),
                Field::new("x", Type::Int64),
            ])
            .optional(),
        ),
        Field::new("seen", Type::Map(Box::new(Type::Int64))),
    ];
    let schema = Schema::new("T", fields);
    let (rows, faults) = read(&bytes, &schema, InputOptions::default()).unwrap();
    let ints = |ints: &[i64]| Value::List(ints.iter().copied().map(Value::Int).collect());
    let first = vec![
        Value::List([Value::string("a"), Value::None].into()),
        ints(&[1, 2]),
        ints(&[]),
        Value::Struct([Value::Int(9), Value::None, Value::Int(7)].into()),
        Value::map([("k".into(), Value::Int(1)), ("b".into(), Value::Int(2))]),
    ];
    let second = vec![
        Value::None,
        ints(&[]),
        ints(&[3]),
        Value::Struct([Value::None, Value::None, Value::Int(8)].into()),
        Value::map([]),
    ];
    assert_eq!(rows, [Row::from(first), second.into()]);
    assert_eq!(faults, ["t.parquet:3: seen: has the key \"z\" twice"]);
}

#[test]
fn what_does_not_fit_is_told_with_both_types_and_a_way_out() {
    let bytes = file(
        "message m { required INT64 id; optional BYTE_ARRAY age (UTF8); }",
        vec![
            whole(Cells::Int64(vec![1])),
            Cut { cells: Cells::Bytes(vec![b"9"]), defs: vec![1], reps: Vec::new() },
        ],
    );
    let options = InputOptions::default();
    let reason = |fields: Vec<(&str, Type)>, options| {
        let fields = fields.into_iter().map(|(name, ty)| Field::new(name, ty)).collect();
        match read(&bytes, &Schema::new("Person", fields), options) {
            Ok((rows, _)) => format!("{} rows", rows.len()),
            Err(ReadError::Schema { reason, .. }) => reason,
            Err(other) => panic!("{other}"),
        }
    };
    let age = |ty| vec![("id", Type::Int64), ("age", ty)];
    assert_eq!(reason(age(Type::String), options), "1 rows");
    assert_eq!(
        reason(age(Type::Int64), options),
        "column `age` is STRING, which is not read as int64; declare it as option<string>, or cast \
         the column where the file is written"
    );
    assert_eq!(
        reason(vec![("id", Type::String), ("age", Type::String)], options),
        "column `id` is INT64, which is not read as string; declare it as int64, or cast the column \
         where the file is written"
    );
    assert_eq!(
        reason(vec![("id", Type::Int64)], options),
        "column `age` is no field of `Person` (id); --ignore-extra skips such columns"
    );
    let lenient = InputOptions { ignore_extra: true };
    assert_eq!(reason(vec![("id", Type::Int64)], lenient), "1 rows");
    let more = |ty| vec![("id", Type::Int64), ("age", Type::String), ("mood", ty)];
    assert_eq!(
        reason(more(Type::Int64), options),
        "the file has no column `mood`, and int64 is no option"
    );
    assert_eq!(reason(more(Type::Int64.optional()), options), "1 rows");
}

/// Row groups of these sizes: numbers some of which do not fit, long texts or none, and lists.
fn grouped(sizes: &[usize]) -> (Schema, Vec<u8>) {
    const TEXT: [u8; 3_000] = [b'x'; 3_000];
    let message = "message m {
        required INT64 id (UINT_64);
        optional BYTE_ARRAY text (UTF8);
        repeated INT32 list;
    }";
    let mut n_before = 0;
    let groups = sizes.iter().map(|size| {
        let ids = n_before..n_before + i64::try_from(*size).unwrap();
        n_before = ids.end;
        let number = |id: i64| if id % 4_999 == 7 { -1 } else { id };
        let text = |id: i64| (id % 3 > 0).then(|| &TEXT[..usize::try_from(id % 2_999).unwrap()]);
        let (mut lists, mut defs, mut reps) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids.clone() {
            for at in 0..(id % 3).max(1) {
                let is_there = id % 3 > 0;
                lists.extend(is_there.then(|| i32::try_from(id + at).unwrap()));
                defs.push(i16::from(is_there));
                reps.push(i16::from(at > 0));
            }
        }
        let texts = Cut {
            cells: Cells::Bytes(ids.clone().filter_map(text).collect()),
            defs: ids.clone().map(|id| i16::from(text(id).is_some())).collect(),
            reps: Vec::new(),
        };
        vec![
            whole(Cells::Int64(ids.map(number).collect())),
            texts,
            Cut { cells: Cells::Int32(lists), defs, reps },
        ]
    });
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(100_000)
        .set_write_batch_size(100);
    let bytes = file_of(message, groups.collect(), properties.build());
    let fields = vec![
        Field::new("id", Type::Int64),
        Field::new("text", Type::String.optional()),
        Field::new("list", Type::List(Box::new(Type::Int64))),
    ];
    (Schema::new("T", fields), bytes)
}

#[test]
fn what_threads_decode_ahead_is_what_one_decodes() {
    // The largest group comes to several pieces, which different threads decode.
    let (schema, bytes) = grouped(&[1_000, 0, 25_000, 1, 2_500]);
    let read = |bytes: &[u8], n_threads, n_rows_max| {
        read_by(bytes, &schema, InputOptions::default(), Reading { n_threads, n_rows_max })
    };
    let one = read(&bytes, 1, 2_000);
    assert_eq!((one.rows.len(), one.faults.len()), (28_495, 6));
    assert_eq!(
        one.faults[1],
        "t.parquet:5007: id: is 18446744073709551615, out of the range of int64"
    );
    for n_threads in 2..4 {
        read(&bytes, n_threads, 2_000).check_same(&one, "all is read");
    }
    // Whoever asks for other numbers has the same rows.
    for n_rows_max in [20_000, 333] {
        let same = read(&bytes, 2, n_rows_max);
        assert!((same.rows, same.faults) == (one.rows.clone(), one.faults.clone()));
        assert!(same.sizes.iter().all(|n_rows| (1..=n_rows_max).contains(n_rows)));
    }
    // The file breaks off in the same place, and what is before stands.
    for share in [3, 5, 7] {
        let mut damaged = bytes.clone();
        let at = bytes.len() * share / 8;
        damaged[at..at + 2_000].fill(0xFF);
        let one = read(&damaged, 1, 2_000);
        assert!(one.broken.is_some() && one.rows.len() > 2_000, "{}", one.rows.len());
        read(&damaged, 3, 2_000).check_same(&one, &format!("damage at {at}"));
    }
}

fn sample() -> (Schema, Vec<u8>) {
    let fields = vec![
        Field::new("id", Type::Int64),
        Field::new("name", Type::String),
        Field::new("price", Type::Decimal(2).optional()),
        Field::new("at", Type::Timestamp),
        Field::new("ok", Type::Bool),
        Field::new("tags", Type::List(Box::new(Type::String.optional()))),
    ];
    let schema = Schema::new("T", fields);
    let row = |at: i64| -> Row {
        let price = if at % 3 == 0 { Value::None } else { Value::Decimal((at * at).into()) };
        let tags = (0..at % 4).map(|n| if n == 2 { Value::None } else { Value::string("tag") });
        vec![
            Value::Int(at),
            Value::string(&format!("name {}", at % 17)),
            price,
            Value::Timestamp(at * 1_000_000_007),
            Value::Bool(at % 5 == 0),
            Value::List(tags.collect()),
        ]
        .into()
    };
    let updates = (0..300).map(|at| Update { row: row(at), epoch: Epoch(1), diff: 1 }).collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.parquet");
    let location = Location::parse(path.to_str().unwrap()).unwrap();
    let mut output = OutputFile::create(&location, &schema, OutputKind::Snapshot).unwrap();
    let topic = TopicName::parse("t").unwrap();
    output.write(&DeltaBatch { topic, lower: Epoch(1), upper: Epoch(2), updates }).unwrap();
    output.finish().unwrap();
    (schema, std::fs::read(path).unwrap())
}

#[test]
fn fields_that_nobody_reads_stay_in_the_file() {
    let (schema, bytes) = sample();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.parquet");
    std::fs::write(&path, bytes).unwrap();
    let location = Location::parse(path.to_str().unwrap()).unwrap();
    let codec = BodyCodec::new(schema.clone(), Discipline::Events, &[]);
    let mut whole = InputFile::open(&location, &codec, InputOptions::default()).unwrap();
    let mut part = InputFile::open(&location, &codec, InputOptions::default()).unwrap();
    part.read_only(&[0, 5]);
    while let Some(batch) = whole.next_batch(70).unwrap() {
        let InputRows::Columns(all) = batch.rows else { panic!("all rows are plain") };
        let InputRows::Columns(some) = part.next_batch(70).unwrap().unwrap().rows else {
            panic!("all rows are plain")
        };
        assert_eq!((&some.columns[0], &some.columns[5]), (&all.columns[0], &all.columns[5]));
        assert_eq!((some.len(), some.columns[1].len()), (all.len(), all.len()));
        assert_eq!(some.row(0, &schema.types())[1], Value::string(""));
    }
    assert!(part.next_batch(70).unwrap().is_none());
}

#[test]
fn a_file_that_is_cut_off_is_no_parquet_file() {
    let (schema, bytes) = sample();
    assert_eq!(read(&bytes, &schema, InputOptions::default()).unwrap().0.len(), 300);
    for n_bytes in [0, 3, 8, bytes.len() / 2, bytes.len() - 1] {
        let error = read(&bytes[..n_bytes], &schema, InputOptions::default()).unwrap_err();
        assert!(matches!(error, ReadError::Open { .. }), "{n_bytes}: {error}");
    }
}

/// Whatever stands in a file, the answer is rows or an error.
#[test]
fn damage_anywhere_is_told_or_harmless() {
    let (schema, bytes) = sample();
    let mut n_refused = 0;
    // A generator of Lehmer's: the same damage each time.
    let mut state = 42_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..3_000 {
        let mut damaged = bytes.clone();
        for _ in 0..=next(3) {
            // The footer, which says where everything is, more often than its share.
            let start = if round % 2 == 0 { 0 } else { bytes.len() * 2 / 3 };
            let at = start + next(bytes.len() - start);
            damaged[at] = match next(4) {
                0 => 0,
                1 => 0xFF,
                2 => damaged[at] ^ 1 << next(8),
                _ => u8::try_from(next(256)).unwrap(),
            };
        }
        let reading = Reading { n_threads: 1, n_rows_max: 70 };
        let read = read_by(&damaged, &schema, InputOptions::default(), reading);
        n_refused += u32::from(read.broken.is_some());
        if round % 4 == 0 {
            let ahead = Reading { n_threads: 2, ..reading };
            let same = read_by(&damaged, &schema, InputOptions::default(), ahead);
            same.check_same(&read, &format!("round {round}"));
        }
    }
    assert!(n_refused > 300, "{n_refused}");
}
