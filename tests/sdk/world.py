"""What the programs here share: the Modbox they are told of, HTTP without an SDK, how facts are counted."""

import json
import os
import pathlib
import sys
import time
import typing
import unittest
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("MODBOX_SDK_URL", "")
TOKEN = os.environ.get("MODBOX_SDK_TOKEN", "")
# Of another user.
OTHER_TOKEN = os.environ.get("MODBOX_SDK_OTHER_TOKEN", "")

# Of a user who has just so many sandboxes: more than a page of any list.
CROWD_TOKEN = os.environ.get("MODBOX_SDK_CROWD_TOKEN", "")
CROWD = 103

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
# Seconds. A sandbox is ready within 2 s on a machine that does nothing else.
READY = 30
TTL = 600
# A command that leaves a process which goes its own way, and prints its id.
DETACHED = "setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!"


def call(method: str, url: str, token: str, body: object, **headers: str) -> dict:
    """Answers with the JSON of the response; raises urllib's HTTPError at 4xx and 5xx."""
    headers |= {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def execute(api_url: str, access_token: str, command: str) -> dict:
    return call("POST", f"{api_url}/exec", access_token, {"command": command})


def refuses_connections(url: str, within: float) -> bool:
    """Whether nothing listens there any more before the time is over."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            pass
        except urllib.error.URLError as error:
            if isinstance(error.reason, ConnectionRefusedError):
                return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def is_over(process: int, within: float) -> bool:
    """Whether the process ends before the time is over; one that nobody has buried yet has ended."""
    deadline = time.monotonic() + within
    while True:
        try:
            state = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)


def a_name(of: str) -> str:
    return f"{of}-{uuid.uuid4().hex[:8]}"


class Facts(unittest.TestCase):
    """A fact is a method; its name says it."""

    def assert_whole(self, model: typing.Any) -> None:
        """Every field that this version of the SDK requires came, in nested models too."""
        for name, field in type(model).model_fields.items():
            value = getattr(model, name)
            if field.is_required():
                self.assertIsNotNone(value, f"{type(model).__name__}.{name}")
            for part in value if isinstance(value, list) else [value]:
                if hasattr(type(part), "model_fields"):
                    self.assert_whole(part)

    def assert_list_narrows(self, sandbox_id: str, destroy: typing.Callable[[], object]) -> None:
        """A list of one status has the sandbox, which runs, when that is its status, before and after its destroy."""

        def listed(status: typing.Optional[str]) -> bool:
            page = self.sandboxes.list_sandboxes(status=status)
            self.assert_whole(page)
            self.assertEqual(page.total, len(page.sandboxes))
            self.assertTrue(all(status in (None, item.status) for item in page.sandboxes))
            return sandbox_id in [item.id for item in page.sandboxes]

        statuses = [None, "provisioning", "running", "destroyed"]
        self.assertEqual([listed(status) for status in statuses], [True, False, True, False])
        destroy()
        self.assertEqual([listed(status) for status in statuses], [True, False, False, True])

    def assert_uuid(self, text: str) -> None:
        self.assertEqual(str(uuid.UUID(text)), text)


class Count(unittest.TextTestResult):
    """Prints a line for each fact."""

    def startTest(self, test: unittest.TestCase) -> None:
        unittest.TestResult.startTest(self, test)
        self.began = time.monotonic()

    def stopTest(self, test: unittest.TestCase) -> None:
        name = test.id().split(".")[-1].removeprefix("test_")
        failed = any(test is one for one, _ in self.failures + self.errors)
        print("FAILED" if failed else "ok    ", f"{time.monotonic() - self.began:6.2f} s ", name, flush=True)
        unittest.TestResult.stopTest(self, test)


def main(*stories: type[unittest.TestCase]) -> typing.NoReturn:
    """Runs the stories in that order. The last line is `<n> passed, <n> failed`."""
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(story) for story in stories)
    result = unittest.TextTestRunner(resultclass=Count, verbosity=0).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)
