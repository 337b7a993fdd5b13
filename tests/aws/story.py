"""What is true of the deployed artefacts, each fact a function; `run` starts this with all that it needs."""

import json
import os
import secrets
import string
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "sdk")]

from modbox import ModboxApi  # noqa: E402

import world  # noqa: E402
from front import Front  # noqa: E402
from modbox_local import free_ports  # noqa: E402
from stack import INFRA, REGION, Emulator, Stack, application  # noqa: E402
from tasks import SOURCE, Door, Ecs, Events, kill_all  # noqa: E402

# Seconds. The schedule calls each minute, and what it finds silent it asks ECS about 30 s after the last change.
READY, SOON, BY_SCHEDULE = 60, 30, 200
SHORTEST_TTL = 60


class Deployment:
    """The stacks on the emulator, ECS beside them, and a user."""

    def __init__(self, scratch: Path, programs: dict[str, Path]):
        self.door = Door()
        (port,) = free_ports(1)
        self.emulator = Emulator(programs["emulator"], scratch, (port, self.door.url))
        self.ecs: Ecs | None = None
        self.state = Stack(self.emulator, "modbox-state", (INFRA / "state.yaml").read_text())
        # The emulator draws a secret with punctuation, which the template forbids; so it gets one as it is to be.
        key = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(42))
        self.emulator.client("secretsmanager").put_secret_value(SecretId=self.state.outputs["Keys"], SecretString=key)
        self._fill_the_repositories()
        machine = os.uname().machine.replace("aarch64", "arm64")
        text = application(self.emulator, programs["zips"], machine, SOURCE)
        sandboxes = {"SandboxUrl": "http://{loopback}:8080"}
        self.stack = Stack(self.emulator, "modbox", text, **sandboxes)
        self.events = Events(self._put)
        names = (self.stack.outputs["ClusterName"], self.stack.id_of("SandboxLog"))
        self.ecs = Ecs(programs["ecs"], scratch, names, self.events.told)
        self.door.ecs = self.ecs.address
        self.front = Front(port, self.stack.id_of("Api"))
        self.table = self.state.outputs["Table"]
        self.dynamodb = self.emulator.client("dynamodb")
        self.queue = self._subscribe()
        self.token = self._admit(programs["modbox-admin"])
        self.sandboxes = ModboxApi(base_url=self.front.url, token=self.token).sandboxes

    def _fill_the_repositories(self) -> None:
        """Gives the images the names that they have once they are pushed: the emulator's repositories take none."""
        for image, repository in (("modbox/sandbox", "SandboxRepository"), ("modbox/sidecar", "SidecarRepository")):
            named = [f"localhost/{image}:latest", f"{self.state.outputs[repository]}:latest"]
            subprocess.run(["podman", "tag", *named], check=True)

    def _put(self, events: list[dict]) -> None:
        entries = [
            {"Source": SOURCE, "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
            for event in events
        ]
        answer = self.emulator.client("events").put_events(Entries=entries)
        assert answer["FailedEntryCount"] == 0, answer

    def _admit(self, admin: Path) -> str:
        """The first user and token, made as an operator makes them."""
        env = os.environ | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        command = [admin, "--endpoint-url", self.emulator.url, "--region", REGION, "--table", self.table, "--json"]
        subprocess.run([*command, "user", "create", "ann"], env=env, stdout=subprocess.DEVNULL, check=True)
        made = subprocess.run([*command, "token", "create", "ann"], env=env, stdout=subprocess.PIPE, check=True)
        return json.loads(made.stdout)["token"]

    def _subscribe(self) -> str:
        """A queue that gets whatever is published on the bus of the lifecycle events."""
        sqs, events = self.emulator.client("sqs"), self.emulator.client("events")
        url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        bus = self.stack.outputs["EventBusName"]
        events.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"source": ["modbox"]}))
        events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
        return url

    def messages(self, queue: str) -> list[dict]:
        """Everything in the queue; it stays there."""
        sqs, found = self.emulator.client("sqs"), {}
        # At most ten at a time, and hidden for a moment.
        while got := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=5).get("Messages"):
            found |= {message["MessageId"]: json.loads(message["Body"]) for message in got}
        return list(found.values())

    def create(self, **given) -> str:
        created = self.sandboxes.create_sandbox(**{"ttl_seconds": 600} | given)
        return created.sandbox_id

    def running(self, sandbox: str) -> None:
        waited = self.sandboxes.wait_for_sandbox_canonical(sandbox, timeout=READY)
        assert waited.ready, waited

    def row(self, sandbox: str) -> dict:
        key = {"S": f"SANDBOX#{sandbox}"}
        answer = self.dynamodb.get_item(TableName=self.table, Key={"pk": key, "sk": key}, ConsistentRead=True)
        return {name: next(iter(value.values())) for name, value in answer["Item"].items()}

    def rows(self) -> list[dict]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        items = [item for page in pages for item in page["Items"] if item["pk"]["S"].startswith("SANDBOX#")]
        return [{name: next(iter(value.values())) for name, value in item.items()} for item in items]

    def call_ecs(self, operation: str, **body) -> dict:
        headers = {"X-Amz-Target": f"AmazonEC2ContainerServiceV20141113.{operation}"}
        request = urllib.request.Request(f"http://{self.ecs.address}/", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def tasks(self, sandbox: str | None = None) -> list[str]:
        """Those that are not stopped."""
        given = {"startedBy": f"modbox/modbox/{sandbox}"} if sandbox else {}
        return self.call_ecs("ListTasks", **given)["taskArns"]

    def task(self, arn: str) -> dict:
        return self.call_ecs("DescribeTasks", tasks=[arn])["tasks"][0]

    def end(self) -> None:
        for part in (self.ecs, self.emulator):
            if part:
                part.end()


def until(what: str, within: float, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"in {within} s it was not so: {what}"
        time.sleep(0.2)


def exec_in(endpoint, command: str) -> dict:
    return world.execute(endpoint.api_url, endpoint.access_token, command)


# The facts. Each gets the deployment, and may run beside others.


def a_sandbox_is_provisioned_used_and_destroyed_through_the_sdk(on: Deployment) -> None:
    created = on.sandboxes.create_sandbox(task_id="used", ttl_seconds=600, env_vars={"GREETING": "hello"})
    assert created.status == "provisioning", created
    on.running(created.sandbox_id)
    said = exec_in(created.endpoint, "echo $GREETING from $((6 * 7))")
    assert (said["exitCode"], said["stdout"]) == (0, "hello from 42\n"), said
    # In a container: by nobody of this machine, beside nothing but its own, and first of all what ends it.
    said = exec_in(created.endpoint, "id -un; cat /proc/1/comm; touch /etc/mark || echo $?")
    assert said["stdout"] == "sandbox\nmodbox-sidecar\n1\n", said
    detail = on.sandboxes.get_sandbox_canonical(created.sandbox_id)
    assert (detail.status, detail.name) == ("running", "used"), detail
    (arn,) = on.tasks(created.sandbox_id)
    assert on.row(created.sandbox_id)["task_arn"] == arn
    assert on.sandboxes.delete_sandbox(created.sandbox_id).success
    assert on.sandboxes.get_sandbox_canonical(created.sandbox_id).status == "destroyed"
    until("its task is gone", SOON, lambda: not on.tasks(created.sandbox_id))
    assert world.refuses_connections(created.endpoint.api_url, SOON)
    until("its row says so", SOON, lambda: on.row(created.sandbox_id)["state"] == "destroyed")


def what_happened_is_told_on_the_bus(on: Deployment) -> None:
    sandbox = on.create()
    on.running(sandbox)
    on.sandboxes.delete_sandbox(sandbox)

    told: set[str] = set()

    def all_told() -> bool:
        # What was read is hidden for a while.
        told.update(event["detail-type"] for event in on.messages(on.queue) if event["detail"]["id"] == sandbox)
        return len(told) == 3

    until("all three are told", SOON, all_told)
    assert told == {"Sandbox Accepted", "Sandbox Running", "Sandbox Ended"}, told


def the_sidecar_ends_a_sandbox_at_its_deadline(on: Deployment) -> None:
    # Between two calls of the schedule, which would end it as well.
    began, ttl = time.time(), SHORTEST_TTL + 20
    sandbox = on.create(ttl_seconds=ttl)
    on.running(sandbox)
    (arn,) = on.tasks(sandbox)
    time.sleep(max(0, began + ttl - 5 - time.time()))
    assert on.tasks(sandbox) == [arn], "it ended before its time"
    until("its task is gone", 15, lambda: not on.tasks(sandbox))
    task = on.task(arn)
    # ECS tells what came first: had somebody else stopped it, that would be its code. While it stops, the reaper asks for it too.
    codes = {container["name"]: container.get("exitCode") for container in task["containers"]}
    assert (task["stopCode"], codes["deadline"]) == ("EssentialContainerExited", 124), task
    detail = on.sandboxes.get_sandbox_canonical(sandbox)
    assert (detail.status, detail.reason) == ("destroyed", "expired"), detail
    until("its row says so", SOON, lambda: on.row(sandbox)["state"] == "destroyed")


def an_extension_reaches_the_sidecar(on: Deployment) -> None:
    sandbox = on.create(ttl_seconds=SHORTEST_TTL)
    on.running(sandbox)
    began = time.time()
    world.call("POST", f"{on.front.url}/sandboxes/{sandbox}/extend", on.token, {"ttl_seconds": 600})
    time.sleep(SHORTEST_TTL + 5 - (time.time() - began))
    assert len(on.tasks(sandbox)) == 1, "it ended at its first deadline"
    assert on.sandboxes.get_sandbox_canonical(sandbox).status == "running"
    on.sandboxes.delete_sandbox(sandbox)


def a_launcher_killed_after_runtask_starts_no_second_task(on: Deployment) -> None:
    name, killed = on.stack.id_of("Launcher"), []
    # No event may tell of the task what the launcher could not write.
    on.events.pause()

    def kill(sandbox: str) -> None:
        on.events.lose(sandbox)
        killed.append((sandbox, kill_all(name)))

    on.door.when_launched = kill
    sandbox = on.create()
    until("the launcher was killed", READY, lambda: bool(killed))
    on.events.resume()
    assert killed[0][0] == sandbox and killed[0][1] >= 1, killed
    on.running(sandbox)
    launches = on.door.launches[sandbox]
    assert len(launches) >= 2 and len(set(launches)) == 1, launches
    assert on.tasks(sandbox) == launches[:1]
    on.events.find(sandbox)
    on.sandboxes.delete_sandbox(sandbox)
    until("its task is gone", SOON, lambda: not on.tasks(sandbox))


def a_sandbox_of_which_no_event_arrives_runs_and_ends_all_the_same(on: Deployment) -> None:
    on.events.pause()
    sandbox = on.create()
    on.events.lose(sandbox)
    on.events.resume()
    on.running(sandbox)
    on.sandboxes.delete_sandbox(sandbox)
    until("its task is gone", SOON, lambda: not on.tasks(sandbox))
    until("the schedule has learned of it", BY_SCHEDULE, lambda: on.row(sandbox)["state"] == "destroyed")


def events_twice_and_the_wrong_way_round_change_nothing(on: Deployment) -> None:
    on.events.pause()
    sandbox = on.create()
    on.events.shuffle(sandbox)
    on.events.resume()
    seen, over = [], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            status = on.sandboxes.get_sandbox_canonical(sandbox).status
            if seen[-1:] != [status]:
                seen.append(status)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        on.running(sandbox)
        time.sleep(5)
        on.sandboxes.delete_sandbox(sandbox)
        until("its task is gone", SOON, lambda: not on.tasks(sandbox))
        until("its row says so", BY_SCHEDULE, lambda: on.row(sandbox)["state"] == "destroyed")
        time.sleep(5)
    finally:
        over.set()
        looking.join()
        on.events.find(sandbox)
    order = ["provisioning", "running", "destroyed"]
    assert seen == [status for status in order if status in seen] and seen[-1] == "destroyed", seen
    assert on.row(sandbox)["state"] == "destroyed"
    assert len(set(on.door.launches[sandbox])) == 1


def the_emulators_own_fronts_lead_to_the_function(on: Deployment) -> None:
    urls = {on.stack.outputs["ApiUrl"], on.stack.outputs["ApiGatewayUrl"]}
    for url in urls:
        host = url.split("://")[1].strip("/")
        request = urllib.request.Request(f"{on.emulator.url}/health", headers={"Host": host})
        with urllib.request.urlopen(request, timeout=SOON) as answer:
            assert answer.status == 200, url


def what_the_emulator_leaves_out_is_in_the_rendered_template(on: Deployment) -> None:
    assert "TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}" in (INFRA / "state.yaml").read_text()
    resources = on.stack.rendered()["Resources"]
    wanted = {
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 100,
        "ParallelizationFactor": 4,
        "BisectBatchOnFunctionError": True,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": -1,
    }
    for mapping in ("LauncherStream", "ReaperStream"):
        given = resources[mapping]["Properties"]
        assert {name: given.get(name) for name in wanted} == wanted, given
    pattern = resources["TaskStateChanges"]["Properties"]["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.ecs", SOURCE], ["ECS Task State Change"]), pattern
    target = resources["TaskStateChanges"]["Properties"]["Targets"][0]
    assert "overrides" not in json.dumps(target["InputTransformer"]), target
    assert "DeadLetterConfig" not in target, "it would keep the environment's values"
    schedule = resources["ReaperSchedule"]["Properties"]
    assert schedule["ScheduleExpression"] == "rate(1 minute)", schedule
    permissions = [part["Properties"] for part in resources.values() if part["Type"] == "AWS::Lambda::Permission"]
    public = {part["Action"] for part in permissions if part["Principal"] == "*"}
    assert public == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}, public


