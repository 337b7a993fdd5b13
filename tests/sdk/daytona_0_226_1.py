"""daytona 0.226.1 for Python, both the plain and the asynchronous one: the lifecycle, at the door for it."""

import importlib.metadata
import time
import typing
import unittest
import urllib.error

from daytona import (
    AsyncDaytona,
    CreateSandboxFromImageParams,
    CreateSandboxFromSnapshotParams,
    Daytona,
    DaytonaConfig,
    ListSandboxesQuery,
    Resources,
    Sandbox,
    SandboxState,
)
from daytona.common.errors import (
    DaytonaAuthenticationError,
    DaytonaBadRequestError,
    DaytonaConflictError,
    DaytonaError,
    DaytonaNotFoundError,
)

import world

URL = f"{world.URL}/daytona"
NO_DISK = "do not keep their disk"


def config(token: str) -> DaytonaConfig:
    return DaytonaConfig(api_url=URL, api_key=token)


class Story(world.Facts):
    @classmethod
    def setUpClass(cls) -> None:
        cls.daytona = Daytona(config(world.TOKEN))

    def create(self, **given: typing.Any) -> Sandbox:
        """A sandbox that runs, and is gone when the fact is known."""
        params = CreateSandboxFromSnapshotParams(**({"ttl_minutes": 10} | given))
        made = self.daytona.create(params, timeout=world.READY)
        self.addCleanup(self.remove, made.id)
        return made

    def remove(self, sandbox_id: str) -> None:
        try:
            self.daytona.get(sandbox_id).delete()
        except (DaytonaNotFoundError, DaytonaConflictError):
            pass

    def refused(self, kind: type[DaytonaError], status: int, call: typing.Callable[[], object]) -> DaytonaError:
        """The exception that its user gets: of exactly this class."""
        with self.assertRaises(DaytonaError) as raised:
            call()
        self.assertEqual((type(raised.exception), raised.exception.status_code), (kind, status))
        return raised.exception

    def not_found(self, call: typing.Callable[[], object]) -> None:
        self.assertIn("Sandbox not found", str(self.refused(DaytonaNotFoundError, 404, call)))

    def gone(self, sandbox_id: str) -> None:
        """Waits until it is not found; until then it reads as being destroyed."""
        deadline = time.monotonic() + world.READY
        while True:
            try:
                self.assertEqual(self.daytona.get(sandbox_id).state, SandboxState.DESTROYING)
            except DaytonaNotFoundError:
                return
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)


