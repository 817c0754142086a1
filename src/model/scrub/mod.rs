//! Removes personal data and credentials from names before anything keeps them.
//!
//! Every text that comes from outside (names of services and endpoints, titles, authors, URLs, statements, tags, log
//! lines) passes [`Scrubber::scrub`] where it enters the store or the report. Nothing later can show what was never
//! kept. The module is pure: it imports no other room, reads no clock and no file.
//!
//! # What replaces what
//!
//! | mark | stands for | kind |
//! | --- | --- | --- |
//! | `[card]` | a card number: 13 to 19 digits, an issuer's prefix, a valid check digit | [`Kind::Card`] |
//! | `[email]` | an e-mail address | [`Kind::Email`] |
//! | `[jwt]` | a JSON web token | [`Kind::Jwt`] |
//! | `[key]` | a key that its form gives away, a private key, a webhook's path | [`Kind::Key`] |
//! | `[secret]` | a value that its name gives away (`password=`), `user:pass@`, `Bearer …` | [`Kind::Secret`] |
//! | `{id}` | a UUID, a long number or a random token in a path | [`Kind::Id`] |
//! | `?` | a literal in SQL; comments are dropped | [`Kind::Literal`] |
//! | `[name]` | what a pattern of one's own matches | [`Kind::Own`] |
//!
//! Marks are words and carry no hash and no last digits: a hash of a card number can be reversed by trying them all.
//! `{id}` is what routers print for such a part, so `GET /users/{id}` from two tools is one name. It is one mark for
//! all sorts of ids, for the same reason. `?` is what databases print for a literal.
//!
//! # Laws
//!
//! - A text without findings is returned byte for byte, borrowed.
//! - Scrubbing twice gives what scrubbing once gives. Scrubbing repeats until nothing changes; a text that keeps
//!   changing after [`MOST_PASSES`] passes becomes `[scrubbed]` as a whole.
//! - Time is linear in the length of the text. No input panics.
//!
//! # What it does not find
//!
//! Names of people, postal addresses, phone numbers, IP addresses, secrets without a known form or a name beside them.
//! Add a pattern of one's own for these.
//!
//! Read `view` first (disguises), then one file for each kind: `card`, `email`, `key`, `credential`, `assignment`,
//! `path`, `sql`;
//! `names` last.

mod assignment;
mod card;
mod credential;
mod email;
mod key;
mod names;
mod path;
mod span;
mod sql;
mod view;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use span::Span;
use view::View;

use super::sanitize;

pub use names::{fall_together, numbered};

/// Passes over one text. Two are the rule: one that replaces and one that finds nothing more. Fuzzing needed four.
pub const MOST_PASSES: usize = 8;

/// Replaces a text that is not stable after [`MOST_PASSES`] passes.
const UNSTABLE: &str = "[scrubbed]";

/// What a text is, which decides what may be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Name of a service.
    Service,
    /// Name of an endpoint, a transaction, a resource. Ids leave its paths; SQL in it is treated as such.
    Target,
    /// Title of a deploy or another event.
    Title,
    /// Who made a change.
    Author,
    /// An address. Ids after words such as `pull` and `runs` stay, or the link would be dead.
    Url,
    /// A statement of a database, whole or cut off.
    Statement,
    /// A tag or a label, as `name:value` or `value`.
    Tag,
    /// Id of a deploy or a finding. Numbers and UUIDs stay, because an id is made of them.
    Id,
    /// An answer of a server, a log line, any other prose.
    Text,
}

impl Field {
    /// Every kind of field.
    pub const ALL: [Self; 9] = [
        Self::Service,
        Self::Target,
        Self::Title,
        Self::Author,
        Self::Url,
        Self::Statement,
        Self::Tag,
        Self::Id,
        Self::Text,
    ];
}

/// What was replaced. Where two findings cover the same text, the first kind in this order names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A JSON web token.
    Jwt,
    /// A key of a known form, or a private key.
    Key,
    /// A password, token or other value that its name gives away.
    Secret,
    /// A card number.
    Card,
    /// An e-mail address.
    Email,
    /// What a pattern of one's own matched: its place in the list given to [`Scrubber::new`].
    Own(usize),
    /// An id in a path.
    Id,
    /// A literal or a comment in SQL.
    Literal,
}

/// How many findings of each kind were replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<Kind, u64>);

impl Counts {
    /// Returns how many findings of a kind were replaced.
    pub fn of(&self, kind: Kind) -> u64 {
        self.0.get(&kind).copied().unwrap_or(0)
    }

    /// Returns the kinds that were found, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, u64)> {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }

    /// Tells whether nothing was replaced.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the counts of another text.
    pub fn add(&mut self, other: &Self) {
        for (kind, count) in other.iter() {
            *self.0.entry(kind).or_default() += count;
        }
    }
}

/// A text that may be kept, with what was replaced in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrubbed<'a> {
    /// The text; borrowed if nothing was replaced.
    pub text: Cow<'a, str>,
    /// What was replaced.
    pub counts: Counts,
}

/// Why a pattern of one's own is refused.
#[derive(Debug, thiserror::Error)]
pub enum ScrubError {
    /// The name cannot be a mark.
    #[error("name `{0}` of a pattern is not 1 to 24 of a-z, 0-9, _ and -")]
    Name(String),
    /// Two patterns have one name, or it is the mark of a kind.
    #[error("name `{0}` of a pattern is taken")]
    Taken(String),
    /// The pattern is not a regular expression.
    #[error("pattern `{name}` is not a regular expression")]
    Pattern {
        /// The pattern's name.
        name: String,
        /// What the parser says. Boxed, because it is large.
        #[source]
        source: Box<regex::Error>,
    },
    /// The pattern matches the empty text, so it would match everywhere.
    #[error("pattern `{0}` matches the empty text")]
    Empty(String),
}

