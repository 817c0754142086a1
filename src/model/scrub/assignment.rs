//! Secrets that the name beside them gives away: `password=…`, `"token": "…"`, `--password …`, `パスワードは…`.

use super::view::View;
use super::{Field, Kind, span::Span};

/// Ends of names whose value is a secret, whatever it looks like. Without `_`, `-` and `.`, in small letters.
const STRONG: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "secretkey",
    "secretaccesskey",
    "apikey",
    "apitoken",
    "accesskey",
    "accesskeyid",
    "privatekey",
    "licensekey",
    "licencekey",
    "insertkey",
    "ingestkey",
    "authkey",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "sessiontoken",
    "securitytoken",
    "csrftoken",
    "xsrftoken",
    "encryptionkey",
    "signingkey",
    "accountkey",
    "sharedkey",
    "jsessionid",
    "phpsessid",
    "パスワード",
    "暗証番号",
    "秘密鍵",
    "apiキー",
];

/// Ends of names whose value is a secret if it looks like one: `token: refresh` may be a sentence.
const WEAK: &[&str] = &[
    "token",
    "signature",
    "credential",
    "credentials",
    "authorization",
    "cookie",
    "session",
    "sessionid",
    "トークン",
    "認証コード",
];

/// Whole names anywhere whose value is a secret, whatever it looks like.
const WHOLE: &[&str] = &["cvv", "cvv2", "cvc"];

/// Whole names anywhere whose value is a secret if it looks like one.
const WEAK_WHOLE: &[&str] = &["pass", "pw", "pin", "otp"];

/// Whole names in a query string whose value is a secret, whatever it looks like.
const IN_QUERY: &[&str] =
    &["pass", "pw", "pin", "otp", "cvv", "cvc", "sig", "jwt", "auth", "sid", "hmac", "samlresponse"];

/// Whole names in a query string whose value is a secret if it looks like one.
const WEAK_IN_QUERY: &[&str] =
    &["key", "code", "state", "session", "ticket", "hash", "nonce", "assertion", "codeverifier"];

/// Words in front of the value of an `Authorization` header.
const SCHEMES: [&str; 7] = ["bearer", "basic", "token", "digest", "negotiate", "apikey", "aws4-hmac-sha256"];

/// Values that are none.
const NO_VALUES: [&str; 8] = ["null", "nil", "none", "true", "false", "undefined", "required", "redacted"];

/// Longest name that is looked at, in bytes.
const LONGEST_NAME: usize = 64;

/// How sure a name makes that its value is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Strong,
    Weak,
}

/// Finds values beside names that call them secret.
pub(super) fn find(view: &View, field: Field, spans: &mut Vec<Span>) {
    // Where the run of letters ends that was looked at last: it ends there for every start within it.
    let mut run_end = 0;
    let mut done = 0;
    let has_flags = view.text.contains("--");
    let bytes = view.bytes();
    for (index, byte) in bytes.iter().enumerate() {
        let is_sign = match byte {
            b'=' | b':' | b'>' => true,
            b' ' => has_flags,
            // `は` is how a sentence gives a value.
            0xe3 => bytes.get(index..index + 3) == Some("は".as_bytes()),
            _ => false,
        };
        if !is_sign || index < done {
            continue;
        }
        let Some((name, name_start)) = name_before(view, index, *byte) else { continue };
        let is_query = matches!(view.before(name_start), b'?' | b'&') && *byte == b'=';
        let Some(strength) = strength(&name, is_query) else { continue };
        let (start, quote) = value_start(view, index, *byte);
        let start = after_scheme(view, start);
        let mut end = match quote.or((*byte == b'>').then_some(b'<')) {
            Some(quote) => quoted_end(view, start, quote),
            None => run_of_value_end(view, start, &mut run_end),
        };
        // A header with several cookies goes as a whole.
        if *byte == b':' && quote.is_none() && name.ends_with("cookie") && view.part(start, end).contains('=') {
            end += view
                .bytes()
                .get(end..)
                .unwrap_or_default()
                .iter()
                .take_while(|byte| !b"\r\n\"'".contains(byte))
                .count();
        }
        let value = view.part(start, end);
        let is_none = is_no_value(value) || *byte == b':' && name_start > 0 && is_in_arn(view, name_start);
        let is_secret = !is_none
            && match (field, byte) {
                // A column is no value; literals are found by `sql`.
                // A cast is written `::`.
                (Field::Statement, b':') if view.before(index) == b':' || view.at(index + 1) == b':' => false,
                (Field::Statement, _) => is_token(value) && !is_column(value),
                // `/v1/token:revoke` is a route.
                (Field::Service | Field::Target, b':') if start == index + 1 => is_token(value),
                (Field::Title, b':') if name_start == 0 && is_sentence(view, start, end) => false,
                _ => strength == Name::Strong || is_token(value),
            };
        if is_secret {
            spans.push(Span::new(start, end, Kind::Secret));
            done = end;
        }
    }
}

