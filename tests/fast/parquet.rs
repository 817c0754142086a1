//! Long-form Parquet as different writers make it: types, encodings, nulls, row groups.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int8Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, DictionaryArray, Float32Array, Float64Array, Int64Array, LargeStringArray,
    RecordBatch, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray,
};
use arrow_schema::{DataType, Field};
use fortnight::format::{Duplicates, RecordError, Recorded, RecordedFile, read};
use fortnight::model::time::Window;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

const EVER: Window = Window { start: i64::MIN, end: i64::MAX };
const START: i64 = 1_794_182_400;

fn texts(words: [&str; 4]) -> ArrayRef {
    Arc::new(StringArray::from(words.to_vec()))
}

/// Four rows of two series; `change` may put another column in a place.
fn columns(change: &str, with: Option<ArrayRef>) -> Vec<(&'static str, ArrayRef)> {
    let times = Int64Array::from(vec![START, START + 60, START, START + 60]);
    let mut columns: Vec<(&'static str, ArrayRef)> = vec![
        ("time", Arc::new(times)),
        ("service", texts(["a", "a", "a", "a"])),
        ("kind", texts(["operation"; 4])),
        ("target", texts(["t", "t", "u", "u"])),
        ("signal", texts(["latency_p95"; 4])),
        ("unit", texts(["ms"; 4])),
        ("value", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0, 4.0]))),
    ];
    columns.retain(|(name, _)| *name != change || with.is_some());
    for (name, array) in &mut columns {
        if let Some(with) = with.as_ref().filter(|_| *name == change) {
            *array = with.clone();
        }
    }
    columns
}

fn write(path: &Path, columns: Vec<(&'static str, ArrayRef)>, properties: WriterProperties) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .expect("columns of one length");
    let file = File::create(path).expect("created");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

fn outcome(columns: Vec<(&'static str, ArrayRef)>, properties: WriterProperties) -> Result<Recorded, RecordError> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("s.parquet");
    write(&path, columns, properties);
    read(&[RecordedFile::open(&path, "s.parquet")?], EVER, Duplicates::Refuse)
}

fn refusal(change: &str, with: Option<ArrayRef>) -> String {
    outcome(columns(change, with), WriterProperties::default()).expect_err("refused").to_string()
}

#[test]
fn every_form_of_a_column_reads_the_same() {
    let expected = outcome(columns("", None), WriterProperties::default()).expect("read");
    assert_eq!(expected.series.len(), 2);
    assert_eq!(expected.series[1].values, [0.003, 0.004]);
    let seconds = [START, START + 60, START, START + 60];
    let times = |factor: i64| seconds.iter().map(|time| time * factor).collect::<Vec<i64>>();
    let codes = DictionaryArray::<Int8Type>::from_iter(["t", "t", "u", "u"]);
    let forms: Vec<(&str, ArrayRef)> = vec![
        ("time", Arc::new(Int64Array::from(times(1000)))),
        ("time", Arc::new(TimestampSecondArray::from(times(1)))),
        ("time", Arc::new(TimestampMillisecondArray::from(times(1000)).with_timezone("UTC"))),
        ("time", Arc::new(TimestampMicrosecondArray::from(times(1_000_000)).with_timezone("Asia/Tokyo"))),
        ("time", Arc::new(TimestampNanosecondArray::from(times(1_000_000_000)))),
        ("target", Arc::new(LargeStringArray::from(vec!["t", "t", "u", "u"]))),
        ("target", Arc::new(StringViewArray::from(vec!["t", "t", "u", "u"]))),
        ("target", Arc::new(BinaryArray::from(vec![b"t".as_slice(), b"t", b"u", b"u"]))),
        ("target", Arc::new(codes)),
        ("value", Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0, 4.0]))),
        ("value", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
    ];
    for (name, array) in forms {
        let kind = array.data_type().clone();
        let found = outcome(columns(name, Some(array)), WriterProperties::default()).expect("read");
        assert_eq!(found.series, expected.series, "{name} as {kind}");
    }
    let plain = WriterProperties::builder().set_dictionary_enabled(false).build();
    assert_eq!(outcome(columns("", None), plain).expect("read").series, expected.series);
    let small = WriterProperties::builder().set_max_row_group_row_count(Some(1)).build();
    assert_eq!(outcome(columns("", None), small).expect("read").series, expected.series);
}

#[test]
fn extra_columns_are_ignored_even_nested_ones() {
    let expected = outcome(columns("", None), WriterProperties::default()).expect("read");
    let field = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
    let nested = StructArray::from(vec![(field("x"), texts(["1"; 4])), (field("y"), texts(["2"; 4]))]);
    let mut more = columns("", None);
    more.insert(0, ("labels", Arc::new(nested)));
    more.push(("host", texts(["h"; 4])));
    assert_eq!(outcome(more, WriterProperties::default()).expect("read").series, expected.series);
}

#[test]
fn missing_values_are_missing_and_missing_texts_are_refused() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::INFINITY), Some(-1.0)]));
    let found = outcome(columns("value", Some(values)), WriterProperties::default()).expect("read");
    assert_eq!(found.series.iter().flat_map(|series| &series.values).filter(|value| value.is_nan()).count(), 3);
    assert_eq!(found.left_out.len(), 1);
    assert_eq!((found.left_out[0].reason, found.left_out[0].example.as_str()), ("negative_latency", "s.parquet:4"));
    let holes: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("a"), Some("a")]));
    assert_eq!(refusal("service", Some(holes.clone())), "s.parquet:2: empty service");
    assert_eq!(refusal("kind", Some(holes)), "s.parquet:1: unknown kind `a`");
    let times: ArrayRef = Arc::new(Int64Array::from(vec![Some(START), Some(START + 60), None, Some(START)]));
    assert_eq!(refusal("time", Some(times)), "s.parquet:3: unparsable time ``");
    assert_eq!(refusal("unit", Some(texts(["ms", "ms", "parsec", "ms"]))), "s.parquet:3: unknown unit `parsec`");
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![b"t".as_slice(), b"t", b"\xff", b"t"]));
    assert_eq!(refusal("target", Some(bytes)), "s.parquet:3: target is not valid UTF-8");
}

