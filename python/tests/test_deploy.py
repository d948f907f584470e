"""What `deploy/` has for engines: parsed, its fields looked at, and its commands run by local processes, with the variables
that each engine sets. What four parts come to is the report of a single run."""

from __future__ import annotations

import configparser
import importlib
import json
import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import restow
from storage import storage

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PARTS = 4


class Place:
    """A storage, and a folder for states."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = storage(folder / "storage", 12, 1000)
        self.states = folder / "states"
        self.states.mkdir()

    def local(self, command: Sequence[str]) -> list[str]:
        """A command with the program and the folders of this machine."""
        paths = {"/storage": self.folder / "storage", "/states": self.states}
        words = [re.sub(r"(^|[:=])(/storage|/states)(?=/|$)", lambda m: f"{m[1]}{paths[m[2]]}", word) for word in command]
        assert words[0] == "restow"
        return [str(restow.binary()), *words[1:]]

    def parts(self, commands: Sequence[tuple[Sequence[str], Mapping[str, str]]]) -> None:
        """Runs all parts at once."""
        assert len(commands) == PARTS
        running = [
            subprocess.Popen(self.local(command), env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True)
            for command, variables in commands
        ]
        for process in running:
            _, said = process.communicate()
            assert process.returncode == 0, said

    def merged(self, command: Sequence[str]) -> None:
        done = subprocess.run(self.local(command), capture_output=True, text=True, check=False)
        # The storage has a wrong layer.
        assert done.returncode == 1, done.stderr
        self.is_single()

    def is_single(self) -> None:
        done = subprocess.run([str(restow.binary()), "scrub", "--json", self.place], capture_output=True, check=False)
        assert done.returncode == 1
        assert (self.states / "report.json").read_bytes() == done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def documents(name: str) -> list[Any]:
    yaml: Any = importlib.import_module("yaml")
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def states_of(command: Sequence[str]) -> list[str]:
    return [word for word in command if word.endswith(".db")]


def mounts_are_there(container: Any, volumes: Any) -> None:
    names = {volume["name"] for volume in volumes}
    assert {mount["name"] for mount in container["volumeMounts"]} <= names
    for mount in container["volumeMounts"]:
        # What is proved is not written to.
        assert mount.get("readOnly", False) == (mount["name"] == "storage")


def test_kubernetes(place: Place) -> None:
    parts, merge = documents("kubernetes.yaml")
    for job in (parts, merge):
        assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
        pod = job["spec"]["template"]["spec"]
        assert pod["restartPolicy"] == "Never"
        mounts_are_there(pod["containers"][0], pod["volumes"])
    spec = parts["spec"]
    assert spec["completionMode"] == "Indexed" and spec["backoffLimitPerIndex"] > 0
    assert (parts["metadata"]["labels"]["step"], merge["metadata"]["labels"]["step"]) == ("parts", "merge")
    container = spec["template"]["spec"]["containers"][0]
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    assert given == {"RESTOW_SHARDS": str(spec["completions"])} and spec["completions"] == PARTS
    place.parts([(container["command"], {**given, "JOB_COMPLETION_INDEX": str(i)}) for i in range(PARTS)])
    command = merge["spec"]["template"]["spec"]["containers"][0]["command"]
    assert len(states_of(command)) == PARTS
    place.merged(command)


def test_argo(place: Place) -> None:
    (workflow,) = documents("argo.yaml")
    assert workflow["kind"] == "Workflow"
    spec = workflow["spec"]
    templates = {template["name"]: template for template in spec["templates"]}
    parts, merge = templates[spec["entrypoint"]]["dag"]["tasks"]
    assert merge["dependencies"] == [parts["name"]]
    assert parts["withSequence"] == {"start": "0", "count": str(PARTS)}
    template = templates[parts["template"]]
    assert int(template["retryStrategy"]["limit"]) > 0
    (parameter,) = parts["arguments"]["parameters"]
    assert parameter["value"] == "{{item}}" and template["inputs"]["parameters"] == [{"name": parameter["name"]}]
    for one in (template, templates[merge["template"]]):
        mounts_are_there(one["container"], spec["volumes"])

    def command(template: Any, index: str) -> list[str]:
        words: list[str] = [*template["container"]["command"], *template["container"]["args"]]
        return [word.replace("{{inputs.parameters." + parameter["name"] + "}}", index) for word in words]

    place.parts([(command(template, str(i)), {}) for i in range(PARTS)])
    place.merged(command(templates[merge["template"]], ""))


def option(line: list[str], name: str) -> str:
    return line[line.index(name) + 1]


def test_aws_batch(place: Place, tmp_path: Path) -> None:
    part, merge = (json.loads((DEPLOY / f"aws-batch-{step}.json").read_text()) for step in ("part", "merge"))
    for definition in (part, merge):
        assert definition["type"] == "container"
        properties = definition["containerProperties"]
        needed = {one["type"] for one in properties["resourceRequirements"]}
        assert needed == {"VCPU", "MEMORY"}
        volumes = {volume["name"] for volume in properties["volumes"]}
        assert {mount["sourceVolume"] for mount in properties["mountPoints"]} == volumes
    assert part["retryStrategy"]["attempts"] > 1
    # The program of AWS, as far as the script calls it: it writes down what it is asked.
    tools, calls = tmp_path / "tools", tmp_path / "calls"
    tools.mkdir()
    fake = tools / "aws"
    fake.write_text(f'#!/bin/sh\necho "$@" >>{shlex.quote(str(calls))}\necho id-7\n')
    fake.chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    subprocess.run([DEPLOY / "aws-batch.sh", "queue"], env={**os.environ, "PATH": path}, check=True, capture_output=True)
    lines = [shlex.split(line) for line in calls.read_text().splitlines()]
    registered = [option(line, "--cli-input-json") for line in lines if "register-job-definition" in line]
    assert [json.loads(Path(name.removeprefix("file://")).read_text()) for name in registered] == [part, merge]
    array, joined = (line for line in lines if "submit-job" in line)
    assert option(array, "--array-properties") == f"size={PARTS}"
    assert option(array, "--job-definition") == part["jobDefinitionName"]
    assert option(joined, "--job-definition") == merge["jobDefinitionName"]
    assert option(joined, "--depends-on") == "jobId=id-7"
    given = {"AWS_BATCH_JOB_ARRAY_SIZE": str(PARTS)}
    command = part["containerProperties"]["command"]
    place.parts([(command, {**given, "AWS_BATCH_JOB_ARRAY_INDEX": str(i)}) for i in range(PARTS)])
    place.merged(merge["containerProperties"]["command"])


def test_slurm(place: Place, tmp_path: Path) -> None:
    script = DEPLOY / "slurm.sh"
    text = script.read_text()
    assert text.startswith("#!") and "#SBATCH --requeue" in text
    tools = tmp_path / "tools"
    tools.mkdir()
    # Slurm, as far as the script calls it: tasks of an array at once, and what depends on them behind them.
    fake = tools / "sbatch"
    fake.write_text(
        """#!/bin/sh
