"""Our bridge gives what the official plugin gave (golden/README.md): state, edits, drift."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.ports import free_port
from toolchain.tests.conftest import IMAGE
from toolchain.tests.stack import PREFIX, environment

GOLDEN = Path(__file__).parent / "golden"
PREVIEWS: dict[str, Any] = json.loads((GOLDEN / "previews.json").read_text())
EDITS = sorted(name.removeprefix("edit:") for name in PREVIEWS if name.startswith("edit:"))
OWN = ("__defaults", "__meta", "__pulumi_raw_state_delta")
"""What the official bridge keeps for itself in a state."""


@dataclass
class Golden:
    """The recorded program, deployed by our toolchain as the stack that it was recorded as."""

    folder: Path
    environment: dict[str, str]
    names: dict[str, str]
    """What was recorded -> what stands for it here: names, ports, the image."""

    def here(self, text: str) -> str:
        for recorded, name in self.names.items():
            text = text.replace(recorded, name)
        return text

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def preview(self, *arguments: str) -> dict[str, Any]:
        """As ``previews.json`` has it: steps other than "same", and the summary."""
        report = json.loads(self.run("preview", "--json", *arguments))
        kept = ("detailedDiff", "diffReasons", "op", "replaceReasons", "urn")
        return {
            "changeSummary": report["changeSummary"],
            "steps": [
                {key: step[key] for key in kept if step.get(key)}
                for step in report["steps"]
                if step["op"] != "same"
            ],
        }

    def export(self) -> dict[str, Any]:
        return dict(json.loads(self.run("stack", "export", "--show-secrets")))

    def resources(self) -> dict[str, dict[str, Any]]:
        return by_urn(self.export())


def by_urn(export: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {resource["urn"]: resource for resource in export["deployment"]["resources"]}


def ordered(preview: dict[str, Any]) -> dict[str, Any]:
    """Independent of what the engine does side by side."""
    steps = sorted(preview["steps"], key=lambda step: json.dumps(step, sort_keys=True))
    return {**preview, "steps": steps}


@pytest.fixture(scope="module")
def golden(
    engine: docker.DockerClient,
    image: str,
    bin_folder: Path,
    home: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Golden]:
    folder = tmp_path_factory.mktemp("golden")
    backend = folder / "backend"
    backend.mkdir()
    names = {
        "lab/busybox:1": IMAGE,
        "golden-srv2": f"{PREFIX}golden-other",
        **{f"golden-{name}": f"{PREFIX}golden-{name}" for name in ("net", "data", "srv", "host")},
        "golden-oneshot": f"{PREFIX}golden-oneshot",
        "18000": str(free_port()),
        "18001": str(free_port()),
    }
    variables = {**os.environ, **environment(bin_folder, home, backend)}
    made = Golden(folder, {**variables, "PULUMI_CONFIG_PASSPHRASE": ""}, names)
    (folder / "Pulumi.yaml").write_text("name: golden\nruntime: python\n")
    (folder / "__main__.py").write_text(made.here((GOLDEN / "__main__.py").read_text()))
    made.run("stack", "init", "official")
    made.run("up", "--yes", "--skip-preview")
    yield made
    made.run("destroy", "--yes", "--skip-preview")
    # An edit of the volume's name of its own is kept by Docker's automatic one: nothing else is.


def recorded(golden: Golden, row: str) -> dict[str, Any]:
    # The stack's own resource is golden-official: no name of ours.
    return dict(json.loads(golden.here(json.dumps(PREVIEWS[row]))))


def test_right_after_up_nothing_would_change(golden: Golden) -> None:
    assert golden.preview() == recorded(golden, "no-op")


def test_a_refresh_reads_everything_and_sees_no_difference(golden: Golden) -> None:
    assert ordered(golden.preview("--refresh")) == ordered(recorded(golden, "refresh"))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_does_what_it_does_there(golden: Golden, edit: str) -> None:
    golden.run("config", "set", "edit", edit)
    try:
        assert ordered(golden.preview()) == ordered(recorded(golden, f"edit:{edit}"))
    finally:
        golden.run("config", "rm", "edit")


def test_a_killed_container_is_seen_as_there(golden: Golden, engine: docker.DockerClient) -> None:
    server = engine.containers.get(golden.names["golden-srv"])
    server.kill()
    server.wait()
    try:
        found = golden.preview("--refresh")
    finally:
        server.start()
    assert ordered(found) == ordered(recorded(golden, "drift:killed"))


def test_a_removed_container_is_seen_as_there(golden: Golden, engine: docker.DockerClient) -> None:
    engine.containers.get(golden.names["golden-host"]).remove(force=True)
    try:
        found = golden.preview("--refresh")
    finally:
        golden.run("up", "--yes", "--skip-preview", "--refresh")
    assert ordered(found) == ordered(recorded(golden, "drift:removed"))


def test_the_official_plugins_state_is_taken_over(golden: Golden) -> None:
    """Without a difference, and what is written afterwards is what that plugin wrote."""
    ours = golden.export()
    official = golden.here((GOLDEN / "export.json").read_text())
    live = by_urn(ours)
    for urn, resource in by_urn(json.loads(official)).items():
        if resource.get("id") and "pulumi:providers" not in urn:
            official = official.replace(resource["id"], live[urn]["id"])
            # An image's id is its digest and its name; containers name the digest alone.
            digests = [one["id"].partition(IMAGE)[0] for one in (resource, live[urn])]
            official = official.replace(*digests)
    state = json.loads(official)
    # The passphrase is the same, the salt is the stack's own.
    state["deployment"]["secrets_providers"] = ours["deployment"]["secrets_providers"]
    (golden.folder / "official.json").write_text(json.dumps(state))
    golden.run("stack", "import", "--file", "official.json")
    try:
        assert golden.preview() == recorded(golden, "no-op")
        assert ordered(golden.preview("--refresh")) == ordered(recorded(golden, "refresh"))
        golden.run("refresh", "--yes", "--skip-preview")
        written = golden.resources()
        for urn, resource in by_urn(state).items():
            if "docker:index" not in urn:
                continue
            missing = {
                key
                for key, value in resource["outputs"].items()
                if key not in OWN and value and not written[urn]["outputs"].get(key)
            }
            assert missing == set(), urn
    finally:
        (golden.folder / "ours.json").write_text(json.dumps(ours))
        golden.run("stack", "import", "--file", "ours.json")


@pytest.mark.parametrize(
    ("token", "resource", "recorded_name"),
    [
        ("docker:index/container:Container", "srv", "golden-srv"),
        ("docker:index/network:Network", "net", "golden-net"),
        ("docker:index/volume:Volume", "data", "golden-data"),
    ],
)
def test_what_is_there_already_can_be_imported(
    golden: Golden, token: str, resource: str, recorded_name: str
) -> None:
    name = golden.names[recorded_name]
    urn = f"urn:pulumi:official::golden::{token}::{resource}"
    id_ = golden.resources()[urn]["id"]
    golden.run("stack", "init", "importing")
    try:
        golden.run(
            *("import", token, "taken", id_, "--stack", "importing"),
            *("--yes", "--skip-preview", "--generate-code=false", "--protect=false"),
        )
        exported = json.loads(golden.run("stack", "export", "--stack", "importing"))
        [taken] = [
            resource for urn, resource in by_urn(exported).items() if urn.endswith("::taken")
        ]
        assert taken["id"] == id_
        assert taken["inputs"]["name"] == name
        assert taken["outputs"]["name"] == name
    finally:
        golden.run("stack", "rm", "importing", "--yes", "--force")
        golden.run("stack", "select", "official")
