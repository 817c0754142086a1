//! Server side and databases: how things stand in the period and against the period before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer;
use super::context::{Context, hours, period_change, requests};
use super::view::{Align, Block, Cell, Section};
use crate::detect::SeriesSummary;
use crate::model::metric::{Class, Kind, SeriesKey};
use crate::render::clean;
use crate::render::number;

/// Rows of the table of endpoints.
const ENDPOINTS: usize = 10;
/// Rows of the tables of services and datastores.
const ROWS: usize = 60;
const DATASTORES: usize = 20;

/// Which signal stands for a target's response time: what users feel first, then what there is.
const PREFERRED: [&str; 5] = ["latency_p95", "latency_p99", "latency_mean", "latency_p50", "db_time"];

/// Returns every series of a target. The list is ordered by key, so they are neighbours.
pub(super) fn of_target<'a>(context: &Context<'a>, key: &SeriesKey) -> &'a [SeriesSummary] {
    let series = &context.judgement.series;
    let own = (&key.service, key.kind, &key.target);
    let begin = series.partition_point(|s| (&s.key.service, s.key.kind, &s.key.target) < own);
    let end = series.partition_point(|s| (&s.key.service, s.key.kind, &s.key.target) <= own);
    series.get(begin..end).unwrap_or_default()
}

/// Returns the series that stands for a target's response time.
pub(super) fn latency_of<'a>(context: &Context<'a>, key: &SeriesKey) -> Option<&'a SeriesSummary> {
    let own = of_target(context, key);
    let preferred = PREFERRED.iter().find_map(|signal| own.iter().find(|series| &*series.key.signal == *signal));
    preferred.or_else(|| own.iter().find(|series| series.class == Class::Latency))
}

/// A target with what its rows tell.
struct Target<'a> {
    latency: &'a SeriesSummary,
    total_s: f64,
    requests: Option<f64>,
}

/// Returns the targets of a kind that have a response time, the one with most time first.
fn targets<'a>(context: &Context<'a>, kind: Kind) -> Vec<Target<'a>> {
    let mut found: Vec<Target<'a>> = Vec::new();
    for group in context
        .judgement
        .series
        .chunk_by(|a, b| (&a.key.service, a.key.kind, &a.key.target) == (&b.key.service, b.key.kind, &b.key.target))
    {
        let Some(first) = group.first().filter(|series| series.key.kind == kind) else { continue };
        let Some(latency) = latency_of(context, &first.key) else { continue };
        let total_s =
            group.iter().filter_map(|series| series.total_time_s).filter(|s| s.is_finite()).fold(0.0, f64::max);
        found.push(Target { latency, total_s, requests: requests(latency, context.judgement.period) });
    }
    found.sort_by(|a, b| b.total_s.total_cmp(&a.total_s).then_with(|| a.latency.key.cmp(&b.latency.key)));
    found
}

/// Leaves of each service what is measured nearest to the application, so that no request counts twice: neither at the
/// load balancer nor at the gateway before it. What speaks for the service as a whole stays.
fn counted_once<T>(mut all: Vec<T>, key: impl Fn(&T) -> &SeriesKey) -> Vec<T> {
    let mut innermost: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for key in all.iter().map(&key).filter(|key| !key.is_whole_service()) {
        let least = innermost.entry(key.service.clone()).or_insert(usize::MAX);
        *least = (*least).min(key.front());
    }
    all.retain(|one| {
        let key = key(one);
        key.is_whole_service() || innermost.get(&key.service).is_none_or(|least| key.front() == *least)
    });
    all
}

pub(super) fn section(context: &Context<'_>) -> Option<Section> {
    let endpoints = counted_once(targets(context, Kind::Operation), |target| &target.latency.key);
    let rows: Vec<Vec<Cell>> =
        answer::services(context).into_iter().filter_map(|service| golden(context, service, &endpoints)).collect();
    if rows.is_empty() {
        return None;
    }
    let columns = [
        ("col.service", Align::Text),
        ("col.latency", Align::Number),
        ("col.change", Align::Number),
        ("col.period", Align::Chart),
        ("col.traffic", Align::Number),
        ("col.change", Align::Number),
        ("col.period", Align::Chart),
        ("col.errors", Align::Number),
        ("col.change", Align::Number),
        ("col.period", Align::Chart),
    ];
    let golden = context.short_table("server.golden", &columns, rows, ROWS);
    let mut blocks = vec![Block::Text(context.label("server.lead")), Block::Table(golden)];
    let parts = || endpoints.iter().filter(|target| !target.latency.key.is_whole_service());
    let total: f64 = parts().map(|target| target.total_s).sum();
    if total > 0.0 {
        let rows = parts().filter(|target| target.total_s > 0.0).take(ENDPOINTS).map(|t| target_row(context, t, total));
        let columns = target_columns("col.endpoint", "col.requests");
        blocks.push(Block::Table(context.table("server.endpoints", &columns, rows.collect())));
    }
    Some(Section { id: "server", title: context.label("nav.server"), blocks })
}

