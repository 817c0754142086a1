//! What besides a deploy may have moved a series: load, mix, fleet, events.
//!
//! Read `checks` (what is asked within a service), then `load`, `event`, `mix` and `fleet`, which needs all services. Each takes
//! its part out of the effect and writes its evidence down when it does.

pub mod checks;
pub mod event;
pub mod fleet;
pub mod load;
pub mod mix;
