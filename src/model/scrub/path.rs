//! Ids in paths: UUIDs, long numbers and random tokens become `{id}`, as in the routes that a router prints.

use super::view::View;
use super::{Field, Kind, span::Span};

/// A number of this many digits in a path is an id. Shorter ones are versions, years, ports and status codes.
const LONG_NUMBER: usize = 5;

/// A hexadecimal run of this many digits in a path is an id: half of a UUID, the shortest trace id.
const LONG_HEX: usize = 16;

/// A run of letters in both cases and digits of this length in a path is a random token.
const LONG_RANDOM: usize = 20;

/// Words in the address of a change or a run; without the id that follows, the link is dead.
const LINKED: &[&str] = &[
    "pull",
    "pulls",
    "pull-requests",
    "pullrequests",
    "merge_requests",
    "issues",
    "issue",
    "runs",
    "run",
    "builds",
    "build",
    "jobs",
    "job",
    "workflows",
    "workflow",
    "pipelines",
    "pipeline",
    "executions",
    "execution",
    "deployments",
    "deployment",
    "deploys",
    "deploy",
    "releases",
    "release",
    "commit",
    "commits",
    "compare",
    "tree",
    "blob",
    "tags",
    "tag",
    "incidents",
    "incident",
    "alerts",
    "dashboards",
    "dashboard",
    "accounts",
    "account",
    "browse",
    "changes",
    "c",
];

/// Parts of the names of hosts on which changes, runs and dashboards are: there every id in a path stays.
const LINKED_HOSTS: &[&str] = &[
    "github.",
    "gitlab.",
    "bitbucket.",
    "circleci.com",
    "jenkins.",
    "ci.",
    "atlassian.net",
    "newrelic.com",
    "datadoghq.",
    "pagerduty.com",
    "sentry.io",
    "console.aws.amazon.com",
    "slack.com",
];

/// Finds ids in paths.
pub(super) fn find(view: &View, field: Field, spans: &mut Vec<Span>) {
    if field == Field::Id {
        return;
    }
    let is_end = |byte: u8| byte.is_ascii_whitespace() || b"\"'`<>|()[],".contains(&byte);
    let mut start = 0;
    for index in 0..=view.bytes().len() {
        if index < view.bytes().len() && !is_end(view.at(index)) {
            continue;
        }
        if index > start {
            in_token(view, field, start, index, spans);
        }
        start = index + 1;
    }
}

/// Finds ids in one run of text without blanks.
fn in_token(view: &View, field: Field, start: usize, end: usize, spans: &mut Vec<Span>) {
    let token = view.part(start, end);
    if token.starts_with("arn:") || token.contains(":arn:") {
        return;
    }
    let is_target = field == Field::Target;
    let (path, is_absolute) = match token.find("://") {
        // The host's name is no part of the path.
        Some(scheme) => match token.get(scheme + 3..).and_then(|rest| rest.split_once('/')) {
            Some((host, _)) if !is_target && is_linked_host(host) => return,
            Some((host, _)) => (start + scheme + 3 + host.len(), true),
            None => return,
        },
        None => match token.find('/') {
            Some(0) => (start, true),
            Some(slash) => {
                let before = token.get(..slash).and_then(|before| before.chars().next_back());
                let is_absolute = before.is_some_and(|letter| !letter.is_ascii() || matches!(letter, ':' | '='));
                (if is_absolute { start + slash } else { start }, is_absolute)
            }
            None if is_target => (start, false),
            None => return,
        },
    };
    if !is_absolute && !is_target {
        return;
    }
    let has_path = token.contains('/');
    let mut previous = "";
    let mut is_query = false;
    let mut from = path;
    for index in path..=end {
        if index < end && !b"/?&=;#".contains(&view.at(index)) {
            continue;
        }
        let is_linked = !is_target && LINKED.contains(&previous);
        if index > from && !is_linked && (!is_query || is_target) {
            in_segment(view, from, index, is_absolute, has_path, spans);
        }
        is_query |= view.at(index) == b'?';
        previous = view.part(from, index);
        from = index + 1;
    }
}

/// Tells whether a host holds changes, runs or dashboards: a label of its name begins with a known part.
fn is_linked_host(host: &str) -> bool {
    let begins =
        |part: &str| host.match_indices(part).any(|(at, _)| at == 0 || host.as_bytes().get(at - 1) == Some(&b'.'));
    LINKED_HOSTS.iter().any(|part| begins(part))
}

