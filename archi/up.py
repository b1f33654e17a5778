"""``make up``: from a bare machine to an assistant that answers; ``make down`` takes it away.

python -m archi.up [--down | --only-machine | --only-toolchain]
"""

from __future__ import annotations

import argparse
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import docker
from rich.console import Console
from rich.markup import escape

from archi import (
    deployment_images,
    docker_engine,
    docker_setup,
    engine,
    project,
    pulumi_cli,
    render,
    smoke,
    stack_settings,
)
from archi.docker_engine import EngineUnavailable
from archi.image_builds import ensure
from archi.image_pull import pull
from archi.images import Image, ImageError, Source
from archi.names import Names
from archi.phases import Phase, Phases, duration
from archi.preflight import PreflightError, port_problems
from archi.settings import Settings, SettingsError
from archi.smoke import SmokeError
from archi.stack_choice import Choice, choose
from archi.update_progress import UpdateProgress

FAILURES = (
    EngineUnavailable,
    ImageError,
    PreflightError,
    SettingsError,
    SmokeError,
    engine.UpdateFailed,
    pulumi_cli.Refused,
)


class Up:
    """One run of ``make up``."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.phases = Phases(console)
        self._children: list[subprocess.Popen[str]] = []
        self.begin = float(os.environ.get("ARCHI_BEGIN") or time.time())

    def up(self) -> None:
        """Everything, for the stack that was chosen."""
        choice = self._choice()
        self.console.print(f"Stack [bold]{choice.stack}[/bold]: {choice.why}.", highlight=False)
        settings = stack_settings.plain(project.ROOT, choice.stack)
        self.bring(settings, self._next(settings))

    def bring(self, settings: Settings, afterwards: Sequence[str]) -> None:
        """From a bare machine to an answer, in order; what can run side by side does.

        Args:
            settings: of the stack file, which is there.
            afterwards: what the person may want next, a sentence each.

        """
        client = self._machine(settings.source)
        self._ports(client, settings)
        self._parts(client, settings)
        pulumi = pulumi_cli.prepare(settings.name)
        pulumi_cli.ready(pulumi)
        begin = time.monotonic()
        with self.phases.shown():
            outcome = engine.up(pulumi, UpdateProgress(self.phases))
        self.phases.note("pulumi up", time.monotonic() - begin)
        endpoints = smoke.of_deployment(settings.name)
        with self.phases.shown(), self.phases.run("smoke test") as phase:
            answer = smoke.ask(endpoints, lambda line: self.phases.say(phase, line))
        self._close(endpoints, answer, afterwards, changed=outcome.changed)

    def down(self) -> int:
        """``pulumi destroy`` of the chosen stack."""
        stack = self._choice().stack
        pulumi = pulumi_cli.prepare(stack)
        pulumi_cli.ready(pulumi)
        code = pulumi.run(["destroy", "--yes", "--skip-preview", "--stack", stack])
        if code == 0:
            self.console.print(
                f"{stack} is gone. Its conversations and the weights are kept in Docker volumes; "
                "`make up` takes them up again."
            )
        return code

    def only_machine(self) -> None:
        """A running Docker Engine, toolchain and images, and no deployment."""
        self.prepare(stack_settings.plain(project.ROOT, self._choice().stack))

    def prepare(self, settings: Settings) -> docker.DockerClient:
        """A running Docker Engine with the deployment's images, and the toolchain."""
        client = self._machine(settings.source)
        self._parts(client, settings)
        return client

    def toolchain(self) -> None:
        """Pulumi and its plugins, beside the virtual environment's Python."""
        installer = project.ROOT / "toolchain" / "install"
        with self.phases.run("toolchain") as phase:
            home = pulumi_cli.places()["PULUMI_HOME"]
            found = self._command([str(installer)], phase, {"PULUMI_HOME": home})
        link = Path(sys.prefix) / "toolchain"
        target = found.strip().splitlines()[-1]
        if not link.is_symlink() or os.readlink(link) != target:
            fresh = link.with_name(f"toolchain.{os.getpid()}")
            fresh.symlink_to(target)
            fresh.replace(link)

    def _choice(self) -> Choice:
        remembered = pulumi_cli.selected_stack(project.ROOT)
        return choose(os.environ.get("STACK"), remembered)

    def _machine(self, source: Source) -> docker.DockerClient:
        """A running Docker Engine; says what it is about to install or start before it does."""
        if commands := docker_setup.plan_install(source):
            self.console.print("About to install on this machine:")
            for command in commands:
                self.console.print(f"  {' '.join(command)}", highlight=False, markup=False)
            with self.phases.shown(), self.phases.run("install packages") as phase:
                docker_setup.install(commands, self._sayer(phase))
        if docker_engine.inspect_engine().state is docker_engine.State.NOT_RUNNING:
            daemon = docker_setup.Daemon(log=project.home() / "dockerd.log")
            self.console.print(f"About to start the Docker Engine (its log: {daemon.log}).")
            with self.phases.shown(), self.phases.run("Docker Engine") as phase:
                docker_setup.start(daemon, self._sayer(phase))
        return docker_engine.connect()

    def _ports(self, client: docker.DockerClient, settings: Settings) -> None:
        if problems := port_problems(client, settings.name, render.host_ports(settings)):
            raise PreflightError("\n".join(problems))

    def _parts(self, client: docker.DockerClient, settings: Settings) -> None:
        """Toolchain and images side by side: one keeps the cores busy, the other the network."""
        ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        def part(work: Callable[[], None]) -> None:
            try:
                work()
            except BaseException as failure:
                ended.put(failure)
            else:
                ended.put(None)

        parts = (self.toolchain, partial(self._images, client, settings))
        with self.phases.shown():
            # Daemons: when one part fails or the user breaks off, nobody waits for the other.
            for work in parts:
                threading.Thread(target=part, args=(work,), daemon=True).start()
            try:
                for _ in parts:
                    if failure := ended.get():
                        raise failure
            finally:
                self._interrupt_children()

    def _interrupt_children(self) -> None:
        for child in self._children:
            if child.poll() is None:
                child.send_signal(signal.SIGINT)

    def _images(self, client: docker.DockerClient, settings: Settings) -> None:
        for one in deployment_images.of(settings).in_order():
            name = one.name if isinstance(one, Image) else one
            with self.phases.run(f"image {name}") as phase:
                say = self._sayer(phase)
                pull(client, one, say) if isinstance(one, str) else ensure(client, one, say)

    def _close(
        self,
        endpoints: smoke.Endpoints,
        answer: str,
        afterwards: Sequence[str],
        *,
        changed: bool,
    ) -> None:
        say = self.console.print
        say()
        for phase in self.phases.all:
            if phase.elapsed >= 1 and not phase.within:
                say(f"  {phase.name:<28} {duration(phase.elapsed):>12}", highlight=False)
        say(f"  {'all of it':<28} {duration(time.time() - self.begin):>12}", highlight=False)
        say()
        if not changed:
            say("Nothing changed: the deployment was already as its stack file says.")
        say(f"{endpoints.model} said: [italic]{escape(answer)}[/italic]", highlight=False)
        if endpoints.chat_url:
            say(f"\n[bold green]Chat:[/bold green] [link]{endpoints.chat_url}[/link]")
        api = f"{endpoints.chat_url}/v1" if endpoints.chat_url else endpoints.vllm_url
        say(f"[bold]API:[/bold]  {api}  (OpenAI-compatible)")
        say("\nNext: open the chat in a browser." if endpoints.chat_url else "\nNext:")
        for sentence in afterwards:
            say(f"  {sentence}", highlight=False)

    def _next(self, settings: Settings) -> list[str]:
        stack = settings.name
        sentences = [f"Another model: edit stacks/Pulumi.{stack}.yaml, then `make up` again."]
        if "vllm-server" in settings.deployed:
            server = Names(stack).vllm_server
            sentences.append(f"The model server at work: `docker logs -f {server}`.")
        return [*sentences, "All of it away again: `make down`; conversations and weights stay."]

    def _sayer(self, phase: Phase) -> Callable[[str], None]:
        return lambda line: self.phases.say(phase, line)

    def _command(self, command: list[str], phase: Phase, environment: dict[str, str]) -> str:
        """Run a command, its stderr as the phase's progress; gives its stdout."""
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=project.ROOT,
            env={**os.environ, **environment},
        ) as process:
            self._children.append(process)
            said: list[str] = []
            for line in process.stderr or ():
                said.append(line.rstrip().removeprefix(f"{phase.name}: "))
                self.phases.say(phase, said[-1])
            output = process.stdout.read() if process.stdout else ""
        if process.returncode:
            raise pulumi_cli.Refused("\n".join(said[-20:]))
        return output


def main() -> int:
    """Entry point of ``python -m archi.up``."""
    parser = argparse.ArgumentParser(prog="archi.up")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--down", action="store_true", help="destroy the chosen stack")
    mode.add_argument("--only-machine", action="store_true", help="all but the deployment")
    mode.add_argument("--only-toolchain", action="store_true", help="only pulumi and its plugins")
    arguments = parser.parse_args()
    console = Console(stderr=True, soft_wrap=True)
    run = Up(console)
    try:
        if arguments.down:
            return run.down()
        if arguments.only_machine:
            run.only_machine()
        elif arguments.only_toolchain:
            with run.phases.shown():
                run.toolchain()
        else:
            run.up()
    except FAILURES as failure:
        console.print(f"\n[bold red]✗[/bold red] {escape(str(failure))}", highlight=False)
        return 1
    except (KeyboardInterrupt, engine.BrokenOff):
        console.print("\nBroken off. `make up` takes up the work where it stopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
