"""Progress of many like things: a bar on a terminal, an occasional log line without one, with the same numbers."""

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

LOG_EVERY_SECONDS = 5.0


class Progress:
    """Shows done, total, percent, elapsed and rate. `say` puts a line above it."""

    def __init__(self, console: Console, what: str, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._what = what
        self._total = total
        self._done = 0
        self._clock = clock
        self._began = self._told = clock()
        self._bar: Bar | None = None
        if console.is_terminal:
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TaskProgressColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[rate]}"),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task(what, total=total, rate="")

    def __enter__(self) -> "Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif kind is None:
            self._log()

    def step(self) -> None:
        self._done += 1
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, rate=self._rate())
        elif self._clock() - self._told >= LOG_EVERY_SECONDS:
            self._log()

    def say(self, text: str) -> None:
        self._console.print(escape(text), soft_wrap=True, highlight=False)

    def _log(self) -> None:
        self._told = self._clock()
        percent = 100 * self._done // self._total if self._total else 100
        elapsed = int(self._told - self._began)
        self.say(f"{self._what}: {self._done} of {self._total} ({percent} %), {elapsed} s, {self._rate()}")

    def _rate(self) -> str:
        return f"{self._done / max(self._clock() - self._began, 0.001):.1f}/s"
