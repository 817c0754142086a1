//! What `doctor` found: one line a check, each with what to do if it is not well.

use schemars::JsonSchema;
use serde::Serialize;

use super::terminal::{Style, plain};
use crate::review::service::ServiceCoverage;

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
    /// What is known about each service; empty if series were not looked at.
    pub services: Vec<ServiceCoverage>,
}

/// Services that the text lists at the most; the JSON has all.
const SERVICES: usize = 20;

/// Longest name of a service or owner in the text, characters.
const LONGEST: usize = 40;

impl Checkup {
    /// Gathers checks.
    pub fn new(checks: Vec<Check>) -> Self {
        let health = checks.iter().map(|check| check.health).max().unwrap_or(Health::Ok);
        Self { schema: SCHEMA, health, checks, services: Vec::new() }
    }

    /// Puts checks in at a place.
    pub fn insert(&mut self, at: usize, checks: Vec<Check>) {
        self.health = checks.iter().map(|check| check.health).fold(self.health, Ord::max);
        let at = at.min(self.checks.len());
        self.checks.splice(at..at, checks);
    }

    /// Writes the services that lack something, and what; empty if none does.
    fn gaps(&self) -> String {
        let gaps: Vec<&ServiceCoverage> =
            self.services.iter().filter(|service| !service.is_loose && service.has_gap()).collect();
        if gaps.is_empty() {
            return String::new();
        }
        let asks_slo = gaps.iter().any(|one| one.slo.is_some());
        let mut rows = vec![["service", "owner", "deploys", "traffic", "series", "slo"].map(str::to_owned)];
        for one in gaps.iter().take(SERVICES) {
            let or = |text: &str| if text.is_empty() { "nobody yet".to_owned() } else { cut(&plain(text)) };
            let deploys = match (one.deploys, one.inferred) {
                (0, _) => "none".to_owned(),
                (all, 0) => all.to_string(),
                (all, inferred) => format!("{all}, {inferred} inferred"),
            };
            let traffic = if one.has_traffic { "yes" } else { "none" };
            let slo = match one.slo.as_deref() {
                Some(slo) if !slo.is_empty() => cut(&plain(slo)),
                _ => "none".to_owned(),
            };
            let (service, series) = (cut(&plain(&one.service)), one.series.to_string());
            rows.push([service, or(&one.owner), deploys, traffic.to_owned(), series, slo]);
        }
        let columns = if asks_slo { 6 } else { 5 };
        let widths: Vec<usize> = (0..columns)
            .map(|k| rows.iter().filter_map(|row| row.get(k)).map(|cell| cell.chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = format!(
            "\n{} of {} services lack an owner, a deploy in the period, {}:\n",
            gaps.len(),
            self.services.iter().filter(|service| !service.is_loose).count(),
            if asks_slo { "traffic, or an SLO" } else { "or traffic" }
        );
        for row in rows {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())));
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str(&format!("  {}\n", line.trim_end()));
        }
        if gaps.len() > SERVICES {
            text.push_str(&format!("  and {} more, in `--json`\n", gaps.len() - SERVICES));
        }
        text
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
        let gaps = self.gaps();
        if !gaps.is_empty() {
            text.push_str(&format!("{gaps}\n"));
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

fn cut(name: &str) -> String {
    match name.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", name.get(..at).unwrap_or(name)),
        None => name.to_owned(),
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
    use crate::review::tests::validate;

    fn service(name: &str, owner: &str, deploys: usize) -> ServiceCoverage {
        ServiceCoverage {
            service: name.into(),
            owner: owner.into(),
            series: 3,
            deploys,
            inferred: deploys / 2,
            has_traffic: true,
            slo: None,
            is_loose: false,
        }
    }

    fn checkup() -> Checkup {
        let checks =
            vec![Check::ok("config", "", "fortnight.toml"), Check::warn("source", "a\u{202e}", "b\u{1b}[2J", "c\n")];
        Checkup { services: vec![service("whole", "team", 1)], ..Checkup::new(checks) }
    }

    #[test]
    fn services_that_lack_something_are_listed_and_the_list_ends() {
        let style = Style { colour: false, signs: true };
        assert!(!checkup().text(style).contains("lack"));
        let names: Vec<String> = (0..50).map(|k| format!("svc-{k}\u{1b}[2J")).collect();
        let mut services: Vec<ServiceCoverage> = names.iter().map(|name| service(name, "", 2)).collect();
        services.push(ServiceCoverage { is_loose: true, ..service("queue-1", "", 0) });
        services.push(service(&"x".repeat(5000), "", 0));
        let text = Checkup { services, ..checkup() }.text(style);
        assert!(text.contains("51 of 51 services lack"), "{text}");
        assert!(text.contains("nobody yet  2, 1 inferred  yes") && text.contains("and 31 more"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains("queue-1") && text.lines().all(|line| line.len() < 200));
        let of = |slo: &str| ServiceCoverage { slo: Some(slo.into()), ..service("api", "", 2) };
        let text = Checkup { services: vec![of(""), of("p95 < 300 ms\u{1b}[2J")], ..checkup() }.text(style);
        assert!(text.contains("or an SLO:") && text.contains("series  slo\n"), "{text}");
        assert!(text.contains("3       none\n") && text.contains("p95 < 300 ms") && !text.contains('\u{1b}'), "{text}");
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
