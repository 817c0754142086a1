//! Precision: names without a secret come back as they were.

use std::borrow::Cow;

use super::super::*;

#[test]
fn sentences_about_secrets_are_left_alone() {
    let scrubber = Scrubber::default();
    for text in [
        "fix(password): reset link",
        "Auth token: refresh earlier",
        "Use bearer authentication",
        "Add basic auth to admin",
        "Rotate secret",
        "token=$1",
        "password=?",
        "?token={token}",
        "api_key: <api_key>",
        "pwd=***",
        "cache_key=user",
        "sort_key: created_at",
        "max_tokens=4096",
        "has_password=true",
        "secret: ${DB_SECRET}",
        "POST /v1/token:revoke",
        "Basic AuthController",
        "Fix @hanako's review",
        "nginx:1.25@sha256:0123456789abcdef",
    ] {
        for field in [Field::Title, Field::Target, Field::Tag] {
            assert_eq!(scrubber.scrub(field, text).text, text, "{field:?}");
        }
    }
    // A title may begin with the part of the code that it is about; elsewhere the same is taken for a password.
    let text = "password: allow longer ones";
    assert_eq!(scrubber.scrub(Field::Title, text).text, text);
    assert_eq!(scrubber.scrub(Field::Title, "password: swordfish").text, "password: [secret]");
    assert_eq!(scrubber.scrub(Field::Text, text).text, "password: [secret] longer ones");
}

/// Names as they are in services, clouds and changes, none of which holds a secret.
fn ordinary() -> Vec<(Field, String)> {
    let lines = include_str!("ordinary.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut names: Vec<(Field, String)> = lines
        .filter_map(|line| line.split_once('\t'))
        .flat_map(|(fields, name)| fields.chars().filter_map(field_of).map(|field| (field, name.to_owned())))
        .collect();
    // Numbers that a generator can make by the hundred.
    let mut state = 11_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    };
    for index in 0..100 {
        let (a, b) = (next(), next());
        names.extend([
            (Field::Title, format!("Trace {a:016x}{b:016x} was slow")),
            (Field::Title, format!("Revert {:040x}", u128::from(a) << 64 | u128::from(b))),
            (Field::Id, format!("deploy-{:07x}", a & 0xfff_ffff)),
            (Field::Id, format!("{}", 12_000_000_000 + a % 1_000_000_000)),
            (Field::Title, format!("Order {} was late", a % 1_000_000_000_000)),
            (Field::Title, format!("at {} ms", 1_700_000_000_000 + a % 100_000_000_000)),
            (Field::Title, format!("at {} ns", 1_700_000_000_000_000_000 + a % 100_000_000_000_000_000)),
            (Field::Title, format!("v{}.{}.{}-rc.{index}", a % 40, b % 100, a % 7)),
            (Field::Target, format!("10.{}.{}.{}", a % 256, b % 256, index)),
            (Field::Service, format!("ip-10-0-{}-{}.ap-northeast-1.compute.internal", a % 256, index)),
            (Field::Target, format!("i-{:017x}", a & 0xf_ffff_ffff_ffff)),
            (Field::Target, format!("app/prod-alb/{:016x}", a | 1 << 60)),
            (
                Field::Text,
                format!(
                    "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
                    1 + a % 12,
                    1 + b % 28,
                    a % 24,
                    b % 60,
                    a % 60,
                    b % 1_000_000
                ),
            ),
            (Field::Tag, format!("task-{:08x}-{:05x}", a & 0xffff_ffff, b & 0xf_ffff)),
        ]);
    }
    names
}

fn field_of(letter: char) -> Option<Field> {
    let letters = [
        ('s', Field::Service),
        ('t', Field::Target),
        ('i', Field::Title),
        ('a', Field::Author),
        ('u', Field::Url),
        ('q', Field::Statement),
        ('g', Field::Tag),
        ('d', Field::Id),
        ('x', Field::Text),
    ];
    letters.into_iter().find(|(known, _)| *known == letter).map(|(_, field)| field)
}

#[test]
fn ordinary_names_are_left_alone() {
    let scrubber = Scrubber::default();
    let names = ordinary();
    assert!(names.len() >= 1_000, "{}", names.len());
    let changed: Vec<String> = names
        .iter()
        .filter_map(|(field, name)| match scrubber.scrub(*field, name).text {
            Cow::Borrowed(_) => None,
            Cow::Owned(text) => Some(format!("{field:?}: {name} -> {text}")),
        })
        .collect();
    assert!(changed.is_empty(), "{} of {}:\n{}", changed.len(), names.len(), changed.join("\n"));
}
