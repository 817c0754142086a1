//! What the invented company runs: services, endpoints, databases, machines, and how busy a day is.

/// Milliseconds between two points.
pub const STEP: i64 = 5 * MINUTE;
/// Milliseconds in a minute.
pub const MINUTE: i64 = 60_000;
/// Milliseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Milliseconds in a day.
pub const DAY: i64 = 24 * HOUR;
/// First point: Monday 2026-10-26 00:00 in Tokyo, UTC milliseconds.
pub const START: i64 = 1_792_940_400_000;
/// Days of data; the last 14 are the period of the demo.
pub const DAYS: i64 = 28;
/// First instant after the data, and the end of the period.
pub const END: i64 = START + DAYS * DAY;
/// Points of a complete series.
pub const POINTS: usize = (DAYS * DAY / STEP) as usize;

/// Returns an instant of October (10) or November (11) 2026 by Tokyo's clock, UTC milliseconds.
pub const fn jst(month: i64, day: i64, hour: i64, minute: i64) -> i64 {
    let days = if month == 10 { day - 26 } else { day + 5 };
    START + days * DAY + hour * HOUR + minute * MINUTE
}

/// One service, its owner and everything measured on it.
pub struct Service {
    /// Name as in the series.
    pub name: &'static str,
    /// The team that answers for it; also the author of its deploys.
    pub owner: &'static str,
    /// AWS account that it runs in.
    pub account: &'static str,
    /// Its endpoints.
    pub operations: &'static [Operation],
    /// Its statements.
    pub datastores: &'static [Datastore],
    /// What it runs on.
    pub resources: &'static [Resource],
}

/// An endpoint.
pub struct Operation {
    /// Method and path.
    pub target: &'static str,
    /// Requests a minute, mean of a workday.
    pub per_minute: f64,
    /// Median latency at mean load, milliseconds.
    pub median_ms: f64,
    /// Spread of the log latency.
    pub sigma: f64,
    /// How strongly latency follows load: `log latency = … + load * ln((knee + x) / (knee + 1))`, with
    /// `x` the load relative to the mean.
    pub load: f64,
    /// See `load`; with 0 the curve is a pure power of the load.
    pub knee: f64,
    /// Share of requests that fail.
    pub error_share: f64,
    /// Traffic of a day off relative to a workday.
    pub weekend: f64,
    /// Log of how much slower it is during the night batch.
    pub batch: f64,
}

/// A statement, measured as time in it per request and calls a minute.
pub struct Datastore {
    /// Verb and table.
    pub target: &'static str,
    /// Time per request at mean load, milliseconds.
    pub ms: f64,
    /// Endpoints that run it.
    pub callers: &'static [&'static str],
    /// Log of how much slower it is during the night batch.
    pub batch: f64,
}

/// A machine or managed part.
pub enum Resource {
    /// Requests and 5xx share of the load balancer; `other` is requests a minute to endpoints not listed.
    LoadBalancer {
        /// Name.
        target: &'static str,
        /// Requests a minute of endpoints too small to be listed, mean of a workday.
        other: f64,
    },
    /// Containers: percent of processor at no and at mean load, percent of memory.
    Containers {
        /// Name.
        target: &'static str,
        /// Processor without load, percent.
        idle: f64,
        /// Processor that the mean load adds, percent.
        busy: f64,
        /// Memory, percent.
        memory: f64,
    },
    /// Database instance: percent of processor at no and at mean load, connections.
    Database {
        /// Name.
        target: &'static str,
        /// Processor without load, percent.
        idle: f64,
        /// Processor that the mean load adds, percent.
        busy: f64,
        /// Processor that the night batch adds, percent.
        batch: f64,
        /// Open connections at mean load.
        connections: f64,
    },
    /// A queue: waiting messages at mean load.
    Queue {
        /// Name.
        target: &'static str,
        /// Waiting messages.
        length: f64,
    },
}

/// What endpoints have in common.
const PLAIN: Operation = Operation {
    target: "",
    per_minute: 0.0,
    median_ms: 0.0,
    sigma: 0.42,
    load: 0.14,
    knee: 0.5,
    error_share: 0.0005,
    weekend: 0.9,
    batch: 0.0,
};

