//! The page: closed, whole, escaped, the same every time.

use super::*;
use crate::render::view;
use crate::review::sample;

const BOTH: [Language; 2] = [Language::En, Language::Ja];

fn page(input: &sample::Input) -> String {
    let page = view::build(&input.review());
    render(&page).expect("rendered")
}

fn every_input() -> Vec<(&'static str, sample::Input)> {
    vec![("rich", sample::rich(&BOTH)), ("quiet", sample::quiet(&BOTH)), ("empty", sample::empty(&BOTH))]
}

#[test]
fn policy_names_the_hash_of_the_style_element() {
    let html = page(&sample::rich(&BOTH));
    let style = html.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).expect("one style").0;
    let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
    assert!(html.contains(&format!("style-src 'sha256-{hash}'")));
    assert_eq!(html.matches("<style").count(), 1);
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    for (name, input) in every_input() {
        let html = page(&input);
        let tags: Vec<&str> = html.split('<').filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag).collect();
        for tag in tags {
            for bad in [" src=", " style=", " onload", " onclick", " onerror", "srcset", "xlink"] {
                assert!(!tag.contains(bad), "{name}: <{tag}>");
            }
            for element in ["script", "link ", "img", "iframe", "object", "embed", "base", "form", "audio", "video"] {
                assert!(!tag.starts_with(element), "{name}: <{tag}>");
            }
            if let Some((_, href)) = tag.split_once(" href=\"") {
                let is_outside = href.starts_with("https://") || href.starts_with("http://");
                assert!(href.starts_with('#') || (is_outside && tag.starts_with("a ")), "{name}: <{tag}>");
                assert!(!is_outside || tag.contains("rel=\"noreferrer noopener\""), "{name}: <{tag}>");
            }
        }
        assert!(!html.contains("@import") && !html.contains("url(http"), "{name}");
    }
}

#[test]
fn hostile_names_stay_text() {
    let html = page(&sample::rich(&BOTH));
    for bad in ["<script", "\u{202E}", "\u{1b}", "href=\"javascript"] {
        assert!(!html.contains(bad), "{bad:?}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩"));
}

#[test]
fn same_input_gives_same_bytes() {
    assert_eq!(page(&sample::rich(&BOTH)), page(&sample::rich(&BOTH)));
}

#[test]
fn the_page_is_well_made() {
    for (name, input) in every_input() {
        let html = page(&input);
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        for svg in html.split("<svg class=\"").skip(1).filter(|svg| !svg.starts_with("defs")) {
            let svg = svg.split_once("</svg>").expect("closed").0;
            assert!(svg.contains("role=\"img\"") && svg.contains("<title>") && svg.contains("<desc>"), "{name}");
            assert!(!svg.contains("<title></title>") && !svg.contains("<desc></desc>"), "{name}");
        }
        assert_eq!(html.matches("<caption").count(), html.matches("<table").count(), "{name}");
        for bad in ["NaN", ">inf", "-inf", "points=\"\"", "{n}", "{target}"] {
            assert!(!html.contains(bad), "{name}: {bad}");
        }
        for link in html.split("<a ").skip(1) {
            assert!(link.contains("</a>"), "{name}: a link stands inside of a link");
        }
        let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(ids.len(), unique.len(), "{name}: an id stands twice");
        for href in html.split("href=\"#").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)) {
            assert!(unique.binary_search(&href).is_ok(), "{name}: #{href} leads nowhere");
        }
    }
}

#[test]
fn elements_are_closed() {
    for (name, input) in every_input() {
        let html = page(&input);
        for tag in [
            "span", "div", "table", "tr", "td", "th", "section", "article", "figure", "details", "dl", "ul", "ol",
            "li", "p", "a", "svg", "code", "b",
        ] {
            let open = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
            assert_eq!(open, html.matches(&format!("</{tag}>")).count(), "{name}: {tag}");
        }
    }
}

#[test]
fn one_language_needs_no_switch() {
    let html = page(&sample::rich(&[Language::Ja]));
    assert!(html.contains("<html lang=\"ja\">") && !html.contains("type=\"radio\"") && !html.contains("<span lang="));
}

#[test]
fn fifty_services_fit_into_three_megabytes() {
    let mut input = sample::rich(&BOTH);
    let series = input.judgement.series.clone();
    for copy in 0..12 {
        input.judgement.series.extend(series.iter().cloned().map(|mut own| {
            own.key.service = format!("{}-{copy}", own.key.service).into();
            own
        }));
    }
    let findings = input.judgement.findings.clone();
    for _ in 0..10 {
        input.judgement.findings.extend(findings.iter().cloned());
    }
    for (index, finding) in input.judgement.findings.iter_mut().enumerate() {
        finding.id = format!("F-{index:06x}");
    }
    let html = page(&input);
    assert!(html.len() < 3_000_000, "{}", html.len());
}

/// Reads the custom properties of one `:root` block.
fn colors(block: &str) -> std::collections::BTreeMap<String, [f64; 3]> {
    let lines = block.lines().filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(":#"));
    lines
        .filter_map(|(name, hex)| {
            let part = |from: usize| Some(f64::from(u8::from_str_radix(hex.get(from..from + 2)?, 16).ok()?) / 255.0);
            Some((name.to_owned(), [part(0)?, part(2)?, part(4)?]))
        })
        .collect()
}

/// Returns the contrast ratio of WCAG 2.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
    let luminance = |c: [f64; 3]| 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn contrast_suffices_on_light_and_dark_pages() {
    let blocks: Vec<&str> = STYLE.split(":root{").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let colors = colors(block);
        for ground in ["ground", "raised", "sunken"] {
            for (names, least) in [
                (&["ink", "soft", "link", "worse", "better", "axis"][..], 4.5),
                (&["after", "worse-mark", "before", "deploy"][..], 3.0),
            ] {
                for name in names {
                    let ratio = contrast(colors[*name], colors[ground]);
                    assert!(ratio >= least, "--{name} on --{ground}: {ratio:.2}");
                }
            }
        }
        assert!(contrast(colors["on-flag"], colors["deploy"]) >= 4.5, "numbers on flags");
    }
}

#[test]
fn every_ink_is_exchanged_by_the_style_sheet() {
    for ink in crate::render::chart::Ink::ALL {
        let (r, g, b) = ink.rgb();
        let hex = format!("\"#{r:02X}{g:02X}{b:02X}\"");
        assert!(STYLE.contains(&hex), "{ink:?} {hex}");
    }
}
