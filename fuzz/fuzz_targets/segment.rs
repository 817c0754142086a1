//! One day's file of the store: a damaged one is set aside, and never read as a day without data.
#![no_main]

use fortnight::store::Store;
use fortnight_fuzz::WHENEVER;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("temporary folder");
    let days = folder.path().join("series/newrelic");
    std::fs::create_dir_all(&days).expect("made");
    std::fs::write(days.join("2026-11-22.parquet"), bytes).expect("written");
    let store = Store::open(folder.path()).expect("opened");
    if let Ok(history) = store.read(WHENEVER) {
        let points: usize = history.series.iter().map(|series| series.times.len()).sum();
        assert!(points > 0 || !history.refused.is_empty() || bytes.starts_with(b"PAR1"), "damage passed for no data");
    }
    let _ = store.catalog(WHENEVER);
});