#[test]
fn columns_that_do_not_fit_are_named() {
    assert_eq!(refusal("unit", None), "s.parquet: column `unit` is missing");
    assert_eq!(refusal("value", Some(texts(["1"; 4]))), "s.parquet: column `value` holds Utf8, not numbers");
    let words: ArrayRef = Arc::new(Int64Array::from(vec![1; 4]));
    assert_eq!(refusal("target", Some(words)), "s.parquet: column `target` holds Int64, not text");
}

#[test]
fn rows_are_counted_over_row_groups() {
    let units = texts(["ms", "ms", "ms", "parsec"]);
    let small = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let error = outcome(columns("unit", Some(units)), small).expect_err("refused");
    assert_eq!(error.to_string(), "s.parquet:4: unknown unit `parsec`");
}

#[test]
fn a_file_cut_anywhere_is_refused_and_never_panics() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("s.parquet");
    write(&path, columns("", None), WriterProperties::default());
    let whole = std::fs::read(&path).expect("read");
    let outcome = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("written");
        RecordedFile::open(&path, "s.parquet").and_then(|file| read(&[file], EVER, Duplicates::Refuse))
    };
    for length in 0..whole.len() {
        assert!(outcome(&whole[..length]).is_err(), "cut at {length}");
    }
    // Bytes that were turned may still read, but must not bring the program down.
    for place in (4..whole.len()).step_by(3) {
        let mut turned = whole.clone();
        turned[place] ^= 0x55;
        drop(outcome(&turned));
    }
    assert_eq!(outcome(&whole).expect("read").series.len(), 2);
}

#[test]
fn row_groups_outside_the_window_are_passed_over() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("s.parquet");
    let times: Vec<i64> = vec![1, 2, 3, 4];
    let stamps: ArrayRef = Arc::new(TimestampMillisecondArray::from(times));
    assert!(stamps.as_primitive_opt::<arrow_array::types::TimestampMillisecondType>().is_some());
    // The last row group is broken, and outside of the window.
    let mut rows = columns("time", Some(stamps));
    rows[5].1 = texts(["ms", "ms", "ms", "parsec"]);
    write(&path, rows, WriterProperties::builder().set_max_row_group_row_count(Some(1)).build());
    let file = RecordedFile::open(&path, "s.parquet").expect("opened");
    let found = read(&[file], Window::new(2, 4), Duplicates::Refuse).expect("read");
    assert_eq!(found.rows, 2);
    assert_eq!(found.series.iter().flat_map(|series| &series.times).copied().collect::<Vec<_>>(), [2, 3]);
}
