//! Answers of NerdGraph.
#![no_main]

use fortnight_fuzz::Answered;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static ACCOUNT: Answered = Answered::new(
        "newrelic",
        "account = \"1\"\nkey_env = \"PATH\"\n",
        "content-type: application/json\r\ndate: Mon, 23 Nov 2026 09:00:00 GMT\r\n",
    );
}

fuzz_target!(|answer: &[u8]| ACCOUNT.with(|account| account.ask(answer)));