set -eu
case $1 in
--parsable)
    range=${2#--array=}
    last=${range#0-}
    shift 2
    for i in $(seq 0 "$last"); do
        SLURM_JOB_ID=$((70 + i)) SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$i SLURM_ARRAY_TASK_COUNT=$((last + 1)) "$@" &
        all="${all:-} $!"
    done
    for one in $all; do wait "$one"; done
    echo 7
    ;;
--dependency=afterok:7)
    shift
    SLURM_JOB_ID=8 "$@"
    ;;
*) exit 64 ;;
esac
"""
    )
    fake.chmod(0o755)
    (tools / "restow").symlink_to(restow.binary())
    path = f"{tools}:{os.environ['PATH']}"
    done = subprocess.run(
        [script, place.folder / "storage", place.states],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert len(list(place.states.glob("part-*.db"))) == PARTS
    place.is_single()


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((DEPLOY / name).read_text())
    return parser


def test_systemd(place: Place) -> None:
    service, timer = unit("restow-scrub.service"), unit("restow-scrub.timer")
    assert service["Service"]["Type"] == "oneshot"
    assert timer["Timer"]["OnCalendar"] and timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"
    # What is proved is not written to, and what is kept has its folder.
    assert service["Service"]["ReadOnlyPaths"] == "/var/lib/registry"
    assert service["Service"]["StateDirectory"] == "restow"
    text = service["Service"]["ExecStart"].replace("/var/lib/registry", "/storage").replace("/var/lib/restow", "/states")
    done = subprocess.run(place.local(shlex.split(text)), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (place.states / "scrub.json").rename(place.states / "report.json")
    place.is_single()
    assert "restow_scrub_complete 1" in (place.states / "restow.prom").read_text()
