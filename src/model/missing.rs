//! Numbers that may be missing, written as `null`: JSON has no NaN.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes a number, `null` for NaN.
///
/// # Errors
/// As the serializer.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    (!value.is_nan()).then_some(*value).serialize(serializer)
}

/// Reads a number, NaN for `null`.
///
/// # Errors
/// What is neither a number nor `null`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::<f64>::deserialize(deserializer).map(|value| value.unwrap_or(f64::NAN))
}

/// A list of numbers that may be missing.
pub mod list {
    use super::{Deserialize, Deserializer, Serializer};

    /// Writes the numbers, `null` for NaN.
    ///
    /// # Errors
    /// As the serializer.
    pub fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| (!value.is_nan()).then_some(*value)))
    }

    /// Reads the numbers, NaN for `null`.
    ///
    /// # Errors
    /// What is no list of numbers and `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        let values = Vec::<Option<f32>>::deserialize(deserializer)?;
        Ok(values.into_iter().map(|value| value.unwrap_or(f32::NAN)).collect())
    }
}
