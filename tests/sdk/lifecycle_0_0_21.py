"""modbox-sdk 0.0.21: the newest.

Sub-clients, routes keyed by id beside those keyed by name, an error class for each declared status, and
Idempotency-Key.
"""

import concurrent.futures
import datetime
import importlib.metadata
import time

import httpx
from modbox import ModboxApi, NotFoundError
from modbox.types import ProvisionResponse, SandboxDetail

import typed
import world

# Unless it is about retries, a refusal is wanted at once.
ONCE = {"max_retries": 0}
# With the shortest TTL there is; made first, and looked at last.
EXPIRING: ProvisionResponse


def setUpModule() -> None:
    global EXPIRING
    sandboxes = ModboxApi(base_url=world.URL, token=world.TOKEN).sandboxes
    EXPIRING = sandboxes.create_sandbox(ttl_seconds=60)
    assert sandboxes.wait_for_sandbox_canonical(EXPIRING.sandbox_id, timeout=world.READY).ready


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


class Story(typed.Refused):
    def setUp(self) -> None:
        self.client = ModboxApi(base_url=world.URL, token=world.TOKEN)
        self.sandboxes = self.client.sandboxes
        self.others = ModboxApi(base_url=world.URL, token=world.OTHER_TOKEN).sandboxes

    def create(self, **given) -> ProvisionResponse:
        """A sandbox that is destroyed when the fact is known."""
        created = self.sandboxes.create_sandbox(**{"ttl_seconds": world.TTL} | given)
        self.addCleanup(self.sandboxes.delete_sandbox, created.sandbox_id)
        return created

    def running(self, **given) -> tuple[ProvisionResponse, SandboxDetail]:
        created = self.create(**given)
        waited = self.sandboxes.wait_for_sandbox_canonical(created.sandbox_id, timeout=world.READY)
        self.assertTrue(waited.ready, waited)
        return created, self.sandboxes.get_sandbox_canonical(created.sandbox_id)


