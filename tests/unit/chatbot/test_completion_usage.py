from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from chatbot.data import usage
from chatbot.runs import completion_counts
from tests.chat_accounts import ADMIN, Guarded
from tests.chat_application import until
from tests.scripted_vllm import MODEL, Script, ScriptedVllm

ASKED = {"model": MODEL, "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.fixture(autouse=True)
def _written_only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion_counts, "_EVERY", 3600.0)


def test_an_admin_sees_what_keys_have_used(guarded: Guarded, vllm: ScriptedVllm) -> None:
    ann, admin = guarded.as_("ann"), guarded.as_(ADMIN)
    conversation = ann.post("/api/conversations", json={}).json["id"]
    url = f"/api/conversations/{conversation}/messages"
    assert "event: end" in ann.post(url, json={"content": "Hello?"}).text
    [before] = admin.get("/api/admin/usage").json["days"]
    counts = guarded.chat.parts.completions
    for name, error in (("ann", None), ("ann", (400, "no")), ("bob", None)):
        vllm.script = Script(error=error)
        headers = {"Authorization": f"Bearer {guarded.key(name)}"}
        guarded.chat.client.post("/v1/chat/completions", json=ASKED, headers=headers)
    until(lambda: guarded.chat.parts.admission.free == guarded.chat.parts.admission.limit)
    guarded.chat.parts.loop.run(counts.write())
    anns, bobs = admin.get("/api/admin/usage").json["days"]
    assert (anns["name"], anns["answers"], anns["errors"]) == ("ann", 3, 1)
    assert anns["completion_tokens"] == before["completion_tokens"] + 5
    assert anns["prompt_tokens"] > before["prompt_tokens"]
    assert (bobs["name"], bobs["answers"], bobs["completion_tokens"]) == ("bob", 1, 5)
    # Counts of an account that is gone meanwhile are no reason to lose the others'.
    headers = {name: {"Authorization": f"Bearer {guarded.key(name)}"} for name in ("ann", "bob")}
    for name in ("ann", "bob"):
        guarded.chat.client.post("/v1/chat/completions", json=ASKED, headers=headers[name])
    assert admin.delete(f"/api/users/{guarded.ids['bob']}").status_code == 204
    guarded.chat.parts.loop.run(counts.write())
    [anns] = admin.get("/api/admin/usage").json["days"]
    assert anns["answers"] == 4


def test_completions_are_counted_when_the_database_is_back(
    guarded: Guarded, vllm: ScriptedVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("gone"))

    admin = guarded.as_(ADMIN)
    parts = guarded.chat.parts
    headers = {"Authorization": f"Bearer {guarded.key('ann')}"}
    guarded.chat.client.post("/v1/chat/completions", json=ASKED, headers=headers)
    until(lambda: parts.admission.free == parts.admission.limit)
    with monkeypatch.context() as patched:
        patched.setattr(usage, "count_completions", away)
        parts.loop.run(parts.completions.write())
    assert admin.get("/api/admin/usage").json["days"] == []
    parts.loop.run(parts.completions.write())
    [day] = admin.get("/api/admin/usage").json["days"]
    assert (day["name"], day["answers"]) == ("ann", 1)
