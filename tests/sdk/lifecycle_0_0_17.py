"""modbox-sdk 0.0.17: the generation in the middle.

Sub-clients and an error class for each declared status; still keyed by task_id. A creation tells the address and the
token of the sandbox.
"""

import datetime
import importlib.metadata
import typing

from modbox import ModboxApi, NotFoundError
from modbox.sandboxes.client import SandboxesClient

import by_name
import typed
import world


class Version(typed.Refused):
    def connect(self, token: typing.Optional[str], **more) -> SandboxesClient:
        return ModboxApi(base_url=world.URL, token=token, **more).sandboxes


class Lifecycle(Version, by_name.Lifecycle):
    def test_it_is_version_0_0_17(self) -> None:
        self.assertEqual(importlib.metadata.version("modbox-sdk"), "0.0.17")

    def test_health_answers_anybody(self) -> None:
        for token in [world.TOKEN, None]:
            self.assertIsNotNone(ModboxApi(base_url=world.URL, token=token).system.health_check())

    def test_provision_tells_where_the_sandbox_will_be(self) -> None:
        provisioned, detail = self.running("endpoint")
        endpoint = provisioned.endpoint
        self.assertTrue(endpoint.access_token.startswith("sbx_"))
        self.assertEqual((detail.sandbox_url, detail.capabilities), (endpoint.base_url, provisioned.capabilities))
        self.assertEqual(provisioned.capabilities["files"], f"{endpoint.api_url}/files")
        ran = world.execute(endpoint.api_url, endpoint.access_token, "echo hello")
        self.assertEqual(ran["stdout"], "hello\n")

    def test_monitoring_shows_what_happened_in_a_sandbox_and_what_it_uses(self) -> None:
        """Under the path that later versions do not know any more."""
        provisioned, _ = self.running("watched")
        client = ModboxApi(base_url=world.URL, token=world.TOKEN)
        self.shown(client.observability.get_sandbox_monitoring, provisioned)

    def test_detail_tells_when_it_expires(self) -> None:
        _, detail = self.running("expiring")
        self.assertEqual(detail.expires_at - detail.created_at, datetime.timedelta(seconds=world.TTL))

    def test_an_unknown_image_id_is_not_found(self) -> None:
        given = {"task_id": world.a_name("imageless"), "image_id": world.UNKNOWN_ID}
        self.refused(NotFoundError, "image_not_found", self.sandboxes.provision_sandbox, **given)


class Refusals(Version, by_name.Refusals):
    pass


if __name__ == "__main__":
    world.main(Lifecycle, Refusals)
