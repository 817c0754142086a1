//! Recorded series: CSV, gzipped CSV and Parquet, told apart by their first bytes.
#![no_main]

use fortnight::format::{self, Duplicates, RecordedFile};
use fortnight_fuzz::{WHENEVER, as_file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    as_file("series", bytes, |path| {
        let Ok(file) = RecordedFile::open(path, "series") else { return };
        let Ok(recorded) = format::read(&[file], WHENEVER, Duplicates::Refuse) else { return };
        for series in &recorded.series {
            assert!(series.times.windows(2).all(|pair| pair[0] < pair[1]), "times are sorted, each once");
            assert!(series.values.iter().all(|value| !value.is_infinite()));
        }
    });
});