class Lifecycle(Story):
    def test_it_is_version_0_0_21(self) -> None:
        self.assertEqual(importlib.metadata.version("modbox-sdk"), "0.0.21")

    def test_health_answers_anybody(self) -> None:
        self.assertIsNotNone(self.client.system.health_check())
        self.assertIsNotNone(ModboxApi(base_url=world.URL).system.health_check())

    def test_create_answers_before_the_sandbox_runs(self) -> None:
        given = {"task_id": world.a_name("accepted"), "client_reference": "order 66", "fast_start": True}
        created = self.create(**given, image=None, image_id=None, env_vars=None)
        self.assert_whole(created)
        self.assertEqual((created.success, created.status, created.error), (True, "provisioning", None))
        self.assertIsNone(created.sandbox_url)
        self.assert_uuid(created.sandbox_id)
        self.assertTrue(created.endpoint.access_token.startswith("sbx_"))
        self.assertTrue(created.endpoint.api_url.startswith(created.endpoint.base_url))
        self.assertLessEqual({"exec", "files"}, created.capabilities.keys())

    def test_a_sandbox_needs_nothing_given(self) -> None:
        created = self.sandboxes.create_sandbox()
        self.addCleanup(self.sandboxes.delete_sandbox, created.sandbox_id)
        detail = self.sandboxes.get_sandbox_canonical(created.sandbox_id)
        self.assertTrue(detail.name and detail.image)
        self.assertIsNone(detail.expires_at)
        self.assertEqual(self.sandboxes.get_sandbox(detail.name).id, created.sandbox_id)

    def test_wait_ends_when_the_sandbox_is_ready(self) -> None:
        waited = self.sandboxes.wait_for_sandbox_canonical(self.create().sandbox_id, timeout=world.READY)
        self.assert_whole(waited)
        self.assertEqual((waited.ready, waited.status, waited.reason), (True, "running", None))
        self.assertLess(waited.elapsed_seconds, world.READY)

    def test_detail_shows_a_running_sandbox(self) -> None:
        name = world.a_name("detailed")
        created, detail = self.running(task_id=name)
        self.assert_whole(detail)
        self.assertEqual((detail.id, detail.name, detail.status), (created.sandbox_id, name, "running"))
        self.assertEqual(detail.sandbox_url, created.endpoint.base_url)
        self.assertEqual(detail.capabilities, created.capabilities)
        self.assertEqual(detail.expires_at - detail.created_at, datetime.timedelta(seconds=world.TTL))
        self.assertIsNone(detail.destroyed_at)
        self.assertNotIn(created.endpoint.access_token, detail.model_dump_json())

    def test_both_generations_of_routes_show_the_same(self) -> None:
        name = world.a_name("both")
        provisioned = self.sandboxes.provision_sandbox(task_id=name, ttl_seconds=world.TTL)
        self.assert_whole(provisioned)
        self.assertTrue(self.sandboxes.wait_for_sandbox(task_id=name, timeout=world.READY).ready)
        details = [
            self.sandboxes.get_sandbox_canonical(provisioned.sandbox_id),
            self.sandboxes.get_sandbox(provisioned.sandbox_id),
            self.sandboxes.get_sandbox(name),
        ]
        # What ECS tells of a running task may still come in between.
        shown = [detail.model_dump(exclude={"updated_at"}) for detail in details]
        self.assertEqual(shown, shown[:1] * 3)
        statuses = [
            self.sandboxes.get_sandbox_status(name),
            self.sandboxes.get_sandbox_status_canonical(provisioned.sandbox_id),
        ]
        self.assert_whole(statuses[0])
        self.assertEqual(statuses[0], statuses[1])
        self.assertEqual((statuses[0].ready, statuses[0].error), (True, None))
        self.assertIs(self.sandboxes.destroy_sandbox(task_id=name).success, True)
        self.assertIs(self.sandboxes.delete_sandbox(provisioned.sandbox_id).success, True)

    def test_list_narrows_by_status(self) -> None:
        _, detail = self.running()
        self.assert_list_narrows(detail.id, lambda: self.sandboxes.delete_sandbox(detail.id))

    def test_a_command_sees_the_variables_that_were_given(self) -> None:
        created, _ = self.running(env_vars={"GREETING": "hello", "ABSENT": None})
        endpoint, command = created.endpoint, 'echo "$GREETING ${ABSENT-unset}"; echo no >&2; exit 3'
        ran = world.call("POST", created.capabilities["exec"], endpoint.access_token, {"command": command})
        self.assertEqual((ran["stdout"], ran["stderr"], ran["exitCode"]), ("hello unset\n", "no\n", 3))
        ran = world.execute(endpoint.api_url, endpoint.access_token, "echo $GREETING")
        self.assertEqual(ran["stdout"], "hello\n")

    def test_a_key_of_the_callers_own_is_the_access_token(self) -> None:
        created, _ = self.running(env_vars={"SANDBOX_API_KEY": "a-key-of-my-own"})
        self.assertEqual(created.endpoint.access_token, "a-key-of-my-own")
        self.assertEqual(world.execute(created.endpoint.api_url, "a-key-of-my-own", "true")["exitCode"], 0)

    def test_monitoring_shows_what_happened_in_a_sandbox_and_what_it_uses(self) -> None:
        created, _ = self.running()
        self.shown(self.client.observability.get_sandbox_monitoring, created)

    def test_the_sandbox_lets_nobody_in_without_its_token(self) -> None:
        created, _ = self.running()
        for token in [world.TOKEN, created.endpoint.access_token + "0"]:
            with self.assertRaisesRegex(Exception, "HTTP Error 401"):
                world.execute(created.endpoint.api_url, token, "true")

    def test_delete_can_be_repeated(self) -> None:
        created, _ = self.running()
        for _ in range(2):
            destroyed = self.sandboxes.delete_sandbox(created.sandbox_id)
            self.assert_whole(destroyed)
            self.assertEqual((destroyed.success, destroyed.error), (True, None))
        after = self.sandboxes.get_sandbox_canonical(created.sandbox_id)
        self.assert_whole(after)
        self.assertEqual((after.status, after.sandbox_url, after.capabilities), ("destroyed", None, None))
        self.assertGreaterEqual(after.destroyed_at, after.created_at)
        self.assertIs(self.sandboxes.get_sandbox_status_canonical(created.sandbox_id).ready, False)

    def test_a_deleted_sandbox_ends_with_what_it_had_started(self) -> None:
        created, _ = self.running()
        endpoint = created.endpoint
        process = int(world.execute(endpoint.api_url, endpoint.access_token, world.DETACHED)["stdout"])
        self.assertFalse(world.is_over(process, within=0))
        self.sandboxes.delete_sandbox(created.sandbox_id)
        self.assertTrue(world.refuses_connections(f"{endpoint.base_url}/healthz", within=1))
        self.assertTrue(world.is_over(process, within=5))

    def test_a_wait_ends_at_once_when_the_sandbox_is_over(self) -> None:
        created = self.create()
        self.sandboxes.delete_sandbox(created.sandbox_id)
        began = time.monotonic()
        waited = self.sandboxes.wait_for_sandbox_canonical(created.sandbox_id, timeout=world.READY)
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual((waited.ready, waited.status, waited.reason), (False, "destroyed", "destroyed"))

    def test_an_image_that_cannot_run_ends_the_wait_with_the_reason(self) -> None:
        created = self.create(image="docker.io/library/debian:12")
        waited = self.sandboxes.wait_for_sandbox_canonical(created.sandbox_id, timeout=world.READY)
        self.assertEqual((waited.ready, waited.status), (False, "destroyed"))
        self.assertIn("modbox/sandbox", waited.reason)
        self.assertEqual(self.sandboxes.get_sandbox_canonical(created.sandbox_id).reason, waited.reason)

    def test_a_name_is_free_after_its_destroy(self) -> None:
        name = world.a_name("again")
        first, _ = self.running(task_id=name)
        self.sandboxes.destroy_sandbox(task_id=name)
        second = self.create(task_id=name)
        self.assertNotEqual(second.sandbox_id, first.sandbox_id)
        self.assertEqual(self.sandboxes.get_sandbox(name).id, second.sandbox_id)
        self.assertEqual(self.sandboxes.get_sandbox(first.sandbox_id).status, "destroyed")