class Lifecycle(Story):
    def test_it_is_version_0_226_1(self) -> None:
        self.assertEqual(importlib.metadata.version("daytona"), "0.226.1")

    def test_a_sandbox_is_created_found_and_deleted(self) -> None:
        name = world.a_name("one")
        made = self.create(name=name, labels={"project": "my-app"}, env_vars={"A": "1"})
        self.assertEqual((made.state, made.desired_state, made.name), ("started", "started", name))
        self.assertEqual(made.labels, {"project": "my-app", "code-toolbox-language": "python"})
        self.assertEqual((made.env, made.public, made.network_block_all), ({}, False, False))
        self.assertEqual((made.cpu, made.gpu, made.memory, made.disk), (1, 0, 1, 20))
        self.assertEqual((made.auto_stop_interval, made.auto_archive_interval, made.auto_delete_interval), (0, 0, 0))
        for found in (self.daytona.get(made.id), self.daytona.get(name)):
            self.assertEqual((found.id, found.name, found.state), (made.id, name, "started"))
        made.delete()
        self.assertEqual((made.state, made.desired_state), (SandboxState.DESTROYING, "destroyed"))
        self.gone(made.id)
        for call in (made.delete, made.stop, made.refresh_data, made.refresh_activity):
            self.not_found(call)
        self.not_found(lambda: self.daytona.get(name))

    def test_a_second_delete_is_a_conflict_until_it_is_gone(self) -> None:
        made = self.create()
        made.delete()
        with self.assertRaises(DaytonaError) as raised:
            made.delete()
        # It may be gone by now.
        kinds = {DaytonaConflictError: "Sandbox state change in progress", DaytonaNotFoundError: "Sandbox not found"}
        self.assertIn(kinds[type(raised.exception)], str(raised.exception))

    def test_one_can_wait_for_the_end(self) -> None:
        made = self.create()
        made.delete(wait=True)
        self.assertEqual(made.state, SandboxState.DESTROYED)
        self.not_found(lambda: self.daytona.get(made.id))

    def test_what_is_stopped_is_deleted(self) -> None:
        for force in (False, True):
            made = self.create(ephemeral=True)
            self.assertEqual(made.auto_delete_interval, 0)
            made.stop(force=force)
            self.assertEqual(made.state, SandboxState.DESTROYED)
            self.not_found(made.refresh_data)

    def test_a_name_is_taken_while_it_lives_and_free_at_once(self) -> None:
        name = world.a_name("again")
        made = self.create(name=name)
        taken = self.refused(DaytonaConflictError, 409, lambda: self.create(name=name))
        self.assertIn(f"Sandbox with name {name} already exists", str(taken))
        made.delete()
        self.assertNotEqual(self.create(name=name).id, made.id)

    def test_it_is_the_same_sandbox_at_the_modbox_api(self) -> None:
        made = world.call("POST", f"{world.URL}/sandboxes", world.TOKEN, {"ttl_seconds": world.TTL})
        found = self.daytona.get(made["sandbox_id"])
        self.addCleanup(self.remove, found.id)
        found.delete()
        with self.assertRaises(urllib.error.HTTPError) as raised:
            world.call("POST", f"{world.URL}/sandboxes/{found.id}/extend", world.TOKEN, {"ttl_seconds": 60})
        self.assertEqual(raised.exception.code, 409)

    def test_a_time_to_live_counts_from_when_it_is_set(self) -> None:
        made = self.create(ttl_minutes=None)
        self.assertIsNone(made.auto_destroy_at)
        seen = set()
        for minutes in (60, 1440, 2):
            made.set_ttl(minutes)
            made.refresh_data()
            seen.add(made.auto_destroy_at)
        self.assertEqual(len(seen), 3)
        made.set_ttl(0)
        made.refresh_data()
        self.assertIsNone(made.auto_destroy_at)
        self.refused(DaytonaBadRequestError, 400, lambda: made.set_ttl(1441))

    def test_it_is_gone_when_its_time_is_over(self) -> None:
        made = self.create()
        # No time of this SDK's is so short; the sandbox is the same at every door.
        timeout = f"{world.URL}/hopx/v1/sandboxes/{made.id}/timeout"
        world.call("PUT", timeout, world.TOKEN, {"timeout_seconds": 1})
        time.sleep(1.05)
        self.assertNotIn(made.id, [one.id for one in self.daytona.list()])
        self.gone(made.id)
        for call in (lambda: made.set_ttl(5), made.delete, made.refresh_activity):
            self.not_found(call)

    def test_intervals_can_be_0_alone(self) -> None:
        made = self.create(auto_stop_interval=0, auto_archive_interval=0)
        setters = (made.set_autostop_interval, made.set_auto_archive_interval, made.set_auto_delete_interval)
        for setter in (*setters, made.set_auto_pause_interval):
            setter(0)
            self.assertIn(NO_DISK, str(self.refused(DaytonaBadRequestError, 400, lambda: setter(15))))
        self.assertIn(NO_DISK, str(self.refused(DaytonaBadRequestError, 400, lambda: self.create(auto_stop_interval=5))))

    def test_labels_are_replaced(self) -> None:
        made = self.create(labels={"a": "1"})
        self.assertEqual(made.set_labels({"b": "2"}), {"b": "2"})
        made.refresh_data()
        self.assertEqual(made.labels, {"b": "2"})

    def test_activity_is_heard(self) -> None:
        self.create().refresh_activity()

    def test_an_image_that_is_not_there_is_an_error_until_it_is_deleted(self) -> None:
        name = world.a_name("failing")
        params = CreateSandboxFromImageParams(image="nowhere.invalid/nothing:1", name=name, ttl_minutes=10)
        try:
            self.daytona.create(params, timeout=world.READY)
        except DaytonaError as error:
            made = self.daytona.get(name)
            self.assertEqual(made.state, SandboxState.ERROR)
            self.assertIn(made.error_reason, str(error))
        else:
            # Without a container engine every image is the machine itself.
            made = self.daytona.get(name)
            self.assertEqual(made.snapshot, "nowhere.invalid/nothing:1")
        made.delete()
        self.gone(made.id)


class Lists(Story):
    def ids(self, **query: typing.Any) -> list[str]:
        return [one.id for one in self.daytona.list(ListSandboxesQuery(**query))]

    def test_filters_let_pass_and_exclude(self) -> None:
        name = world.a_name("listed")
        made = self.create(name=name, labels={"who": name})
        for query in (
            {},
            {"states": [SandboxState.STARTED]},
            {"states": [SandboxState.STOPPED, SandboxState.STARTED]},
            {"labels": {"who": name}},
            {"name": name[:-2].upper()},
            {"id": made.id[:12]},
            {"snapshots": [made.snapshot]},
            {"targets": [made.target]},
        ):
            self.assertIn(made.id, self.ids(**query), query)
        for query in (
            {"states": [SandboxState.STOPPED]},
            {"states": [SandboxState.CREATING, SandboxState.DESTROYED]},
            {"labels": {"who": "else"}},
            {"labels": {"who": name, "other": ""}},
            {"name": "listen"},
            {"id": "0000"},
            {"snapshots": ["debian:12"]},
            {"targets": ["elsewhere"]},
        ):
            self.assertNotIn(made.id, self.ids(**query), query)
        self.assertEqual(self.ids(labels={"who": name}), [made.id])
        made.delete(wait=True)
        self.assertNotIn(made.id, self.ids())
        self.assertIn(made.id, self.ids(states=[SandboxState.DESTROYED]))

    def test_all_pages_are_read(self) -> None:
        crowd = Daytona(config(world.CROWD_TOKEN))
        for query in (None, ListSandboxesQuery(limit=40), ListSandboxesQuery(limit=200)):
            ids = [one.id for one in crowd.list(query)]
            self.assertEqual((len(ids), len(set(ids))), (world.CROWD, world.CROWD))

    def test_a_filter_that_is_not_supported_is_refused(self) -> None:
        for query in ({"is_public": True}, {"min_cpu": 1}, {"limit": 201}):
            with self.assertRaises(DaytonaError):
                self.ids(**query)
        self.refused(DaytonaBadRequestError, 400, lambda: self.ids(is_public=True))


