//! Plants the bugs that only a change of `shared/sandbox` can say: each `tests/mutants/*.patch` in turn, in a copy of
//! the workspace. It exits with 0 only if the promises' own tests catch every one.
//!
//! The reviewed matrix of transitions is left out: it would refuse any change, a good one too.

mod tree;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use tree::Tree;

/// The suites, the quickest first, with what of them is run.
const SUITES: [(&str, &[&str]); 2] = [
    ("modbox-sandbox", &["--skip", "the_transition_matrix"]),
    ("modbox-check", &["no_order_of_steps_breaks_an_invariant"]),
];

fn main() -> ExitCode {
    match plant() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every patch is caught.
fn plant() -> Result<bool, Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or(Error::NoWorkspace)?;
    let tree = Tree::copy(root)?;
    if let Some(suite) = caught_by(&tree)? {
        return Err(Error::FailsUnchanged(suite));
    }
    let patches = patches(&root.join("tests/mutants"))?;
    if patches.is_empty() {
        return Err(Error::NoPatches);
    }
    let mut caught = 0;
    for patch in &patches {
        let name = patch.file_stem().unwrap_or_default().to_string_lossy();
        tree.apply(patch)?;
        let by = caught_by(&tree);
        tree.take_back(patch)?;
        match by? {
            Some(suite) => {
                eprintln!("{name} is caught by {suite}");
                caught += 1;
            }
            None => eprintln!("{name} is not caught"),
        }
    }
    println!("patches_planted: {}", patches.len());
    println!("patches_caught: {caught}");
    println!("patches_failed: {}", patches.len() - caught);
    Ok(caught == patches.len())
}

fn patches(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let files: io::Result<Vec<_>> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    let mut patches = files?;
    patches.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    patches.sort();
    Ok(patches)
}

/// The first suite that fails on the tree as it is.
fn caught_by(tree: &Tree) -> Result<Option<&'static str>, Error> {
    for (package, arguments) in SUITES {
        // What does not compile catches nothing.
        if !tree.builds(package)? {
            return Err(Error::DoesNotCompile);
        }
        if !tree.passes(package, arguments)? {
            return Ok(Some(package));
        }
    }
    Ok(None)
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("there is no workspace around modbox-tests")]
    NoWorkspace,
    #[error("there are no patches in tests/mutants")]
    NoPatches,
    #[error("{0} fails on the product as it is")]
    FailsUnchanged(&'static str),
    #[error("what was planted does not compile")]
    DoesNotCompile,
    #[error("git refuses {}", .0.display())]
    Refused(PathBuf),
    #[error(transparent)]
    Io(#[from] io::Error),
}