/// Returns the name before a sign between name and value, with where it begins.
///
/// The name is in small letters, without `_`, `-` and `.`.
fn name_before(view: &View, sign: usize, byte: u8) -> Option<(String, usize)> {
    let mut end = sign;
    match byte {
        b':' if view.text.get(sign..)?.starts_with("://") => return None,
        b'=' | b':' => {
            let blanks = |byte: u8| matches!(byte, b' ' | b'"' | b'\'' | b']' | b'\\' | b'=' | b'`');
            while end + 6 > sign && blanks(view.before(end)) {
                end -= 1;
            }
        }
        _ => {}
    }
    let limit = (end.saturating_sub(LONGEST_NAME)..=end).find(|index| view.text.is_char_boundary(*index))?;
    let before = view.text.get(limit..end)?;
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter) || !letter.is_ascii();
    let start = limit + before.trim_end_matches(is_name).len();
    let name = view.part(start, end);
    match byte {
        // A port after a mark: `amqp://[secret]@host`. `user[secret]` is a name.
        _ if name == "secret" && view.before(start) == b'[' && !view.before(start - 1).is_ascii_alphanumeric() => {
            return None;
        }
        b' ' if !name.starts_with("--") => return None,
        b'>' if view.before(start) != b'<' => return None,
        _ => {}
    }
    let name: String = name.chars().filter(|letter| !"_-.".contains(*letter)).collect();
    (!name.is_empty()).then(|| (name.to_lowercase(), start))
}

/// Returns how sure a name makes that its value is a secret.
fn strength(name: &str, is_query: bool) -> Option<Name> {
    let ends = |words: &[&str]| words.iter().any(|word| name.ends_with(word));
    if ends(STRONG) || WHOLE.contains(&name) || is_query && IN_QUERY.contains(&name) {
        return Some(Name::Strong);
    }
    // In a query string `token=` is never a sentence.
    let is_weak = ends(WEAK) || WEAK_WHOLE.contains(&name);
    match (is_weak, is_query) {
        (true, true) => Some(Name::Strong),
        (true, false) => Some(Name::Weak),
        (false, true) if WEAK_IN_QUERY.contains(&name) => Some(Name::Weak),
        _ => None,
    }
}

/// Returns where a value begins, and the quote around it.
fn value_start(view: &View, sign: usize, byte: u8) -> (usize, Option<u8>) {
    let mut start = sign + if byte == 0xe3 { 'は'.len_utf8() } else { 1 };
    while matches!(view.at(start), b' ' | b'=' | b'>' | b'\\' | b'\t') && start < sign + 6 {
        start += 1;
    }
    let quote = view.at(start);
    if matches!(quote, b'"' | b'\'' | b'`') { (start + 1, Some(quote)) } else { (start, None) }
}

/// Returns where a value begins after a word such as `Bearer`.
fn after_scheme(view: &View, start: usize) -> usize {
    let word = view.bytes().get(start..).unwrap_or_default().iter().take(20);
    let length = word.take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
    let is_scheme = SCHEMES.iter().any(|scheme| view.part(start, start + length).eq_ignore_ascii_case(scheme));
    if is_scheme && view.at(start + length) == b' ' { start + length + 1 } else { start }
}

/// Returns where a value in quotes ends. A quote that is doubled or escaped is a part of it.
fn quoted_end(view: &View, start: usize, quote: u8) -> usize {
    // In JSON within JSON both quotes are escaped.
    let is_escaped = start > 1 && view.before(start - 1) == b'\\' && view.before(start) == quote;
    let mut index = start;
    while index < view.bytes().len() {
        let is_quote = view.at(index) == quote;
        if is_quote && is_escaped {
            return if view.before(index) == b'\\' && index > start { index - 1 } else { index };
        }
        if is_quote && quote != b'<' && index > start && view.at(index + 1) == quote {
            index += 1;
        } else if is_quote {
            return index;
        } else if !is_escaped && view.at(index) == b'\\' {
            index += 1;
        }
        index += 1;
    }
    view.bytes().len()
}

