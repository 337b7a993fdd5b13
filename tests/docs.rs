//! What the documents name is there.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

const DOCUMENTS: [&str; 7] = [
    "README.md",
    "ARCHITECTURE.md",
    "API.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "RELIABILITY.md",
    "infra/README.md",
];
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
        let folder = root().join(name).parent().expect("a document is in a folder").to_owned();
        let linked = linked_files(&text).map(|target| folder.join(target));
        for path in named_paths(&text).map(|path| root().join(path)).chain(linked) {
            assert!(path.exists(), "{name} names {}, which is not there", path.display());
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
        "infra/admin",
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

/// Every code in the sources of an error: what stands right behind a status, or behind the name of a constructor.
fn codes_in(source: &str) -> BTreeSet<String> {
    let behind_status = source.split("StatusCode::").skip(1).filter_map(|rest| rest.split_once(','));
    let behind_status = behind_status.map(|(_, rest)| rest);
    let by_name = ["unauthorized(", "forbidden(", "=> ("];
    let behind_name = by_name.iter().flat_map(|name| source.split(name).skip(1));
    let literals = behind_status.chain(behind_name).filter_map(|rest| rest.trim_start().strip_prefix('"'));
    let codes = literals.filter_map(|rest| rest.split('"').next());
    let is_code = |code: &&str| code.len() > 4 && code.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    codes.filter(is_code).map(ToOwned::to_owned).collect()
}

fn sources(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => texts.extend(sources(&entry.path())),
            false => texts.push(std::fs::read_to_string(entry.path()).unwrap()),
        }
    }
    texts
}

#[test]
fn the_table_of_errors_is_complete() {
    let http = root().join("shared/http/src");
    // The doors speak of errors in the words of others.
    let of_doors: Vec<String> =
        ["daytona", "hopx", "vercel"].iter().flat_map(|door| sources(&http.join(door))).collect();
    let ours = sources(&http).into_iter().filter(|text| !of_doors.contains(text));
    let in_source: BTreeSet<String> = ours.flat_map(|text| codes_in(&text)).collect();
    let api = document("API.md");
    // What is inside a sandbox has a table of its own.
    let section = api.split("\n## ").find(|section| section.starts_with("Errors")).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| 4") || line.starts_with("| 5"));
    let codes =
        rows.filter_map(|row| row.split('|').nth(2)).flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let in_table: BTreeSet<String> = codes.map(ToOwned::to_owned).collect();
    assert!(in_source.len() > 15, "the sources are read wrongly: {in_source:?}");
    assert_eq!(in_source, in_table);
}

#[test]
fn no_file_of_the_core_names_a_vendor() {
    let mut read = 0;
    for folder in ["shared/sandbox", "shared/control", "shared/aws", "functions"] {
        for text in sources(&root().join(folder)) {
            let text = text.to_lowercase();
            let names =
                |line: &&str| ["daytona", "hopx", "vercel"].iter().any(|vendor| line.contains(vendor));
            assert_eq!(text.lines().find(names), None, "below {folder}");
            read += 1;
        }
    }
    assert!(read > 60, "only {read} files were read");
}
