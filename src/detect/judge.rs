//! Judges the services of a shard, each with all its series together.

use rayon::prelude::*;

use super::compare::effect::{self, ComparisonWindow, Points, Subject};
use super::compare::shape::{Check, Course};
use super::compare::{small_sample, tail, unattributed};
use super::confounders::fleet::{self, MovementSurvey};
use super::confounders::{checks, event, load, mix};
use super::context::Context;
use super::evidence::GroupKey;
use super::input::calendar::{Calendar, PER_HOUR};
use super::input::deploy_window::{self, DeployWindow};
use super::input::requests::{Input, Traffic};
use super::input::usual_hours::UsualHours;
use super::input::{grid, resolution, summary};
use super::judgement::{Comparison, Pattern, SeriesSummary, Unattributed};
use super::model::error_rates::ErrorRateModel;
use super::model::series_model::{LevelModel, SeriesModel, Surroundings};
use super::model::{common_mode, joint_localization};
use super::shard::{ComparisonResult, GroupResult, SeriesResult, ServiceResult, Shard, ShardResult};
use crate::model::event::{DeployGroup, Event};
use crate::model::metric::{Class, Polarity, Series};
use crate::model::time::Window;
use crate::model::verdict::{Reason, Verdict};
use crate::stats::distribution;
use crate::stats::structural::Scratch;

/// What was found out about a service so far; series and groups are those of the service, by index.
#[derive(Debug, Default)]
struct Found {
    /// Comparisons with groups of the period, by series, then group.
    comparisons: Vec<Comparison>,
    /// Changes with no deploy near, by series.
    unattributed: Vec<Unattributed>,
    /// Placebo deploys judged.
    placebos: usize,
    /// p of those whose step was as large as the limit.
    material_placebos: Vec<f64>,
}

/// Judges the services of one shard.
pub fn judge_shard(shard: Shard<'_>) -> ShardResult {
    let Shard { series, events, context } = shard;
    let calendar = Calendar::new(context.history, context.config.zone, &context.config.holidays);
    let moments = fleet::moments(events, &calendar, &context);
    let services: Vec<&[Series]> = series.chunk_by(|a, b| a.key.service == b.key.service).collect();
    let judged = services.into_par_iter().filter_map(|series| {
        Some(judge_service(&series.first()?.key.service, series, events, &moments, &calendar, &context))
    });
    ShardResult { services: judged.collect() }
}

