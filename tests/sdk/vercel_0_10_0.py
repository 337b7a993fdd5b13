"""vercel-sandbox 0.10.0 for Python, both the synchronous and the asynchronous one: the lifecycle, at the door for it."""

import asyncio
import datetime
import importlib.metadata
import time
import typing
import urllib.error

from vercel.sandbox import (
    SandboxApiError,
    SandboxClient,
    SandboxCredentials,
    SandboxServiceOptions,
    SandboxStatus,
)
from vercel.sandbox.sync import (
    SandboxQueryByCreatedAt,
    SandboxQueryByCurrentSnapshotId,
    SandboxQueryByName,
    SandboxServiceOptions as SyncOptions,
    SyncSandboxClient,
    TagFilter,
)

import world

URL = f"{world.URL}/vercel/api"


def credentials(token: str, project: str = "prj_any") -> SandboxCredentials:
    return SandboxCredentials(token=token, team_id="team_any", project_id=project)


def client(token: str = world.TOKEN, project: str = "prj_any") -> SyncSandboxClient:
    factory = lambda: credentials(token, project)  # noqa: E731
    return SyncSandboxClient.create(options=SyncOptions(base_url=URL, credentials_factory=factory))


def seconds(number: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=number)


class Story(world.Facts):
    def setUp(self) -> None:
        self.client = client()
        self.addCleanup(self.client.close)

    def running(self, **given: typing.Any):
        """A sandbox that runs, as this SDK waits for it, and that is gone when the fact is known."""
        made = self.client.create_sandbox(**({"execution_time_limit": seconds(world.TTL)} | given))
        self.addCleanup(self.remove, made)
        return made

    def remove(self, made) -> None:
        try:
            made.destroy()
        except SandboxApiError as error:
            if error.status_code != 404:
                raise

    def refused(self, status: int, code: str, call: typing.Callable[[], object]) -> SandboxApiError:
        """The exception that its user gets: of exactly this class."""
        with self.assertRaises(SandboxApiError) as raised:
            call()
        error = raised.exception
        self.assertEqual((type(error), error.status_code, error.code), (SandboxApiError, status, code))
        self.assertEqual(set(error.data["error"]), {"code", "message"})
        return error

    def get(self, name: str):
        return self.client.get_sandbox(name=name)


