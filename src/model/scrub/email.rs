//! E-mail addresses.

use std::collections::BTreeSet;

use super::view::View;
use super::{Kind, span::Span};

/// Finds e-mail addresses: what is around each `@`, unless it is the one after a user and a password.
pub(super) fn find(view: &View, spans: &mut Vec<Span>) {
    let users: BTreeSet<usize> = spans.iter().filter(|span| span.kind == Kind::Secret).map(|span| span.end).collect();
    for (at, _) in view.text.match_indices('@') {
        if users.contains(&at) {
            continue;
        }
        let Some(end) = domain_end(view, at + 1) else { continue };
        let Some(start) = local_start(view, at) else { continue };
        // `git@github.com:org/repo` is the address of a repository.
        if view.part(start, at) == "git" && matches!(view.at(end), b':' | b'/') {
            continue;
        }
        spans.push(Span::new(start, end, Kind::Email));
    }
}

/// Returns where the part before the `@` begins.
fn local_start(view: &View, at: usize) -> Option<usize> {
    let before = view.text.get(..at)?;
    if let Some(quoted) = before.strip_suffix('"') {
        return quoted.rfind('"').filter(|start| at - start <= 66 && at - start > 2);
    }
    let is_local = |letter: char| letter.is_ascii_alphanumeric() || "._%+-'".contains(letter);
    let local = before.trim_end_matches(is_local);
    let start = local.len();
    if start < at {
        // A quote or a list mark before the address is no part of it.
        let trimmed = view.part(start, at).trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric());
        return (!trimmed.is_empty()).then_some(at - trimmed.len());
    }
    let other = before.trim_end_matches(|letter: char| !letter.is_ascii() && letter.is_alphanumeric());
    (other.len() < at).then_some(other.len())
}

/// Returns where a domain with at least one dot ends.
fn domain_end(view: &View, start: usize) -> Option<usize> {
    let rest = view.text.get(start..)?;
    let is_label = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    let narrow = rest.len() - rest.trim_start_matches(is_label).len();
    // Japanese after an address in Latin letters belongs to the sentence; a Japanese domain has a dot before it.
    let is_wide = |letter: char| is_label(letter) || (!letter.is_ascii() && letter.is_alphanumeric());
    let wide = rest.len() - rest.trim_start_matches(is_wide).len();
    let domain = match view.part(start, start + narrow).trim_end_matches(['.', '-']) {
        domain if is_domain(domain) => domain,
        _ => view.part(start, start + wide).trim_end_matches(['.', '-']),
    };
    is_domain(domain).then_some(start + domain.len())
}

fn is_domain(domain: &str) -> bool {
    let Some((host, top)) = domain.rsplit_once('.') else { return false };
    let is_number = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    // `pkg@1.0.0-beta.dev` is a version.
    let is_version = host.split('.').take(2).all(is_number) && host.contains('.');
    let is_top =
        top.chars().count() >= 2 && (top.starts_with("xn--") || top.chars().all(|letter| letter.is_alphabetic()));
    !host.is_empty() && !host.starts_with(['.', '-']) && is_top && !is_version
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let view = View::of(text);
        let mut spans = Vec::new();
        find(&view, &mut spans);
        spans.iter().map(|span| view.part(span.start, span.end).to_owned()).collect()
    }

    #[test]
    fn addresses_are_found_in_any_surroundings() {
        for (text, address) in [
            ("連絡先taro.yamada+x@example.co.jpまで", "taro.yamada+x@example.co.jp"),
            ("<taro@example.jp>", "taro@example.jp"),
            ("'o'brien@example.com'", "o'brien@example.com"),
            ("ｔａｒｏ＠ｅｘａｍｐｌｅ．ｊｐ", "taro@example.jp"),
            ("/users/taro%40example.jp/edit", "taro@example.jp"),
            ("太郎@例え.jp", "太郎@例え.jp"),
            ("\"taro yamada\"@example.jp.", "\"taro yamada\"@example.jp"),
            ("mailto:taro@xn--r8jz45g.xn--zckzah", "taro@xn--r8jz45g.xn--zckzah"),
        ] {
            assert_eq!(found(text), [address], "{text}");
        }
    }

    #[test]
    fn other_uses_of_the_sign_are_left_alone() {
        for text in [
            "git@github.com:org/repo",
            "lodash@4.17.21",
            "pkg@1.0.0-beta.dev",
            "@scope/name",
            "actions/checkout@v4",
            "nginx@sha256:0123",
            "user@localhost",
            "root@10.0.0.1",
            "metric @ 5",
            "@hanako",
            "a@b",
            "a@.com",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
