"""hopx-ai 0.5.0 for Python, both the plain and the asynchronous one: the lifecycle, at the door for it."""

import asyncio
import importlib.metadata
import time
import typing
import urllib.error

from hopx_ai import AsyncSandbox, Sandbox
from hopx_ai.errors import APIError, AuthenticationError, HopxError, NotFoundError, ValidationError

import world

URL = f"{world.URL}/hopx"
HERE = {"base_url": URL, "api_key": world.TOKEN}
TEMPLATE = "code-interpreter"


class Story(world.Facts):
    def create(self, **given: typing.Any) -> Sandbox:
        """A sandbox that is gone when the fact is known."""
        made = Sandbox.create(TEMPLATE, **({"timeout_seconds": world.TTL} | HERE | given))
        self.addCleanup(self.remove, made)
        return made

    def remove(self, made: Sandbox) -> None:
        try:
            made.kill()
        except NotFoundError:
            pass

    def running(self, **given: typing.Any) -> Sandbox:
        made = self.create(**given)
        self.until(lambda: made.get_info().status == "running")
        return made

    def until(self, holds: typing.Callable[[], bool]) -> None:
        deadline = time.monotonic() + world.READY
        while not holds():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)

    def refused(self, kind: type[HopxError], status: int, call: typing.Callable[[], object]) -> HopxError:
        """The exception that its user gets: of exactly this class. Of the documented flat body it reads no code."""
        with self.assertRaises(HopxError) as raised:
            call()
        self.assertEqual((type(raised.exception), raised.exception.status_code), (kind, status))
        self.assertIsNone(raised.exception.code)
        return raised.exception


class Lifecycle(Story):
    def test_it_is_version_0_5_0(self) -> None:
        self.assertEqual(importlib.metadata.version("hopx-ai"), "0.5.0")

    def test_health_answers_anybody(self) -> None:
        self.assertEqual(Sandbox.health_check(base_url=URL), {"status": "ok"})

    def test_a_sandbox_is_created_runs_and_is_killed(self) -> None:
        made = self.create()
        info = made.get_info()
        self.assertIn(info.status, ["creating", "running"])
        self.assertEqual((info.sandbox_id, info.template_name), (made.sandbox_id, TEMPLATE))
        self.assertEqual(info.timeout_seconds, world.TTL)
        self.assertEqual((info.expires_at - info.created_at).total_seconds(), world.TTL)
        self.assertTrue(info.public_host.startswith("http"))
        self.assertEqual((info.resources.vcpu, info.resources.memory_mb), (1, 1024))
        self.assertTrue(info.region)
        self.until(lambda: made.get_info().status == "running")
        made.kill()
        self.refused(NotFoundError, 404, made.get_info)
        self.refused(NotFoundError, 404, made.kill)

    def test_without_a_timeout_it_has_none(self) -> None:
        info = self.create(timeout_seconds=None).get_info()
        self.assertEqual((info.timeout_seconds, info.expires_at), (None, None))

    def test_the_token_opens_the_runtime(self) -> None:
        made = self.running()
        ran = world.execute(f"{made.get_info().public_host}/modbox/api", made.get_token(), "echo here")
        self.assertEqual(ran["stdout"], "here\n")
        before = made.get_token()
        made.refresh_token()
        self.assertEqual(made.get_token(), before)

    def test_connect_finds_a_running_one(self) -> None:
        made = self.running()
        found = Sandbox.connect(made.sandbox_id, **HERE)
        self.assertEqual(found.get_info().status, "running")
        self.assertEqual(found.get_token(), made.get_token())

    def test_one_of_the_modbox_api_is_the_same_here(self) -> None:
        made = world.call("POST", f"{world.URL}/sandboxes", world.TOKEN, {"ttl_seconds": world.TTL})
        found = Sandbox(made["sandbox_id"], **HERE)
        self.addCleanup(self.remove, found)
        self.assertEqual(found.get_info().timeout_seconds, world.TTL)
        found.kill()
        with self.assertRaises(urllib.error.HTTPError) as raised:
            world.call("POST", f"{world.URL}/sandboxes/{made['sandbox_id']}/extend", world.TOKEN, {"ttl_seconds": 60})
        self.assertEqual(raised.exception.code, 409)

    def test_a_timeout_counts_from_when_it_is_set(self) -> None:
        made = self.running(timeout_seconds=60)
        for seconds in (3600, 90, 86400):
            before = made.get_info().expires_at
            made.set_timeout(seconds)
            info = made.get_info()
            self.assertEqual(info.timeout_seconds, seconds)
            self.assertNotEqual(info.expires_at, before)

    def test_it_is_gone_when_its_time_is_over(self) -> None:
        made = self.create(timeout_seconds=6)
        self.until(lambda: made.get_info().status == "running")
        public_host = made.get_info().public_host
        made.set_timeout(1)
        time.sleep(1.05)
        self.refused(NotFoundError, 404, made.get_info)
        self.refused(NotFoundError, 404, lambda: made.set_timeout(60))
        self.refused(NotFoundError, 404, made.kill)
        self.assertTrue(world.refuses_connections(f"{public_host}/healthz", within=5))

    def test_the_documented_kill_is_at_once_and_once(self) -> None:
        made = self.running()
        agent = f"{made.get_info().public_host}/modbox/api"
        process = int(world.execute(agent, made.get_token(), world.DETACHED)["stdout"])
        kill = f"{URL}/v1/sandboxes/{made.sandbox_id}/kill"
        killed = world.call("POST", kill, world.TOKEN, None)
        self.assertEqual(killed | {"request_id": ""}, {"id": made.sandbox_id, "status": "killed", "request_id": ""})
        self.assertTrue(world.is_over(process, within=2))
        with self.assertRaises(urllib.error.HTTPError) as raised:
            world.call("POST", kill, world.TOKEN, None)
        self.assertEqual(raised.exception.code, 404)

    def test_leaving_the_block_kills(self) -> None:
        with Sandbox.create(TEMPLATE, timeout_seconds=world.TTL, **HERE) as made:
            made.get_info()
        self.refused(NotFoundError, 404, made.get_info)


