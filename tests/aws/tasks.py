"""ECS, as the functions reach it: our stand-in, with a hand on its answers and on its events."""

import http.client
import http.server
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

# The event that EventBridge delivers is of aws.ecs, which nobody but AWS may say; the emulator holds to that as well.
SOURCE = "modbox.ecs"


class Ecs:
    """The stand-in as a process of its own; each event that it tells goes to `told`."""

    def __init__(self, program: Path, data: Path, names: tuple[str, str], told: Callable[[dict], None]):
        cluster, log_group = names
        settings = ["--data", data, "--cluster", cluster, "--log-group", log_group]
        self.process = subprocess.Popen([program, *settings], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        first = json.loads(self.process.stdout.readline() or "{}")
        if "address" not in first:
            raise RuntimeError(f"the stand-in of ECS does not start: {first}")
        self.address = first["address"]
        self.reader = threading.Thread(target=self._read, args=(told,), daemon=True)
        self.reader.start()

    def _read(self, told: Callable[[dict], None]) -> None:
        for line in self.process.stdout:
            told(json.loads(line))

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Door(http.server.ThreadingHTTPServer):
    """Between the functions and the stand-in: counts what is started, and may end a caller before it hears of it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), DoorHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.ecs: str | None = None
        # The ARNs that RunTask has answered with, call by call, by the sandbox's id.
        self.launches: dict[str, list[str]] = {}
        self.when_launched: Callable[[str], None] | None = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *about) -> None:
        # Whoever asked may have been ended meanwhile.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*about)

    def launched(self, request: dict, answer: dict) -> None:
        sandbox = request["startedBy"].rpartition("/")[2]
        for task in answer.get("tasks", []):
            self.launches.setdefault(sandbox, []).append(task["taskArn"])
        hook, self.when_launched = self.when_launched, None
        if hook:
            hook(sandbox)


class DoorHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        left_out = ("host", "connection", "content-length")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
        connection = http.client.HTTPConnection(self.server.ecs, timeout=60)
        connection.request("POST", self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        operation = self.headers.get("x-amz-target", "").rpartition(".")[2]
        if operation == "RunTask" and answer.status == 200:
            self.server.launched(json.loads(body), json.loads(content))
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:
            # Whoever asked was ended meanwhile.
            self.close_connection = True

    def log_message(self, *_) -> None:
        pass


class Events:
    """Puts ECS's events on the emulator's bus, as well or as badly as it is told."""

    def __init__(self, put: Callable[[list[dict]], None]):
        self._put, self._queue = put, queue.Queue()
        self._lock = threading.Lock()
        # By the sandbox's id.
        self._lost: set[str] = set()
        self._shuffled: dict[str, list[dict]] = {}
        self._flowing = threading.Event()
        self._flowing.set()
        threading.Thread(target=self._deliver, daemon=True).start()

    def told(self, event: dict) -> None:
        self._queue.put(event)

    def pause(self) -> None:
        """Keeps every event back, until it resumes: so that one may say what becomes of those of a new sandbox."""
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    def lose(self, sandbox: str) -> None:
        with self._lock:
            self._lost.add(sandbox)

    def find(self, sandbox: str) -> None:
        with self._lock:
            self._lost.discard(sandbox)
            self._shuffled.pop(sandbox, None)

    def shuffle(self, sandbox: str) -> None:
        with self._lock:
            self._shuffled[sandbox] = []
        threading.Thread(target=self._shuffle, args=(sandbox,), daemon=True).start()

    def _deliver(self) -> None:
        while True:
            event = self._queue.get()
            self._flowing.wait()
            sandbox = event["detail"].get("startedBy", "").rpartition("/")[2]
            with self._lock:
                if sandbox in self._lost:
                    continue
                if sandbox in self._shuffled:
                    self._shuffled[sandbox].append(event)
                    continue
            self._put([event])

    def _shuffle(self, sandbox: str) -> None:
        """Each second all events so far, the newest first, each of them twice: old ones come again until it is found."""
        while True:
            time.sleep(1)
            with self._lock:
                if sandbox not in self._shuffled:
                    return
                events = list(self._shuffled[sandbox])
            for event in reversed(events):
                self._put([event])
                self._put([event])


def kill_all(name: str) -> int:
    """Ends every instance of the function, as Lambda does when its time is over; tells how many there were."""
    mark, found = os.fsencode(f"AWS_LAMBDA_FUNCTION_NAME={name}\0"), 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
                found += 1
        except OSError:
            pass
    return found
