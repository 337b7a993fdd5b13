"""What the versions from 0.0.12 on have in common: an error class for each status that a route declares, monitoring."""

import datetime
import time
import typing

from modbox import NotFoundError, UnauthorizedError, UnprocessableEntityError
from modbox.core.api_error import ApiError
from modbox.types import ErrorResponse

import world


class Refused(world.Facts):
    def refused(self, kind: type[ApiError], code: str, call: typing.Callable, *args, **more) -> ErrorResponse:
        """Its form is the same for all that the SDK has a class for."""
        with self.assertRaises(kind) as caught:
            call(*args, **more)
        self.assertIs(type(caught.exception), kind)
        body, headers = caught.exception.body, caught.exception.headers
        self.assertIsInstance(body, ErrorResponse)
        self.assert_whole(body)
        self.assertEqual(body.error.code, code)
        self.assertEqual(headers["x-request-id"], body.error.request_id)
        return body

    def conflict(self, code: str, call: typing.Callable, *args, **more) -> dict:
        """A 409, for which the SDK has no class on these routes."""
        with self.assertRaises(ApiError) as caught:
            call(*args, **more)
        self.assertIs(type(caught.exception), ApiError)
        self.assertEqual(caught.exception.status_code, 409)
        self.assertEqual(caught.exception.body["error"]["code"], code)
        return caught.exception.body["error"]

    def unauthorized(self, code: str, call: typing.Callable, *args, **more) -> None:
        self.refused(UnauthorizedError, code, call, *args, **more)

    def missing(self, call: typing.Callable, *args, **more) -> None:
        self.refused(NotFoundError, "sandbox_not_found", call, *args, **more)

    def invalid(self, field: str, call: typing.Callable, *args, **more) -> None:
        """The list that the generation before parses would be a ParsingError here."""
        body = self.refused(UnprocessableEntityError, "validation_error", call, *args, **more)
        self.assertEqual([fault.field for fault in body.error.details], [field])
        self.assertTrue(body.error.details[0].issue)
        self.assertIsNone(body.detail)

    def shown(self, look: typing.Callable, created: typing.Any) -> None:
        """What monitoring, which is given, shows of a running sandbox."""
        world.execute(created.endpoint.api_url, created.endpoint.access_token, "exit 3")
        # A sample is taken when the sandbox is a second old.
        deadline = time.monotonic() + world.READY
        while not (seen := look(created.sandbox_id)).metrics and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assert_whole(seen)
        self.assertEqual(seen.sandbox_id, created.sandbox_id)
        self.assertIn("exit code 3", seen.logs[-1].log)
        self.assertEqual({entry.stream for entry in seen.logs}, {"stdout"})
        self.assertGreater(seen.metrics[0].memory_usage, 0)
        before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=10)
        last = look(created.sandbox_id, since=before, limit=1, stream="stdout", include="logs")
        self.assertEqual((last.logs, last.metrics), (seen.logs[-1:], []))
        self.assertEqual(look(created.sandbox_id, until=before, include="logs,metrics").logs, [])
        self.invalid("query.include", look, created.sandbox_id, include="traces")
        self.missing(look, world.UNKNOWN_ID)
