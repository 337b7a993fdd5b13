"""The facts of the routes keyed by task_id, as the generations show them that have no others.

What differs is a version's own: where its client has the calls, and how it tells of a refusal. A version's stories are
made of these and of a class that has `connect`, `unauthorized`, `conflict`, `missing` and `invalid`.
"""

import datetime
import time

import httpx

import world


class Story(world.Facts):
    def setUp(self) -> None:
        self.sandboxes = self.connect(world.TOKEN)
        self.others = self.connect(world.OTHER_TOKEN)

    def provision(self, name: str, **more):
        """A sandbox that is destroyed when the fact is known."""
        given = {"ttl_seconds": world.TTL} | more
        provisioned = self.sandboxes.provision_sandbox(task_id=name, **given)
        self.addCleanup(self.sandboxes.destroy_sandbox, task_id=name)
        return provisioned

    def running(self, of: str, **more):
        """What came with its creation, and its detail."""
        name = world.a_name(of)
        provisioned = self.provision(name, **more)
        waited = self.sandboxes.wait_for_sandbox(task_id=name, timeout=world.READY, poll_interval=1)
        self.assertTrue(waited.ready, waited)
        return provisioned, self.sandboxes.get_sandbox(provisioned.sandbox_id)


class Lifecycle(Story):
    def test_provision_answers_before_the_sandbox_runs(self) -> None:
        provisioned = self.provision(world.a_name("accepted"))
        self.assert_whole(provisioned)
        self.assertIs(provisioned.success, True)
        self.assertEqual(provisioned.status, "provisioning")
        self.assertIsNone(provisioned.sandbox_url)
        self.assertIsNone(provisioned.error)
        self.assert_uuid(provisioned.sandbox_id)

    def test_wait_ends_when_the_sandbox_is_ready(self) -> None:
        name = world.a_name("waited")
        self.provision(name)
        waited = self.sandboxes.wait_for_sandbox(task_id=name, timeout=world.READY)
        self.assert_whole(waited)
        self.assertIs(waited.ready, True)
        self.assertLess(waited.elapsed_seconds, world.READY)

    def test_detail_shows_a_running_sandbox(self) -> None:
        provisioned, detail = self.running("detailed")
        self.assert_whole(detail)
        self.assertEqual((detail.id, detail.status), (provisioned.sandbox_id, "running"))
        self.assertTrue(detail.name.startswith("detailed-"))
        self.assert_uuid(detail.id)
        self.assertTrue(detail.sandbox_url and detail.image and detail.created_by)
        self.assertEqual(detail.created_at.utcoffset(), datetime.timedelta(0))
        self.assertLessEqual(detail.created_at, detail.updated_at)
        self.assertIsNone(detail.destroyed_at)

    def test_detail_takes_the_task_id_too(self) -> None:
        _, detail = self.running("by-name")
        self.assertEqual(self.sandboxes.get_sandbox(detail.name).id, detail.id)

    def test_status_says_whether_it_is_ready(self) -> None:
        _, detail = self.running("status")
        status = self.sandboxes.get_sandbox_status(detail.name)
        self.assert_whole(status)
        self.assertEqual((status.ready, status.error), (True, None))
        self.assertTrue(status.name)

    def test_list_narrows_by_status(self) -> None:
        _, detail = self.running("listed")
        self.assert_list_narrows(detail.id, lambda: self.sandboxes.destroy_sandbox(task_id=detail.name))

    def test_list_is_newest_first(self) -> None:
        ids = [self.provision(world.a_name("ordered")).sandbox_id for _ in range(3)]
        listed = [item.id for item in self.sandboxes.list_sandboxes().sandboxes if item.id in ids]
        self.assertEqual(listed, ids[::-1])

    def test_a_command_sees_the_variables_that_were_given(self) -> None:
        # As users of the first generation do it: a key of their own, and the URL that detail shows.
        given = {"SANDBOX_API_KEY": "a-key-of-my-own", "GREETING": "hello", "ABSENT": None}
        _, detail = self.running("variables", env_vars=given)
        command = 'echo "$GREETING ${ABSENT-unset}"; exit 3'
        ran = world.execute(f"{detail.sandbox_url}/modbox/api", "a-key-of-my-own", command)
        self.assertEqual((ran["stdout"], ran["stderr"], ran["exitCode"]), ("hello unset\n", "", 3))

    def test_the_sandbox_lets_nobody_in_without_its_token(self) -> None:
        _, detail = self.running("closed")
        for token in [world.TOKEN, "sbx_guessed"]:
            with self.assertRaisesRegex(Exception, "HTTP Error 401"):
                world.execute(f"{detail.sandbox_url}/modbox/api", token, "true")

    def test_destroy_can_be_repeated(self) -> None:
        _, detail = self.running("destroyed")
        for _ in range(2):
            destroyed = self.sandboxes.destroy_sandbox(task_id=detail.name)
            self.assert_whole(destroyed)
            self.assertEqual((destroyed.success, destroyed.error), (True, None))
        after = self.sandboxes.get_sandbox(detail.id)
        self.assert_whole(after)
        self.assertEqual((after.status, after.sandbox_url), ("destroyed", None))
        self.assertGreaterEqual(after.destroyed_at, after.created_at)
        self.assertIs(self.sandboxes.get_sandbox_status(detail.name).ready, False)

    def test_the_url_of_a_destroyed_sandbox_is_dead_within_a_second(self) -> None:
        _, detail = self.running("dead")
        self.sandboxes.destroy_sandbox(task_id=detail.name)
        self.assertTrue(world.refuses_connections(f"{detail.sandbox_url}/healthz", within=1))

    def test_a_wait_for_a_destroyed_sandbox_ends_at_once(self) -> None:
        name = world.a_name("over")
        self.provision(name)
        self.sandboxes.destroy_sandbox(task_id=name)
        began = time.monotonic()
        self.assertIs(self.sandboxes.wait_for_sandbox(task_id=name, timeout=world.READY).ready, False)
        self.assertLess(time.monotonic() - began, 2)

    def test_a_name_is_free_after_its_destroy(self) -> None:
        _, first = self.running("again")
        self.sandboxes.destroy_sandbox(task_id=first.name)
        second = self.provision(first.name)
        self.assertNotEqual(second.sandbox_id, first.id)
        self.assertEqual(self.sandboxes.get_sandbox(first.name).id, second.sandbox_id)
        self.assertEqual(self.sandboxes.get_sandbox(first.id).status, "destroyed")


