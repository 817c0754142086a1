//! Reads a file with a list of metrics.
//!
//! A list is a TOML file: those in `queries/cloudwatch/` are built in, a team's own stand in the folder that the
//! source's `queries` names, and replace a built-in one that has the same `id`.
//!
//! ```toml
//! id = "alb"                          # letters, digits, `_`
//! namespace = "AWS/ApplicationELB"
//! dimensions = ["LoadBalancer"]       # exactly these: a metric with more or fewer is another one
//! kind = "operation"                  # operation, datastore, resource
//! service = "{LoadBalancer/1}"        # what the service map gets: {dimension}, or its part between slashes, from 0
//! target = "alb:{LoadBalancer/1}"
//! arn = ["elasticloadbalancing:loadbalancer/{LoadBalancer}"]   # optional: service and resource of its ARN, for tags
//!
//! [[metric]]
//! signal = "latency_{stat}"           # one series a statistic
//! unit = "s"                          # as CloudWatch gives it; converted into the base unit here
//! scale = 1                           # optional: multiplies what CloudWatch gives
//! of = ["TargetResponseTime {stat}"]  # metric and statistic; several are added up
//! stats = ["p50", "p95", "p99"]       # optional: what {stat} stands for
//! over = ["RequestCount Sum"]         # optional: `of` divided by this, per bucket
//! per_second = true                   # optional: divided by the length of the bucket
//! absent = "unknown"                  # `zero`: no point in `of` is 0 where `over` (or `beside`) has one
//! beside = ["Invocations Sum"]        # optional, for `zero` without `over`
//! class = "latency"                   # latency, traffic, errors, saturation, other
//! better = "lower"                    # lower, higher, neutral
//! ```
//!
//! Shares are `of / max(of, over)`: what a load balancer refuses itself is in no count of requests, and a fortnight
//! in which nothing else happens must not divide by zero. Where both are 0 there was nothing to fail, and the bucket
//! is missing.

use std::path::PathBuf;

use serde::Deserialize;

use super::list::{Ask, List, Metric};
use super::template::{Arn, Template};
use crate::config::Config;
use crate::model::metric::{Class, Dimension, Kind, Polarity, Unit};

/// Most dimensions that a metric of CloudWatch may have.
const MOST_DIMENSIONS: usize = 30;

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The folder or a file in it cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML, or a key that does not exist.
    #[error("{file}: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// Line and reason, on one line.
        reason: String,
    },
    /// A value without a meaning.
    #[error("{file}: {place}: {reason}")]
    Value {
        /// The file.
        file: String,
        /// The key, such as `metric latency_p95`.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Two files of one folder have the same id.
    #[error("{file}: the id `{id}` is that of {other} too")]
    Twice {
        /// The file.
        file: String,
        /// The id.
        id: String,
        /// The other file.
        other: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    id: String,
    namespace: String,
    dimensions: Vec<String>,
    kind: Kind,
    service: String,
    target: String,
    #[serde(default)]
    arn: Vec<String>,
    metric: Vec<RawMetric>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMetric {
    signal: String,
    unit: String,
    scale: Option<f64>,
    of: Vec<String>,
    stats: Option<Vec<String>>,
    over: Option<Vec<String>>,
    beside: Option<Vec<String>>,
    #[serde(default)]
    per_second: bool,
    absent: Absent,
    class: Class,
    better: Polarity,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Absent {
    Zero,
    Unknown,
}

/// Reads one list.
///
/// `config`: what it says about signals, because a list may not contradict how they are judged.
///
/// # Errors
/// What is wrong with it, with its file and place.
pub fn parse(config: &Config, file: &str, text: &str) -> Result<List, ListError> {
    let raw: RawList = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let reason = format!("line {line}: {}", error.message().trim().replace('\n', ", "));
        ListError::Syntax { file: file.to_owned(), reason }
    })?;
    let wrong =
        |place: &str, reason: String| ListError::Value { file: file.to_owned(), place: place.to_owned(), reason };
    if raw.id.is_empty() || !raw.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(wrong("id", format!("{:?} is not made of letters, digits and `_`", raw.id)));
    }
    let mut dimensions = raw.dimensions;
    dimensions.sort();
    let count = dimensions.len();
    dimensions.dedup();
    if dimensions.is_empty() || dimensions.len() != count || count > MOST_DIMENSIONS {
        return Err(wrong("dimensions", format!("name 1 to {MOST_DIMENSIONS}, each once")));
    }
    let template = |place: &str, text: &str| Template::parse(text, &dimensions).map_err(|reason| wrong(place, reason));
    let mut metrics: Vec<Metric> = Vec::new();
    for raw in raw.metric {
        let place = format!("metric {}", raw.signal);
        for metric in metrics_of(config, raw).map_err(|reason| wrong(&place, reason))? {
            if metrics.iter().any(|known| known.signal == metric.signal) {
                return Err(wrong(&place, format!("the signal `{}` is there twice", metric.signal)));
            }
            metrics.push(metric);
        }
    }
    if metrics.is_empty() || raw.namespace.trim().is_empty() {
        return Err(wrong("namespace", "needs a name, and at least one [[metric]]".to_owned()));
    }
    let (service, target) = (template("service", &raw.service)?, template("target", &raw.target)?);
    let arns = raw.arn.iter().map(|text| Arn::parse(text, &dimensions).map_err(|reason| wrong("arn", reason)));
    let arns = arns.collect::<Result<_, _>>()?;
    Ok(List { id: raw.id, namespace: raw.namespace, dimensions, kind: raw.kind, service, target, arns, metrics })
}

