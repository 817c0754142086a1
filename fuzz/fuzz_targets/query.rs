//! Queries with their headers, which users may add.
#![no_main]

use fortnight::source::newrelic::query::Query;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Query::parse("query.nrql", text);
});
