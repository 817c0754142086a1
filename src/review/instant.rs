//! Instants and spans of the document: RFC 3339 text in the file, UTC milliseconds for its readers.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Datelike, FixedOffset, Offset, SecondsFormat};
use chrono_tz::Tz;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::time::{Window, local};

/// An instant, to the second, with the offset that the report's zone had then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    at: i64,
    offset_s: i32,
}

impl Instant {
    /// Makes an instant of UTC milliseconds, rounded down to the second; one that no calendar holds becomes 1970.
    pub fn new(at: i64, zone: Tz) -> Self {
        let clock = Some(local(at, zone)).filter(|clock| (0..=9999).contains(&clock.year()));
        let clock = clock.unwrap_or_else(|| local(0, zone));
        Self::of(clock.timestamp(), clock.offset().fix())
    }

    /// Parses RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        let clock = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self::of(clock.timestamp(), *clock.offset()))
    }

    fn of(at_s: i64, offset: FixedOffset) -> Self {
        // The text knows no seconds of an offset; only local mean times of another century have them.
        Self { at: at_s * 1000, offset_s: offset.local_minus_utc() / 60 * 60 }
    }

    /// Returns UTC milliseconds since 1970.
    pub fn ms(self) -> i64 {
        self.at
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = DateTime::from_timestamp_millis(self.at).unwrap_or_default();
        let text = match FixedOffset::east_opt(self.offset_s) {
            Some(offset) => utc.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, true),
            None => utc.to_rfc3339_opts(SecondsFormat::Secs, true),
        };
        f.write_str(&text)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not an instant of RFC 3339")))
    }
}

impl JsonSchema for Instant {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// A half-open span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// First instant inside, RFC 3339.
    pub from: Instant,
    /// First instant outside, RFC 3339.
    pub to: Instant,
}

impl Span {
    /// Makes a span of a window.
    pub fn new(window: Window, zone: Tz) -> Self {
        Self { from: Instant::new(window.start, zone), to: Instant::new(window.end, zone) }
    }

    /// Returns it in UTC milliseconds.
    pub fn window(self) -> Window {
        Window::new(self.from.ms(), self.to.ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::rfc3339;

    #[test]
    fn an_instant_reads_back_as_the_text_that_was_written() {
        for zone in [chrono_tz::UTC, chrono_tz::Asia::Tokyo, chrono_tz::Europe::London, chrono_tz::America::St_Johns] {
            for at in [0, 1_794_150_000_000, 1_794_150_000_999, -86_400_000, 1_750_000_000_000] {
                let instant = Instant::new(at, zone);
                assert_eq!(instant.to_string(), rfc3339(at, zone), "{zone}");
                assert_eq!(Instant::parse(&instant.to_string()), Some(instant), "{zone}");
                assert_eq!(instant.ms(), at.div_euclid(1000) * 1000);
            }
        }
    }

    #[test]
    fn instants_beyond_the_calendar_still_read_back() {
        for at in [i64::MAX, i64::MIN, 253_402_300_800_000, -62_200_000_000_000, -3_000_000_000_000] {
            for zone in [chrono_tz::Asia::Tokyo, chrono_tz::Europe::Amsterdam] {
                let instant = Instant::new(at, zone);
                assert_eq!(Instant::parse(&instant.to_string()), Some(instant), "{at} {zone}");
            }
        }
    }
}