/// Judges the series of one service. `series`: sorted by key, all of one service. `asked`: the buckets of all services'
/// deploys, at which it is asked how far it moved.
fn judge_service(
    service: &str,
    series: &[Series],
    events: &[Event],
    asked: &[usize],
    calendar: &Calendar,
    context: &Context<'_>,
) -> ServiceResult {
    let judge = context.config.judge;
    let groups = deploy_window::groups(events, service, &judge, calendar);
    let keys: Vec<GroupKey> = groups.iter().map(|group| deploy_window::key_of(group, events)).collect();
    let moments: Vec<DeployWindow> =
        groups.iter().map(|group| deploy_window::moment(group, judge.settle_ms, calendar)).collect();
    let spans = event::spans(service, events, calendar);
    let masked = event::mask(&spans, calendar);
    let traffic = Traffic::of(service, series, calendar);
    let mut scratch = Scratch::default();
    let classes_and_polarities: Vec<(Class, Polarity)> =
        series.iter().map(|series| context.config.class_and_polarity(&series.key.signal, series.unit)).collect();
    let inputs: Vec<Input> = series
        .iter()
        .zip(&classes_and_polarities)
        .map(|(one, nature)| traffic.input(one, series, nature.0, calendar))
        .collect();

    let place = Surroundings { moments: &moments, masked: &masked, calendar };
    let mut judged: Vec<SeriesModel> = inputs
        .iter()
        .zip(&classes_and_polarities)
        .map(|(input, nature)| {
            if nature.0 == Class::Errors && !input.requests.is_empty() {
                SeriesModel::Share(ErrorRateModel::new(&input.grid.value, &input.requests, &moments, &masked))
            } else {
                let track = LevelModel::begin(input, &[], &[], &place, &mut scratch);
                if track.noise.is_some() { SeriesModel::Level(Box::new(track)) } else { SeriesModel::Nothing }
            }
        })
        .collect();
    common_mode::remove(series, &classes_and_polarities, &inputs, &mut judged, &place, &mut scratch);
    for (judged, input) in judged.iter_mut().zip(&inputs) {
        if let SeriesModel::Level(track) = judged {
            track.finish(input, &place, &mut scratch);
        }
    }

    joint_localization::agree_all(series, &classes_and_polarities, &inputs, &mut judged, &moments, &mut scratch);

    let variances: Vec<f64> = judged.iter().map(SeriesModel::variance).collect();
    let mut survey = MovementSurvey::new(asked, &moments, series, &variances, calendar);
    let windows: Vec<Window> = groups.iter().map(|group| group.window).collect();
    let mut found = Found::default();
    let mut summaries = Vec::with_capacity(series.len());
    for (index, series) in series.iter().enumerate() {
        let (class, direction) = classes_and_polarities[index];
        let (relative, absolute) = context.config.limit(&series.key.signal, class);
        let mut raw = if inputs[index].is_log() {
            inputs[index].grid.value.iter().map(|value| value.exp()).collect()
        } else {
            inputs[index].grid.value.clone()
        };
        for (raw, masked) in raw.iter_mut().zip(&masked) {
            if *masked {
                *raw = f64::NAN;
            }
        }
        let own = traffic.requests(&series.key);
        let covered = &grid::Covered::of(&raw, grid::buckets_a_point(series), PER_HOUR);
        let usual = &UsualHours::of(&raw, calendar);
        let subject = Subject {
            series: index,
            class,
            direction,
            relative,
            absolute,
            raw: &raw,
            requests: own,
            rounding: resolution::bias(series),
            covered,
            usual,
        };
        compare_all(
            &subject,
            &inputs[index],
            &mut judged[index],
            &moments,
            &windows,
            &keys,
            calendar,
            context,
            &mut scratch,
            &mut survey,
            series,
            &mut found,
        );
        summaries.push(summary::of(series, class, direction, own, calendar, context));
    }
    small_sample::widen_all(series, &classes_and_polarities, &traffic, &mut found.comparisons);
    load::explain(series, &classes_and_polarities, &judged, &traffic, calendar, &mut found.comparisons);
    let whole =
        mix::Service { series, classes_and_polarities: &classes_and_polarities, inputs: &inputs, masked: &masked };
    let known = checks::ServiceModel { service: whole, judged: &judged, moments: &moments, spans: &spans, calendar };
    checks::check(&known, &mut found.comparisons);
    tail::mark(series, &mut found.comparisons);
    let in_period = groups.iter().zip(&keys).filter(|(group, _)| context.period.contains(group.window.start));
    ServiceResult {
        service: service.into(),
        groups: in_period.map(|(group, key)| group_result(group, key, events)).collect(),
        placebos: found.placebos,
        material_placebos: std::mem::take(&mut found.material_placebos),
        series: by_series(summaries, found, &keys),
        movements: survey.movements(),
    }
}

fn group_result(group: &DeployGroup, key: &GroupKey, events: &[Event]) -> GroupResult {
    let members = group.members.iter().filter_map(|member| events.get(*member));
    let deploys = members.map(|event| (event.at, event.id.as_str().into())).collect();
    GroupResult { key: key.clone(), window: group.window, deploys }
}

/// Puts everything under its series, with keys in place of indices.
fn by_series(summaries: Vec<SeriesSummary>, found: Found, keys: &[GroupKey]) -> Vec<SeriesResult> {
    let empty = |summary| SeriesResult { summary, comparisons: Vec::new(), unattributed: Vec::new() };
    let mut results: Vec<SeriesResult> = summaries.into_iter().map(empty).collect();
    for comparison in found.comparisons {
        let (Some(result), Some(group)) = (results.get_mut(comparison.series), keys.get(comparison.group)) else {
            continue;
        };
        let taken_back_by = match comparison.pattern {
            Some(Pattern::Recovered { by, .. }) => by.and_then(|by| keys.get(by).cloned()),
            _ => None,
        };
        result.comparisons.push(ComparisonResult { group: group.clone(), taken_back_by, comparison });
    }
    for change in found.unattributed {
        if let Some(result) = results.get_mut(change.series) {
            result.unattributed.push(change);
        }
    }
    results
}

