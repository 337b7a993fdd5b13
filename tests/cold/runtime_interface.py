"""A stand-in for Lambda's runtime interface, 2018-06-01: hands a function its events and takes its answers."""

import contextlib
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable

# Seconds.
PATIENCE = 60
NEXT, INVOCATION, INIT = "/2018-06-01/runtime/invocation/next", "/2018-06-01/runtime/invocation/", "/2018-06-01/runtime/init/"


class NoAnswer(Exception):
    """The function ended, reported an error, or took too long."""


class RuntimeInterface:
    """Serves one instance of a function, on a port of its own.

    It reads as little of HTTP as the interface needs, so that it takes its share of no one's time.
    """

    def __init__(self, asked: Callable[[], None] = lambda: None):
        """`asked` is called once, when the function asks for its first event, before it gets any."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._server.getsockname()[1]
        self.port = self._server.getsockname()[1]
        self._changed = threading.Condition()
        self._asked, self._was_asked, self._failure = asked, False, None
        self._events, self._answers = [], {}
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # Wakes whoever accepts.
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def invoke(self, event: object) -> tuple[object, float]:
        """The function's answer to the event, and when it began to come, by time.perf_counter."""
        request = str(uuid.uuid4())
        with self._changed:
            self._events.append((request, json.dumps(event).encode()))
            self._changed.notify_all()
            settled = self._changed.wait_for(lambda: self._failure or request in self._answers, PATIENCE)
            if not settled or self._failure:
                raise NoAnswer(self._failure or f"no answer within {PATIENCE} s")
            body, moment = self._answers.pop(request)
        return json.loads(body), moment

    def is_asked(self, within: float = PATIENCE) -> None:
        """Returns once the function has asked for its first event."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._was_asked or self._failure, within) or self._failure:
                raise NoAnswer(self._failure or f"it did not ask for an event within {within} s")

    def fail(self, why: str) -> None:
        with self._changed:
            self._failure = why
            self._changed.notify_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                moment = time.perf_counter()
                method, path, _ = line.decode().split(" ", 2)
                body = read_body(stream, read_headers(stream))
                connection.sendall(self._answer(method, path, body, moment))

    def _answer(self, method: str, path: str, body: bytes, moment: float) -> bytes:
        if method == "GET" and path == NEXT:
            return self._next()
        request, _, kind = path.removeprefix(INVOCATION).partition("/")
        if method == "POST" and kind == "response":
            with self._changed:
                self._answers[request] = (body, moment)
                self._changed.notify_all()
            return reply(202, {}, b'{"status":"OK"}')
        if method == "POST" and (kind == "error" or path.startswith(INIT)):
            self.fail(f"{path}: {body.decode(errors='replace')}")
            return reply(202, {}, b'{"status":"OK"}')
        return reply(404, {}, b"{}")

    def _next(self) -> bytes:
        if not self._was_asked:
            self._asked()
        with self._changed:
            self._was_asked = True
            self._changed.notify_all()
            # As on Lambda, it waits as long as there is nothing to do; the process is ended meanwhile.
            self._changed.wait_for(lambda: self._events)
            request, event = self._events.pop(0)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + PATIENCE) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:measured",
            "Lambda-Runtime-Trace-Id": "Root=1-692188a0-5c1f7d3e2b9a4806e3d7f1c5;Sampled=0",
        }
        return reply(200, headers, event)


def read_headers(stream) -> dict[str, str]:
    headers = {}
    while (line := stream.readline().strip()):
        name, _, value = line.decode().partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


def read_body(stream, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return stream.read(int(headers.get("content-length", 0)))
    parts = []
    while size := int(stream.readline().split(b";")[0], 16):
        parts.append(stream.read(size))
        stream.readline()
    # Trailers.
    while stream.readline().strip():
        pass
    return b"".join(parts)


def reply(status: int, headers: dict[str, str], body: bytes) -> bytes:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))} | headers
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body
