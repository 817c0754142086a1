//! Loads the query files: those that the program carries, and those of the user's folder.

use std::path::{Path, PathBuf};

use super::nrql;
use super::query::{Query, QueryError};
use super::query_header::Header;
use crate::source::SourceError;

/// The queries that the program carries, as file name and text, in the order of asking.
///
/// Where two queries give the same series, the earlier one wins.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("apm_services.nrql", include_str!("../../../queries/newrelic/apm_services.nrql")),
    ("apm_services_volume.nrql", include_str!("../../../queries/newrelic/apm_services_volume.nrql")),
    ("apm_operations.nrql", include_str!("../../../queries/newrelic/apm_operations.nrql")),
    ("apm_operations_volume.nrql", include_str!("../../../queries/newrelic/apm_operations_volume.nrql")),
    ("apm_datastores.nrql", include_str!("../../../queries/newrelic/apm_datastores.nrql")),
    ("apm_statements.nrql", include_str!("../../../queries/newrelic/apm_statements.nrql")),
    ("apm_external.nrql", include_str!("../../../queries/newrelic/apm_external.nrql")),
    ("hosts.nrql", include_str!("../../../queries/newrelic/hosts.nrql")),
    ("otel_services.nrql", include_str!("../../../queries/newrelic/otel_services.nrql")),
    ("otel_operations.nrql", include_str!("../../../queries/newrelic/otel_operations.nrql")),
    ("otel_spans.nrql", include_str!("../../../queries/newrelic/otel_spans.nrql")),
    ("otel_datastores.nrql", include_str!("../../../queries/newrelic/otel_datastores.nrql")),
    ("versions_apm.nrql", include_str!("../../../queries/newrelic/versions_apm.nrql")),
    ("versions_otel.nrql", include_str!("../../../queries/newrelic/versions_otel.nrql")),
];

/// Largest query file that is read, bytes: far above any query, far below what fills a memory.
const LARGEST_BY: u64 = 64 << 10;

/// Loads the queries: the program's, then those of the user's folder by file name.
///
/// # Errors
/// [`QueryError`] for the first file without a meaning, and for an id that stands twice.
pub fn load(folder: Option<&Path>) -> Result<Vec<Query>, QueryError> {
    let mut queries = Vec::new();
    for (name, text) in BUILT_IN {
        add(&mut queries, Query::parse(&format!("queries/newrelic/{name}"), text)?)?;
    }
    for (path, text) in folder.map_or_else(|| Ok(Vec::new()), files)? {
        add(&mut queries, Query::parse(&path.display().to_string(), &text)?)?;
    }
    Ok(queries)
}

/// Returns whether a query comes with the program.
pub(super) fn is_built_in(query: &Query) -> bool {
    BUILT_IN.iter().any(|(name, _)| name.strip_suffix(".nrql") == Some(&query.id))
}

/// Makes the source's error of a query's.
pub(super) fn failed(id: &str, error: QueryError) -> SourceError {
    let help = error.help();
    SourceError::Vendor { id: id.to_owned(), account: String::new(), source: Box::new(error), help }
}

fn add(queries: &mut Vec<Query>, query: Query) -> Result<(), QueryError> {
    if let Some(other) = queries.iter().find(|other| other.id == query.id) {
        let reason = format!("id `{}` stands at {} too", query.id, other.place);
        return Err(QueryError::Wrong { place: query.place, reason });
    }
    queries.push(query);
    Ok(())
}

/// Reads the query files of a folder, sorted by name.
fn files(folder: &Path) -> Result<Vec<(PathBuf, String)>, QueryError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| QueryError::Read { path, source }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "nrql") && path.is_file() {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(QueryError::Empty(folder.to_owned()));
    }
    paths.sort();
    let read = |path: PathBuf| {
        let length = std::fs::metadata(&path).map_err(failed(&path))?.len();
        if length > LARGEST_BY {
            let reason = format!("{length} bytes are more than a query has; the limit is {LARGEST_BY}");
            return Err(QueryError::Wrong { place: path.display().to_string(), reason });
        }
        let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
        Ok((path, text))
    };
    paths.into_iter().map(read).collect()
}

impl Query {
    /// Reads one file; `file` is what messages call it.
    ///
    /// # Errors
    /// [`QueryError::Wrong`] with the line.
    pub fn parse(file: &str, text: &str) -> Result<Self, QueryError> {
        let header = Header::parse(file, text)?;
        let query = header.query()?;
        nrql::check(&query, &header.text_place())?;
        Ok(query)
    }
}
