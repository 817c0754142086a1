//! Keys, tokens and external ids: a value that nothing can print. Calls nobody.
//!
//! [`Secret`] has no `Debug`, no `Display` and no `serde`, so that a log line, an error or a file that would show
//! it does not compile. It is read from the environment, never from the configuration, and shown to one room only:
//! the one that puts it into a request.

/// A value that must not be seen.
///
/// Compares in one way only, with [`Self::stands_in`]: that is what tests ask.
#[derive(Clone)]
pub struct Secret(String);

/// Why there is no secret. Never holds the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or holds nothing but blanks.
    #[error("environment variable `{0}` is not set")]
    Missing(String),
    /// The variable holds something that cannot go into a request's header.
    #[error("environment variable `{0}` holds signs that no key has")]
    NotAKey(String),
    /// The variable still holds what an example shows in the place of a key.
    #[error("environment variable `{0}` holds a placeholder")]
    Placeholder(String),
}

/// Returns whether a value is what examples show in the place of a secret: `NRAK-...`, `<key>`, `REPLACE-…`.
pub fn is_placeholder(value: &str) -> bool {
    let value = value.trim();
    value.ends_with("...") || value.ends_with('…') || value.starts_with('<') || value.starts_with("REPLACE")
}

impl SecretError {
    /// Returns what to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Missing(variable) => format!("set `{variable}` in the environment of whoever runs this"),
            Self::NotAKey(variable) => format!("look for blanks, quotes and line ends in `{variable}`"),
            Self::Placeholder(variable) => format!("put the real value into `{variable}`"),
        }
    }
}

impl Secret {
    /// Reads an environment variable; blanks and line ends around the value are cut off.
    ///
    /// # Errors
    /// [`SecretError`] with the variable's name.
    pub fn from_env(variable: &str) -> Result<Self, SecretError> {
        // A value that is not Unicode is no key either.
        let value = match std::env::var(variable) {
            Ok(value) => value,
            Err(std::env::VarError::NotPresent) => return Err(SecretError::Missing(variable.to_owned())),
            Err(std::env::VarError::NotUnicode(_)) => return Err(SecretError::NotAKey(variable.to_owned())),
        };
        Self::checked(&value, variable)
    }

    /// Takes a value from elsewhere; `name` is what messages call it.
    ///
    /// # Errors
    /// [`SecretError`] when it is blank, or holds signs outside printable ASCII.
    pub fn checked(value: &str, name: &str) -> Result<Self, SecretError> {
        let value = value.trim();
        if value.is_empty() {
            return Err(SecretError::Missing(name.to_owned()));
        }
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::NotAKey(name.to_owned()));
        }
        if is_placeholder(value) {
            return Err(SecretError::Placeholder(name.to_owned()));
        }
        Ok(Self(value.to_owned()))
    }

    /// Returns the value of an `Authorization` header that shows this token.
    pub fn bearer(&self) -> Self {
        Self(format!("Bearer {}", self.0))
    }

    /// Shows the value. For the code that builds a request or hands it to a vendor's client, and nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns whether a text holds the secret.
    pub fn stands_in(&self, text: &str) -> bool {
        text.contains(&self.0)
    }

    /// Returns the text with the secret blotted out, for words of a server that may repeat what was sent.
    pub fn blot(&self, text: &str) -> String {
        text.replace(&self.0, "[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_variable_and_never_the_value() {
        let error = Secret::checked("NRAK-canary\u{7}bell", "KEY").err().expect("refused");
        assert_eq!(error.to_string(), "environment variable `KEY` holds signs that no key has");
        assert!(!format!("{error:?}").contains("canary"));
        assert_eq!(Secret::checked(" \n", "KEY").err(), Some(SecretError::Missing("KEY".into())));
        assert_eq!(
            Secret::from_env("FORTNIGHT_TEST_NOT_SET_ANYWHERE").err(),
            Some(SecretError::Missing("FORTNIGHT_TEST_NOT_SET_ANYWHERE".into()))
        );
    }

    #[test]
    fn line_ends_of_a_file_are_no_part_of_a_key() {
        let secret = Secret::checked("NRAK-canary\n", "KEY").expect("a key");
        assert_eq!(secret.reveal(), "NRAK-canary");
        assert_eq!(secret.blot("key NRAK-canary is bad"), "key [secret] is bad");
        assert!(!secret.stands_in("NRAK"));
    }
}
