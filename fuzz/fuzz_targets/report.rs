//! `report.json`, which `explain` reads back.
#![no_main]

use fortnight::review::read;
use fortnight_fuzz::as_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    as_file("report.json", bytes, |path| {
        let _ = read::findings(path);
    });
});
