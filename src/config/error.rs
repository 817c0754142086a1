//! What can be wrong with a configuration file, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::place::Places;

/// Why a configuration cannot be used. Every text continues "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{place}: {reason}")]
    Syntax {
        /// `fortnight.toml:3`.
        place: String,
        /// What the parser expected.
        reason: String,
    },
    /// There is no such key.
    #[error("{place}: `{key}`: there is no such key")]
    UnknownKey {
        /// `fortnight.toml:3`.
        place: String,
        /// Path of the key, such as `judge.limit.relatve`.
        key: String,
        /// What to do.
        help: String,
    },
    /// A key has a wrong type, unit or range, or is missing.
    #[error("{place}: `{key}`: {reason}")]
    Value {
        /// `fortnight.toml:3`.
        place: String,
        /// Path of the key.
        key: String,
        /// What is wrong with the value.
        reason: String,
        /// What to do.
        help: String,
    },
}

impl ConfigError {
    /// Returns what to do next, if there is something to say.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Some(
                "name a config with `--config FILE`; one to start from is written by \
                 `fortnight init`, and `fortnight demo` needs none"
                    .to_owned(),
            ),
            Self::Read { .. } | Self::Syntax { .. } => None,
            Self::UnknownKey { help, .. } | Self::Value { help, .. } => (!help.is_empty()).then(|| help.clone()),
        }
    }
}

/// Turns serde's words into a message with path, line and a suggestion.
pub(super) fn explain(error: &toml::de::Error, places: &Places) -> ConfigError {
    // What serde calls a sequence is a list to the one who wrote the file.
    let message = error.message().trim_end().replace('\n', ", ").replace("a sequence", "a list");
    let offset = error.span().map_or(0, |span| span.start);
    let place = places.at(offset);
    let Some(key) = places.path_at(offset).map(str::to_owned) else {
        return ConfigError::Syntax { place, reason: message };
    };
    // serde: unknown field `relatve`, expected one of `relative`, `latency_ms`
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return ConfigError::Value { place, key, reason: message, help: String::new() };
    };
    let mut words = rest.split('`').step_by(2);
    let word = words.next().unwrap_or_default();
    let known: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let help = match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    ConfigError::UnknownKey { place, key, help }
}

/// Returns the candidate that a mistyped word is nearest to, if one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Jaro-Winkler forgives swapped and missing letters; below 0.8 the guesses become riddles.
    const NEAR_ENOUGH: f64 = 0.8;
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= NEAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
