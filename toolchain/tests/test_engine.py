"""The command line with its language host and the dynamic-provider plugin."""

import json
import os
import subprocess
from pathlib import Path

from toolchain.tests.stack import environment

PROGRAM = """
import pulumi
from pulumi import dynamic

class Provider(dynamic.ResourceProvider):
    def create(self, props):
        return dynamic.CreateResult("made", {**props, "answer": props["question"].upper()})

class Thing(dynamic.Resource):
    answer: pulumi.Output[str]
    def __init__(self, name, question):
        super().__init__(Provider(), name, {"question": question, "answer": None})

pulumi.export("answer", Thing("thing", "hello").answer)
"""


def test_a_program_with_a_dynamic_resource_runs(
    bin_folder: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: program\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    backend = tmp_path / "backend"
    backend.mkdir()

    def pulumi(*arguments: str) -> str:
        ran = subprocess.run(
            [bin_folder / "pulumi", "--non-interactive", *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment(bin_folder, home, backend)},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    pulumi("stack", "init", "test")
    pulumi("up", "--yes", "--skip-preview")
    assert json.loads(pulumi("stack", "output", "--json")) == {"answer": "HELLO"}
    pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    pulumi("destroy", "--yes", "--skip-preview")