/// Finds and replaces what must not be kept. Make one and share it: patterns are compiled once.
#[derive(Debug, Clone, Default)]
pub struct Scrubber {
    own: Vec<Own>,
}

/// A pattern of one's own.
#[derive(Debug, Clone)]
struct Own {
    mark: String,
    pattern: Regex,
}

/// What cleans words that no configuration is at hand for.
static COMMON: LazyLock<Scrubber> = LazyLock::new(Scrubber::default);

/// Returns words of a server, or a part of a file, without personal data and credentials, for messages. Patterns of one's
/// own are not known here; names have passed them already.
pub fn words(text: &str) -> String {
    COMMON.scrub(Field::Text, text).text.into_owned()
}

/// Returns the beginning of such words, escaped, so that a message stays one readable line.
pub fn excerpt(text: &str) -> String {
    sanitize::excerpt(&words(text))
}

impl Scrubber {
    /// Makes a scrubber with patterns of one's own besides those that are built in.
    ///
    /// `own`: pairs of a name and a regular expression, tried in this order. Matches become `[name]`. They are
    /// searched in the text without its disguises: full-width letters are narrow and `%40` is `@`.
    ///
    /// # Errors
    /// [`ScrubError`] with the name of the pattern that is refused.
    pub fn new<'a>(own: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ScrubError> {
        let mut scrubber = Self::default();
        for (name, pattern) in own {
            let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
            if name.is_empty() || name.len() > 24 || !name.bytes().all(is_word) {
                return Err(ScrubError::Name(name.to_owned()));
            }
            let mark = format!("[{name}]");
            if span::MARKS.contains(&mark.as_str()) || scrubber.own.iter().any(|own| own.mark == mark) {
                return Err(ScrubError::Taken(name.to_owned()));
            }
            let pattern = Regex::new(pattern)
                .map_err(|source| ScrubError::Pattern { name: name.to_owned(), source: Box::new(source) })?;
            if pattern.is_match("") {
                return Err(ScrubError::Empty(name.to_owned()));
            }
            scrubber.own.push(Own { mark, pattern });
        }
        Ok(scrubber)
    }

    /// Replaces what must not be kept.
    pub fn scrub<'a>(&self, field: Field, text: &'a str) -> Scrubbed<'a> {
        let (base, number) = names::split_number(field, text);
        let mut counts = Counts::default();
        let Some(mut kept) = self.pass(field, base, &mut counts) else {
            return Scrubbed { text: Cow::Borrowed(text), counts };
        };
        for _ in 1..MOST_PASSES {
            match self.pass(field, &kept, &mut counts) {
                Some(next) => kept = next,
                None => {
                    kept.push_str(number);
                    return Scrubbed { text: Cow::Owned(kept), counts };
                }
            }
        }
        Scrubbed { text: Cow::Borrowed(UNSTABLE), counts }
    }

    /// Returns an id as the store holds it, for an id that a person typed.
    ///
    /// Ids are scrubbed when they are read; one that is typed as it was before finds its event only if the same is
    /// done to it. Blanks around it are cut off.
    pub fn typed_id(&self, typed: &str) -> String {
        self.scrub(Field::Id, typed.trim()).text.into_owned()
    }

    /// Returns the mark that replaces a kind.
    pub fn mark(&self, kind: Kind) -> &str {
        match kind {
            Kind::Own(index) => self.own.get(index).map_or(UNSTABLE, |own| &own.mark),
            kind => span::mark(kind),
        }
    }

    /// Returns the stable word for a kind, for counts in the report: `card`, `id`, the name of a pattern.
    pub fn word(&self, kind: Kind) -> &str {
        match kind {
            Kind::Literal => "literal",
            kind => self.mark(kind).trim_matches(['[', ']', '{', '}']),
        }
    }

    /// Replaces once; `None` if there is nothing to replace.
    fn pass(&self, field: Field, text: &str, counts: &mut Counts) -> Option<String> {
        let view = View::of(text);
        let mut spans = Vec::new();
        key::find(&view, &mut spans);
        credential::find(&view, &mut spans);
        assignment::find(&view, field, &mut spans);
        card::find(&view, &mut spans);
        email::find(&view, &mut spans);
        path::find(&view, field, &mut spans);
        self.find_own(&view, &mut spans);
        for span in &mut spans {
            (span.start, span.end) = view.original(span.start, span.end);
        }
        sql::find(text, &view, field, &mut spans);
        if spans.is_empty() {
            return None;
        }
        span::replace(text, spans, |kind| self.mark(kind), |kind| *counts.0.entry(kind).or_default() += 1)
    }

    /// Finds what the patterns of one's own match, except within marks: `[name]` may match its own pattern.
    fn find_own(&self, view: &View, spans: &mut Vec<Span>) {
        if self.own.is_empty() {
            return;
        }
        let marks: Vec<(usize, usize)> = span::MARKS
            .into_iter()
            .chain([UNSTABLE])
            .chain(self.own.iter().map(|own| own.mark.as_str()))
            .flat_map(|mark| view.text.match_indices(mark))
            .map(|(start, mark)| (start, start + mark.len()))
            .collect();
        for (index, own) in self.own.iter().enumerate() {
            for found in own.pattern.find_iter(&view.text).filter(|found| !found.is_empty()) {
                let is_in_mark = marks.iter().any(|mark| mark.0 <= found.start() && found.end() <= mark.1);
                if !is_in_mark {
                    spans.push(Span::new(found.start(), found.end(), Kind::Own(index)));
                }
            }
        }
    }
}