/// Everything that runs.
pub const FLEET: &[Service] = &[
    Service {
        name: "card-api",
        owner: "card-team",
        account: CARD,
        operations: &[
            Operation { target: "POST /v1/authorizations", per_minute: 420.0, median_ms: 112.0, weekend: 1.0, ..PLAIN },
            Operation { target: "GET /v1/cards/{id}", per_minute: 650.0, median_ms: 34.0, load: 0.10, ..PLAIN },
            Operation {
                target: "GET /v1/transactions",
                per_minute: 310.0,
                median_ms: 78.0,
                sigma: 0.5,
                batch: 0.22,
                ..PLAIN
            },
            Operation {
                target: "POST /v1/refunds",
                per_minute: 3.2,
                median_ms: 165.0,
                sigma: 0.55,
                load: 0.08,
                error_share: 0.002,
                weekend: 0.5,
                ..PLAIN
            },
        ],
        datastores: &[
            Datastore {
                target: "select cards",
                ms: 28.0,
                callers: &["POST /v1/authorizations", "GET /v1/cards/{id}"],
                batch: 0.0,
            },
            Datastore { target: "insert authorizations", ms: 14.0, callers: &["POST /v1/authorizations"], batch: 0.08 },
            Datastore { target: "select transactions", ms: 22.0, callers: &["GET /v1/transactions"], batch: 0.35 },
        ],
        resources: &[
            Resource::LoadBalancer { target: "alb:card-api", other: 160.0 },
            Resource::Containers { target: "ecs:card-api", idle: 12.0, busy: 21.0, memory: 58.0 },
            Resource::Database { target: "rds:cards-1", idle: 11.0, busy: 17.0, batch: 24.0, connections: 64.0 },
        ],
    },
    Service {
        name: "user-api",
        owner: "account-team",
        account: APP,
        operations: &[
            Operation { target: "GET /v1/balance", per_minute: 820.0, median_ms: 92.0, ..PLAIN },
            Operation { target: "GET /v1/users/{id}", per_minute: 360.0, median_ms: 27.0, load: 0.08, ..PLAIN },
            Operation {
                target: "POST /v1/sessions",
                per_minute: 170.0,
                median_ms: 205.0,
                sigma: 0.3,
                load: 0.18,
                error_share: 0.0008,
                weekend: 0.85,
                ..PLAIN
            },
        ],
        datastores: &[
            Datastore {
                target: "select users",
                ms: 9.0,
                callers: &["GET /v1/users/{id}", "POST /v1/sessions"],
                batch: 0.0,
            },
            Datastore { target: "select ledger entries", ms: 31.0, callers: &["GET /v1/balance"], batch: 0.0 },
        ],
        resources: &[
            Resource::LoadBalancer { target: "alb:user-api", other: 120.0 },
            Resource::Containers { target: "ecs:user-api", idle: 10.0, busy: 18.0, memory: 47.0 },
            Resource::Database { target: "rds:user-1", idle: 20.0, busy: 9.0, batch: 0.0, connections: 41.0 },
        ],
    },
    Service {
        name: "web-bff",
        owner: "app-team",
        account: APP,
        operations: &[
            Operation { target: "GET /home", per_minute: 900.0, median_ms: 128.0, load: 0.16, ..PLAIN },
            // A pure power of the load: whoever calls it more often sees it slower, by a curve that every day shows.
            Operation {
                target: "GET /points",
                per_minute: 170.0,
                median_ms: 64.0,
                sigma: 0.38,
                load: 0.27,
                knee: 0.0,
                ..PLAIN
            },
            Operation { target: "GET /statements", per_minute: 260.0, median_ms: 96.0, load: 0.12, ..PLAIN },
            Operation { target: "POST /cards/{id}/lock", per_minute: 12.0, median_ms: 180.0, sigma: 0.45, ..PLAIN },
        ],
        datastores: &[],
        resources: &[
            Resource::LoadBalancer { target: "alb:web-bff", other: 1100.0 },
            Resource::Containers { target: "ecs:web-bff", idle: 14.0, busy: 24.0, memory: 52.0 },
        ],
    },
    Service {
        name: "notification",
        owner: "message-team",
        account: APP,
        operations: &[
            Operation { target: "POST /v1/push", per_minute: 390.0, median_ms: 46.0, weekend: 1.0, ..PLAIN },
            Operation { target: "POST /v1/mails", per_minute: 85.0, median_ms: 140.0, sigma: 0.5, ..PLAIN },
            Operation { target: "GET /v1/inbox", per_minute: 270.0, median_ms: 38.0, load: 0.10, ..PLAIN },
        ],
        datastores: &[Datastore {
            target: "insert messages",
            ms: 6.5,
            callers: &["POST /v1/push", "POST /v1/mails"],
            batch: 0.0,
        }],
        resources: &[
            Resource::Containers { target: "ecs:notification", idle: 9.0, busy: 16.0, memory: 39.0 },
            Resource::Queue { target: "sqs:push-outbox", length: 42.0 },
        ],
    },
];

