"""The emulator, and the stacks on it, deployed as `sam deploy` does."""

import functools
import os
import re
import subprocess
import time
import urllib.request
from pathlib import Path

import boto3
import botocore.config

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
REGION = "us-east-1"
BUCKET = "artefacts"
FUNCTIONS = ("api", "launcher", "reaper", "observer")
# Seconds.
START = 60


class Emulator:
    """MiniStack, on this machine alone."""

    def __init__(self, python: Path, scratch: Path, ports: tuple[int, str]):
        self.port, ecs = ports
        self.url = f"http://127.0.0.1:{self.port}"
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MODBOX_"))}
        env = {name: value for name, value in ours.items() if not name.lower().endswith("_proxy")}
        # The functions inherit what begins with AWS_, as on Lambda they have what Lambda sets.
        env |= {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "TMPDIR": str(scratch),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_ECS": ecs,
            "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": ecs,
        }
        self.log = scratch / "ministack.log"
        with self.log.open("w") as output:
            quiet = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
            self.process = subprocess.Popen([python, "-m", "ministack"], cwd=scratch, env=env, **quiet)
        deadline = time.monotonic() + START
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the emulator does not start:\n{self.log.read_text()}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    @functools.cache  # noqa: B019: there is one emulator.
    def client(self, service: str):
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=900)
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, config=config, **keys)

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Stack:
    """A stack that is deployed: its outputs, and its resources by their logical names."""

    def __init__(self, emulator: Emulator, name: str, template: str, **parameters: str):
        self.name, self.formation = name, emulator.client("cloudformation")
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        began = time.monotonic()
        self.formation.create_stack(StackName=name, TemplateBody=template, Parameters=given, Capabilities=capabilities)
        while (found := self._described())["StackStatus"] == "CREATE_IN_PROGRESS":
            if time.monotonic() - began > START:
                raise RuntimeError(f"stack {name} is not deployed within {START} s")
            time.sleep(0.1)
        if found["StackStatus"] != "CREATE_COMPLETE":
            raise RuntimeError(f"stack {name} is {found['StackStatus']}: {self._events()}")
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def _described(self) -> dict:
        return self.formation.describe_stacks(StackName=self.name)["Stacks"][0]

    def _events(self) -> list[str]:
        events = self.formation.describe_stack_events(StackName=self.name)["StackEvents"]
        return [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in events]

    def rendered(self) -> dict:
        """The template as CloudFormation has it after the SAM transform."""
        return self.formation.get_template(StackName=self.name, TemplateStage="Processed")["TemplateBody"]

    def id_of(self, logical: str) -> str:
        described = self.formation.describe_stack_resource(StackName=self.name, LogicalResourceId=logical)
        return described["StackResourceDetail"]["PhysicalResourceId"]


def replaced(text: str, old: str, new: str) -> str:
    if text.count(old) < 1:
        raise RuntimeError(f"the template has no {old!r} any more")
    return text.replace(old, new)


def application(emulator: Emulator, zips: Path, machine: str, source: str) -> str:
    """The application's template with its artefacts uploaded, as `sam package` leaves it.

    What differs from what is deployed: the functions are built for this machine, and the rule takes ECS's events from
    another source too, since nobody may put events of aws.ecs on a bus.
    """
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    text = (INFRA / "template.yaml").read_text()
    for function in FUNCTIONS:
        s3.upload_file(str(zips / function / "bootstrap.zip"), BUCKET, f"{function}.zip")
        text = replaced(text, f"CodeUri: ../functions/{function}", f"CodeUri: s3://{BUCKET}/{function}.zip")
    for nested in re.findall(r"TemplateURL: ([\w.]+)", text):
        s3.upload_file(str(INFRA / nested), BUCKET, nested)
        text = replaced(text, f"TemplateURL: {nested}", f"TemplateURL: {emulator.url}/{BUCKET}/{nested}")
    text = replaced(text, "Architectures: [arm64]", f"Architectures: [{machine}]")
    return replaced(text, "source: [aws.ecs]", f"source: [aws.ecs, {source}]")
