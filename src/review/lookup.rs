//! Finds things of the document by what others name them by. What leads nowhere gives `None`, never a panic.

use chrono_tz::Tz;

use super::{Comparison, Deploy, Event, Finding, Group, Instant, Period, Review, Series, Service, SourceHealth};
use crate::model::time::Window;

impl Period {
    /// Makes the period of a window.
    pub fn new(window: Window, zone: Tz) -> Self {
        let instant = |at| Instant::new(at, zone);
        Self { from: instant(window.start), to: instant(window.end), timezone: zone.name().to_owned() }
    }

    /// Returns it in UTC milliseconds.
    pub fn window(&self) -> Window {
        Window::new(self.from.ms(), self.to.ms())
    }

    /// Returns the report's time zone; UTC for a name that no database of zones has.
    pub fn zone(&self) -> Tz {
        self.timezone.parse().unwrap_or(chrono_tz::UTC)
    }
}

impl Review {
    /// Returns the series of a comparison.
    pub fn series_of(&self, comparison: &Comparison) -> Option<&Series> {
        self.series.get(comparison.series)
    }

    /// Returns a comparison with its series.
    pub fn checked(&self, index: usize) -> Option<(&Series, &Comparison)> {
        let comparison = self.comparisons.get(index)?;
        Some((self.series_of(comparison)?, comparison))
    }

    /// Returns a group of deploys by its number.
    pub fn group(&self, number: usize) -> Option<&Group> {
        let at = number.checked_sub(1).and_then(|index| self.groups.get(index));
        at.filter(|group| group.number == number).or_else(|| self.groups.iter().find(|group| group.number == number))
    }

    /// Returns the deploys of a group, by time.
    pub fn deploys_of(&self, number: usize) -> impl Iterator<Item = &Deploy> {
        self.deploys.iter().filter(move |deploy| deploy.number == number)
    }

    /// Returns the number of the group of a deploy.
    pub fn number_of(&self, id: &str) -> Option<usize> {
        self.deploys.iter().find(|deploy| &*deploy.id == id).map(|deploy| deploy.number)
    }

    /// Returns the deploys that a finding is held against.
    pub fn deploys_of_finding(&self, finding: &Finding) -> Vec<&Deploy> {
        self.deploys_of(finding.number).collect()
    }

    /// Returns a service by its name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        let at = self.services.binary_search_by(|service| service.known.service.as_str().cmp(name)).ok();
        at.and_then(|index| self.services.get(index))
    }

    /// Returns the incidents, campaigns and drills that touch a service in a window, by time.
    pub fn disturbances(&self, service: &str, window: Window) -> Vec<&Event> {
        self.events.iter().filter(|event| event.touches(service, window)).collect()
    }

    /// Returns the share of the period's points that were there, over all series; `None` without any.
    pub fn coverage(&self) -> Option<f64> {
        let known: Vec<f64> = self.series.iter().filter_map(|series| series.coverage).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    }

    /// Returns whether a source failed, as a whole or in a part.
    pub fn has_failed_source(&self) -> bool {
        self.sources.iter().any(|source| source.state != SourceHealth::Ok)
    }
}