class Lists(Story):
    def test_filters_let_pass_and_exclude(self) -> None:
        made = self.running()

        def listed(**filters: str) -> bool:
            return made.sandbox_id in [one.sandbox_id for one in Sandbox.list(**filters, **HERE)]

        region = made.get_info().region
        self.assertTrue(listed() and listed(status="running") and listed(region=region))
        for excluding in ({"status": "creating"}, {"status": "stopped"}, {"status": "paused"}, {"region": "elsewhere"}):
            self.assertFalse(listed(**excluding), excluding)
        made.kill()
        self.assertFalse(listed())

    def test_a_limit_is_kept_and_a_wrong_value_refused(self) -> None:
        self.create(), self.create()
        self.assertEqual(len(Sandbox.list(limit=1, **HERE)), 1)
        self.refused(ValidationError, 400, lambda: Sandbox.list(limit=0, **HERE))
        self.refused(ValidationError, 400, lambda: Sandbox.list(status="asleep", **HERE))

    def test_an_iterator_reads_all_pages(self) -> None:
        crowd = {"base_url": URL, "api_key": world.CROWD_TOKEN}
        ids = [one.sandbox_id for one in Sandbox.iter(**crowd)]
        self.assertEqual((len(ids), len(set(ids))), (world.CROWD, world.CROWD))
        self.assertEqual(len(Sandbox.list(**crowd)), 100)

    def test_templates_are_told(self) -> None:
        templates = Sandbox.list_templates(**HERE)
        self.assertEqual([template.name for template in templates], [TEMPLATE])
        self.assertEqual(Sandbox.get_template(TEMPLATE, **HERE).id, templates[0].id)
        self.assertEqual(Sandbox.list_templates(category="ubuntu", **HERE), [])
        self.refused(NotFoundError, 404, lambda: Sandbox.get_template("cobol", **HERE))


