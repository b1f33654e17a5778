"""The checks, in order: what is asked, what each needs, and which wire broke."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from archi.cli.exit_codes import ExitCode
from archi.smoke import mends, protocol
from archi.smoke.endpoints import Endpoints, SmokeError
from archi.smoke.protocol import Broken, Outcome, StreamError
from archi.smoke.report import Check, Report, State, Wire
from archi.smoke.server import Failed, Server, servers
from archi.smoke.transport import NoWay

ANSWER_SECONDS = 300.0
"""What an answer may take by default: the first one of a slow CPU."""


_LOST = {State.FAILED: "failed", State.SKIPPED: "was skipped"}
"""The ends of a check after which what needs it is not tried."""


def _reachable(server: Server, _seconds: float) -> Outcome:
    if server.service == "chat":
        server.get("/healthz")
    else:
        protocol.models(server.get("/models"))
    transport = server.transport
    if transport.detour:
        detail = f"{transport.detour}; the chat container asks {transport.address}"
        return Outcome(detail, note=True)
    asks = ", asked in the chat container" if transport.inside else ""
    return Outcome(transport.address + asks)


def _model(server: Server, _seconds: float) -> Outcome:
    served = protocol.models(server.get(f"{server.root}/models"))
    wanted = server.endpoints.model
    if wanted not in served:
        raise Failed(mends.not_served(server.side, served), code=ExitCode.SMOKE_MODEL_MISSING)
    who = {"vllm": "vLLM", "chat": "the chat application"}[server.service]
    return Outcome(f"{who} serves {wanted}")


def _completion(server: Server, seconds: float) -> Outcome:
    body = protocol.completion_body(server.endpoints.model)
    return protocol.completion(server.complete(body, seconds))


def _stream(server: Server, seconds: float) -> Outcome:
    body = protocol.completion_body(server.endpoints.model, stream=True)
    return protocol.stream(server.complete(body, seconds))


def _tool_call(server: Server, seconds: float) -> Outcome:
    return protocol.tool_call(server.complete(protocol.tool_body(server.endpoints.model), seconds))


@dataclass(frozen=True)
class _Step:
    """A check: its name after the server's, and what must have gone well before.

    Attributes:
        codes: the exit code of its failure, by server.

    """

    name: str
    ask: Callable[[Server, float], Outcome]
    needs: str | None
    codes: Mapping[str, ExitCode]


def _codes(vllm: ExitCode, chat: ExitCode = ExitCode.SMOKE_CHAT) -> Mapping[str, ExitCode]:
    return {"vllm": vllm, "chat": chat}


_REACHABLE = _Step(
    "reachable",
    _reachable,
    None,
    _codes(ExitCode.SMOKE_VLLM_UNREACHABLE, ExitCode.SMOKE_CHAT_UNREACHABLE),
)
_MODEL = _Step("model", _model, "reachable", _codes(ExitCode.SMOKE_VLLM_UNREACHABLE))
_COMPLETION = _Step("completion", _completion, "model", _codes(ExitCode.SMOKE_COMPLETION))
_STEPS = (
    _REACHABLE,
    _MODEL,
    _COMPLETION,
    # Where no completion comes, these would only wait once more for the same.
    _Step("stream", _stream, "completion", _codes(ExitCode.SMOKE_STREAM)),
    _Step("tool-call", _tool_call, "completion", _codes(ExitCode.SMOKE_TOOLS)),
)


def run(
    endpoints: Endpoints,
    on_check: Callable[[Check], None] = lambda _check: None,
    *,
    seconds: float = ANSWER_SECONDS,
) -> Report:
    """Run all checks, first those of vLLM, then those through the chat application.

    Args:
        endpoints: where they go.
        on_check: called after each check.
        seconds: how long an answer may take.

    """
    try:
        return _all(endpoints, on_check, seconds)
    finally:
        endpoints.close()


def _all(endpoints: Endpoints, on_check: Callable[[Check], None], seconds: float) -> Report:
    checks: list[Check] = []
    answer = ""
    for server in servers(endpoints):
        lost: dict[str, str] = {}
        for step in _STEPS:
            check, said = _try(step, server, seconds, lost)
            if step.needs is not None and step.needs in lost:
                lost[step.name] = lost[step.needs]
            elif check.state in _LOST:
                lost[step.name] = f"{check.name} {_LOST[check.state]}"
            answer = said or answer
            checks.append(check)
            on_check(check)
    return Report(endpoints.deployment, endpoints.provider, endpoints.model, tuple(checks), answer)


def ask(endpoints: Endpoints, say: Callable[[str], None], seconds: float = ANSWER_SECONDS) -> str:
    """The short test: the model is listed, and one answer comes all the way; gives the answer.

    Raises:
        SmokeError: at the first of them that fails, with the wire that broke.

    """
    try:
        return _two(endpoints, say, seconds)
    finally:
        endpoints.close()


def _two(endpoints: Endpoints, say: Callable[[str], None], seconds: float) -> str:
    vllm, *chat = servers(endpoints)
    _told(_try(_MODEL, vllm, seconds, {}), say)
    for server in chat:
        check, answer = _try(_COMPLETION, server, seconds, {})
        if not check.nobody:
            return _told((check, answer), say)
        # A new deployment whose people log in: somebody has to be the first.
        say(f"{check.detail}. Next: {check.mend}")
    return _told(_try(_COMPLETION, vllm, seconds, {}), say)


def _told(tried: tuple[Check, str], say: Callable[[str], None]) -> str:
    """What the model said in a check that went well, which is told."""
    check, answer = tried
    if check.state is State.FAILED:
        raise SmokeError(
            f"{check.wire.value}: {check.detail.rstrip('.')}. Mend: {check.mend}",
            check.code or ExitCode.FAILED,
        )
    say(f"{check.detail} ({check.seconds:.1f} s)")
    return answer


def _try(step: _Step, server: Server, seconds: float, lost: Mapping[str, str]) -> tuple[Check, str]:
    """One check and what the model said."""
    name = f"{server.service}-{step.name}"
    wire = _wire(step, server)
    if step.needs is not None and step.needs in lost:
        return Check(name, wire, State.SKIPPED, 0.0, lost[step.needs]), ""
    begin = time.monotonic()
    mend, answer = "", ""
    code: ExitCode | None = None
    broken: Wire | None = None
    nobody = False
    try:
        outcome = step.ask(server, seconds)
        state = State.NOTE if outcome.note else State.OK
        detail, answer = outcome.detail, outcome.answer
    except NoWay as no:
        # Nothing else can prove the chat application; it proves vLLM.
        state, detail = State.SKIPPED, server.no_way(no)
        if server.service == "chat":
            state, mend = State.FAILED, mends.no_way(server.side)
    except Failed as failed:
        state, detail, mend = State.FAILED, failed.detail, failed.mend
        code, broken, nobody = failed.code, failed.wire, failed.nobody
    except Broken as fault:
        state, detail = State.FAILED, str(fault)
        mend, broken = _mend(server, fault)
    if state is State.FAILED:
        code, wire = code or step.codes[server.service], broken or server.wire
    else:
        wire = _wire(step, server)  # once more: a detour changes it
    took = time.monotonic() - begin
    return Check(name, wire, state, took, detail, mend, code, nobody), answer


def _wire(step: _Step, server: Server) -> Wire:
    return server.wire if step is _REACHABLE else server.beyond


def _mend(server: Server, fault: Broken) -> tuple[str, Wire]:
    """The mend of an answer that is not whole, and the wire that it came by."""
    if isinstance(fault, StreamError):
        step = fault.error.get("next_step")
        wire = server.broken(fault.error, 200)
        return str(step) if step else mends.broken(server.side), wire
    if fault.models:
        return mends.empty(), server.beyond
    return (mends.late if fault.late else mends.broken)(server.side), server.wire
