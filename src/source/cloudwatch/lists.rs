//! The lists of metrics that are asked: those that come with the program, and those of a team's own folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::list::List;
pub use super::list_file::{ListError, parse};
use crate::config::Config;

/// The lists that come with the program.
const BUILT_IN: [(&str, &str); 17] = [
    ("alb.toml", include_str!("../../../queries/cloudwatch/alb.toml")),
    ("alb_target_group.toml", include_str!("../../../queries/cloudwatch/alb_target_group.toml")),
    ("api_http.toml", include_str!("../../../queries/cloudwatch/api_http.toml")),
    ("api_rest.toml", include_str!("../../../queries/cloudwatch/api_rest.toml")),
    ("dynamodb.toml", include_str!("../../../queries/cloudwatch/dynamodb.toml")),
    ("ec2.toml", include_str!("../../../queries/cloudwatch/ec2.toml")),
    ("ec2_group.toml", include_str!("../../../queries/cloudwatch/ec2_group.toml")),
    ("ec2_memory.toml", include_str!("../../../queries/cloudwatch/ec2_memory.toml")),
    ("ec2_memory_group.toml", include_str!("../../../queries/cloudwatch/ec2_memory_group.toml")),
    ("ecs.toml", include_str!("../../../queries/cloudwatch/ecs.toml")),
    ("ecs_tasks.toml", include_str!("../../../queries/cloudwatch/ecs_tasks.toml")),
    ("elasticache.toml", include_str!("../../../queries/cloudwatch/elasticache.toml")),
    ("lambda.toml", include_str!("../../../queries/cloudwatch/lambda.toml")),
    ("lambda_insights.toml", include_str!("../../../queries/cloudwatch/lambda_insights.toml")),
    ("rds.toml", include_str!("../../../queries/cloudwatch/rds.toml")),
    ("rds_cluster.toml", include_str!("../../../queries/cloudwatch/rds_cluster.toml")),
    ("sqs.toml", include_str!("../../../queries/cloudwatch/sqs.toml")),
];

/// Returns whether a list comes with the program, or takes the place of such a one.
pub fn is_built_in(list: &List) -> bool {
    BUILT_IN.iter().any(|(file, _)| file.strip_suffix(".toml") == Some(&list.id))
}

/// Returns the built-in lists and those of a folder, sorted by id.
///
/// # Errors
/// The first file, by name, that cannot be used.
pub fn load(config: &Config, folder: Option<&Path>) -> Result<Vec<List>, ListError> {
    let mut all = BTreeMap::new();
    for (file, text) in BUILT_IN {
        let list = parse(config, file, text)?;
        all.insert(list.id.clone(), list);
    }
    let mut own: BTreeMap<String, String> = BTreeMap::new();
    for path in folder.map(files_of).transpose()?.unwrap_or_default() {
        let text = std::fs::read_to_string(&path).map_err(|source| ListError::Read { path: path.clone(), source })?;
        let file = crate::model::sanitize::escape(&path.to_string_lossy());
        let list = parse(config, &file, &text)?;
        if let Some(other) = own.insert(list.id.clone(), file.clone()) {
            return Err(ListError::Twice { file, id: list.id, other });
        }
        all.insert(list.id.clone(), list);
    }
    Ok(all.into_values().collect())
}

/// Lists the `.toml` files of a folder by name; other files (a README) are nobody's business.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, ListError> {
    let cannot = |source| ListError::Read { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::super::list_file::tests::{OWN, config};
    use super::*;

    #[test]
    fn every_built_in_list_is_valid_and_has_an_id_of_its_own() {
        let lists = load(&config(), None).expect("valid");
        assert_eq!(lists.len(), BUILT_IN.len());
        assert!(lists.windows(2).all(|pair| pair[0].id < pair[1].id));
        for (file, text) in BUILT_IN {
            let list = parse(&config(), file, text).expect("valid");
            assert_eq!(format!("{}.toml", list.id), file);
        }
    }

    #[test]
    fn a_folder_adds_lists_and_replaces_those_of_the_same_id() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("shop.toml", OWN);
        write("README.md", "no list");
        write("queues.toml", &OWN.replace("\"shop\"", "\"sqs\""));
        let lists = load(&config(), Some(folder.path())).expect("valid");
        assert_eq!(lists.len(), BUILT_IN.len() + 1);
        let sqs = lists.iter().find(|list| list.id == "sqs").expect("there");
        assert_eq!((sqs.namespace.as_str(), sqs.metrics[0].of[0].metric.as_str()), ("Shop", "Orders Placed"));
        assert_eq!(sqs.dimensions, ["Country", "Shop"], "sorted, as they are compared");
        write("again.toml", OWN);
        let error = load(&config(), Some(folder.path())).expect_err("twice");
        assert!(error.to_string().contains("the id `shop` is that of"), "{error}");
        assert!(matches!(load(&config(), Some(Path::new("/nonexistent"))), Err(ListError::Read { .. })));
    }
}
