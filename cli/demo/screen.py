"""What the demo shows while it plays: a table on a terminal, an occasional log line without one."""

import asyncio
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.demo.play import Play
from commerce.documents import Stage
from commerce.fulfillment import State

LOG_EVERY_SECONDS = 5.0
PICTURE_EVERY_SECONDS = 0.25
# An order's stage, and where its goods are once it is completed; `cancelled` is a word of both.
_WORDS = ("to come", *(stage.value for stage in Stage), *(state.value for state in State), "parked", "refused")
STAGES = tuple(dict.fromkeys(_WORDS))


def teller(console: Console) -> Callable[[str], None]:
    """Says what happens, above the table where there is one."""

    def tell(line: str) -> None:
        console.print(escape(line), soft_wrap=True, highlight=False)

    return tell


async def show_progress(play: Play, console: Console) -> None:
    """Until it is cancelled."""
    if not console.is_terminal:
        while True:
            console.print(progress_line(play), soft_wrap=True, highlight=False)
            await asyncio.sleep(LOG_EVERY_SECONDS)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(_picture(play), refresh=True)
            await asyncio.sleep(PICTURE_EVERY_SECONDS)


def progress_line(play: Play) -> str:
    """Settled, total, percent, elapsed and rate, then what stands where."""
    total = len(play.courses)
    settled = sum(course.settled for course in play.courses)
    elapsed = max(play.now() - play.began, 0.001)
    stages = ", ".join(f"{name} {count}" for name in STAGES if (count := play.counts()[name]))
    return (
        f"settled {settled} of {total} ({100 * settled // total} %), {elapsed:.0f} s, {settled / elapsed:.1f}/s, "
        f"paid {play.paid}: {stages}" + (f"; ERP down for {_outage(play):.0f} s" if play.outage.on else "")
    )


def _outage(play: Play) -> float:
    return play.outage.seconds(play.now())


def _picture(play: Play) -> Group:
    counts = play.counts()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column()
    for name in STAGES:
        if counts[name]:
            style = "yellow" if name in ("parked", "refused") else "green" if name == "delivered" else "cyan"
            table.add_row(name, str(counts[name]), Text("■" * counts[name], style=style))
    if play.outage.on:
        banner = Text(f" ERP DOWN for {_outage(play):.0f} s: orders go on, nothing is lost ", style="bold white on red")
    else:
        banner = Text("")
    return Group(banner, table, Text(progress_line(play).partition(":")[0], style="dim"))
