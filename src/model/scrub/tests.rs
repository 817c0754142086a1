//! What the whole must hold: every kind of secret in every field and disguise is gone, ordinary names stay, and the laws
//! of `mod.rs` are kept. No sample is a real key: each is put together from parts here.

mod laws;
mod ordinary;

use super::*;

/// A secret: what holds it, and the part of it that must be gone.
struct Canary {
    name: &'static str,
    text: String,
    gone: String,
}

fn canary(name: &'static str, before: &str, gone: &str, after: &str) -> Canary {
    Canary { name, text: format!("{before}{gone}{after}"), gone: gone.to_owned() }
}

/// Letters and digits that follow a prefix; `least` of them.
fn tail(length: usize) -> String {
    "Made0Up1For2Tests3Only4".chars().cycle().take(length).collect()
}

fn canaries() -> Vec<Canary> {
    let token = ["eyJhbGciOiJub25l", "In0.eyJzdWIiOiJ0ZXN0", "In0.c2lnbmF0dXJl"].concat();
    let label = "PRIVATE KEY";
    vec![
        canary("card", "", "4111111111111111", ""),
        canary("card, spaces", "", "5555 5555 5555 4444", ""),
        canary("card, dashes", "", "3782-822463-10005", ""),
        canary("e-mail", "", "taro.yamada+x@example.co.jp", ""),
        canary("token", "", &token, ""),
        canary("AWS key", "", &["AK", "IA", "MADEUPFORTESTS00"].concat(), ""),
        canary("AWS secret", "aws_secret_access_key=", &tail(40), ""),
        canary("GitHub", "", &["gh", "p_", &tail(36)].concat(), ""),
        canary("GitHub, fine", "", &["github", "_pat_", &tail(40)].concat(), ""),
        canary("GitLab", "", &["gl", "pat-", &tail(20)].concat(), ""),
        canary("Slack", "", &["xo", "xb-1234-", &tail(24)].concat(), ""),
        canary("Slack hook", "https://hooks.slack.com/services/", &["T0/B0/", &tail(24)].concat(), ""),
        canary("Stripe", "", &["sk_", "live_", &tail(24)].concat(), ""),
        canary("Google", "", &["AI", "za", &tail(35)].concat(), ""),
        canary("New Relic", "", &["NR", "AK-", "MADEUPFORTESTS0MADEUPFORTES"].concat(), ""),
        canary("New Relic licence", "", &["0123456789abcdef0123456789abcdef0123", "NR", "AL"].concat(), ""),
        canary("private key", "", &format!("-----BEGIN {label}-----\nTUlJRXZR\n-----END {label}-----"), ""),
        canary("bearer", "Authorization: Bearer ", &tail(24), ""),
        canary("bearer alone", "bearer ", &tail(24), ""),
        canary("basic", "Basic ", "dGVzdDpodW50ZXIy", ""),
        canary("user and password", "https://", "admin:hunter2!", "@db.example.com/x"),
        canary("password with signs", "postgres://", "app:p/s@x", "@db/cards"),
        canary("query", "/reset?a=1&token=", "hunter2x", "&b=2"),
        canary("query, signature", "https://b.example.com/f?X-Amz-Signature=", "0a1b2c3d4e", ""),
        canary("assignment", "password=", "hunter2", ""),
        canary("assignment in JSON", "{\"apiKey\": \"", "hunter 2 b", "\"}"),
        canary("pin in a query", "/pay?pin=", "0042", ""),
        canary("connection", "Server=db;Password=", "hunter2&x;", ";Database=y").cut(";"),
    ]
}

impl Canary {
    /// Drops the last letters of what must be gone: they separate it from what follows.
    fn cut(mut self, end: &str) -> Self {
        self.gone = self.gone.trim_end_matches(end).split('&').next().unwrap_or_default().to_owned();
        self
    }
}

/// Hides a text.
type Hide = fn(&str) -> String;

/// Ways to hide a text, with their names.
fn disguises() -> Vec<(&'static str, Hide)> {
    fn wide(text: &str) -> String {
        let widen = |letter: char| match letter {
            '!'..='~' => char::from_u32(u32::from(letter) + 0xfee0).unwrap_or(letter),
            ' ' => '\u{3000}',
            other => other,
        };
        text.chars().map(widen).collect()
    }
    fn percent(text: &str) -> String {
        text.bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") },
            )
            .collect()
    }
    fn all_percent(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02x}")).collect()
    }
    vec![
        ("plain", str::to_owned),
        ("full width", wide),
        ("percent", percent),
        ("percent, each letter", all_percent),
        ("percent twice", |text| percent(&percent(text))),
        ("JSON escapes", |text| text.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect()),
        ("invisible letters", |text| text.chars().flat_map(|letter| [letter, '\u{200b}']).collect()),
    ]
}

/// Where a text may stand.
const AROUND: [(&str, &str); 6] =
    [("", ""), ("顧客", "様の利用"), ("「", "」です。"), ("pay ", " ok"), ("<", ">"), ("x=1, ", ", y=2")];

