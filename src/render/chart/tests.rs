//! Charts of whole, broken and hostile input.

use super::*;
use crate::model::time::DAY;
use crate::render::number::UnitScale;

const MS: UnitScale = UnitScale { factor: 1e3, symbol: " ms" };

fn draw(values: &[f32]) -> Option<Svg> {
    let known = |value: &f32| Some(f64::from(*value)).filter(|value| value.is_finite());
    let hours =
        Hours { from: crate::review::Instant::new(0, chrono_tz::UTC), values: values.iter().map(known).collect() };
    let chart = Timeline {
        window: Window::new(0, 14 * DAY),
        zone: chrono_tz::Asia::Tokyo,
        scale: MS,
        main: HourlyValues::new(&hours, Unit::parse("s").expect("known")),
        companion: None,
        focus: Ink::Worse,
        flags: &[
            Flag { at: DAY, number: 1, is_focus: true, is_inferred: false },
            Flag { at: DAY + HOUR, number: 2, is_focus: false, is_inferred: true },
        ],
        bands: &[Window::new(2 * DAY, 3 * DAY)],
        onset: Some(Window::new(DAY, DAY + HOUR)),
        title: "a <b> & \"c\"",
        description: "d",
    };
    timeline(&chart)
}

#[test]
fn hours_that_were_left_out_do_not_flatten_the_rest() {
    let hours = |spike: f64| {
        let value = |k: usize| if k == 100 { spike } else { 0.2 + 0.01 * (k % 24) as f64 };
        crate::review::Hours {
            from: crate::review::Instant::new(0, chrono_tz::UTC),
            values: (0..336).map(|k| Some(value(k))).collect(),
        }
    };
    let drawn = |spike: f64, bands: &[Window]| {
        let hours = hours(spike);
        let unit = crate::model::metric::Unit::parse("s").expect("known");
        let chart = Timeline {
            window: Window::new(0, 14 * DAY),
            zone: chrono_tz::UTC,
            scale: MS,
            main: HourlyValues::new(&hours, unit),
            companion: None,
            focus: Ink::After,
            flags: &[],
            bands,
            onset: None,
            title: "t",
            description: "d",
        };
        timeline(&chart).expect("drawn").to_string()
    };
    let band = [Window::new(100 * HOUR, 101 * HOUR)];
    let (cut, whole) = (drawn(0.9, &band), drawn(0.9, &[]));
    assert!(cut.contains("900 ms") && !whole.contains("900 ms"), "a cut value is written beside its mark");
    let hardly = drawn(0.45, &band);
    assert!(!hardly.contains("450 ms"), "what is hardly higher is drawn");
}

#[test]
fn poor_series_give_a_sensible_chart_or_none() {
    assert_eq!(draw(&[]), None);
    assert_eq!(draw(&[f32::NAN; 336]), None);
    assert_eq!(draw(&[0.2]), None);
    for values in [vec![0.0; 336], vec![0.2; 336], vec![0.2, f32::NAN, 0.3], vec![f32::INFINITY, 1.0, 2.0]] {
        let svg = draw(&values).expect("two hours are enough").to_string();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

#[test]
fn gaps_are_not_joined() {
    let mut values = vec![0.2f32; 336];
    values[100..110].fill(f32::NAN);
    let svg = draw(&values).expect("drawn").to_string();
    let lines = svg.matches("stroke=\"#0072B2\"").count();
    assert_eq!(lines, 2, "one run before the gap, one after");
    assert!(svg.contains("fill=\"#C4C9CF\""), "the gap is hatched");
}

#[test]
fn titles_are_escaped() {
    let svg = draw(&[0.2; 336]).expect("drawn").to_string();
    assert!(svg.contains("<title>a &lt;b&gt; &amp; &quot;c&quot;</title>"));
}

#[test]
fn a_deploy_that_nobody_recorded_is_drawn_in_dots() {
    let svg = draw(&[0.2; 336]).expect("drawn").to_string();
    // One line for the deploy that somebody recorded, many short ones for the other.
    let grey = svg.matches("stroke=\"#C4C9CF\"").count();
    assert!(grey > 20, "{grey} {svg}");
}

#[test]
fn near_flags_share_one_pill() {
    let svg = draw(&[0.2; 336]).expect("drawn").to_string();
    assert!(svg.contains(">1,2</text>"), "{svg}");
}

#[test]
fn axes_start_at_zero_and_end_above_the_data() {
    for most in [1e-9, 0.3, 1.0, 7.7, 99.0, 230.0, 12_345.0] {
        let marks = steps(most);
        assert_eq!(marks.first().copied(), Some(0.0));
        assert!(marks.last().is_some_and(|top| *top >= most * 0.999) && marks.len() <= 6, "{most}: {marks:?}");
    }
    assert_eq!(steps(f64::NAN).first().copied(), Some(0.0));
}

#[test]
fn a_chart_of_two_weeks_is_small() {
    let values: Vec<f32> = (0..336).map(|k| 0.2 + 0.1 * ((k % 24) as f32 / 24.0)).collect();
    let svg = draw(&values).expect("drawn").to_string();
    assert!(svg.len() < 9_000, "{}", svg.len());
}

#[test]
fn every_ink_has_its_own_hex() {
    let mut seen: Vec<_> = Ink::ALL.iter().map(|ink| ink.rgb()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), Ink::ALL.len());
}
