//! Both catalogues are complete and used.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::model::verdict::Verdict;

/// Keys that are put together in the source: a prefix, and everything that may follow it.
fn families() -> Vec<(&'static str, Vec<String>)> {
    let verdicts = || Verdict::ALL.map(|verdict| verdict.as_str().to_owned()).to_vec();
    let numbers = |n: usize| (1..=n).map(|k| k.to_string()).collect();
    let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let told = ["worse", "possibly_worse", "better", "burst", "explained"];
    let over = ["worse", "possibly_worse", "better"];
    let classes = ["latency", "errors", "saturation", "other"];
    vec![
        ("verdict", verdicts()),
        ("meaning", verdicts()),
        ("reason", crate::model::verdict::Reason::ALL.map(|reason| reason.as_str().to_owned()).to_vec()),
        ("pattern", of(&["sustained", "recovered", "recovered_by", "burst", "tail_only", "gradual", "delayed"])),
        ("notice", of(&["new_more", "gone_more"])),
        ("rival", of(&["load", "fleet", "mix", "event"])),
        ("event", crate::model::event::EventKind::ALL.map(|(word, _)| word.to_owned()).to_vec()),
        (
            "hint",
            of(&["database", "traffic", "processor", "errors", "fits", "does_not_fit", "cannot_tell", "evidence"]),
        ),
        ("headline", over.iter().flat_map(|topic| classes.map(|class| format!("{topic}_over.{class}"))).collect()),
        ("headline", told.iter().flat_map(|verdict| classes.map(|class| format!("{verdict}.{class}"))).collect()),
        ("rivals", of(&["load", "fleet", "mix", "event", "deploys", "drift", "by_itself", "low_traffic"])),
        ("answers", of(&["explains", "partly", "perhaps", "taken_out", "no", "cannot_tell", "not_checked"])),
        ("found.load", of(&["seen", "taken_out", "no", "cannot_tell", "not_checked"])),
        ("found.fleet", of(&["explains", "perhaps", "moved", "no", "cannot_tell", "not_checked"])),
        ("found.mix", of(&["explains", "no", "cannot_tell", "not_checked"])),
        ("found.event", of(&["explains", "taken_out", "no"])),
        ("found.deploys", of(&["perhaps", "cannot_tell", "no"])),
        ("found.drift", of(&["taken_out", "no"])),
        ("found.by_itself", of(&["no", "cannot_tell"])),
        ("found.low_traffic", of(&["no", "cannot_tell", "not_checked"])),
        ("method", ["p1", "p2", "p3", "p4", "p5", "p6", "verdicts", "glossary"].map(str::to_owned).to_vec()),
        ("note", of(crate::source::REASONS)),
        ("one_deploy.short", verdicts().into_iter().chain(["burst".to_owned()]).collect()),
        ("one_deploy.reason", crate::model::verdict::Reason::ALL.map(|one| one.as_str().to_owned()).to_vec()),
        ("one_deploy.explained", of(&["load", "fleet", "mix", "event"])),
        ("term", numbers(9)),
        ("term_meaning", numbers(9)),
    ]
}

/// Families whose words come from outside: an entry is used when its word comes.
const OPEN_FAMILIES: [&str; 1] = ["signal."];

fn source(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            source(&path, into);
        } else if path.ends_with("laws.rs") || path.ends_with("tests.rs") {
            // What only tests say does not count as used.
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "html") {
            into.push_str(&std::fs::read_to_string(&path).expect("text"));
        }
    }
}

fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    source(&root.join("src/render"), &mut text);
    source(&root.join("templates"), &mut text);
    text
}

#[test]
fn both_catalogues_have_the_same_keys_and_places() {
    let (en, ja) = (read(EN), read(JA));
    assert!(en.len() > 200, "the catalogue reads as TOML");
    assert_eq!(en.keys().collect::<Vec<_>>(), ja.keys().collect::<Vec<_>>());
    let places = |text: &str| -> BTreeSet<String> {
        let inner = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()));
        inner.filter(|place| !place.contains('|')).collect()
    };
    for (key, text) in &en {
        let other = &ja[key];
        assert_eq!(places(text), places(other), "{key}");
        assert!(!text.trim().is_empty() && !other.trim().is_empty(), "{key}");
    }
}

#[test]
fn every_key_is_used_and_every_used_key_exists() {
    let (keys, sources) = (read(EN), sources());
    let families = families();
    for (prefix, members) in &families {
        for member in members {
            assert!(keys.contains_key(&format!("{prefix}.{member}")), "{prefix}.{member} is missing");
        }
    }
    for key in keys.keys() {
        let in_family = families.iter().any(|(own, members)| {
            let rest = key.strip_prefix(own).and_then(|rest| rest.strip_prefix('.'));
            rest.is_some_and(|rest| members.iter().any(|member| member == rest))
        });
        let is_open = OPEN_FAMILIES.iter().any(|open| key.starts_with(open));
        assert!(in_family || is_open || sources.contains(&format!("\"{key}\"")), "{key} is used nowhere");
    }
    for word in sources.split('"').filter(|word| word.len() < 60) {
        let Some((prefix, rest)) = word.split_once('.') else { continue };
        // Everything of this form but names of files is a key, also of a section that does not exist.
        let is_key = !["html", "toml", "json", "md", "rs", "css", "xml"].contains(&rest)
            && !prefix.is_empty()
            // Settings are written the same way.
            && prefix != "judge"
            && prefix.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            && !rest.is_empty()
            && rest.chars().all(|c| c.is_ascii_lowercase() || "._0123456789".contains(c));
        assert!(!is_key || rest.ends_with('.') || keys.contains_key(word), "{word} is in no catalogue");
    }
}

#[test]
fn words_stay_honest() {
    for (key, text) in read(EN).iter().chain(read(JA).iter()) {
        let lower = text.to_lowercase();
        for bad in ["caused by", "p =", "有意"] {
            assert!(!lower.contains(bad), "{key}: {text}");
        }
        assert!(!lower.contains("significant") || lower.contains("statistically"), "{key}: {text}");
    }
}

#[test]
fn counts_pick_singular_and_plural() {
    let words = Translator::new(&[Language::En, Language::Ja]);
    let one = words.message("answer.better", &[("n", 1usize.into())]);
    let two = words.message("answer.better", &[("n", 2usize.into())]);
    assert_eq!(one.bare(Language::En), "1 finding is an improvement.");
    assert_eq!(two.bare(Language::En), "2 findings are improvements.");
    assert_eq!(two.bare(Language::Ja), "2件が改善しました。");
}

#[test]
fn names_in_patterns_are_not_read_as_patterns() {
    let words = Translator::new(&[Language::En]);
    let phrase = words.message(
        "common.target_signal",
        &[("target", Arg::Code("{signal}".into())), ("signal", "x".to_owned().into())],
    );
    assert_eq!(phrase.bare(Language::En), "{signal} x");
}
