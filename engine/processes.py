"""Children of one command: started in order, restarted when they die, stopped in reverse, never left behind."""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger("holdfast.engine")

_PR_SET_PDEATHSIG = 1
# One that ran for so long was well: its next end is no part of a row, and it starts again without a long pause.
LASTED_SECONDS = 20.0


class CannotStart(RuntimeError):
    """A part could not be started; the message says which, why, and where its log is."""


def free_port(preferred: int = 0, *, host: str = "127.0.0.1") -> int:
    """`preferred` when it is free, else any free port."""
    for port in (preferred, 0) if preferred else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return int(probe.getsockname()[1])
    raise CannotStart(f"no free port on {host}")


@dataclass
class Child:
    """One process. `stop_signal` asks it to end; `ready` says whether it can be used."""

    name: str
    argv: Sequence[str]
    log_file: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 30
    user: str | None = None
    ready: Callable[[], Awaitable[bool]] | None = None
    ready_within: float = 60
    keep_open: tuple[int, ...] = ()  # file descriptors that the child inherits
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0

    async def start(self) -> None:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                *self.argv,
                env={**os.environ, **self.env},
                cwd=self.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
                user=self.user,
                extra_groups=[] if self.user else None,
                pass_fds=self.keep_open,
                start_new_session=True,  # a Ctrl-C reaches the parent, which stops the children in order
                preexec_fn=_dies_with_parent(self.stop_signal) if sys.platform == "linux" else None,
            )
        await self.wait_ready()

    async def wait_ready(self) -> None:
        if self.ready is None:
            return
        deadline = asyncio.get_running_loop().time() + self.ready_within
        while not await self.ready():
            if self.process is None or self.process.returncode is not None:
                raise CannotStart(f"{self.name} ended at once{self._last_words()}")
            if asyncio.get_running_loop().time() > deadline:
                raise CannotStart(f"{self.name} is not ready after {self.ready_within:.0f} s{self._last_words()}")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(self.stop_signal)
        try:
            async with asyncio.timeout(self.stop_within):
                await self.process.wait()
        except TimeoutError:
            log.warning("%s did not stop within %.0f s and is killed", self.name, self.stop_within)
            self.process.kill()
            await self.process.wait()

    def _last_words(self) -> str:
        try:
            lines = self.log_file.read_text("utf-8", "replace").strip().splitlines()[-5:]
        except OSError:
            lines = []
        return f"; see {self.log_file}" + (":\n  " + "\n  ".join(lines) if lines else "")


class Household:
    """The children, in starting order. `watch` restarts what dies until `stop` is called."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self._watchers: list[asyncio.Task[None]] = []

    async def add(self, child: Child) -> Child:
        self.children.append(child)
        await child.start()
        self._watchers.append(asyncio.create_task(self._watch(child)))
        return child

    async def _watch(self, child: Child) -> None:
        clock = asyncio.get_running_loop().time
        while child.process is not None:
            began = clock()
            code = await child.process.wait()
            if clock() - began > LASTED_SECONDS:
                child.restarts = 0
            child.restarts += 1
            log.warning("%s ended with %s; starting it again (log: %s)", child.name, code, child.log_file)
            await asyncio.sleep(min(0.2 * 2 ** min(child.restarts, 6), 10))
            try:
                await child.start()
            except CannotStart as err:
                log.error("%s", err)
                if child.process is not None and child.process.returncode is None:
                    child.process.kill()

    async def stop(self, tell: Callable[[str], None] | None = None) -> None:
        """Stop all, the last one first; `tell` hears of each."""
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for child in reversed(self.children):
            if tell is not None:
                tell(f"stopping {child.name}")
            await child.stop()
        self.children.clear()
        self._watchers.clear()


def _dies_with_parent(with_signal: signal.Signals) -> Callable[[], None]:
    """A kill -9 of the parent must not leave servers behind: Linux sends them `with_signal` instead."""
    libc = ctypes.CDLL(None, use_errno=True)

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(with_signal))

    return in_child


async def accepts_connections(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
