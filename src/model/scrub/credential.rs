//! Credentials that their surroundings give away: `https://user:pass@host`, `Bearer …`, `Basic …`.

use base64::Engine as _;

use super::assignment::is_token;
use super::view::View;
use super::{Kind, span::Span};

/// Longest host without a scheme that is looked at, in bytes.
const LONGEST_HOST: usize = 64;

/// Longest user and password in a URL that are looked at, in bytes.
const LONGEST_USER: usize = 512;

/// Finds credentials by their surroundings.
pub(super) fn find(view: &View, spans: &mut Vec<Span>) {
    find_users(view, spans);
    find_oracle_users(view, spans);
    find_schemes(view, spans);
}

/// Finds `user:pass@` in URLs and in addresses of databases.
fn find_users(view: &View, spans: &mut Vec<Span>) {
    for (found, _) in view.text.match_indices("://") {
        let start = found + 3;
        let window = view.bytes().get(start..view.bytes().len().min(start + LONGEST_USER)).unwrap_or_default();
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"\"'<>`".contains(byte);
        let token = window.split(is_end).next().unwrap_or_default();
        let authority = token.split(|byte| b"/?#".contains(byte)).next().unwrap_or_default();
        let at = authority.iter().rposition(|byte| *byte == b'@').or_else(|| {
            // A password with a slash: what follows the colon is no port.
            let colon = authority.iter().position(|byte| *byte == b':')?;
            let is_port = authority.get(colon + 1..)?.iter().all(u8::is_ascii_digit);
            if is_port || authority.starts_with(b"[") { None } else { token.iter().rposition(|byte| *byte == b'@') }
        });
        let Some(at) = at else { continue };
        let user = token.get(..at).unwrap_or_default();
        if !user.is_empty() && user != b"git" && user != b"[secret]" && user != b"[key]" {
            spans.push(Span::new(start, start + at, Kind::Secret));
        }
    }
    // `user:pass@tcp(host)` and `user:pass@host:3306` without a scheme.
    for (at, _) in view.text.match_indices('@') {
        let host = view.bytes().get(at + 1..).unwrap_or_default().iter().take(LONGEST_HOST);
        let host = host.take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        let follows = view.at(at + 1 + host);
        let is_host = host > 0
            && (follows == b'('
                || follows == b'/'
                || follows == b':' && view.at(at + host + 2).is_ascii_digit()
                || view.part(at + 1, at + 1 + host) == "localhost");
        let user = view.bytes().get(at.saturating_sub(LONGEST_HOST)..at).unwrap_or_default();
        let length =
            user.iter().rev().take_while(|byte| byte.is_ascii_graphic() && !b"/@\"'<>=[],;".contains(byte)).count();
        let start = at - length;
        let is_pair =
            view.part(start, at).split_once(':').is_some_and(|(user, pass)| !user.is_empty() && !pass.is_empty());
        if is_host && is_pair && !view.part(at + 1, at + 8).starts_with("sha256:") {
            spans.push(Span::new(start, at, Kind::Secret));
        }
    }
}

/// Finds `user/pass@` in the addresses of Oracle: `jdbc:oracle:thin:user/pass@//host`.
fn find_oracle_users(view: &View, spans: &mut Vec<Span>) {
    for (found, prefix) in view.text.match_indices("jdbc:oracle:") {
        let rest = view.bytes().get(found + prefix.len()..).unwrap_or_default().iter().take(LONGEST_USER);
        let token: Vec<u8> = rest.take_while(|byte| byte.is_ascii_graphic()).copied().collect();
        let Some(driver) = token.iter().position(|byte| *byte == b':') else { continue };
        let Some(at) = token.iter().position(|byte| *byte == b'@').filter(|at| *at > driver + 1) else { continue };
        let start = found + prefix.len();
        spans.push(Span::new(start + driver + 1, start + at, Kind::Secret));
    }
}

/// Finds what follows the words `Bearer` and `Basic`.
fn find_schemes(view: &View, spans: &mut Vec<Span>) {
    for (index, byte) in view.bytes().iter().enumerate() {
        if !matches!(byte, b' ' | b'+' | b':' | b'=') {
            continue;
        }
        let word = |length: usize| {
            let start = index.checked_sub(length)?;
            (!view.before(start).is_ascii_alphanumeric()).then(|| view.part(start, index))
        };
        let is_bearer = word(6).is_some_and(|word| word.eq_ignore_ascii_case("bearer"));
        let is_basic = word(5).is_some_and(|word| word.eq_ignore_ascii_case("basic"));
        if !is_bearer && !is_basic {
            continue;
        }
        let is_blank = |byte: &u8| matches!(byte, b' ' | b':' | b'=' | b'+');
        let blanks =
            view.bytes().get(index..).unwrap_or_default().iter().take(4).take_while(|byte| is_blank(byte)).count();
        let start = index + blanks;
        let rest = view.bytes().get(start..).unwrap_or_default().iter();
        let end = start + rest.take_while(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte)).count();
        let value = view.part(start, end);
        if is_bearer && is_token(value) || is_basic && is_user_and_password(value) {
            spans.push(Span::new(start, end, Kind::Secret));
        }
    }
}

/// Tells whether a text is Base64 of `user:password`.
fn is_user_and_password(value: &str) -> bool {
    let value = value.trim_end_matches('=');
    let decoded = base64::engine::general_purpose::STANDARD_NO_PAD.decode(value).unwrap_or_default();
    value.len() >= 6
        && decoded.contains(&b':')
        && decoded.iter().all(|byte| (0x20..0x7f).contains(byte) || *byte > 0xa0)
}
