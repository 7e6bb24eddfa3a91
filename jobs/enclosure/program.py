"""The program of one run as its shim sees it: who leads it, who hears of its end first, what encloses it.

Stdlib only, as the shim is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

from jobs.enclosure.processes import children, is_alive, name_of, named, send
from jobs.enclosure.toolstate import ToolState, as_signal, ask, state

INIT_LIMIT = 5.0  # seconds for the sandbox to stand
TOOL_LIMIT = 30.0  # seconds for one word with docker or podman
ATTACH_PAUSE = 2.0  # seconds from one client that takes another's place to the next
CLOSING = (0.0, 1.0, 3.0)  # seconds after each word that takes a container away
INITS = ("catatonit", "docker-init", "tini")  # first processes that hand signals on to the program
KILL_PATIENCE = 5.0  # seconds for a container's monitor to tell of the end


class Program:
    """The program's leader, and in a sandbox its first process inside."""

    def __init__(self, leader: int, *, is_sandboxed: bool) -> None:
        self.leader = leader
        self.is_sandboxed = is_sandboxed
        self.is_lost = False  # nobody knows how it ended
        self.init = self._await_init() if is_sandboxed else None

    @property
    def aside(self) -> set[int]:
        """What encloses the program: not its own, and nothing that could save a checkpoint."""
        return {self.leader, self.init} - {None} if self.is_sandboxed else set()  # type: ignore[return-value]

    def tell(self) -> list[int]:
        """Ask for the end; returns who was told."""
        first = self.first
        send(first, signal.SIGTERM)
        return first

    def put_down(self, left: list[int], since: float) -> None:
        """SIGKILL to what is `left`; it is due for `since` seconds."""
        send(left, signal.SIGKILL)

    def close(self) -> None:
        """Nothing of it is left."""

    @property
    def first(self) -> list[int]:
        """Who hears of the end first: the leader; in a sandbox the program that the first process inside started."""
        return [self.leader] if not self.is_sandboxed else children().get(self.init or 0, [])[:1]

    def reap(self) -> int | None:
        """Collect every child that ended; the program's exit code if its end was among them."""
        found = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if pid == 0:
                return found
            if pid == self.leader:
                found = self._ended(os.waitstatus_to_exitcode(status))

    def _ended(self, code: int) -> int | None:
        """bubblewrap says 128 + n of a program that signal n killed. Killed itself, it leaves the sandbox standing."""
        if not self.is_sandboxed:
            return code
        if code < 0 and self.init and self.init != self.leader and is_alive(list(named(self.init))):
            self.leader = self.init
            return None
        self._collect_init()
        return 128 - code if code > 128 and code - 128 in signal.valid_signals() else code

    def _collect_init(self) -> None:
        """The first process inside ends a moment after bubblewrap, where nothing else is left inside: what the
        program took of the machine is known when it was waited for."""
        deadline = time.monotonic() + 0.2
        with contextlib.suppress(ChildProcessError):
            while self.init and time.monotonic() < deadline and os.waitpid(self.init, os.WNOHANG)[0] == 0:
                time.sleep(0.005)

    def _await_init(self) -> int | None:
        deadline = time.monotonic() + INIT_LIMIT
        while time.monotonic() < deadline and is_alive(list(named(self.leader))):
            for init in children().get(self.leader, []):
                return init
            time.sleep(0.005)
        return None


class Contained(Program):
    """A container. Its leader is the tool's client, which hands on signals, output and the exit code.

    podman's monitor and all that runs inside are below the shim as well; docker's are below its daemon, where only
    the tool reaches them. `words`: command lines of the tool, by what they do (`attach`, `running`, `stop`, `kill`,
    `remove`).
    """

    def __init__(self, leader: int, words: dict[str, list[str]], environment: dict[str, str], log: int) -> None:
        super().__init__(leader, is_sandboxed=False)
        self.words, self.environment, self.log = words, environment, log
        self._is_told = self._is_killed = False
        self._attached = 0.0
        self._client: subprocess.Popen[bytes] | None = None  # as long as it is known here, nobody else collects it

    @property
    def aside(self) -> set[int]:
        """The client and podman's monitor: what runs inside is below the monitor, orphans of it too."""
        return {self.leader, *children().get(os.getpid(), [])}

    def tell(self) -> list[int]:
        """The client hands it on to what is first inside, and a container's own init to the program: they were told."""
        self._is_told = True
        below = children()
        monitors = [pid for pid in below.get(os.getpid(), []) if pid != self.leader]
        first = [pid for monitor in monitors for pid in below.get(monitor, [])]
        behind = [pid for one in first if name_of(one) in INITS for pid in below.get(one, [])]
        return [*super().tell(), *first, *behind]

    def put_down(self, left: list[int], since: float) -> None:
        """What is inside first, so that the tool tells of its end; the tool's own processes where that takes long."""
        aside = self.aside
        send([pid for pid in left if pid not in aside], signal.SIGKILL)
        if not self._is_killed:
            self._is_killed = True
            self._say("kill")
        if since > KILL_PATIENCE:
            send(left, signal.SIGKILL)

    def close(self) -> None:
        """podman needs a second word where its monitor was killed."""
        for wait in CLOSING:
            if self._state().is_absent:
                return
            self._say("remove")
            time.sleep(wait)

    def _ended(self, code: int) -> int | None:
        """The client's own end is the container's only where it went well, or the tool says so too. Else it was killed,
        it failed, or it lost podman's monitor: as long as the container may run, another client takes its place."""
        if code == 0:
            return 0
        found = self._state()
        if found.is_running is not False:
            self._attach()
            return None
        self.is_lost = found.is_stale
        return as_signal(code) if found.code is None else found.code

    def _attach(self) -> None:
        """A moment apart: it may fail at once, and again."""
        pause = ATTACH_PAUSE - (time.monotonic() - self._attached)
        if self._attached and pause > 0:
            time.sleep(pause)
        self._attached = time.monotonic()
        if self._client:
            self._client.returncode = 0  # `reap` collected it
        self._client = subprocess.Popen(
            self.words["attach"], env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True,
        )  # fmt: skip
        self.leader = self._client.pid
        if self._is_told:
            self._say("stop")

    def _state(self) -> ToolState:
        return state(self.words["running"], self.environment, TOOL_LIMIT)

    def _say(self, what: str) -> None:
        ask(self.words[what], self.environment, TOOL_LIMIT)
