//! Query files: those that the program carries, and those that are wrong.

use std::path::Path;

use proptest::prelude::*;

use super::nrql::{Filling, quoted};
use super::query::*;
use super::query_files::*;
use crate::config::Config;
use crate::model::metric::{Class, Polarity, Unit};
use crate::model::time::{HOUR, MINUTE, Window};
use crate::source::registry;

const GOOD: &str = "-- id: mine\n-- applications: apm\n-- service: appName\n-- kind: operation\n-- target: {name}\n\
    -- grain: step\n-- split: name\n-- signal: queue_time = q.95; unit ms; class latency; better lower; absent unknown\n\
    SELECT percentile(queueDuration, 95) AS 'q' FROM Transaction\nWHERE appName IN ({applications}){narrow}\n\
    FACET appName, name SINCE {since} UNTIL {until} TIMESERIES {step} LIMIT MAX\n";

fn message(text: &str) -> String {
    Query::parse("my/q.nrql", text).expect_err("refused").to_string()
}

#[test]
fn the_programs_own_queries_are_fine() {
    let queries = load(None).expect("all of them");
    assert_eq!(queries.len(), BUILT_IN.len());
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/queries/newrelic")).expect("folder");
    let files =
        folder.filter(|entry| entry.as_ref().expect("entry").path().extension().is_some_and(|end| end == "nrql"));
    assert_eq!(files.count(), BUILT_IN.len(), "a file that is not in the list is never asked");
    for query in queries {
        for signal in query.signals {
            let (class, better) = crate::model::metric::default_class_and_polarity(&signal.name, signal.unit);
            assert_eq!((signal.class, signal.better), (class, better), "{}: {}", query.id, signal.name);
        }
    }
}

#[test]
fn a_text_is_filled() {
    let query = Query::parse("q.nrql", GOOD).expect("fine");
    let names = ["it's {since} \\".to_owned(), "b".to_owned()];
    let filling = Filling {
        window: Window::new(0, 6 * HOUR),
        step_ms: Some(5 * MINUTE),
        applications: &names,
        narrow: "name LIKE 'x%'",
    };
    assert_eq!(
        query.fill(&filling),
        "SELECT percentile(queueDuration, 95) AS 'q' FROM Transaction WHERE appName IN ('it\\'s {since} \\\\', 'b') AND \
         name LIKE 'x%' FACET appName, name SINCE 0 UNTIL 21600000 TIMESERIES 5 minutes LIMIT MAX"
    );
    let census = query.fill(&Filling { step_ms: None, narrow: "", ..filling });
    assert!(census.ends_with("FACET appName, name SINCE 0 UNTIL 21600000 LIMIT MAX"), "{census}");
}

#[test]
fn what_is_wrong_is_told_with_file_and_line() {
    let cases = [
        (GOOD.replace("-- id: mine\n", ""), "my/q.nrql:1: the header has no `id`"),
        (GOOD.replace("{narrow}", "{narow}"), "my/q.nrql:9: unknown placeholder `{narow}`; known are"),
        (GOOD.replace("SINCE {since}", ""), "my/q.nrql:9: the placeholder `{since}` is missing"),
        (GOOD.replace("grain: step", "grain: day"), "my/q.nrql:6: `day` is none of step, hour"),
        (GOOD.replace("unit ms", "unit msec"), "my/q.nrql:8: unknown unit `msec`"),
        (GOOD.replace("; better lower", ""), "my/q.nrql:8: the signal `queue_time` has no `better`"),
        (GOOD.replace("-- kind", "-- kin"), "my/q.nrql:4: unknown key `kin`; known are"),
        (GOOD.replace("LIMIT MAX", "LIMIT 10"), "my/q.nrql:9: `LIMIT MAX` has to stand in it"),
        (GOOD.replace("'q'", "'q"), "my/q.nrql:9: a quotation is not closed"),
        (GOOD.replace("TIMESERIES {step}", ""), "my/q.nrql:9: `TIMESERIES {step}` has to stand in it once"),
        ("-- id: a\u{1b}[2J b\n".to_owned(), "my/q.nrql:1: there is no query below the header"),
        (String::new(), "my/q.nrql:1: there is no query below the header"),
    ];
    for (text, expected) in cases {
        let message = message(&text);
        assert!(message.starts_with(expected), "{message}\nexpected: {expected}");
        assert!(!message.contains('\u{1b}'));
    }
}

#[test]
fn users_add_a_folder_and_their_signals_reach_the_judge() {
    let folder = tempfile::tempdir().expect("folder");
    let empty = load(Some(folder.path())).expect_err("no query").to_string();
    assert!(empty.ends_with("no file ends in `.nrql`"), "{empty}");
    std::fs::write(folder.path().join("mine.nrql"), GOOD.replace("better lower", "better higher")).expect("written");
    std::fs::write(folder.path().join("notes.txt"), "not a query").expect("written");
    assert_eq!(load(Some(folder.path())).expect("fine").len(), BUILT_IN.len() + 1);

    let text = |more: &str| {
        let queries = folder.path().display();
        format!("[[source]]\nkind = \"newrelic\"\naccount = \"1\"\nqueries = \"{queries}\"\n{more}")
    };
    let nature = |more: &str| {
        let mut config = Config::parse(&text(more), Path::new("fortnight.toml")).expect("config");
        registry::learn_signals(&mut config).expect("learned");
        config.class_and_polarity("queue_time", Unit::parse("ms").expect("known"))
    };
    assert_eq!(nature(""), (Class::Latency, Polarity::Higher));
    assert_eq!(nature("[signal.queue_time]\nbetter = \"neutral\""), (Class::Latency, Polarity::Neutral));

    std::fs::write(folder.path().join("z.nrql"), GOOD).expect("written");
    let twice = load(Some(folder.path())).expect_err("twice").to_string();
    assert!(twice.contains("z.nrql:1: id `mine` stands at ") && twice.contains("mine.nrql:1 too"), "{twice}");
}

/// Reads a quotation as NRQL does: returns its value and what follows.
fn read_quotation(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut signs = text.strip_prefix('\'')?.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '\\' => value.push(signs.next()?.1),
            '\'' => return Some((value, text.get(at + 2..)?)),
            _ => value.push(sign),
        }
    }
    None
}

proptest! {
    #[test]
    fn no_name_breaks_out_of_its_quotation(name in any::<String>(), tail in "[ -~]{0,20}") {
        let text = format!("{}{tail}", quoted(&name));
        prop_assert_eq!(read_quotation(&text), Some((name, tail.as_str())));
    }

    #[test]
    fn random_files_are_refused_or_read_but_never_panic(text in any::<String>(), cut in 0_usize..600) {
        let _ = Query::parse("a", &text);
        let part: String = GOOD.chars().take(cut).chain(text.chars()).collect();
        let _ = Query::parse("a", &part);
    }
}