/// Finds ids between two slashes. Of a path without a slash in front only UUIDs and whole numbers: parts of names of
/// load balancers and tasks are hexadecimal.
fn in_segment(view: &View, start: usize, end: usize, is_absolute: bool, has_path: bool, spans: &mut Vec<Span>) {
    let mut index = start;
    while index < end {
        let run_end = index + run(view, index, end, |byte| byte.is_ascii_alphanumeric());
        if run_end == index {
            index += 1;
            continue;
        }
        let is_whole = index == start && run_end == end;
        if let Some(uuid) = uuid_end(view, index, end) {
            spans.push(Span::new(index, uuid, Kind::Id));
            index = uuid;
            continue;
        }
        let text = view.part(index, run_end);
        let is_number = text.len() >= LONG_NUMBER && text.bytes().all(|byte| byte.is_ascii_digit());
        // Sixteen digits may be the hexadecimal end of the name of a load balancer.
        let is_part_of_name = !is_absolute && (!is_whole || text.len() == LONG_HEX);
        if is_number && has_path && !is_part_of_name || is_absolute && is_random(text) {
            spans.push(Span::new(index, run_end, Kind::Id));
        }
        index = run_end;
    }
}

/// Returns how many bytes from an index on are of a sort.
fn run(view: &View, start: usize, end: usize, is_part: impl Fn(u8) -> bool) -> usize {
    view.bytes().get(start..end).unwrap_or_default().iter().take_while(|byte| is_part(**byte)).count()
}

/// Returns where a UUID ends that begins here.
fn uuid_end(view: &View, start: usize, end: usize) -> Option<usize> {
    let mut index = start;
    for (part, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if part > 0 {
            if view.at(index) != b'-' {
                return None;
            }
            index += 1;
        }
        if run(view, index, end, |byte| byte.is_ascii_hexdigit()) != length {
            return None;
        }
        index += length;
    }
    (!view.at(index).is_ascii_alphanumeric()).then_some(index)
}

/// Tells whether a run of letters and digits was made by chance: long hexadecimal, a ULID, or letters in both cases
/// that digits interrupt at least three times.
fn is_random(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.bytes().any(|byte| is(&byte));
    let (has_digit, has_upper, has_lower) =
        (has(u8::is_ascii_digit), has(u8::is_ascii_uppercase), has(u8::is_ascii_lowercase));
    let is_hex = text.len() >= LONG_HEX && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_ulid = text.len() == 26 && has_upper && !has_lower && text.starts_with(|first: char| first < '8');
    let interruptions = text.as_bytes().windows(2).filter(|pair| match pair {
        [left, right] => !left.is_ascii_digit() && right.is_ascii_digit(),
        _ => false,
    });
    let is_mixed = text.len() >= LONG_RANDOM && has_upper && has_lower && interruptions.count() >= 3;
    has_digit && (is_hex || is_ulid || is_mixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scrub::Scrubber;

    fn scrubbed(field: Field, text: &str) -> String {
        Scrubber::default().scrub(field, text).text.into_owned()
    }

    #[test]
    fn ids_leave_the_paths_of_endpoints() {
        for (text, expected) in [
            ("GET /users/4f3c2a1b-0000-4000-8000-1234567890ab", "GET /users/{id}"),
            ("GET /users/123456/cards", "GET /users/{id}/cards"),
            ("GET /users/１２３４５６", "GET /users/{id}"),
            ("/orders/order-123456.json?user=987654&sort=asc", "/orders/order-{id}.json?user={id}&sort=asc"),
            ("https://api.example.com/v2/cards/5f1a3c5e7b9d0f2a4c6e8b0d", "https://api.example.com/v2/cards/{id}"),
            ("/reset/Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8", "/reset/{id}"),
            ("WebTransaction/Uri/users/123456/show", "WebTransaction/Uri/users/{id}/show"),
            ("利用者/カード/123456", "利用者/カード/{id}"),
            ("queue:4f3c2a1b-0000-4000-8000-1234567890ab", "queue:{id}"),
        ] {
            assert_eq!(scrubbed(Field::Target, text), expected);
        }
    }

    #[test]
    fn what_names_a_thing_stays() {
        for text in [
            "GET /v1/cards/{id}",
            "/reports/2026-11-09",
            "/errors/404",
            "/oauth2/v1",
            "/static/app.js",
            "/sha256/x",
            "/v1.2.3/x",
            "app/prod-alb/50dc6c495c0c9188",
            "targetgroup/web/943f017f100becff",
            "rds:cards-123456",
            "i-0abcdef1234567890",
            "arn:aws:iam::123456789012:role/a/123456789012",
            "http://10.0.0.1:8080",
            "GET /users/:user_id/cards/:id",
        ] {
            assert_eq!(scrubbed(Field::Target, text), text);
        }
    }

    #[test]
    fn links_to_changes_and_runs_stay_alive() {
        let link = "https://github.com/org/repo/actions/runs/12345678901";
        assert_eq!(scrubbed(Field::Url, link), link);
        assert_eq!(scrubbed(Field::Target, link), "https://github.com/org/repo/actions/runs/{id}");
        assert_eq!(
            scrubbed(Field::Url, "https://admin.example.com/users/123456"),
            "https://admin.example.com/users/{id}"
        );
        assert_eq!(scrubbed(Field::Id, "/users/123456"), "/users/123456");
    }
}