/// The account with card data, in the scope of PCI DSS.
pub const CARD: &str = "card (222222222222)";
/// The account with everything else.
pub const APP: &str = "app (111111111111)";

/// Days off besides weekends, as days since [`START`]; the text goes into the config.
pub const HOLIDAYS: &[(&str, &str)] = &[("2026-11-03", "文化の日"), ("2026-11-23", "勤労感謝の日")];
/// 2026-11-03, the one holiday inside the data.
const CULTURE_DAY: i64 = (jst(11, 3, 0, 0) - START) / DAY;

/// When the settlement batch runs, hours of the local day.
pub const BATCH_HOURS: std::ops::Range<f64> = 2.0..2.5;

/// Returns the hour of the local day, 0 to 24.
pub fn hour_of_day(at: i64) -> f64 {
    ((at - START) % DAY) as f64 / HOUR as f64
}

/// Returns traffic relative to the mean of a workday.
///
/// Workdays peak at lunch and in the evening with a bump on the way to work; days off start late.
/// `weekend`: level of a day off relative to a workday.
pub fn daily_shape(at: i64, weekend: f64) -> f64 {
    // (hour of the peak, its width in hours, its height)
    const WORKDAY: [(f64, f64, f64); 5] =
        [(8.0, 1.0, 0.55), (12.4, 0.8, 0.90), (15.5, 2.5, 0.45), (19.6, 2.0, 1.00), (22.6, 1.2, 0.35)];
    const DAY_OFF: [(f64, f64, f64); 4] = [(10.8, 1.9, 0.70), (14.6, 2.4, 0.62), (19.0, 2.2, 0.92), (22.5, 1.3, 0.40)];
    const NIGHT: f64 = 0.07;
    const WORKDAY_MEAN: f64 = 0.572;
    const DAY_OFF_MEAN: f64 = 0.633;

    let day = (at - START) / DAY;
    let hour = hour_of_day(at);
    let bumps = |list: &[(f64, f64, f64)]| -> f64 {
        list.iter()
            .map(|(peak, width, height)| {
                let apart = (hour - peak + 36.0).rem_euclid(24.0) - 12.0;
                height * (-0.5 * (apart / width) * (apart / width)).exp()
            })
            .sum()
    };
    match day % 7 {
        5 | 6 => weekend * (NIGHT + bumps(&DAY_OFF)) / DAY_OFF_MEAN,
        _ if day == CULTURE_DAY => 0.85 * weekend * (NIGHT + bumps(&DAY_OFF)) / DAY_OFF_MEAN,
        _ => (NIGHT + bumps(&WORKDAY)) / WORKDAY_MEAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_tokyo_times() {
        let zone = chrono_tz::Asia::Tokyo;
        assert_eq!(Some(START), fortnight::model::time::parse_instant("2026-10-26", zone));
        assert_eq!(Some(jst(11, 18, 14, 32)), fortnight::model::time::parse_instant("2026-11-18T14:32:00+09:00", zone));
        assert_eq!(Some(END), fortnight::model::time::parse_instant("2026-11-23", zone));
    }

    #[test]
    fn a_workday_has_mean_traffic_and_the_holiday_is_quiet() {
        let mean = |from: i64| -> f64 {
            let points = DAY / STEP;
            (0..points).map(|i| daily_shape(from + i * STEP, 0.9)).sum::<f64>() / points as f64
        };
        assert!((mean(jst(11, 11, 0, 0)) - 1.0).abs() < 0.03);
        assert!((mean(jst(11, 14, 0, 0)) - 0.9).abs() < 0.03);
        assert!(mean(jst(11, 3, 0, 0)) < 0.8);
    }
}
