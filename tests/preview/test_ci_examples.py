"""What docs/ci's examples do on a merge request, and `make preview`; nothing is deployed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archi.project import ROOT, stacks
from tests.checkout import Checkout
from tests.ci_examples import GITHUB, GITLAB, Runner, load, steps
from tests.comments_api import CommentsApi
from tests.s3_server import S3Server

SYSTEMS = ("github", "gitlab")
SCHEMAS = {GITHUB: ["vendor.github-workflows"], GITLAB: ["vendor.gitlab-ci"]}
SHIPPED = ("external", "gpu", "gpu-hostmode", "local", "multi-gpu", "offline", "prod")
PASSPHRASE = {"PULUMI_CONFIG_PASSPHRASE": "the team's own"}


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Runner]:
    """A runner of each system, with a backend that is a folder."""
    made = {}
    for system in SYSTEMS:
        folder = tmp_path_factory.mktemp(system)
        backend = folder / "backend"
        backend.mkdir()
        variables = {"PULUMI_BACKEND_URL": f"file://{backend}"}
        made[system] = Runner(Checkout.of_tree(folder), system, variables)
    return made


@pytest.fixture
def api() -> Iterator[CommentsApi]:
    with CommentsApi() as api:
        yield api


def own_stack(checkout: Checkout, name: str, copy_of: str) -> None:
    """As docs/ci/README.md says: a shipped stack file without its salt."""
    lines = (checkout.path / f"stacks/Pulumi.{copy_of}.yaml").read_text().splitlines(keepends=True)
    kept = "".join(line for line in lines if not line.startswith("encryptionsalt"))
    (checkout.path / f"stacks/Pulumi.{name}.yaml").write_text(kept)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_an_example_is_what_its_system_reads(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *SCHEMAS[path]]
        + (["--data-transform", "gitlab-ci"] if path == GITLAB else [])
        + [str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_actions_are_named_by_commit_and_may_do_no_more_than_they_must() -> None:
    content = load(GITHUB)
    assert content["permissions"] == {"contents": "read"}
    for name, job in content["jobs"].items():
        writes = {key for key, value in job.get("permissions", {}).items() if value == "write"}
        assert writes == ({"pull-requests"} if name == "preview" else set())
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": False}


@pytest.mark.parametrize("job", ["preview", "plan", "apply", "drift"])
def test_nothing_that_others_write_stands_in_a_command(job: str) -> None:
    # An expression is put into the script before the shell reads it: a branch's name would run.
    assert all("${{" not in step.command for step in steps("github", job))


def test_both_examples_plan_apply_and_look_for_drift_with_the_same_commands() -> None:
    def pulumi(system: str) -> list[str]:
        said = "\n".join(
            step.command
            for job in ("preview", "plan", "apply", "drift")
            for step in steps(system, job)
        ).replace("\\\n", " ")
        return [
            " ".join(line.split("||")[0].split())
            for line in said.splitlines()
            if line.strip().startswith(".venv/bin/pulumi")
        ]

    assert len(pulumi("github")) == 4
    assert pulumi("github") == pulumi("gitlab")


@pytest.mark.parametrize("stack", SHIPPED)
def test_a_pull_request_shows_what_each_shipped_stack_would_become(
    runners: dict[str, Runner], api: CommentsApi, stack: str
) -> None:
    done = runners["github"].run("preview", stack, {"PULUMI_CONFIG_PASSPHRASE": "", **api.github})
    assert done.returncode == 0, done.stdout
    (comment,) = api.comments.values()
    assert f"**Stack `{stack}`**: + " in comment
    assert f'name                                   : "chatbot-{stack}"' in comment


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_team_s_stack_is_posted_and_a_second_push_changes_the_comment(
    runners: dict[str, Runner], api: CommentsApi, system: str
) -> None:
    runner = runners[system]
    own_stack(runner.checkout, "team", "gpu")
    variables = {**PASSPHRASE, **getattr(api, system)}
    for model in ("Qwen/Qwen3-8B", "Qwen/Qwen3-4B"):
        path = runner.checkout.path / "stacks" / "Pulumi.team.yaml"
        path.write_text(path.read_text().replace("Qwen/Qwen3-8B", model))
        done = runner.run("preview", "team", variables)
        assert done.returncode == 0, done.stdout
        (comment,) = api.comments.values()
        assert model in comment
    assert "encryptionsalt" in path.read_text()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_stack_file_with_a_mistake_fails_the_job_and_the_comment_says_why(
    runners: dict[str, Runner], api: CommentsApi, system: str
) -> None:
    runner = runners[system]
    runner.checkout.stack("typo", "gpu", services={"vllm": {"modle": "a/b"}})
    variables = {"PULUMI_CONFIG_PASSPHRASE": "", **getattr(api, system)}
    done = runner.run("preview", "typo", variables)
    assert done.returncode != 0
    (comment,) = api.comments.values()
    assert "Did you mean archi:services.vllm.model?" in comment


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("job", ["preview", "plan", "apply", "drift"])
def test_no_job_falls_back_to_a_state_of_the_runner_s_own(
    runners: dict[str, Runner], system: str, job: str
) -> None:
    done = runners[system].run(job, "gpu", {"PULUMI_BACKEND_URL": ""})
    assert done.returncode != 0
    assert "PULUMI_BACKEND_URL: is not set" in done.stdout
    assert "toolchain" not in done.stdout


def test_a_stack_lives_in_an_s3_bucket(tmp_path: Path, api: CommentsApi) -> None:
    with S3Server() as server:
        runner = Runner(Checkout.of_tree(tmp_path), "github", {**PASSPHRASE, **server.variables})
        own_stack(runner.checkout, "team", "gpu")
        for _ in range(2):  # made the first time, found the second
            done = runner.run("preview", "team", api.github)
            assert done.returncode == 0, done.stdout
        runner.checkout.environment.update(runner.variables)
        listed = runner.checkout.pulumi_json("stack", "ls", "--json")
        assert [stack["name"] for stack in listed] == ["team"]
        (comment,) = api.comments.values()
        assert "chatbot-team" in comment
    assert not (runner.checkout.home / "state").exists()


def test_make_preview_shows_every_shipped_stack_by_name(tmp_path: Path) -> None:
    checkout = Checkout.of_tree(tmp_path)
    assert stacks(checkout.path) == sorted(SHIPPED)
    done = checkout.make("preview")
    assert done.returncode == 0, done.stdout
    assert re.findall(r"^=== (\S+) ===$", done.stdout, re.MULTILINE) == sorted(SHIPPED)
    for stack in SHIPPED:
        assert f'"chatbot-{stack}"' in done.stdout


def test_make_preview_goes_on_after_a_failure_and_names_it_at_the_end(tmp_path: Path) -> None:
    checkout = Checkout.of_tree(tmp_path)
    for stack in set(SHIPPED) - {"gpu"}:
        (checkout.path / f"stacks/Pulumi.{stack}.yaml").unlink()
    checkout.stack("a-typo", "gpu", services={"vllm": {"modle": "a/b"}})
    done = checkout.make("preview")
    assert done.returncode != 0
    assert '"chatbot-gpu"' in done.stdout
    assert "No preview of: a-typo" in done.stdout


def test_every_shipped_stack_is_named_here() -> None:
    listed = (ROOT / ".gitignore").read_text()
    shipped = {stack for stack in stacks(ROOT) if f"!stacks/Pulumi.{stack}.yaml" in listed}
    assert shipped == set(SHIPPED)