/// Returns where a value without quotes ends: at a sign that ends it in a query, a list or a sentence.
fn run_of_value_end(view: &View, start: usize, run_end: &mut usize) -> usize {
    let rest = view.bytes().get(start..).unwrap_or_default();
    if *run_end < start {
        let is_end = |index: usize, byte: u8| {
            let is_last = !view.at(index + 1).is_ascii_alphanumeric();
            match byte {
                // `%26` within a value is a part of it.
                b' ' | b'&' | b';' | b'\t' | b'\r' | b'\n' => view.is_plain(index),
                b'<' | b'>' | b'|' | 0 => true,
                b'"' | b'\'' | b'`' | b'\\' => is_last,
                byte => !byte.is_ascii(),
            }
        };
        *run_end = start
            + rest.iter().enumerate().position(|(index, byte)| is_end(start + index, *byte)).unwrap_or(rest.len());
    }
    let value = view.part(start, *run_end).trim_end_matches([',', '.', ')', ']', '}', '"', '\'']);
    // The bracket of a mark or of a placeholder is a part of it.
    if value.starts_with(['[', '{']) || value.starts_with("${") { *run_end } else { start + value.len() }
}

/// Tells whether a value stands for one, or is a mark.
fn is_no_value(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'', ' ']);
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let is_upper = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let is_number = |text: &str| !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(name) = value.strip_prefix('$') {
        return is_number(name) || is_upper(name) || name.starts_with('{') && name.ends_with('}');
    }
    if let Some(name) = value.strip_prefix([':', '@']) {
        return is_word(name) || is_number(name);
    }
    let is_braced = |open: char, close: char| {
        let inner = value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inner.is_some_and(|inner| !inner.contains([open, close]) && is_word(inner.trim_matches(['{', '}', '-', '.'])))
    };
    value.is_empty()
        || matches!(value, "?" | "%s" | "%d" | "...")
        || value.chars().all(|letter| "*•xX…".contains(letter))
        || NO_VALUES.iter().any(|word| value.eq_ignore_ascii_case(word))
        || is_braced('{', '}')
        || is_braced('<', '>')
        || is_marks(value)
}

/// Tells whether a value in a statement is a column of a table or a function. No name of one is longer.
fn is_column(value: &str) -> bool {
    value.len() <= LONGEST_NAME && value.contains(['.', '('])
}

/// Tells whether a name is a part of an ARN: `arn:aws:secretsmanager:…:secret:prod/db`.
fn is_in_arn(view: &View, name_start: usize) -> bool {
    let before = view.bytes().get(name_start.saturating_sub(2 * LONGEST_NAME)..name_start).unwrap_or_default();
    let before = before.rsplit(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    before.ends_with(b":") && before.windows(4).any(|part| part == b"arn:")
}

/// Tells whether a value is made of marks.
fn is_marks(value: &str) -> bool {
    let mut rest = value;
    while let Some(next) = super::span::MARKS.iter().find_map(|mark| rest.strip_prefix(mark)) {
        rest = next;
    }
    rest.trim_matches([',', '.', ')', ']', '}']).is_empty()
}

/// Tells whether a value looks random: letters with digits, signs, or long.
pub(super) fn is_token(value: &str) -> bool {
    let has = |is: fn(u8) -> bool| value.bytes().any(is);
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let is_mixed = has(|byte| byte.is_ascii_digit()) && (letters > 0 || value.len() >= 6);
    let has_signs = has(|byte| b"+/=!$^*~#%".contains(&byte));
    value.len() >= 6 && (is_mixed || has_signs || value.len() >= 20)
}

/// Tells whether a value is the first of at least two words in small letters: `password: allow longer ones`.
fn is_sentence(view: &View, start: usize, end: usize) -> bool {
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase());
    let rest = view.text.get(end..).unwrap_or_default();
    let next = rest.trim_start().split(' ').next().unwrap_or_default();
    is_word(view.part(start, end)) && rest.starts_with(' ') && is_word(next)
}