/// Compares one series with every group of the period.
#[expect(clippy::too_many_arguments, reason = "one call; a struct would only repeat the names")]
fn compare_all(
    subject: &Subject<'_>,
    input: &Input,
    judged: &mut SeriesModel,
    moments: &[DeployWindow],
    windows: &[Window],
    keys: &[GroupKey],
    calendar: &Calendar,
    context: &Context<'_>,
    scratch: &mut Scratch,
    survey: &mut MovementSurvey<'_>,
    series: &Series,
    found: &mut Found,
) {
    let mut points = Points::new(f64::INFINITY);
    if let SeriesModel::Level(track) = judged {
        points = Points::new(track.degrees().unwrap_or(1.0));
        found.placebos += track.placebos.len();
        let limit = subject.relative.ln_1p();
        let material = track.placebos.iter().filter(|(_, step)| step.size.abs() >= limit);
        found
            .material_placebos
            .extend(material.map(|(_, step)| distribution::two_sided_p(step.z() / track.inflation, points.df)));
    }
    if let SeriesModel::Share(track) = &*judged {
        let limit = |before: f64| subject.absolute.max(subject.relative * before);
        let (tests, material) = track.placebos(moments, limit);
        found.placebos += tests;
        found.material_placebos.extend(material);
    }
    match &*judged {
        SeriesModel::Level(track) => survey.record_level(subject.series, series, input, track),
        SeriesModel::Share(track) => survey.record_error_rate(subject.series, series, track),
        SeriesModel::Nothing => {}
    }
    let none = Vec::new();
    let changes = match &*judged {
        SeriesModel::Level(track) => &track.changes,
        SeriesModel::Share(track) => &track.changes,
        SeriesModel::Nothing => &none,
    };
    let wait = context.config.judge.min_after_ms as f64 / crate::model::time::HOUR as f64;
    let mut course: Option<Course> = None;
    for (group, moment) in moments.iter().enumerate() {
        let Some(window) = windows.get(group).copied() else { continue };
        if !context.period.contains(window.start) {
            continue;
        }
        let place = ComparisonWindow { group, moment: *moment, changes, len: calendar.len(), keys };
        let blank = effect::blank(subject, &place, |bucket| calendar.at(bucket));
        let ready = window.end + context.config.judge.settle_ms + context.config.judge.min_after_ms;
        let comparison = if ready > context.period.end {
            Comparison { verdict: Verdict::TooEarly, ready_at: Some(ready), ..blank }
        } else if !effect::has_data(subject, &place, context.config.judge.min_coverage, wait) {
            blank
        } else {
            match &*judged {
                SeriesModel::Level(track) => {
                    let step = track.step(moment.to);
                    let step = track.step_alone(step, moment.to, input.behind(), scratch).unwrap_or(step);
                    let mut comparison = effect::level(subject, &place, input, track, step, &points, blank);
                    if let Some(effect) = &comparison.effect {
                        let course = course.get_or_insert_with(|| Course::of(input, track, subject.raw, moments));
                        let load = &input.load.log;
                        let check = Check { subject, place: &place, moments, course, load, calendar };
                        let levels = [comparison.before, comparison.after];
                        let limit = effect.limit;
                        let doubt = check.doubt(comparison.verdict, effect.estimate, limit, levels);
                        comparison.reason = comparison.reason.or(doubt);
                        let is_back = matches!(comparison.pattern, Some(Pattern::Recovered { by: None, .. }));
                        if comparison.verdict == Verdict::Better && check.fills_up(is_back, limit) {
                            comparison.reason = Some(Reason::Slope);
                        }
                        comparison.withhold();
                        if let Some(Pattern::Recovered { until, .. }) = comparison.pattern
                            && comparison.verdict != Verdict::Better
                            && check.returns(calendar.bucket(until), limit)
                        {
                            comparison.pattern = Some(Pattern::Sustained);
                        }
                    }
                    comparison
                }
                SeriesModel::Share(track) => effect::share(subject, &place, track, &points, blank),
                SeriesModel::Nothing => blank,
            }
        };
        found.comparisons.push(comparison);
    }
    found.unattributed.extend(match &*judged {
        SeriesModel::Level(track) => unattributed::of_level(subject, input, track, &points, calendar, context),
        SeriesModel::Share(track) => unattributed::of_share(subject, track, calendar, context),
        SeriesModel::Nothing => Vec::new(),
    });
}
