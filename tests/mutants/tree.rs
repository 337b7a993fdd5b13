//! A copy of the workspace to plant bugs in.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::Error;

/// The copy, and what is built of it: always at the same place, so that only what a patch touches is built again.
#[derive(Debug)]
pub struct Tree {
    sources: PathBuf,
    target: PathBuf,
}

impl Tree {
    /// Copies what git knows of the workspace.
    pub fn copy(root: &Path) -> io::Result<Self> {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let folder = target.join("mutants");
        fs::create_dir_all(&folder)?;
        let folder = folder.canonicalize()?;
        let tree = Self { sources: folder.join("sources"), target: folder.join("built") };
        if tree.sources.exists() {
            fs::remove_dir_all(&tree.sources)?;
        }
        let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output()?.stdout;
        for name in String::from_utf8_lossy(&listed).split_terminator('\0') {
            let (from, to) = (root.join(name), tree.sources.join(name));
            // What is deleted and not yet committed is listed still.
            if from.is_file() {
                fs::create_dir_all(to.parent().unwrap_or(&tree.sources))?;
                fs::copy(from, to)?;
            }
        }
        Ok(tree)
    }

    pub fn apply(&self, patch: &Path) -> Result<(), Error> {
        self.git_apply(patch, &[])
    }

    pub fn take_back(&self, patch: &Path) -> Result<(), Error> {
        self.git_apply(patch, &["--reverse"])
    }

    fn git_apply(&self, patch: &Path, flags: &[&str]) -> Result<(), Error> {
        let mut git = Command::new("git");
        git.arg("apply").args(flags).arg(patch).current_dir(&self.sources);
        // The target folder may lie in the workspace: git would see that, and change nothing.
        git.env("GIT_CEILING_DIRECTORIES", self.sources.parent().unwrap_or(&self.sources));
        if git.status()?.success() { Ok(()) } else { Err(Error::Refused(patch.to_owned())) }
    }

    /// Whether the package's tests compile.
    pub fn builds(&self, package: &str) -> io::Result<bool> {
        Ok(self.cargo_test().args(["--no-run", "--package", package]).status()?.success())
    }

    /// Whether the package's tests pass, of those that the arguments choose.
    pub fn passes(&self, package: &str, arguments: &[&str]) -> io::Result<bool> {
        let mut cargo = self.cargo_test();
        cargo.args(["--package", package, "--"]).args(arguments);
        Ok(cargo.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
    }

    fn cargo_test(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["test", "--quiet", "--offline", "--locked"]).current_dir(&self.sources);
        cargo.env("CARGO_TARGET_DIR", &self.target).env("CARGO_INCREMENTAL", "0");
        // A bug may leave something without a use.
        cargo.env("RUSTFLAGS", "-Awarnings");
        // Failing is what they are for: no files with what failed.
        cargo.env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1").env("INSTA_UPDATE", "no");
        cargo
    }
}
