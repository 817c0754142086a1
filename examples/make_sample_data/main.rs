//! Makes the sample data of `fortnight demo`: four weeks of an invented company, with known stories in it.
//!
//! `cargo run --release --example make_sample_data -- [--out sample-data]` writes `series.parquet`,
//! `deploys.jsonl`, `fortnight.toml` and `stories.json`, the same bytes each time, and prints for every
//! story what was put in and what can be measured. It fails if the two are apart.
//!
//! ```text
//! fleet (what runs) ────┐
//! deploys (when) ───────┼─> simulate (series) ─> write (files) ─> check (are the stories in it?)
//! stories (what moved) ─┘         └ noise
//! ```

mod check;
mod deploys;
mod fleet;
mod noise;
mod simulate;
mod stories;
mod write;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let out = folder(std::env::args().skip(1))?;
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let events = deploys::events();
    let stories = stories::stories();
    let series = simulate::simulate(&events, &stories::effects(&stories));
    let rows = write::series(&out.join("series.parquet"), &series)?;
    write::deploys(&out.join("deploys.jsonl"), &events)?;
    write::config(&out.join("fortnight.toml"))?;
    write::stories(&out.join("stories.json"), &stories)?;

    let checks = check::check(&stories, &series);
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "{}", check::table(&checks))?;
    writeln!(stdout, "{} series, {rows} points, {} events in {}", series.len(), events.len(), out.display())?;
    let apart = checks.iter().filter(|check| !check.fits()).count();
    if apart > 0 {
        bail!("{apart} of {} effects cannot be found in the data as they were put in", checks.len());
    }
    Ok(())
}

/// Reads the only flag, `--out FOLDER`.
fn folder(mut arguments: impl Iterator<Item = String>) -> Result<PathBuf> {
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, ..) => Ok(Path::new("sample-data").to_path_buf()),
        (Some("--out"), Some(out), None) => Ok(out.into()),
        _ => bail!("usage: make_sample_data [--out FOLDER]"),
    }
}
