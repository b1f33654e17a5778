"""What is written from the settings' classes is current and whole."""

from __future__ import annotations

import yaml

from archi.project import ROOT
from archi.settings import SECRET_KEYS, Settings, VllmSettings, document


def test_the_page_is_current() -> None:
    current = (ROOT / document.PAGE).read_text()
    assert current == document.page(), "run `make docs`"


def test_the_project_file_is_current() -> None:
    current = (ROOT / document.PROJECT_FILE).read_text()
    assert current == document.project_file(current), "run `make docs`"


def test_every_key_has_a_row_with_its_effect() -> None:
    page = document.page()
    for name, field in VllmSettings.model_fields.items():
        [row] = [
            line
            for line in page.splitlines()
            if line.startswith(f"| `archi:services.vllm.{name}` ")
        ]
        assert str(field.description) in row
        assert field.examples, f"services.vllm.{name} has no example"
    for name in set(Settings.model_fields) - {"name", "services"}:
        assert f"| `archi:{name}` " in page


def test_examples_are_settings_that_can_be() -> None:
    for name, field in VllmSettings.model_fields.items():
        VllmSettings.model_validate({name: (field.examples or [None])[0]})


def test_the_project_declares_only_what_cannot_break_a_stack() -> None:
    declared = yaml.safe_load((ROOT / document.PROJECT_FILE).read_text())["config"]
    for key, said in declared.items():
        assert isinstance(said["default"], (str, bool)), key
        assert key.removeprefix("archi:") not in SECRET_KEYS
        assert Settings.model_fields[key.removeprefix("archi:")].default == said["default"]