# Run at once; they wait more than they do.
TOGETHER = [
    the_sidecar_ends_a_sandbox_at_its_deadline,
    an_extension_reaches_the_sidecar,
]
# Run one after another meanwhile.
IN_TURN = [
    a_sandbox_is_provisioned_used_and_destroyed_through_the_sdk,
    the_emulators_own_fronts_lead_to_the_function,
    what_the_emulator_leaves_out_is_in_the_rendered_template,
    what_happened_is_told_on_the_bus,
    a_launcher_killed_after_runtask_starts_no_second_task,
    events_twice_and_the_wrong_way_round_change_nothing,
    a_sandbox_of_which_no_event_arrives_runs_and_ends_all_the_same,
]


# How many they make.
SANDBOXES = 7

# What must be so after all of them.


def in_the_end_nothing_runs_and_every_row_is_final(on: Deployment) -> None:
    until("no task runs", BY_SCHEDULE, lambda: not on.tasks())
    rows = on.rows()
    until("every row is final", BY_SCHEDULE, lambda: all(row["state"] == "destroyed" for row in on.rows()))
    assert len(rows) == SANDBOXES, rows


def each_sandbox_had_exactly_one_task(on: Deployment) -> None:
    rows = on.rows()
    assert {row["id"] for row in rows} == set(on.door.launches)
    for row in rows:
        assert set(on.door.launches[row["id"]]) == {row["task_arn"]}, row