class Repetition(Story):
    def test_a_key_that_came_before_brings_the_same_answer(self) -> None:
        key, name = world.a_name("key"), world.a_name("repeated")
        first = self.create(task_id=name, idempotency_key=key)
        self.assertEqual(self.create(task_id=name, idempotency_key=key), first)
        by_header = {"additional_headers": {"Idempotency-Key": key}}
        provision = self.sandboxes.provision_sandbox
        again = provision(task_id=name, ttl_seconds=world.TTL, request_options=by_header)
        self.assertEqual(again, first)

    def test_a_key_brings_the_same_answer_after_the_end(self) -> None:
        key, name = world.a_name("key"), world.a_name("ended")
        first = self.create(task_id=name, idempotency_key=key)
        self.sandboxes.delete_sandbox(first.sandbox_id)
        again = self.create(task_id=name, idempotency_key=key)
        self.assertEqual((again.sandbox_id, again.endpoint), (first.sandbox_id, first.endpoint))

    def test_a_key_at_the_same_instant_makes_one_sandbox(self) -> None:
        key, reference = world.a_name("key"), world.a_name("instant")

        def create(_: int) -> ProvisionResponse:
            return self.create(idempotency_key=key, client_reference=reference)

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(create, range(8)))
        self.assertEqual(answers, answers[:1] * 8)

    def test_a_key_with_another_request_is_a_conflict(self) -> None:
        key = world.a_name("key")
        first = self.create(idempotency_key=key, env_vars={"A": "1"})
        other = {"idempotency_key": key, "env_vars": {"A": "2"}, "ttl_seconds": world.TTL}
        self.conflict("conflict", self.sandboxes.create_sandbox, **other, request_options=ONCE)
        self.assertEqual(self.create(idempotency_key=key, env_vars={"A": "1"}), first)

    def test_a_key_is_its_users_own(self) -> None:
        key = world.a_name("key")
        mine = self.create(idempotency_key=key)
        theirs = self.others.create_sandbox(idempotency_key=key, ttl_seconds=world.TTL)
        self.addCleanup(self.others.delete_sandbox, theirs.sandbox_id)
        self.assertNotEqual(mine.sandbox_id, theirs.sandbox_id)


