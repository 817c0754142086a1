//! Every sentence of the report in every language.
//!
//! The catalogues stand in `templates/words/<language>.toml` and are compiled in. A pattern holds places
//! such as `{target}`, and `{n|service|services}` picks the singular or plural by the count `n`. A test
//! keeps both catalogues complete and without leftovers.

mod phrase;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(crate) use phrase::{Phrase, Run};

use crate::config::Language;

/// A short text that differs between languages, such as a date.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Localized {
    /// English.
    pub en: String,
    /// Japanese.
    pub ja: String,
}

impl Localized {
    /// Makes a text from its two forms.
    pub fn new(en: impl Into<String>, ja: impl Into<String>) -> Self {
        Self { en: en.into(), ja: ja.into() }
    }

    /// Makes a text that is the same in every language.
    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { en: text.clone(), ja: text }
    }

    fn get(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Ja => &self.ja,
        }
    }
}

/// What fills a place in a pattern.
#[derive(Debug, Clone)]
pub(crate) enum Arg {
    /// Running text, mostly numbers and dates.
    Plain(Localized),
    /// Running text that carries the sentence.
    Strong(Localized),
    /// A name from outside, already cleaned.
    Code(String),
    /// The number of a deploy group.
    Flag(usize),
    /// A number of things; picks singular or plural.
    Count(usize),
    /// Another phrase.
    Phrase(Phrase),
}

impl From<Localized> for Arg {
    fn from(text: Localized) -> Self {
        Self::Plain(text)
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Plain(Localized::same(text))
    }
}

impl From<usize> for Arg {
    fn from(count: usize) -> Self {
        Self::Count(count)
    }
}

impl From<Phrase> for Arg {
    fn from(phrase: Phrase) -> Self {
        Self::Phrase(phrase)
    }
}

type Catalogue = BTreeMap<String, String>;

const EN: &str = include_str!("../../../templates/words/en.toml");
const JA: &str = include_str!("../../../templates/words/ja.toml");

static CATALOGUES: LazyLock<(Catalogue, Catalogue)> = LazyLock::new(|| (read(EN), read(JA)));

/// Flattens a catalogue to dotted keys. A broken catalogue reads as an empty one; the tests refuse it.
fn read(text: &str) -> Catalogue {
    fn walk(prefix: &str, table: &toml::Table, into: &mut Catalogue) {
        for (key, value) in table {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                toml::Value::Table(inner) => walk(&path, inner, into),
                toml::Value::String(text) => drop(into.insert(path, text.clone())),
                _ => {}
            }
        }
    }
    let mut catalogue = Catalogue::new();
    if let Ok(table) = text.parse::<toml::Table>() {
        walk("", &table, &mut catalogue);
    }
    catalogue
}

fn catalogue(language: Language) -> &'static Catalogue {
    match language {
        Language::En => &CATALOGUES.0,
        Language::Ja => &CATALOGUES.1,
    }
}

/// The languages of one page, in order; writes every phrase in all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Translator {
    languages: Vec<Language>,
}

impl Translator {
    /// Writes the given languages; without any, English.
    pub fn new(languages: &[Language]) -> Self {
        let mut unique: Vec<Language> = Vec::new();
        for language in languages {
            if !unique.contains(language) {
                unique.push(*language);
            }
        }
        if unique.is_empty() {
            unique.push(Language::En);
        }
        Self { languages: unique }
    }

    /// Returns the language that is shown first.
    pub fn first(&self) -> Language {
        self.languages.first().copied().unwrap_or(Language::En)
    }

    /// Returns the languages in order.
    pub fn languages(&self) -> &[Language] {
        &self.languages
    }

    /// Returns a fixed text.
    pub fn label(&self, key: &str) -> Phrase {
        self.message(key, &[])
    }

    /// Returns whether the catalogues know a key.
    pub fn knows(&self, key: &str) -> bool {
        catalogue(Language::En).contains_key(key)
    }

