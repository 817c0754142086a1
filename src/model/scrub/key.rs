//! Keys that their form gives away: vendors' prefixes, JSON web tokens, private keys, webhook addresses.

use super::view::View;
use super::{Kind, span::Span};

/// What a key is made of after its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    /// A-Z and 0-9.
    Upper,
    /// 0-9 and a-f.
    Hex,
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_` and `-`.
    Word,
    /// Letters, digits and `_-.=+/`.
    Dotted,
}

impl Letters {
    fn contains(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || b"_-.=+/".contains(&byte),
        }
    }
}

/// The prefix of a key, what it is made of after it, and how much of that there is at least.
type Form = (&'static str, Letters, usize);

/// Prefixes of keys, what follows them, and how much of it at least.
///
/// From the vendors' documents. A minimum below the real length finds keys that were cut off.
const FORMS: &[Form] = &[
    ("AGE-SECRET-KEY-1", Letters::Upper, 20), // age
    ("AIza", Letters::Word, 30),              // Google API
    ("AKIA", Letters::Upper, 12),             // AWS access key id
    ("ASIA", Letters::Upper, 12),             // AWS access key id, temporary
    ("ABIA", Letters::Upper, 12),             // AWS bearer token
    ("ACCA", Letters::Upper, 12),             // AWS credential of a context
    ("ATATT3x", Letters::Dotted, 20),         // Atlassian
    ("EAAA", Letters::Word, 40),              // Square, Facebook
    ("GOCSPX-", Letters::Word, 16),           // Google OAuth client
    ("NRAK-", Letters::Upper, 12),            // New Relic user
    ("NRAA-", Letters::Word, 12),             // New Relic admin
    ("NRBR-", Letters::Word, 12),             // New Relic browser
    ("NRII-", Letters::Word, 12),             // New Relic insert
    ("NRIQ-", Letters::Word, 12),             // New Relic query
    ("NRJS-", Letters::Word, 12),             // New Relic browser
    ("NRSP-", Letters::Word, 12),             // New Relic synthetics
    ("PMAK-", Letters::Word, 20),             // Postman
    ("SG.", Letters::Dotted, 30),             // SendGrid
    ("SK", Letters::Hex, 32),                 // Twilio
    ("dapi", Letters::Hex, 32),               // Databricks
    ("dckr_pat_", Letters::Word, 20),         // Docker
    ("dop_v1_", Letters::Hex, 32),            // DigitalOcean
    ("dp.pt.", Letters::Alnum, 20),           // Doppler
    ("ghp_", Letters::Alnum, 16),             // GitHub, personal
    ("gho_", Letters::Alnum, 16),             // GitHub, OAuth
    ("ghu_", Letters::Alnum, 16),             // GitHub, user of an app
    ("ghs_", Letters::Alnum, 16),             // GitHub, installation of an app
    ("ghr_", Letters::Alnum, 16),             // GitHub, refresh
    ("github_pat_", Letters::Word, 16),       // GitHub, fine-grained
    ("glpat-", Letters::Dotted, 12),          // GitLab, personal
    ("gloas-", Letters::Word, 12),            // GitLab, OAuth
    ("gldt-", Letters::Word, 12),             // GitLab, deploy
    ("glrt-", Letters::Word, 12),             // GitLab, runner
    ("glcbt-", Letters::Word, 12),            // GitLab, job
    ("glptt-", Letters::Word, 12),            // GitLab, trigger
    ("glft-", Letters::Word, 12),             // GitLab, feed
    ("glimt-", Letters::Word, 12),            // GitLab, mail
    ("glagent-", Letters::Word, 12),          // GitLab, agent
    ("glsoat-", Letters::Word, 12),           // GitLab, SCIM
    ("glsa_", Letters::Word, 20),             // Grafana
    ("glc_", Letters::Dotted, 20),            // Grafana Cloud
    ("hf_", Letters::Alnum, 20),              // Hugging Face
    ("hvs.", Letters::Word, 16),              // Vault
    ("hvb.", Letters::Word, 16),              // Vault, batch
    ("key-", Letters::Hex, 32),               // Mailgun
    ("lin_api_", Letters::Alnum, 16),         // Linear
    ("npm_", Letters::Alnum, 20),             // npm
    ("pk_live_", Letters::Alnum, 10),         // Stripe
    ("pk_test_", Letters::Alnum, 10),         // Stripe
    ("pscale_", Letters::Word, 24),           // PlanetScale
    ("pypi-", Letters::Word, 32),             // PyPI
    ("rk_live_", Letters::Alnum, 10),         // Stripe
    ("rk_test_", Letters::Alnum, 10),         // Stripe
    ("sbp_", Letters::Hex, 24),               // Supabase
    ("shpat_", Letters::Alnum, 20),           // Shopify
    ("shpss_", Letters::Alnum, 20),           // Shopify
    ("sk-", Letters::Word, 32),               // OpenAI, Anthropic
    ("sk_live_", Letters::Alnum, 10),         // Stripe
    ("sk_test_", Letters::Alnum, 10),         // Stripe
    ("sntrys_", Letters::Dotted, 20),         // Sentry
    ("sntryu_", Letters::Hex, 20),            // Sentry
    ("sq0atp-", Letters::Word, 16),           // Square
    ("sq0csp-", Letters::Word, 16),           // Square
    ("whsec_", Letters::Dotted, 16),          // Stripe
    ("xapp-", Letters::Word, 12),             // Slack
    ("xoxa-", Letters::Word, 10),             // Slack
    ("xoxb-", Letters::Word, 10),             // Slack
    ("xoxc-", Letters::Word, 10),             // Slack
    ("xoxd-", Letters::Dotted, 10),           // Slack
    ("xoxe-", Letters::Word, 10),             // Slack
    ("xoxe.", Letters::Dotted, 10),           // Slack
    ("xoxo-", Letters::Word, 10),             // Slack
    ("xoxp-", Letters::Word, 10),             // Slack
    ("xoxr-", Letters::Word, 10),             // Slack
    ("xoxs-", Letters::Word, 10),             // Slack
    ("ya29.", Letters::Word, 16),             // Google OAuth
];

/// Addresses whose path is the secret.
const WEBHOOKS: [&str; 6] = [
    "hooks.slack.com/services/",
    "hooks.slack.com/workflows/",
    "hooks.slack.com/triggers/",
    "webhook.office.com/webhookb2/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
];

/// Finds keys.
pub(super) fn find(view: &View, spans: &mut Vec<Span>) {
    find_forms(view, spans);
    find_tokens(view, spans);
    find_private_keys(view, spans);
    find_licence_keys(view, spans);
    if !view.text.contains("hook") {
        return;
    }
    for webhook in WEBHOOKS {
        for (start, _) in view.text.match_indices(webhook) {
            let start = start + webhook.len();
            let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-@.%".contains(&byte);
            let end = end_of(view, start, is_path);
            if end > start {
                spans.push(Span::new(start, end, Kind::Key));
            }
        }
    }
}

/// Returns where a run of bytes ends.
fn end_of(view: &View, start: usize, is_part: impl Fn(u8) -> bool) -> usize {
    start + view.bytes().get(start..).unwrap_or_default().iter().take_while(|byte| is_part(**byte)).count()
}

/// The shortest prefix with the least that follows it.
const SHORTEST: usize = 14;

fn find_forms(view: &View, spans: &mut Vec<Span>) {
    let bytes = view.bytes();
    let mut index = 0;
    while index < bytes.len() {
        // Runs that are shorter than every key are most of a text.
        let run = end_of(view, index, |byte| Letters::Dotted.contains(byte));
        if run - index >= SHORTEST {
            index = find_in_run(view, index, run, spans);
        }
        index = run.max(index) + 1;
    }
}

/// Finds keys that begin in a run of letters that keys are made of; returns where the last one ends.
fn find_in_run(view: &View, start: usize, run: usize, spans: &mut Vec<Span>) -> usize {
    let mut index = start;
    while index + SHORTEST <= run {
        let rest = view.bytes().get(index..run).unwrap_or_default();
        let is_start = !view.before(index).is_ascii_alphanumeric();
        let first = rest.first().copied().unwrap_or(0);
        let is_form = |form: &&Form| form.0.as_bytes().first() == Some(&first) && rest.starts_with(form.0.as_bytes());
        let forms = FORMS.iter().filter(|_| is_start).filter(is_form);
        let end = forms.map(|form| (form, index + form.0.len())).find_map(|((_, letters, least), start)| {
            let end = end_of(view, start, |byte| letters.contains(byte));
            // A word in small letters, `sk-` in front of a long name, is no key.
            let has_digit =
                view.part(start, end).bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
            (end - start >= *least && has_digit).then_some(end)
        });
        if let Some(end) = end {
            spans.push(Span::new(index, end, Kind::Key));
        }
        index = end.unwrap_or(index + 1);
    }
    index
}

/// Finds JSON web tokens: up to five parts of Base64, the first of which begins with `{"`.
fn find_tokens(view: &View, spans: &mut Vec<Span>) {
    let mut from = 0;
    while let Some(found) = view.text.get(from..).and_then(|rest| rest.find("eyJ")) {
        let start = from + found;
        let end = end_of(view, start, |byte| Letters::Word.contains(byte) || matches!(byte, b'.' | b'='));
        let is_token = end - start >= 16 && !view.before(start).is_ascii_alphanumeric() || end - start >= 40;
        if is_token {
            let dots = view.part(start, end).bytes().rev().take_while(|byte| *byte == b'.').count();
            spans.push(Span::new(start, end - dots, Kind::Jwt));
        }
        from = end;
    }
}

/// Finds private keys in PEM, from the first line to the last or to the end of the text.
fn find_private_keys(view: &View, spans: &mut Vec<Span>) {
    const BEGIN: &str = "-----BEGIN ";
    let mut from = 0;
    while let Some(found) = view.text.get(from..).and_then(|rest| rest.find(BEGIN)) {
        let start = from + found;
        let rest = view.text.get(start..).unwrap_or_default();
        let label = rest.get(BEGIN.len()..).unwrap_or_default().split("-----").next().unwrap_or_default();
        from = start + BEGIN.len();
        if label.len() > 40 || !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK") {
            continue;
        }
        let body = BEGIN.len() + label.len() + 5;
        let last = rest.get(body..).and_then(|rest| rest.find("-----END "));
        let end = last.map_or(view.text.len(), |last| {
            let tail = start + body + last + "-----END ".len();
            let label = end_of(view, tail, |byte| byte.is_ascii_uppercase() || byte == b' ');
            end_of(view, label, |byte| byte == b'-')
        });
        spans.push(Span::new(start, end, Kind::Key));
        from = end;
    }
}

