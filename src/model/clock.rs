//! The time of day, handed in: the one place that asks the machine for it, so that a run can be repeated at any moment.

/// Tells the time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// This machine's clock.
    System,
    /// The same instant for ever, in UTC milliseconds since 1970.
    Fixed(i64),
}

impl Clock {
    /// Returns the time of day in UTC milliseconds since 1970.
    pub fn now(self) -> i64 {
        match self {
            #[expect(clippy::disallowed_methods, reason = "everything else takes a `Clock`")]
            Self::System => chrono::Utc::now().timestamp_millis(),
            Self::Fixed(at) => at,
        }
    }
}