/// Makes the series of one `[[metric]]`: one a statistic.
fn metrics_of(config: &Config, raw: RawMetric) -> Result<Vec<Metric>, String> {
    let unit = Unit::parse(&raw.unit).ok_or_else(|| {
        let known: Vec<&str> = crate::model::metric::UNITS.iter().map(|unit| unit.symbol).collect();
        format!("unknown unit `{}`; known are {}", raw.unit, known.join(", "))
    })?;
    let scale = raw.scale.unwrap_or(1.0);
    if !scale.is_finite() || scale <= 0.0 {
        return Err(format!("scale {scale} is no positive number"));
    }
    let over = raw.over.unwrap_or_default();
    let beside = raw.beside.unwrap_or_default();
    let zero_beside = raw.absent == Absent::Zero;
    if raw.of.is_empty() {
        return Err("`of` is empty".to_owned());
    }
    if zero_beside && over.is_empty() && beside.is_empty() {
        return Err("absent = \"zero\" needs `over` or `beside`: silence alone is no zero".to_owned());
    }
    if !over.is_empty() && (unit.dimension != Dimension::Share || raw.per_second) {
        return Err("what is divided by `over` is a share: unit = \"ratio\" or \"percent\", no per_second".to_owned());
    }
    // As a percentage it would be a hundredth of what it is.
    if !over.is_empty() && unit.factor < 1.0 && raw.scale.is_none() {
        return Err("`of` divided by `over` goes from 0 to 1: unit = \"ratio\", or scale = 100".to_owned());
    }
    if raw.per_second
        && !(matches!(unit.dimension, Dimension::Rate | Dimension::ByteRate) && unit.symbol.ends_with("/s"))
    {
        return Err("per_second needs a unit per second".to_owned());
    }
    let stats = raw.stats.unwrap_or_else(|| vec![String::new()]);
    if stats.is_empty() || (stats.len() > 1 && !raw.signal.contains("{stat}")) {
        return Err("several `stats` need {stat} in `signal`".to_owned());
    }
    let asks = |texts: &[String], stat: &str| texts.iter().map(|text| Ask::parse(text, stat)).collect::<Result<_, _>>();
    let mut metrics = Vec::new();
    for stat in &stats {
        let signal = raw.signal.replace("{stat}", stat);
        check_class_and_polarity(config, &signal, unit, (raw.class, raw.better))?;
        let (of, over, beside) = (asks(&raw.of, stat)?, asks(&over, stat)?, asks(&beside, stat)?);
        metrics.push(Metric { signal, unit, scale, of, over, beside, per_second: raw.per_second, zero_beside });
    }
    Ok(metrics)
}

