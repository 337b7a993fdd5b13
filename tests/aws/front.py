"""The front of a function URL: takes HTTP, and invokes a function with what a function URL would hand it.

The emulator has function URLs of its own. They tell the function a name below on.aws, by which nothing here would answer
the programs inside a sandbox, and which may be somebody's in AWS; this one tells its own address.
"""

import base64
import http.client
import http.server
import json
import sys
import threading
import time
import uuid
from urllib.parse import parse_qsl, urlsplit

TEXT = ("text/", "application/json", "application/javascript", "application/xml")
# Seconds. As long as a function URL waits.
PATIENCE = 15 * 60


class Front(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, emulator: int, function: str):
        super().__init__(("127.0.0.1", 0), Handler)
        self.emulator, self.function = emulator, function
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *about) -> None:
        # Whoever asked may have been ended meanwhile.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*about)

    def invoke(self, event: dict) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.emulator, timeout=PATIENCE)
        try:
            path = f"/2015-03-31/functions/{self.function}/invocations"
            connection.request("POST", path, json.dumps(event), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200 or answer.getheader("X-Amz-Function-Error"):
            raise RuntimeError(f"the function failed: {answer.status}: {body[:2000]!r}")
        return json.loads(body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            answer = self.server.invoke(self.event(body))
        except (OSError, RuntimeError, ValueError) as error:
            answer = {"statusCode": 502, "headers": {"content-type": "text/plain"}, "body": str(error)}
        content = answer.get("body") or ""
        content = base64.b64decode(content) if answer.get("isBase64Encoded") else content.encode()
        self.send_response(answer["statusCode"])
        for name, value in (answer.get("headers") or {}).items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    def event(self, body: bytes) -> dict:
        """The payload of a function URL, in its format 2.0 (Lambda Developer Guide)."""
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers |= {"x-forwarded-proto": "http", "x-forwarded-for": self.client_address[0]}
        is_text = headers.get("content-type", "").startswith(TEXT)
        host = f"{self.server.function.lower()}.lambda-url.us-east-1.on.aws"
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": url.path,
            "rawQueryString": url.query,
            "headers": headers,
            "requestContext": {
                "accountId": "anonymous",
                "apiId": "front",
                "domainName": host,
                "domainPrefix": "front",
                "http": {
                    "method": self.command,
                    "path": url.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.client_address[0],
                    "userAgent": headers.get("user-agent", ""),
                },
                "requestId": str(uuid.uuid4()),
                "routeKey": "$default",
                "stage": "$default",
                "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
                "timeEpoch": int(time.time() * 1000),
            },
            "isBase64Encoded": bool(body) and not is_text,
        }
        if url.query:
            event["queryStringParameters"] = dict(parse_qsl(url.query, keep_blank_values=True))
        if body:
            event["body"] = body.decode() if is_text else base64.b64encode(body).decode()
        return event

    def log_message(self, *_) -> None:
        pass
