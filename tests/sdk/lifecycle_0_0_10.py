"""modbox-sdk 0.0.10: the generation of the seeds.

Everything is on the root of the client and keyed by task_id; only a 422 has an error class of its own.
"""

import importlib.metadata
import typing

from modbox import ModboxApi, UnprocessableEntityError
from modbox.core.api_error import ApiError
from modbox.types import HttpValidationError

import by_name
import world


class Version(world.Facts):
    def connect(self, token: typing.Optional[str], **more) -> ModboxApi:
        return ModboxApi(base_url=world.URL, token=token, **more)

    def refused(self, status: int, code: str, call: typing.Callable, *args, **more) -> dict:
        """The error in the plain one that this version raises for all but 422."""
        with self.assertRaises(ApiError) as caught:
            call(*args, **more)
        error = caught.exception
        self.assertIs(type(error), ApiError)
        self.assertEqual((error.status_code, error.body["error"]["code"]), (status, code))
        self.assertEqual(error.body["detail"], error.body["error"]["message"])
        self.assertEqual(error.headers["x-request-id"], error.body["error"]["request_id"])
        return error.body["error"]

    def unauthorized(self, code: str, call: typing.Callable, *args, **more) -> None:
        self.refused(401, code, call, *args, **more)

    def conflict(self, code: str, call: typing.Callable, *args, **more) -> dict:
        return self.refused(409, code, call, *args, **more)

    def missing(self, call: typing.Callable, *args, **more) -> None:
        self.refused(404, "sandbox_not_found", call, *args, **more)

    def invalid(self, field: str, call: typing.Callable, *args, **more) -> None:
        """In the list that this generation parses."""
        with self.assertRaises(UnprocessableEntityError) as caught:
            call(*args, **more)
        body = caught.exception.body
        self.assertIsInstance(body, HttpValidationError)
        self.assertEqual([fault.loc for fault in body.detail], [field.split(".")])
        self.assertTrue(body.detail[0].msg and body.detail[0].type)


class Lifecycle(Version, by_name.Lifecycle):
    def test_it_is_version_0_0_10(self) -> None:
        self.assertEqual(importlib.metadata.version("modbox-sdk"), "0.0.10")

    def test_health_answers(self) -> None:
        self.assertIsNotNone(self.sandboxes.health_check())


class Refusals(Version, by_name.Refusals):
    pass


if __name__ == "__main__":
    world.main(Lifecycle, Refusals)