/// Refuses a list that says something else about a signal than what it will be judged by.
fn check_class_and_polarity(
    config: &Config,
    signal: &str,
    unit: Unit,
    wanted: (Class, Polarity),
) -> Result<(), String> {
    if signal.is_empty() || !signal.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(format!("the signal {signal:?} is not made of small letters, digits and `_`"));
    }
    let judged = config.class_and_polarity(signal, unit);
    if judged == wanted {
        return Ok(());
    }
    let word = |class: Class, better: Polarity| format!("class = {class:?}, better = {better:?}").to_lowercase();
    let (is, says) = (word(judged.0, judged.1), word(wanted.0, wanted.1));
    Err(format!("it is judged as {is}, and the list says {says}; say it in the config too: [signal.{signal}]"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;

    pub(in crate::source::cloudwatch) const OWN: &str = "id = \"shop\"\nnamespace = \"Shop\"\ndimensions = [\"Shop\", \"Country\"]\nkind = \"operation\"\n\
        service = \"{Shop/1}\"\ntarget = \"orders {Country}\"\n\n[[metric]]\nsignal = \"throughput\"\nunit = \"requests/s\"\n\
        of = [\"Orders Placed Sum\"]\nper_second = true\nabsent = \"unknown\"\nclass = \"traffic\"\nbetter = \"neutral\"\n";

    pub(in crate::source::cloudwatch) fn config() -> Config {
        let text = "[[source]]\nkind = \"files\"\nseries = [\"a.csv\"]\n";
        Config::parse(text, Path::new("fortnight.toml")).expect("valid")
    }

    #[test]
    fn what_is_wrong_with_a_list_is_named_by_file_and_place() {
        let cases = [
            ("requests/s", "furlongs", "x.toml: metric throughput: unknown unit `furlongs`"),
            ("requests/s", "s", "per_second needs a unit per second"),
            (
                "neutral",
                "lower",
                "the list says class = traffic, better = lower; say it in the config too: [signal.throughput]",
            ),
            ("absent = \"unknown\"", "absent = \"zero\"", "silence alone is no zero"),
            ("Orders Placed Sum", "Orders Placed", "is not a metric and a statistic"),
            ("Orders Placed Sum", "Orders p101", "is not a metric and a statistic"),
            ("{Shop/1}", "{Store}", "service: \"Store\" is not among the dimensions"),
            ("{Shop/1}", "all", "all resources would have one name"),
            ("{Shop/1}", "{Shop", "has a brace that does not end"),
            ("{Shop/1}", "{Shop/x}", "\"x\" is no number of a part"),
            ("[\"Shop\", \"Country\"]", "[\"Shop\", \"Shop\"]", "each once"),
            ("per_second = true", "per_secnd = true", "x.toml: line 12: unknown field `per_secnd`"),
            ("id = \"shop\"", "id = \"../shop\"", "is not made of letters"),
            ("per_second = true", "per_second = true\nscale = 0", "scale 0 is no positive number"),
            ("per_second = true", "over = [\"All Sum\"]", "is a share"),
            (
                "unit = \"requests/s\"\nof = [\"Orders Placed Sum\"]\nper_second = true",
                "unit = \"percent\"\nof = [\"Orders Placed Sum\"]\nover = [\"All Sum\"]",
                "goes from 0 to 1",
            ),
            ("per_second = true", "per_second = true\nstats = [\"p50\", \"p95\"]", "several `stats` need {stat}"),
        ];
        for (from, to, words) in cases {
            let error = parse(&config(), "x.toml", &OWN.replacen(from, to, 1)).expect_err(to);
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn an_arn_is_its_service_and_resource_with_a_dimension() {
        let of = |text: &str| {
            parse(&config(), "x.toml", &OWN.replacen("\n\n[[metric]]", &format!("\narn = [{text}]\n\n[[metric]]"), 1))
        };
        let list = of("\"shop:place/{Country}/{Shop/0}\", \"shop:{Shop}\", \"shop:/a/{Shop}\"").expect("valid");
        let kinds: Vec<(&str, &str)> = list.arns.iter().map(|arn| (arn.service.as_str(), arn.kind.as_str())).collect();
        assert_eq!(kinds, [("shop", "shop:place"), ("shop", "shop"), ("shop", "shop")]);
        assert_eq!(list.arns[0].fill(|name| if name == "Shop" { "x/y" } else { "jp" }), "shop:place/jp/x");
        for (text, words) in [
            (
                "\"arn:aws:shop:::{Shop}\"",
                "x.toml: arn: \"arn:aws:shop:::{Shop}\" is not service and resource of an ARN",
            ),
            ("\"{Shop}:x\"", "is not service and resource"),
            ("\"shop\"", "is not service and resource"),
            ("\"shop:all\"", "names no dimension"),
            ("\"shop:{Store}\"", "\"Store\" is not among the dimensions"),
        ] {
            let error = of(text).expect_err(text);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
