//! What the documents name is there.

use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 5] = ["README.md", "ARCHITECTURE.md", "API.md", "CONTRIBUTING.md", "CHANGELOG.md"];
const FOLDERS: [&str; 6] = ["functions/", "shared/", "infra/", "sandbox/", "tests/", ".ci/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in the workspace").to_owned()
}

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What stands between backticks and begins like a path of this tree.
fn named_paths(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|name| FOLDERS.iter().any(|folder| name.starts_with(folder)) && !name.contains(' '))
}

fn linked_files(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with('#'))
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut named = 0;
    for name in DOCUMENTS {
        let text = document(name);
        for path in named_paths(&text).chain(linked_files(&text)) {
            assert!(root().join(path).exists(), "{name} names {path}, which is not there");
            named += 1;
        }
    }
    assert!(named > 30, "only {named} paths were found: the documents are read wrongly");
}

#[test]
fn the_architecture_names_every_package() {
    let text = document("ARCHITECTURE.md");
    for package in [
        "shared/sandbox",
        "shared/aws",
        "shared/control",
        "shared/http",
        "functions/api",
        "functions/launcher",
        "functions/reaper",
        "functions/observer",
        "infra/local",
        "sandbox/runtime",
        "sandbox/sidecar",
        "sandbox/tree",
        "tests",
    ] {
        assert!(root().join(package).join("Cargo.toml").exists(), "{package}");
        assert!(text.contains(&format!("`{package}`")), "ARCHITECTURE.md does not name {package}");
    }
}