class Lifecycle(Story):
    def test_it_is_version_0_10_0(self) -> None:
        self.assertEqual(importlib.metadata.version("vercel-sandbox"), "0.10.0")

    def test_a_sandbox_is_created_runs_and_is_destroyed(self) -> None:
        name = world.a_name("vercel")
        made = self.running(name=name, tags={"of": "python"})
        self.assertEqual((made.name, made.tags, made.persistent), (name, {"of": "python"}, False))
        self.assertEqual(made.current_session.status, SandboxStatus.RUNNING)
        self.assertEqual(made.execution_time_limit, seconds(world.TTL))
        self.assertEqual((made.vcpus, made.memory), (1, 1024))
        self.assertTrue(made.region and made.created_at and made.status_updated_at)
        found = self.get(name)
        self.assertEqual(found.current_session_id, made.current_session_id)
        made.destroy()
        self.assertEqual(made.status, SandboxStatus.STOPPED)
        self.refused(404, "not_found", lambda: self.get(name))
        self.refused(404, "not_found", made.destroy)

    def test_without_a_limit_it_has_five_minutes(self) -> None:
        self.assertEqual(self.running(execution_time_limit=None).execution_time_limit, seconds(300))

    def test_a_limit_is_extended_and_set(self) -> None:
        made = self.running(execution_time_limit=seconds(60))
        made.extend_execution_time_limit(seconds(30))
        self.assertEqual(self.get(made.name).current_session.execution_time_limit, seconds(90))
        for limit in (600, 120):
            made.update(execution_time_limit=seconds(limit))
            self.assertEqual(made.execution_time_limit, seconds(limit))
            made = self.get(made.name)
            self.assertEqual(made.current_session.execution_time_limit, seconds(limit))

    def test_tags_are_replaced(self) -> None:
        made = self.running(tags={"a": "1"})
        made.update(tags={"b": "2"})
        self.assertEqual((made.tags, self.get(made.name).tags), ({"b": "2"}, {"b": "2"}))

    def test_a_stopped_one_is_shown_and_not_resumed(self) -> None:
        made = self.running()
        self.assertIs(made.stop(), made)
        self.assertEqual(made.current_session.status, SandboxStatus.STOPPED)
        made.stop()
        found = self.get(made.name)
        self.assertEqual(found.current_session.status, SandboxStatus.STOPPED)
        why = self.refused(410, "snapshot_not_found", lambda: self.client.resume_sandbox(name=made.name))
        self.assertIn("do not keep their disk", str(why))
        self.refused(400, "bad_request", lambda: found.extend_execution_time_limit(seconds(30)))
        found.destroy()
        self.refused(404, "not_found", found.destroy)

    def test_get_or_create_replaces_a_stopped_one(self) -> None:
        name = world.a_name("again")
        first = self.running(name=name)
        same, created = self.client.get_or_create_sandbox(name=name)
        self.assertEqual((same.current_session_id, created), (first.current_session_id, False))
        first.stop()
        other, created = self.client.get_or_create_sandbox(name=name)
        self.addCleanup(self.remove, other)
        self.assertTrue(created)
        self.assertNotEqual(other.current_session_id, first.current_session_id)
        self.assertEqual(other.current_session.status, SandboxStatus.RUNNING)

    def test_it_has_stopped_when_its_time_is_over(self) -> None:
        made = self.running(execution_time_limit=seconds(20))
        made.update(execution_time_limit=seconds(1))
        time.sleep(1.05)
        self.assertEqual(self.get(made.name).current_session.status, SandboxStatus.STOPPED)
        made.destroy()
        self.refused(404, "not_found", made.destroy)

    def test_leaving_the_block_destroys(self) -> None:
        with self.client.create_sandbox(execution_time_limit=seconds(world.TTL)) as made:
            self.assertEqual(made.current_session.status, SandboxStatus.RUNNING)
        self.refused(404, "not_found", lambda: self.get(made.name))

    def test_one_of_the_modbox_api_is_the_same_here(self) -> None:
        name = world.a_name("native")
        made = world.call("POST", f"{world.URL}/sandboxes", world.TOKEN, {"task_id": name, "ttl_seconds": world.TTL})
        found = self.get(name)
        self.addCleanup(self.remove, found)
        self.assertEqual((found.current_session_id, found.execution_time_limit), (made["sandbox_id"], seconds(world.TTL)))
        found.destroy()
        with self.assertRaises(urllib.error.HTTPError) as raised:
            world.call("POST", f"{world.URL}/sandboxes/{name}/extend", world.TOKEN, {"ttl_seconds": 60})
        self.assertEqual(raised.exception.code, 409)


class Lists(Story):
    def names(self, **given: typing.Any) -> list[str]:
        return [one.name for one in self.client.query_sandboxes(**given)]

    def test_filters_let_pass_and_exclude(self) -> None:
        prefix = world.a_name("list")
        one = self.running(name=f"{prefix}-1", tags={"env": "test"})
        two = self.running(name=f"{prefix}-2", tags={"env": "other"})
        both = {one.name, two.name}
        by_name = SandboxQueryByName(sort_order="asc", name_prefix=prefix)
        self.assertEqual(self.names(query=by_name), [one.name, two.name])
        self.assertEqual(self.names(query=SandboxQueryByName(name_prefix=f"{prefix}-3")), [])
        tagged = self.names(query=SandboxQueryByCreatedAt(tag=TagFilter(key="env", value="test")))
        self.assertEqual(set(tagged) & both, {one.name})
        self.assertLessEqual(both, set(self.names()))
        self.refused(400, "bad_request", lambda: self.names(query=SandboxQueryByCurrentSnapshotId()))
        one.destroy(), two.stop()
        self.assertFalse(both & set(self.names()))
        runs = [run.id for run in self.client.query_sessions(name=two.name)]
        self.assertEqual(runs, [two.current_session_id])
        self.assertEqual(list(self.client.query_sessions(name=one.name)), [])

    def test_all_pages_are_read(self) -> None:
        crowd = client(world.CROWD_TOKEN)
        self.addCleanup(crowd.close)
        for query in (None, SandboxQueryByName(), SandboxQueryByCreatedAt(sort_order="asc")):
            names = [one.name for one in crowd.query_sandboxes(query=query)]
            self.assertEqual((len(names), len(set(names))), (world.CROWD, world.CROWD))
        by_name = [one.name for one in crowd.query_sandboxes(query=SandboxQueryByName(sort_order="asc"), page_size=50)]
        self.assertEqual(by_name, sorted(names))


