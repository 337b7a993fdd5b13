"""The functions by themselves: built and served by cargo lambda, for a modbox-local that is their cloud."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from modbox_local import START, Broken

ROOT = Path(__file__).resolve().parents[1]
# Seconds. The first invocation of each function builds it.
BUILD, STOP = 900, 10


@contextlib.contextmanager
def watched(command: list[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen]:
    """cargo lambda watch, once it serves; ended in the end, by force if it must be."""
    with log.open("w") as output:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        watch = subprocess.Popen(command, cwd=ROOT, env=env, **quiet)
    try:
        deadline = time.monotonic() + START
        while "starting Runtime server" not in log.read_text():
            if watch.poll() is not None or time.monotonic() > deadline:
                raise Broken(f"cargo lambda watch does not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield watch
    finally:
        end(watch)


def end(program: subprocess.Popen) -> bool:
    """Whether it ends in time when it is told to."""
    program.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(STOP)
        return True
    program.kill()
    program.wait()
    return False


def told_of(endpoint: str) -> list[int]:
    """Every process that was told of this cloud's address: the functions, and what started them."""
    found, mark = [], os.fsencode(f"AWS_ENDPOINT_URL={endpoint}\0")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def connection(data: Path) -> dict[str, str]:
    """How the cloud of a modbox-local is reached: what its data folder says of it."""
    lines = (data / "functions.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))


def environment_for(tools: Path) -> dict[str, str]:
    """The environment of these tools, with nothing in it of whoever runs this."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MODBOX_"))}
    env = {name: value for name, value in ours.items() if not name.lower().endswith("_proxy")}
    env["PATH"] = f"{tools}:{env['PATH']}"
    return env | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