    /// Fills a pattern. A key that is missing gives an empty text, which the tests rule out.
    pub fn message(&self, key: &str, args: &[(&str, Arg)]) -> Phrase {
        let texts = self.languages.iter().map(|language| {
            let pattern = catalogue(*language).get(key).map_or("", String::as_str);
            (*language, fill(pattern, *language, args))
        });
        Phrase::new(texts.collect())
    }

    /// Returns a text that is not in the catalogues, such as a date.
    pub fn localized(&self, text: &Localized) -> Phrase {
        let texts = self.languages.iter().map(|language| (*language, vec![Run::Plain(text.get(*language).to_owned())]));
        Phrase::new(texts.collect())
    }

    /// Returns a text that is the same in every language.
    pub fn plain(&self, text: impl Into<String>) -> Phrase {
        self.localized(&Localized::same(text))
    }

    /// Returns a name from outside, already cleaned.
    pub fn code(&self, name: impl Into<String>) -> Phrase {
        let name = name.into();
        Phrase::new(self.languages.iter().map(|language| (*language, vec![Run::Code(name.clone())])).collect())
    }

    /// Joins phrases with a separator that differs by language.
    pub fn join(&self, phrases: &[Phrase], separator: &Localized) -> Phrase {
        let texts = self.languages.iter().map(|language| {
            let mut pieces: Vec<Run> = Vec::new();
            for (index, phrase) in phrases.iter().enumerate() {
                if index > 0 {
                    pieces.push(Run::Plain(separator.get(*language).to_owned()));
                }
                pieces.extend_from_slice(phrase.pieces(*language));
            }
            (*language, pieces)
        });
        Phrase::new(texts.collect())
    }

    /// Joins sentences: English wants a space between them, Japanese none.
    pub fn sentences(&self, phrases: &[Phrase]) -> Phrase {
        self.join(phrases, &Localized::new(" ", ""))
    }

    /// Joins the items of a list.
    pub fn list(&self, phrases: &[Phrase]) -> Phrase {
        self.join(phrases, &Localized::new(", ", "、"))
    }
}

/// Fills the places of a pattern; a place without an argument stays empty.
fn fill(pattern: &str, language: Language, args: &[(&str, Arg)]) -> Vec<Run> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        push_plain(&mut pieces, before);
        let Some((place, tail)) = after.split_once('}') else {
            rest = after;
            continue;
        };
        let mut parts = place.split('|');
        let name = parts.next().unwrap_or_default();
        let arg = args.iter().find(|(key, _)| *key == name).map(|(_, arg)| arg);
        match (arg, parts.next(), parts.next()) {
            (Some(Arg::Count(count)), Some(one), Some(many)) => {
                push_plain(&mut pieces, if *count == 1 { one } else { many })
            }
            (Some(arg), _, _) => push(&mut pieces, arg, language),
            (None, _, _) => {}
        }
        rest = tail;
    }
    push_plain(&mut pieces, rest);
    pieces
}

/// Writes a whole number with separators for thousands.
pub(crate) fn whole(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, c) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

fn push(pieces: &mut Vec<Run>, arg: &Arg, language: Language) {
    match arg {
        Arg::Plain(text) => push_plain(pieces, text.get(language)),
        Arg::Strong(text) => pieces.push(Run::Strong(text.get(language).to_owned())),
        Arg::Code(name) => pieces.push(Run::Code(name.clone())),
        Arg::Flag(number) => pieces.push(Run::Flag(*number)),
        Arg::Count(count) => push_plain(pieces, &whole(*count as u64)),
        Arg::Phrase(phrase) => pieces.extend_from_slice(phrase.pieces(language)),
    }
}

fn push_plain(pieces: &mut Vec<Run>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Run::Plain(last)) => last.push_str(text),
        _ => pieces.push(Run::Plain(text.to_owned())),
    }
}

#[cfg(test)]
mod tests;