class Refusals(Story):
    def test_an_unknown_name_is_not_found(self) -> None:
        for name in (world.UNKNOWN_ID, "nobody"):
            self.refused(404, "not_found", lambda: self.get(name))

    def test_somebody_elses_is_not_found(self) -> None:
        made = self.running()
        others = client(world.OTHER_TOKEN)
        self.addCleanup(others.close)
        self.refused(404, "not_found", lambda: others.get_sandbox(name=made.name))
        self.assertNotIn(made.name, [one.name for one in others.query_sandboxes()])
        # The very object, in the hands of somebody else.
        who = world.TOKEN
        options = SyncOptions(base_url=URL, credentials_factory=lambda: credentials(who))
        passed_on = SyncSandboxClient.create(options=options)
        self.addCleanup(passed_on.close)
        taken = passed_on.get_sandbox(name=made.name)
        who = world.OTHER_TOKEN
        for call in (
            taken.destroy,
            taken.stop,
            lambda: taken.extend_execution_time_limit(seconds(30)),
            lambda: taken.update(execution_time_limit=seconds(60)),
            lambda: taken.update(tags={"a": "b"}),
        ):
            self.refused(404, "not_found", call)
        found = self.get(made.name)
        self.assertEqual((found.tags, found.execution_time_limit), (made.tags, seconds(world.TTL)))
        self.assertEqual(found.current_session.status, SandboxStatus.RUNNING)

    def test_a_wrong_token_is_refused(self) -> None:
        wrong = client("vercel_nobody")
        self.addCleanup(wrong.close)
        self.refused(401, "unauthorized", lambda: wrong.get_sandbox(name="any"))
        self.refused(401, "unauthorized", lambda: wrong.create_sandbox())
        self.refused(401, "unauthorized", lambda: list(wrong.query_sandboxes()))

    def test_what_cannot_be_is_refused(self) -> None:
        made = self.running()
        self.refused(400, "bad_request", lambda: self.client.create_sandbox(name=made.name))
        why = self.refused(400, "bad_request", lambda: self.client.create_sandbox(persistent=True))
        self.assertIn("do not keep their disk", str(why))
        self.refused(400, "bad_request", lambda: made.update(persistent=True))
        self.refused(400, "bad_request", made.snapshot)
        self.refused(400, "bad_request", lambda: self.client.create_sandbox(ports=[3000]))
        for limit in (seconds(0.5), seconds(86401)):
            self.refused(
                400, "sandbox_timeout_invalid", lambda: self.client.create_sandbox(execution_time_limit=limit)
            )


class Asynchronous(Story):
    def test_it_is_the_same(self) -> None:
        asyncio.run(self.lifecycle())

    async def lifecycle(self) -> None:
        async def factory() -> SandboxCredentials:
            return credentials(world.TOKEN)

        options = SandboxServiceOptions(base_url=URL, credentials_factory=factory)
        sandboxes = SandboxClient.create(options=options)
        name = world.a_name("async")
        async with sandboxes.create_sandbox(name=name, execution_time_limit=seconds(world.TTL)) as made:
            await made.extend_execution_time_limit(seconds(60))
            found = await sandboxes.get_sandbox(name=name)
            self.assertEqual(found.current_session.execution_time_limit, seconds(world.TTL + 60))
            names = [one.name async for one in sandboxes.query_sandboxes(query=SandboxQueryByName(name_prefix=name))]
            self.assertEqual(names, [name])
        for call in (sandboxes.get_sandbox(name=name), made.destroy()):
            with self.assertRaises(SandboxApiError) as raised:
                await call
            self.assertEqual((raised.exception.status_code, raised.exception.code), (404, "not_found"))


if __name__ == "__main__":
    world.main(Lifecycle, Lists, Refusals, Asynchronous)