class Refusals(Story):
    def test_a_live_name_is_taken(self) -> None:
        name = world.a_name("taken")
        first = self.provision(name)
        requests: list = []
        counting = httpx.Client(event_hooks={"request": [requests.append]})
        sandboxes = self.connect(world.TOKEN, httpx_client=counting)
        error = self.conflict("sandbox_name_conflict", sandboxes.provision_sandbox, task_id=name)
        self.assertIs(error["retryable"], False)
        # The SDK retries each 409 twice, whatever the answer says of that.
        self.assertEqual(len(requests), 3)
        self.assertEqual(self.sandboxes.get_sandbox(name).id, first.sandbox_id)

    def test_an_unknown_sandbox_is_not_found(self) -> None:
        name = world.a_name("unknown")
        self.missing(self.sandboxes.get_sandbox, world.UNKNOWN_ID)
        self.missing(self.sandboxes.get_sandbox, name)
        self.missing(self.sandboxes.get_sandbox_status, name)
        self.missing(self.sandboxes.wait_for_sandbox, task_id=name, timeout=1)
        self.missing(self.sandboxes.destroy_sandbox, task_id=name)

    def test_invalid_fields_are_named_and_change_nothing(self) -> None:
        name = world.a_name("invalid")
        provision = self.sandboxes.provision_sandbox
        self.invalid("body.ttl_seconds", provision, task_id=name, ttl_seconds=59)
        self.invalid("body.ttl_seconds", provision, task_id=name, ttl_seconds=86_401)
        self.invalid("body.env_vars", provision, task_id=name, env_vars={"not a name": "x"})
        self.invalid("body.env_vars", provision, task_id=name, env_vars={"SANDBOX_API_KEY": "a b"})
        self.invalid("body.image", provision, task_id=name, image="")
        self.invalid("body.image_id", provision, task_id=name, image_id="no uuid")
        self.invalid("body.task_id", provision, task_id="")
        self.invalid("body.task_id", provision, task_id="a/b")
        self.invalid("body.task_id", provision, task_id="n" * 256)
        self.missing(self.sandboxes.get_sandbox, name)
        self.invalid("body.timeout", self.sandboxes.wait_for_sandbox, task_id=name, timeout=601)
        self.invalid("query.status", self.sandboxes.list_sandboxes, status="paused")

    def test_a_value_of_the_wrong_type_is_invalid(self) -> None:
        name = world.a_name("mistyped")
        self.invalid("body.ttl_seconds", self.sandboxes.provision_sandbox, task_id=name, ttl_seconds="soon")
        self.missing(self.sandboxes.get_sandbox, name)

    def test_a_wrong_token_is_unauthorized(self) -> None:
        wrong = self.connect("mbx_nobody_has_this_token")
        self.unauthorized("invalid_token", wrong.list_sandboxes)
        self.unauthorized("invalid_token", wrong.provision_sandbox, task_id="wrong")
        self.unauthorized("unauthenticated", self.connect(None).list_sandboxes)

    def test_the_sandbox_of_somebody_else_is_not_found(self) -> None:
        _, detail = self.running("foreign")
        self.missing(self.others.get_sandbox, detail.id)
        self.missing(self.others.get_sandbox_status, detail.name)
        self.missing(self.others.wait_for_sandbox, task_id=detail.name, timeout=1)
        self.missing(self.others.destroy_sandbox, task_id=detail.name)
        self.assertNotIn(detail.id, [item.id for item in self.others.list_sandboxes().sandboxes])
        self.assertEqual(self.sandboxes.get_sandbox(detail.id).status, "running")
