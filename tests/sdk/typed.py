"""How the versions from 0.0.12 on tell of a refusal: an error class for each status that a route declares."""

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
