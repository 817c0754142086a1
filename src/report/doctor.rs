//! What `doctor` found: one line a check, each with what to do if it is not well.

use schemars::JsonSchema;
use serde::Serialize;

use super::text::{Style, plain};

/// Name and version of the format.
pub const SCHEMA: &str = "fortnight.doctor/1";

/// Returns the JSON Schema of what `fortnight doctor --json` prints.
pub fn schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Checkup>()
        .to_value()
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing to do.
    Ok,
    /// The report can be written, but says less than it could.
    Warn,
    /// The report cannot be written, or not with this.
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// What was looked at: a stable word.
    pub check: &'static str,
    /// Which one, such as a source's id; empty where there is only one.
    pub name: String,
    /// How it came out.
    pub health: Health,
    /// What was found.
    pub found: String,
    /// What to do, one thing each; empty when nothing.
    pub help: Vec<String>,
}

impl Check {
    /// Makes a check that came out well.
    pub fn ok(check: &'static str, name: &str, found: impl Into<String>) -> Self {
        Self { check, name: name.to_owned(), health: Health::Ok, found: found.into(), help: Vec::new() }
    }

    /// Makes a check after which something could be better.
    pub fn warn(check: &'static str, name: &str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { health: Health::Warn, help: vec![help.into()], ..Self::ok(check, name, found) }
    }

    /// Makes a check that failed.
    pub fn fail(check: &'static str, name: &str, found: impl Into<String>, help: Vec<String>) -> Self {
        Self { health: Health::Fail, help, ..Self::ok(check, name, found) }
    }
}

/// Every check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "fortnight doctor")]
pub struct Checkup {
    /// Name and version of this format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// The worst of the checks.
    pub health: Health,
    /// The checks, in order.
    pub checks: Vec<Check>,
}

impl Checkup {
    /// Gathers checks.
    pub fn new(checks: Vec<Check>) -> Self {
        let health = checks.iter().map(|check| check.health).max().unwrap_or(Health::Ok);
        Self { schema: SCHEMA, health, checks }
    }

    /// Writes the checks for people. Names come from outside and are made harmless.
    pub fn text(&self, style: Style) -> String {
        let mut text = String::new();
        let width = self.checks.iter().map(|check| title(check).chars().count()).max().unwrap_or(0);
        for check in &self.checks {
            let title = title(check);
            let padding = " ".repeat(width - title.chars().count());
            text.push_str(&format!("{}  {title}{padding}  {}\n", mark(check.health, style), plain(&check.found)));
            for help in &check.help {
                text.push_str(&format!("      {}  help: {}\n", " ".repeat(width), plain(help)));
            }
        }
        let count = |health| self.checks.iter().filter(|check| check.health == health).count();
        text.push_str(&format!(
            "{} checks: {} ok, {} to mend, {} failed\n",
            self.checks.len(),
            count(Health::Ok),
            count(Health::Warn),
            count(Health::Fail)
        ));
        text
    }
}

fn title(check: &Check) -> String {
    if check.name.is_empty() { check.check.to_owned() } else { format!("{} {}", check.check, plain(&check.name)) }
}

fn mark(health: Health, style: Style) -> String {
    let (word, code) = match health {
        Health::Ok => ("ok  ", "36"),
        Health::Warn => ("mend", "33"),
        Health::Fail => ("FAIL", "1;31"),
    };
    if style.colour { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::tests::validate;

    fn checkup() -> Checkup {
        Checkup::new(vec![
            Check::ok("config", "", "fortnight.toml"),
            Check::warn("source", "a\u{202e}", "b\u{1b}[2J", "c\n"),
        ])
    }

    #[test]
    fn the_schema_describes_what_is_printed() {
        let (schema, value) = (schema(), serde_json::to_value(checkup()).expect("JSON"));
        let mut problems = Vec::new();
        validate(&schema, &schema, &value, "", &mut problems);
        assert!(problems.is_empty(), "{problems:#?}");
    }

    #[test]
    fn the_worst_check_is_the_health_and_names_are_harmless() {
        let checkup = checkup();
        assert_eq!(checkup.health, Health::Warn);
        let text = checkup.text(Style { colour: false, signs: true });
        assert!(text.is_ascii() && text.lines().count() == 4 && !text.contains('\u{1b}'), "{text}");
    }
}