#[test]
fn every_secret_is_gone_from_every_field_in_every_disguise() {
    let scrubber = Scrubber::default();
    let mut failures = Vec::new();
    let mut checked = 0;
    for canary in canaries() {
        for (disguise, hide) in disguises() {
            for (before, after) in AROUND {
                for field in Field::ALL {
                    let text = format!("{before}{}{after}", hide(&canary.text));
                    let scrubbed = scrubber.scrub(field, &text);
                    checked += 1;
                    // Looked for without any disguise, so that no half of one is overlooked.
                    let kept = View::of(&scrubbed.text).text.replace('\u{200b}', "");
                    let is_gone = !kept.contains(&canary.gone) && !scrubbed.counts.is_empty();
                    if !is_gone || !kept.contains(before.trim_matches(' ')) && field != Field::Statement {
                        failures
                            .push(format!("{} ({disguise}) in {field:?}: {text} -> {}", canary.name, scrubbed.text));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {checked}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn ids_and_literals_are_gone_from_names() {
    let scrubber = Scrubber::default();
    for (field, text, expected) in [
        (Field::Target, "GET /users/4f3c2a1b-0000-4000-8000-1234567890ab/cards", "GET /users/{id}/cards"),
        (Field::Service, "gateway /users/123456", "gateway /users/{id}"),
        (Field::Title, "Retry GET /users/123456 on 503", "Retry GET /users/{id} on 503"),
        (Field::Text, "404 at https://a.example.com/users/123456?x=1", "404 at https://a.example.com/users/{id}?x=1"),
        (Field::Tag, "path:/users/123456", "path:/users/{id}"),
        (Field::Author, "Taro Yamada <taro@example.jp>", "Taro Yamada <[email]>"),
        (Field::Title, "パスワードはhunter2です", "パスワードは[secret]です"),
        (Field::Title, "暗証番号：１２３４を変更", "暗証番号：[secret]を変更"),
        (Field::Title, "run --password hunter2 --dry-run", "run --password [secret] --dry-run"),
        (Field::Text, "<password>hunter</password>", "<password>[secret]</password>"),
        (Field::Text, "user[password]=hunter&x=1", "user[password]=[secret]&x=1"),
        (Field::Text, "app:hunter2@tcp(db:3306)/cards", "[secret]@tcp(db:3306)/cards"),
        (Field::Text, "password=ab%26cd&x=1", "password=[secret]&x=1"),
        (Field::Text, "Cookie: theme=dark; sid=abc123def\nHost: a", "Cookie: [secret]\nHost: a"),
        (Field::Text, "password='it''s' ok", "password='[secret]' ok"),
        (Field::Text, r#"{"password":"a\"b","c":1}"#, r#"{"password":"[secret]","c":1}"#),
        (Field::Text, r#"{\"password\":\"hunter2\",\"c\":1}"#, r#"{\"password\":\"[secret]\",\"c\":1}"#),
        (Field::Text, "amqp://guest:guest@mq.internal:5672/cards", "amqp://[secret]@mq.internal:5672/cards"),
        (Field::Text, "jdbc:oracle:thin:scott/tiger@//db:1521/x", "jdbc:oracle:thin:[secret]@//db:1521/x"),
        (Field::Text, "EXEC sp_login @user='taro', @pw='hunter2'", "EXEC sp_login @user=?, @pw=?"),
        (Field::Text, "Duplicate entry '山田太郎' for key 'name'", "Duplicate entry ? for key ?"),
        (Field::Target, "Password: swordfish", "Password: [secret]"),
        (Field::Statement, "Authorization: token abc123def", "Authorization: token [secret]"),
        (Field::Text, "pan=x&cvv=123 otp=123456", "pan=x&cvv=[secret] otp=[secret]"),
    ] {
        let scrubbed = scrubber.scrub(field, text);
        assert_eq!(scrubbed.text, expected);
        assert!(!scrubbed.counts.is_empty());
    }
}

#[test]
fn ids_are_found_when_typed_as_they_were() {
    let scrubber = Scrubber::default();
    for id in ["deploy-4111111111111111", "taro@example.jp/17", "4f2c9e1", "https://x:y@ci.example.com/1", "F-3a9c"] {
        let stored = scrubber.scrub(Field::Id, id).text;
        assert_eq!(scrubber.typed_id(&format!(" {id}\n")), stored);
        assert_eq!(scrubber.typed_id(&stored), stored);
    }
    assert_eq!(scrubber.typed_id("4f2c9e1"), "4f2c9e1");
}

#[test]
fn patterns_of_ones_own_work_and_bad_ones_are_named() {
    let scrubber = Scrubber::new([("member", r"M-\d{6}"), ("every", "qq+")]).expect("two patterns");
    let scrubbed = scrubber.scrub(Field::Title, "会員Ｍ－１２３４５６ and M%2D123456 qqq");
    assert_eq!(scrubbed.text, "会員[member] and [member] [every]");
    let kinds: Vec<(&str, u64)> = scrubbed.counts.iter().map(|(kind, count)| (scrubber.word(kind), count)).collect();
    assert_eq!(kinds, [("member", 2), ("every", 1)]);
    let error = |name, pattern| Scrubber::new([(name, pattern)]).expect_err("refused").to_string();
    assert_eq!(error("open", "("), "pattern `open` is not a regular expression");
    assert_eq!(error("any", "a*"), "pattern `any` matches the empty text");
    assert_eq!(error("card", "a"), "name `card` of a pattern is taken");
    assert_eq!(error("A b", "a"), "name `A b` of a pattern is not 1 to 24 of a-z, 0-9, _ and -");
}
