//! Start: parses arguments, sets up logs, runs, and turns an error into one message and an exit code.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use fortnight::cli::{Cli, Color, Global, LogFormat};
use fortnight::command::{self, Failure, Ui};
use fortnight::render::terminal::{Style, plain};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = ui(&cli.global);
    logs(&cli.global, ui.style.colour);
    match command::run(&cli, &ui) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            explain(&failure, &ui);
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn ui(global: &Global) -> Ui {
    let terminal = io::stderr().is_terminal();
    let for_people = global.log_format == LogFormat::Text && !global.quiet;
    let smart = !is_set("TERM", |term| term == "dumb");
    let colour = match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && smart && !is_set("NO_COLOR", |text| !text.is_empty()),
    };
    Ui {
        summary: for_people,
        as_record: global.log_format == LogFormat::Json,
        progress: for_people && terminal && smart,
        style: Style { colour, signs: terminal && smart },
        signs_data: io::stdout().is_terminal() && smart,
        colour_data: match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stdout().is_terminal() && smart && !is_set("NO_COLOR", |text| !text.is_empty()),
        },
    }
}

fn is_set(name: &str, holds: impl Fn(&OsStr) -> bool) -> bool {
    std::env::var_os(name).is_some_and(|text| holds(&text))
}

fn logs(global: &Global, colour: bool) {
    // As records, what came out is told at the level of `info`, so that is where they begin.
    let start = if global.log_format == LogFormat::Json { 1 } else { 0 };
    let level = match (global.quiet, start + global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::INFO,
        (_, 2) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Other crates log whole requests at their loudest, with the keys in them; nobody hears those.
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
    let logs = tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(level).with_target(false);
    match global.log_format {
        LogFormat::Text => logs.with_ansi(colour).without_time().finish().with(own).init(),
        LogFormat::Json => logs.json().flatten_event(true).finish().with(own).init(),
    }
}

/// Says what happened and what to do next, on one line each.
fn explain(failure: &Failure, ui: &Ui) {
    let causes: Vec<String> = failure.error.chain().map(|cause| plain(&cause.to_string())).collect();
    let error = format!("failed to {}", causes.join(": "));
    if ui.as_record {
        tracing::error!(help = failure.help.join("; "), exit_code = failure.exit as u8, "{error}");
        return;
    }
    let paint = |code: &str, word: &str| {
        if ui.style.colour { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word.to_owned() }
    };
    let mut text = format!("{} {error}\n", paint("1;31", "error:"));
    for help in &failure.help {
        text.push_str(&format!("{} {}\n", paint("1;36", "help:"), plain(help)));
    }
    // Nobody is left to tell when standard error is gone; the exit code still speaks.
    let _ = io::stderr().write_all(text.as_bytes());
}
