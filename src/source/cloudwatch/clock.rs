//! The clock of the servers, by the `Date` headers of their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Remembers the latest time that a server said.
#[derive(Debug, Clone)]
pub struct ServerClock(Arc<AtomicI64>);

impl Default for ServerClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(i64::MIN)))
    }
}

impl ServerClock {
    /// Returns the latest time, UTC milliseconds; `None` before there was one.
    pub fn now_ms(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at| *at != i64::MIN)
    }
}

impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "ServerClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(date) = date.and_then(|text| chrono::DateTime::parse_from_rfc2822(text).ok()) {
            self.0.fetch_max(date.timestamp_millis(), Ordering::Relaxed);
        }
        Ok(())
    }
}
