//! Answers of NerdGraph.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use fortnight::model::secret::Secret;
use fortnight::source::http::{Limits, RealTime};
use fortnight::source::newrelic::{Account, NewRelicSettings};
use fortnight::source::{EventSource, SeriesSource};
use fortnight_fuzz::{ASKED, Server};
use libfuzzer_sys::fuzz_target;

struct Asked {
    server: Server,
    account: Account,
    runtime: tokio::runtime::Runtime,
}

thread_local! {
    static ASKED_ACCOUNT: Asked = {
        let server = Server::start("content-type: application/json\r\ndate: Mon, 23 Nov 2026 09:00:00 GMT\r\n");
        let settings = NewRelicSettings {
            account: "1".into(),
            endpoint: server.url.clone(),
            key_env: "KEY".into(),
            applications: vec!["*".into()],
            step_ms: 300_000,
            queries: None,
        };
        // Most inputs are answers that stop in the middle: waiting between five tries would be all that is measured.
        let limits = Limits { tries: 2, first_wait: Duration::ZERO, per_minute: usize::MAX / 2, ..Limits::default() };
        let key = Secret::checked("NRAK-MADEUP", "KEY").expect("a key");
        let account = Account::open("newrelic", &settings, key, limits, Arc::new(RealTime)).expect("opened");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Asked { server, account, runtime }
    };
}

fuzz_target!(|answer: &[u8]| ASKED_ACCOUNT.with(|asked| {
    asked.server.answers(answer);
    let _ = asked.runtime.block_on(asked.account.series(ASKED));
    let _ = asked.runtime.block_on(asked.account.events(ASKED));
}));
