"""What the programs that try a real modbox-local share: building it, starting it, virtual environments."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Seconds.
START = 30


class Broken(Exception):
    """Something that the tests stand on does not work."""


def binary(name: str = "modbox-local", package: str | None = None) -> Path:
    """One of our programs: that beside MODBOX_LOCAL_BIN, or a new build, of the package of its name if of no other."""
    given = os.environ.get("MODBOX_LOCAL_BIN")
    if given:
        return Path(given).resolve().with_name(name)
    what = ["--package", package or name, "--bin", name]
    command = ["cargo", "build", *what, "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True)
    for message in map(json.loads, built.stdout.splitlines()):
        if message.get("executable") and message["target"]["name"] == name:
            return Path(message["executable"])
    raise Broken(f"cargo built no {name}")


def artefacts() -> Path:
    """The zips of the functions for this machine: those of MODBOX_ZIPS, or new ones."""
    given = os.environ.get("MODBOX_ZIPS")
    if given:
        return Path(given).resolve()
    subprocess.run([HERE / "artefacts" / "run"], check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
    return target / "lambda" / os.uname().machine.replace("aarch64", "arm64")


def environment(requirements: Path, folder: Path, is_complete: bool = True) -> Path:
    """The python of a new virtual environment that has exactly what is listed: if complete, all that it needs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "--only-binary", ":all:", "-r", requirements], check=True)
    if is_complete:
        subprocess.run([*pip, "check"], check=True)
    return python


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as all_of_them:
        sockets = [all_of_them.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def start(program: Path, data: Path, log: Path, token: str, ports: tuple[int, int]) -> subprocess.Popen:
    """A modbox-local that answers, on these ports for the API and for AWS."""
    api, aws = ports
    listen = ["--listen", f"127.0.0.1:{api}", "--aws-listen", f"127.0.0.1:{aws}"]
    command = [program, *listen, "--data", data, "--token", token]
    # No option of whoever runs this.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MODBOX_")}
    # What is installed beside it makes no difference.
    env["MODBOX_ENGINE"] = "process"
    with log.open("w") as output:
        local = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    deadline, health = time.monotonic() + START, f"http://127.0.0.1:{api}/health"
    while time.monotonic() < deadline and local.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(health, timeout=1):
            return local
        time.sleep(0.05)
    local.kill()
    raise Broken(f"modbox-local does not answer /health:\n{log.read_text()}")