def nothing_became_a_dead_letter(on: Deployment) -> None:
    for queue in (on.state.outputs["DeadLetters"], on.stack.id_of("Undelivered")):
        assert on.messages(queue) == []


LAST = [
    in_the_end_nothing_runs_and_every_row_is_final,
    each_sandbox_had_exactly_one_task,
    nothing_became_a_dead_letter,
]


def holds(fact: Callable[[Deployment], None], on: Deployment, failed: list[str]) -> None:
    began, why = time.monotonic(), ""
    try:
        fact(on)
    except Exception as error:  # noqa: BLE001: whatever it is, the fact does not hold.
        why = f"{type(error).__name__}: {error}"
        failed.append(fact.__name__)
    print("FAILED" if why else "ok    ", f"{time.monotonic() - began:6.2f} s ", fact.__name__, flush=True)
    if why:
        print(why, flush=True)


def tried(on: Deployment) -> list[str]:
    failed: list[str] = []
    beside = [threading.Thread(target=holds, args=(fact, on, failed)) for fact in TOGETHER]
    for thread in beside:
        thread.start()
    for fact in IN_TURN:
        holds(fact, on, failed)
    for thread in beside:
        thread.join()
    for fact in LAST:
        holds(fact, on, failed)
    return failed


def main() -> int:
    programs = {name: Path(path) for name, path in json.loads(sys.argv[1]).items()}
    with tempfile.TemporaryDirectory(prefix="modbox-aws-", ignore_cleanup_errors=True) as scratch:
        scratch = Path(scratch).resolve()
        began, on = time.monotonic(), None
        try:
            on = Deployment(scratch, programs)
            print("ok    ", f"{time.monotonic() - began:6.2f} s  the stacks are deployed", flush=True)
            failed = tried(on)
            if failed:
                print("\nthe end of the emulator's log:", *on.emulator.log.read_text().splitlines()[-60:], sep="\n")
        finally:
            if on:
                on.end()
    count = len(TOGETHER) + len(IN_TURN) + len(LAST)
    print(f"\n{count - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