fn target_columns(first: &'static str, counted: &'static str) -> [(&'static str, Align); 6] {
    [
        (first, Align::Text),
        ("col.total_time", Align::Number),
        (counted, Align::Number),
        ("col.latency", Align::Number),
        ("col.change", Align::Number),
        ("col.period", Align::Chart),
    ]
}

fn target_row(context: &Context<'_>, target: &Target<'_>, total: f64) -> Vec<Cell> {
    let series = target.latency;
    // Where nobody counts the requests or calls, the time that they took is unknown, not 0.
    let time = if target.total_s > 0.0 {
        let share = [("share", number::share(target.total_s / total).into())];
        Cell::text(context.both(&number::waiting(target.total_s))).noted(context.say("server.share", &share))
    } else {
        Cell::text(context.plain(number::NONE))
    };
    let requests = target.requests.map_or_else(|| context.plain(number::NONE), |n| context.both(&number::many(n)));
    vec![
        Cell::text(context.code(&series.key.target)).noted(context.plain(clean::name(&series.key.service))),
        time,
        Cell::text(requests),
        Cell::text(context.plain(number::level(series.level, series.unit))).noted(context.signal(&series.key.signal)),
        context.change_cell(period_change(series), series.direction),
        Cell::chart(context.spark(series)),
    ]
}

/// Writes latency, traffic and errors of a service.
///
/// Percentiles of endpoints cannot be joined to one of the service, so the response time is the busiest
/// endpoint's. Traffic is added up; errors are weighted by requests. Where the source tells of the whole service, that is
/// what is written.
fn golden(context: &Context<'_>, service: &str, endpoints: &[Target<'_>]) -> Option<Vec<Cell>> {
    let own: Vec<&SeriesSummary> = context
        .judgement
        .series
        .iter()
        .filter(|s| &*s.key.service == service && s.key.kind == Kind::Operation)
        .collect();
    let of_service = || endpoints.iter().filter(|target| &*target.latency.key.service == service);
    let whole = of_service().find(|target| target.latency.key.is_whole_service());
    let busiest = whole.or_else(|| of_service().next());
    let of_class = |class: Class| {
        let all: Vec<&SeriesSummary> = own.iter().copied().filter(|series| series.class == class).collect();
        let whole: Vec<&SeriesSummary> = all.iter().copied().filter(|series| series.key.is_whole_service()).collect();
        if whole.is_empty() { counted_once(all, |series| &series.key) } else { whole }
    };
    let (traffic, errors) = (of_class(Class::Traffic), of_class(Class::Errors));
    if busiest.is_none() && traffic.is_empty() && errors.is_empty() {
        return None;
    }
    let mut cells = vec![Cell::text(context.code(service)).noted(context.owner(service))];
    match busiest.map(|target| target.latency) {
        Some(series) => {
            let level = Cell::text(context.plain(number::level(series.level, series.unit)));
            cells.push(level.noted(context.code(&series.key.target)));
            cells.push(context.change_cell(period_change(series), series.direction));
            cells.push(Cell::chart(context.spark(series)));
        }
        None => cells.extend(none(context)),
    }
    cells.extend(sum(context, &traffic));
    cells.extend(weighted(context, &errors));
    Some(cells)
}

fn none(context: &Context<'_>) -> [Cell; 3] {
    [Cell::text(context.plain(number::NONE)), Cell::default(), Cell::default()]
}

/// Writes the sum of a service's traffic. Only one series has an interval; a sum has just its ratio.
fn sum(context: &Context<'_>, series: &[&SeriesSummary]) -> [Cell; 3] {
    // Endpoints may be counted in different signals (requests, calls); only the first is added up.
    let Some(first) = series.iter().find(|s| &*s.key.signal == "throughput").or(series.first()) else {
        return none(context);
    };
    let same: Vec<&SeriesSummary> = series.iter().copied().filter(|s| s.key.signal == first.key.signal).collect();
    let known = |pick: fn(&SeriesSummary) -> f64| same.iter().map(|s| pick(s)).filter(|v| v.is_finite()).sum::<f64>();
    let (level, before) = (known(|s| s.level), known(|s| s.level_before));
    let steady: Vec<&SeriesSummary> = same.iter().copied().filter(|s| s.coverage >= 0.5).collect();
    let points: Vec<Vec<f64>> = steady.iter().map(|s| hours(s).joined(context.judgement.period, 56)).collect();
    let total = |k: usize| points.iter().map(|values| values.get(k).copied().unwrap_or(f64::NAN)).sum::<f64>();
    let line: Vec<f64> = (0..points.first().map_or(0, Vec::len)).map(total).collect();
    let unit = first.unit;
    [
        Cell::text(context.plain(number::level(level, unit))),
        pooled_change(context, &same, level, before),
        Cell::chart(context.spark_of(&line, |value| number::level(value, unit))),
    ]
}

fn pooled_change(context: &Context<'_>, series: &[&SeriesSummary], level: f64, before: f64) -> Cell {
    match series {
        [only] => context.change_cell(period_change(only), only.direction),
        _ if level > 0.0 && before > 0.0 => Cell::text(context.plain(number::change((level / before).ln()))),
        _ => Cell::text(context.plain(number::NONE)),
    }
}