class Refusals(Story):
    def test_a_live_name_is_taken(self) -> None:
        name = world.a_name("taken")
        first = self.create(task_id=name)
        requests: list = []
        counting = httpx.Client(event_hooks={"request": [requests.append]})
        client = ModboxApi(base_url=world.URL, token=world.TOKEN, httpx_client=counting)
        self.conflict("sandbox_name_conflict", client.sandboxes.create_sandbox, task_id=name)
        # The SDK retries each 409 twice, whatever the answer says of that.
        self.assertEqual(len(requests), 3)
        self.assertEqual(self.sandboxes.get_sandbox(name).id, first.sandbox_id)

    def test_an_unknown_id_is_not_found(self) -> None:
        self.missing(self.sandboxes.get_sandbox, world.UNKNOWN_ID)
        self.missing(self.sandboxes.get_sandbox_canonical, world.UNKNOWN_ID)
        self.missing(self.sandboxes.get_sandbox_status_canonical, world.UNKNOWN_ID)
        self.missing(self.sandboxes.wait_for_sandbox_canonical, world.UNKNOWN_ID, timeout=1)
        self.missing(self.sandboxes.delete_sandbox, world.UNKNOWN_ID)

    def test_an_unknown_name_is_not_found(self) -> None:
        name = world.a_name("unknown")
        self.missing(self.sandboxes.get_sandbox, name)
        self.missing(self.sandboxes.get_sandbox_status, name)
        self.missing(self.sandboxes.wait_for_sandbox, task_id=name, timeout=1)
        self.missing(self.sandboxes.destroy_sandbox, task_id=name)

    def test_an_unknown_image_id_is_not_found(self) -> None:
        create = self.sandboxes.create_sandbox
        self.refused(NotFoundError, "image_not_found", create, image_id=world.UNKNOWN_ID)

    def test_invalid_fields_are_named_and_change_nothing(self) -> None:
        name = world.a_name("invalid")
        create = self.sandboxes.create_sandbox
        self.invalid("body.ttl_seconds", create, task_id=name, ttl_seconds=59)
        self.invalid("body.ttl_seconds", create, task_id=name, ttl_seconds=86_401)
        self.invalid("body.env_vars", create, task_id=name, env_vars={"not a name": "x"})
        self.invalid("body.env_vars", create, task_id=name, env_vars={"LONG": "x" * 9_000})
        self.invalid("body.env_vars", create, task_id=name, env_vars={"SANDBOX_API_KEY": "of two words"})
        self.invalid("body.image", create, task_id=name, image="")
        self.invalid("body.image_id", create, task_id=name, image_id="no uuid")
        self.invalid("body.client_reference", create, task_id=name, client_reference="")
        self.invalid("body.task_id", create, task_id="a/b")
        self.invalid("body.task_id", create, task_id="n" * 256)
        self.missing(self.sandboxes.get_sandbox, name)
        self.invalid("body.task_id", self.sandboxes.destroy_sandbox)
        self.invalid("body.timeout", self.sandboxes.wait_for_sandbox, task_id=name, timeout=0)
        self.invalid("query.status", self.sandboxes.list_sandboxes, status="paused")

    def test_a_value_of_the_wrong_type_is_invalid(self) -> None:
        create = self.sandboxes.create_sandbox
        self.invalid("body.ttl_seconds", create, ttl_seconds="soon")
        self.invalid("body.fast_start", create, fast_start="yes")

    def test_a_wrong_token_is_unauthorized(self) -> None:
        wrong = ModboxApi(base_url=world.URL, token="mbx_nobody_has_this_token").sandboxes
        for call in [wrong.list_sandboxes, wrong.create_sandbox]:
            self.unauthorized("invalid_token", call)
        for call in [wrong.get_sandbox_canonical, wrong.delete_sandbox, wrong.get_sandbox_status_canonical]:
            self.unauthorized("invalid_token", call, world.UNKNOWN_ID)
        none = ModboxApi(base_url=world.URL).sandboxes
        self.unauthorized("unauthenticated", none.list_sandboxes)

    def test_the_sandbox_of_somebody_else_is_not_found(self) -> None:
        name = world.a_name("foreign")
        _, detail = self.running(task_id=name)
        for call in [self.others.get_sandbox, self.others.get_sandbox_canonical, self.others.delete_sandbox]:
            self.missing(call, detail.id)
        self.missing(self.others.get_sandbox_status_canonical, detail.id)
        self.missing(self.others.wait_for_sandbox_canonical, detail.id, timeout=1)
        self.missing(self.others.get_sandbox_status, name)
        self.missing(self.others.destroy_sandbox, task_id=name)
        self.assertNotIn(detail.id, [item.id for item in self.others.list_sandboxes().sandboxes])
        self.assertEqual(self.sandboxes.get_sandbox_canonical(detail.id).status, "running")

    def test_two_users_may_use_the_same_name(self) -> None:
        name = world.a_name("shared")
        mine = self.create(task_id=name)
        theirs = self.others.create_sandbox(task_id=name, ttl_seconds=world.TTL)
        self.addCleanup(self.others.delete_sandbox, theirs.sandbox_id)
        self.assertEqual(self.sandboxes.get_sandbox(name).id, mine.sandbox_id)
        self.assertEqual(self.others.get_sandbox(name).id, theirs.sandbox_id)


class Expiry(Story):
    def test_a_sandbox_that_nobody_destroys_ends_by_itself(self) -> None:
        sandbox_id, name = EXPIRING.sandbox_id, self.sandboxes.get_sandbox(EXPIRING.sandbox_id).name
        detail = self.sandboxes.get_sandbox(sandbox_id)
        while detail.status == "running" and now() < detail.expires_at + datetime.timedelta(seconds=5):
            time.sleep(0.1)
            detail = self.sandboxes.get_sandbox(sandbox_id)
        self.assertEqual((detail.status, detail.reason), ("destroyed", "expired"))
        self.assertEqual(detail.destroyed_at, detail.expires_at)
        self.assertLess(now() - detail.expires_at, datetime.timedelta(seconds=1))
        self.assertNotEqual(self.create(task_id=name).sandbox_id, sandbox_id)
        self.assertTrue(world.refuses_connections(f"{EXPIRING.endpoint.base_url}/healthz", within=5))


if __name__ == "__main__":
    world.main(Lifecycle, Repetition, Refusals, Expiry)
