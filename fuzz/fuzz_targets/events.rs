//! Deploys and other events, one a line.
#![no_main]

use fortnight::format::events;
use fortnight_fuzz::as_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    as_file("deploys.jsonl", bytes, |path| {
        let Ok(read) = events::read(&[(path, "deploys.jsonl".to_owned())]) else { return };
        // What was understood is written so that it is understood again.
        let written: String = read.events.iter().map(|event| events::to_line(event) + "\n").collect();
        as_file("again.jsonl", written.as_bytes(), |path| {
            let again = events::read(&[(path, "again.jsonl".to_owned())]).expect("our own lines");
            assert_eq!(again.events, read.events);
        });
    });
});