/// Writes the requests-weighted share of errors of a service.
fn weighted(context: &Context<'_>, series: &[&SeriesSummary]) -> [Cell; 3] {
    let period = context.judgement.period;
    let weights: Vec<f64> = series.iter().map(|s| requests(s, period).unwrap_or(0.0)).collect();
    let total: f64 = weights.iter().sum();
    let weight =
        |k: usize| if total > 0.0 { weights.get(k).copied().unwrap_or(0.0) / total } else { 1.0 / series.len() as f64 };
    let Some(first) = series.first() else { return none(context) };
    let mean = |pick: fn(&SeriesSummary) -> f64| {
        series.iter().enumerate().filter(|(_, s)| pick(s).is_finite()).map(|(k, s)| weight(k) * pick(s)).sum::<f64>()
    };
    let (level, before) = (mean(|s| s.level), mean(|s| s.level_before));
    let points: Vec<Vec<f64>> = series.iter().map(|s| hours(s).joined(period, 56)).collect();
    let line: Vec<f64> = (0..points.first().map_or(0, Vec::len))
        .map(|k| {
            let known = points
                .iter()
                .enumerate()
                .filter_map(|(i, v)| Some((weight(i), *v.get(k)?)))
                .filter(|(_, v)| v.is_finite());
            let (mass, sum) = known.fold((0.0, 0.0), |(mass, sum), (w, v)| (mass + w, sum + w * v));
            if mass > 0.0 { sum / mass } else { f64::NAN }
        })
        .collect();
    let change = match series {
        [only] => context.change_cell(period_change(only), only.direction),
        _ => Cell::text(context.plain(number::points(level - before))),
    };
    let unit = first.unit;
    [
        Cell::text(context.plain(number::level(level, unit))),
        change,
        Cell::chart(context.spark_of(&line, |value| number::level(value, unit))),
    ]
}

pub(super) fn databases(context: &Context<'_>) -> Option<Section> {
    let stores = targets(context, Kind::Datastore);
    let mut blocks = Vec::new();
    if !stores.is_empty() {
        let total: f64 = stores.iter().map(|target| target.total_s).sum();
        let rows = stores.iter().map(|target| target_row(context, target, total)).collect();
        let columns = target_columns("col.datastore", "col.calls");
        blocks.push(Block::Text(context.label("databases.lead")));
        blocks.push(Block::Table(context.short_table("databases.stores", &columns, rows, DATASTORES)));
    }
    let mut per_request: Vec<&SeriesSummary> = context
        .judgement
        .series
        .iter()
        .filter(|series| {
            series.key.kind == Kind::Operation && &*series.key.signal == "db_time" && series.level.is_finite()
        })
        .collect();
    per_request.sort_by(|a, b| b.level.total_cmp(&a.level).then_with(|| a.key.cmp(&b.key)));
    if !per_request.is_empty() {
        let rows = per_request.iter().map(|series| {
            vec![
                Cell::text(context.code(&series.key.target)).noted(context.plain(clean::name(&series.key.service))),
                Cell::text(context.plain(number::level(series.level, series.unit))),
                context.change_cell(period_change(series), series.direction),
                Cell::chart(context.spark(series)),
            ]
        });
        let columns = [
            ("col.endpoint", Align::Text),
            ("col.db_time", Align::Number),
            ("col.change", Align::Number),
            ("col.period", Align::Chart),
        ];
        blocks.push(Block::Table(context.short_table("databases.requests", &columns, rows.collect(), ENDPOINTS)));
    }
    (!blocks.is_empty()).then(|| Section { id: "databases", title: context.label("nav.databases"), blocks })
}

/// Groups series by account; those of which it is not known come last, under an empty name.
///
/// `account`: returns the account of a series, empty if unknown.
pub(super) fn by_account<'a>(
    series: Vec<&'a SeriesSummary>,
    account: impl Fn(&SeriesKey) -> &'a str,
) -> BTreeMap<(bool, &'a str), Vec<&'a SeriesSummary>> {
    let mut accounts: BTreeMap<(bool, &str), Vec<&SeriesSummary>> = BTreeMap::new();
    for series in series {
        let account = account(&series.key);
        accounts.entry((account.is_empty(), account)).or_default().push(series);
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_where_it_is_nearest_to_the_application() {
        let key = |service: &str, target: &str| SeriesKey {
            service: service.into(),
            kind: Kind::Operation,
            target: target.into(),
            signal: "throughput".into(),
        };
        let all = vec![
            key("api", "GET /cards"),
            key("api", "alb:api"),
            key("api", "tg:api-blue alb:api"),
            key("api", "*"),
            key("web", "alb:web"),
            key("web", "tg:web alb:web"),
            key("old", "alb:old"),
        ];
        let left: Vec<String> = counted_once(all, |key| key).iter().map(|key| key.target.to_string()).collect();
        assert_eq!(left, ["GET /cards", "*", "tg:web alb:web", "alb:old"]);
    }
}