class Refusals(Story):
    def test_an_unknown_id_or_name_is_not_found(self) -> None:
        for unknown in (world.UNKNOWN_ID, "sandbox123", "no such name"):
            self.not_found(lambda: self.daytona.get(unknown))

    def test_somebody_elses_is_not_found(self) -> None:
        name = world.a_name("hers")
        made = self.create(name=name)
        other = Daytona(config(world.OTHER_TOKEN))
        for sandbox in (made.id, name):
            self.not_found(lambda: other.get(sandbox))
        self.assertNotIn(made.id, [one.id for one in other.list()])
        # The very object, in the hands of somebody else.
        taken = self.daytona.get(made.id)
        taken._sandbox_api = other._sandbox_api
        for call in (taken.delete, taken.stop, taken.refresh_data, taken.refresh_activity):
            self.not_found(call)
        self.not_found(lambda: taken.set_ttl(1))
        self.not_found(lambda: taken.set_labels({"a": "b"}))
        before = (made.labels, made.auto_destroy_at)
        made.refresh_data()
        self.assertEqual((made.state, (made.labels, made.auto_destroy_at)), ("started", before))

    def test_a_wrong_key_is_refused(self) -> None:
        wrong = Daytona(config("dtn_nobody"))
        for call in (wrong.create, lambda: wrong.get(world.UNKNOWN_ID), lambda: list(wrong.list())):
            self.refused(DaytonaAuthenticationError, 401, call)

    def test_what_needs_a_kept_disk_is_refused_with_the_reason(self) -> None:
        made = self.create()
        calls = (made.start, made.pause, made.archive, made.recover, lambda: made.fork("copy"))
        for call in (*calls, lambda: made.create_snapshot("kept")):
            self.assertIn(NO_DISK, str(self.refused(DaytonaBadRequestError, 400, call)))
        made.refresh_data()
        self.assertEqual(made.state, "started")

    def test_what_cannot_be_is_refused(self) -> None:
        for given in ({"ttl_minutes": 1441}, {"public": True}, {"network_block_all": True}, {"os_user": "somebody"}):
            self.refused(DaytonaBadRequestError, 400, lambda: self.create(**given))
        large = CreateSandboxFromImageParams(image="debian:12", resources=Resources(cpu=8))
        self.refused(DaytonaBadRequestError, 400, lambda: self.daytona.create(large))


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    async def test_the_same_holds_of_the_asynchronous_one(self) -> None:
        async with AsyncDaytona(config(world.TOKEN)) as daytona:
            name = world.a_name("async")
            params = CreateSandboxFromSnapshotParams(name=name, ttl_minutes=10, labels={"who": name})
            made = await daytona.create(params, timeout=world.READY)
            self.assertEqual((made.state, made.name), ("started", name))
            self.assertEqual((await daytona.get(name)).id, made.id)
            self.assertEqual([one.id async for one in daytona.list(ListSandboxesQuery(labels={"who": name}))], [made.id])
            self.assertEqual([one async for one in daytona.list(ListSandboxesQuery(labels={"who": "else"}))], [])
            before = made.auto_destroy_at
            await made.set_ttl(60)
            await made.refresh_data()
            self.assertNotEqual(made.auto_destroy_at, before)
            self.assertEqual(await made.set_labels({"b": "2"}), {"b": "2"})
            await made.set_autostop_interval(0)
            for call in (lambda: made.set_autostop_interval(5), made.start, made.archive):
                with self.assertRaises(DaytonaBadRequestError) as refused:
                    await call()
                self.assertIn(NO_DISK, str(refused.exception))
            with self.assertRaises(DaytonaConflictError):
                await daytona.create(params)
            await made.delete(wait=True)
            for call in (made.delete, made.refresh_data, lambda: daytona.get(world.UNKNOWN_ID)):
                with self.assertRaises(DaytonaNotFoundError):
                    await call()
        async with AsyncDaytona(config(world.CROWD_TOKEN)) as daytona:
            self.assertEqual(len([one async for one in daytona.list()]), world.CROWD)
        async with AsyncDaytona(config("dtn_nobody")) as daytona:
            with self.assertRaises(DaytonaAuthenticationError):
                await daytona.get(world.UNKNOWN_ID)


if __name__ == "__main__":
    world.main(Lifecycle, Lists, Refusals, Asynchronous)