class Refusals(Story):
    def test_an_unknown_id_is_not_found(self) -> None:
        for sandbox_id in (world.UNKNOWN_ID, "sandbox_abc123xyz"):
            unknown = Sandbox(sandbox_id, **HERE)
            for call in (unknown.get_info, unknown.kill, unknown.pause, unknown.refresh_token):
                self.refused(NotFoundError, 404, call)
            self.refused(NotFoundError, 404, lambda: unknown.set_timeout(60))
            self.refused(NotFoundError, 404, lambda: Sandbox.connect(sandbox_id, **HERE))

    def test_somebody_elses_is_not_found(self) -> None:
        made = self.create()
        foreign = Sandbox(made.sandbox_id, base_url=URL, api_key=world.OTHER_TOKEN)
        for call in (foreign.get_info, foreign.kill, foreign.pause, foreign.refresh_token):
            self.refused(NotFoundError, 404, call)
        others = Sandbox.list(base_url=URL, api_key=world.OTHER_TOKEN)
        self.assertNotIn(made.sandbox_id, [one.sandbox_id for one in others])
        made.get_info()

    def test_a_wrong_key_is_refused(self) -> None:
        wrong = {"base_url": URL, "api_key": "hopx_live_nobody.secret"}
        made = Sandbox(world.UNKNOWN_ID, **wrong)
        for call in (
            lambda: Sandbox.create(TEMPLATE, **wrong), lambda: Sandbox.list(**wrong), made.get_info, made.kill,
        ):
            self.refused(AuthenticationError, 401, call)

    def test_what_cannot_be_is_refused(self) -> None:
        for given in ({"timeout_seconds": 0}, {"timeout_seconds": 86401}, {"internet_access": False}):
            self.refused(ValidationError, 400, lambda: Sandbox.create(TEMPLATE, **given, **HERE))
        made = self.create()
        self.refused(ValidationError, 400, lambda: made.set_timeout(86401))

    def test_what_needs_a_kept_disk_is_refused_with_the_reason(self) -> None:
        made = self.running()
        for call in (made.pause, made.resume):
            self.assertIn("do not keep their disk", self.refused(ValidationError, 400, call).message)
        self.assertEqual(made.get_info().status, "running")

    def test_an_extension_that_comes_too_late_is_refused(self) -> None:
        made = self.create(timeout_seconds=4)
        self.refused(APIError, 409, lambda: made.set_timeout(600))


class Asynchronous(Story):
    def test_the_same_holds_of_the_asynchronous_one(self) -> None:
        asyncio.run(self.story())

    async def story(self) -> None:
        made = await AsyncSandbox.create(TEMPLATE, timeout_seconds=world.TTL, **HERE)
        info = await made.get_info()
        self.assertEqual(info.timeout_seconds, world.TTL)
        deadline = time.monotonic() + world.READY
        while (await made.get_info()).status != "running":
            self.assertLess(time.monotonic(), deadline)
            await asyncio.sleep(0.1)
        found = await AsyncSandbox.connect(made.sandbox_id, **HERE)
        await found.set_timeout(3600)
        self.assertEqual((await made.get_info()).timeout_seconds, 3600)
        listed = await AsyncSandbox.list(status="running", **HERE)
        self.assertIn(made.sandbox_id, [one.sandbox_id for one in listed])
        await made.kill()
        for again in (made.kill, made.get_info):
            with self.assertRaises(NotFoundError):
                await again()
        with self.assertRaises(AuthenticationError):
            await AsyncSandbox.list(base_url=URL, api_key="hopx_live_nobody.secret")


if __name__ == "__main__":
    world.main(Lifecycle, Lists, Refusals, Asynchronous)