/// Finds New Relic's licence keys: 40 letters, of which the last four are `NRAL`.
fn find_licence_keys(view: &View, spans: &mut Vec<Span>) {
    for (found, _) in view.text.match_indices("NRAL") {
        let end = found + 4;
        let is_key = end >= 40
            && !view.at(end).is_ascii_alphanumeric()
            && view.part(end - 40, found).bytes().all(|byte| byte.is_ascii_alphanumeric())
            && !view.part(end - 40, found).is_empty();
        if is_key {
            spans.push(Span::new(end - 40, end, Kind::Key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        let mut spans = Vec::new();
        find(&View::of(text), &mut spans);
        spans.len()
    }

    #[test]
    fn every_form_is_found_and_a_cut_off_one_too() {
        for (prefix, letters, least) in FORMS {
            let tail = if *letters == Letters::Hex { "0a1b2c3d" } else { "0A1B2C3D" };
            let key = format!("{prefix}{}", tail.chars().cycle().take(*least).collect::<String>());
            assert!(found(&format!("鍵は{key}です")) >= 1, "{key}");
            assert!(found(&format!("x={key}&y")) >= 1, "{key}");
        }
    }

    #[test]
    fn words_that_begin_like_a_key_are_left_alone() {
        for text in [
            "sk-learn-pipeline-for-scoring-of-long-names",
            "key-value store",
            "npm_config_cache",
            "hf_transfer",
            "AKIA",
            "SG.1",
            "pypi-mirror",
            "ghp_token",
            "eyJ",
            "-----BEGIN CERTIFICATE-----",
            "MINERALNRAL",
        ] {
            assert_eq!(found(text), 0, "{text}");
        }
    }

    #[test]
    fn a_private_key_goes_from_its_first_line_to_its_last() {
        let label = "RSA PRIVATE KEY";
        let pem = format!("-----BEGIN {label}-----\nMIIabc\n-----END {label}-----");
        let text = format!("a {pem} b");
        let mut spans = Vec::new();
        find(&View::of(&text), &mut spans);
        assert_eq!(spans, [Span::new(2, 2 + pem.len(), Kind::Key)]);
        assert_eq!(found(&format!("-----BEGIN {label}-----\\nMII")), 1);
    }
}
