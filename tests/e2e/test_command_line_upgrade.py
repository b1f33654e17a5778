"""``archi upgrade`` of a real deployment: its chat application and its stack file have changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from archi.cli.exit_codes import ExitCode
from archi.deployment_images import reference
from archi.images import image
from tests.command_line import archi, archi_on_terminal
from tests.e2e.conftest import STACK, Assistant


@pytest.fixture
def changed(assistant: Assistant) -> Iterator[Assistant]:
    """The deployment, whose checkout has another chat application and another setting by now."""
    source = assistant.checkout.path / "chatbot" / "__init__.py"
    before = source.read_text()
    source.write_text(f"{before}\n# The next version.\n")
    with assistant.edited(services={"chatbot": {"memory": "1100m"}}):
        yield assistant
    source.write_text(before)
    assistant.touched = True


def new_image(assistant: Assistant) -> str:
    """The chat application's image as the changed checkout makes it."""
    source = "packages" if assistant.base == "offline" else "registry"
    return reference(image("chat", source, assistant.checkout.path))


def test_an_upgrade_fetches_first_then_asks_and_touches_nothing_without_a_yes(
    changed: Assistant,
) -> None:
    before = changed.ids()
    image = new_image(changed)

    code, said = archi_on_terminal(changed.checkout, "upgrade", STACK, typed="n\n")
    assert code == ExitCode.REFUSED, said
    assert said.index("image archi/chat") < said.index("chatbot"), said  # before the preview
    assert "1024 => 1100" in said
    assert "Nothing was touched." in said
    assert changed.client.images.list(image)
    assert changed.ids() == before

    said = archi(changed.checkout, "upgrade", STACK, code=ExitCode.REFUSED)
    assert "there is nobody to ask" in said
    assert changed.ids() == before
    assert changed.complete("Say hello.")

    code, said = archi_on_terminal(changed.checkout, "upgrade", STACK, typed="y\n")
    assert code == 0, said
    after = changed.ids()
    assert after["chatbot"] != before["chatbot"]
    assert after["vllm-server"] == before["vllm-server"]
    chat = changed.container("chatbot")
    assert chat.attrs["Config"]["Image"] == image
    assert chat.attrs["HostConfig"]["Memory"] == 1100 * 1024 * 1024
    assert f"Chat: {changed.url}" in said

    assert (
        "Nothing changed" in archi_on_terminal(changed.checkout, "upgrade", STACK, typed="y\n")[1]
    )
    assert changed.ids() == after
