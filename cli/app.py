"""The command line's table of commands, and its exit codes: 0 good, 1 attention needed, 2 wrong use."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from cli.checkout import checkout
from cli.demo.command import demo
from cli.endpoints import endpoints, pause, resume
from cli.goods import follow, late, transfer
from cli.orders import cancel, explain, status
from cli.parked import parked, reassign, resolve
from cli.quarantine import quarantine, release
from cli.reconcile import reconcile
from cli.retry import retry
from cli.screen import show_trouble
from cli.stuck import stuck
from cli.trouble import Trouble
from cli.up import up

# What it does, and an example.
COMMANDS: tuple[tuple[Callable[..., None], str, str], ...] = (
    (up, "Start everything on this machine", "starter.py up"),
    (demo, "Play it all, with an outage", "starter.py demo --orders 24 --seed 7"),
    (checkout, "Place orders, show payment links", "starter.py checkout orders.jsonl"),
    (status, "Count orders, or show one", "starter.py status de:1001"),
    (explain, "Tell what an order waits for", "starter.py explain 1001"),
    (cancel, "Stop an order and undo it", "starter.py cancel 1001 --reason wish"),
    (parked, "List what waits for a person", "starter.py parked"),
    (resolve, "Decide a parked case", "starter.py resolve 42 --decision retry --reason ok"),
    (reassign, "Make a case somebody else's move", "starter.py reassign 1001 --to anna --reason ill"),
    (retry, "Retry parked cases by query", "starter.py retry --system erp --reason mended"),
    (stuck, "List runs that cannot go on", "starter.py stuck 1001 --restart --reason ok"),
    (quarantine, "List what could not be read", "starter.py quarantine"),
    (release, "Read something of it again", "starter.py release 17 --reason mended"),
    (late, "List goods that are late", "starter.py late --days 3"),
    (follow, "Look at an order's goods again", "starter.py follow 1001"),
    (transfer, "Move goods to ship an order", "starter.py transfer 1001 --line 1=2 --from A --to B"),
    (reconcile, "Compare both sides of every pair", "starter.py reconcile --day 2026-11-21"),
    (endpoints, "Show how the systems stand", "starter.py endpoints"),
    (pause, "Hold a system back", "starter.py pause magento --reason update"),
    (resume, "End a pause", "starter.py resume magento"),
)


class _Commands(TyperGroup):
    """Only the table: that every command takes --help is said below it, and the whole fits a screen."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        with formatter.indentation():
            formatter.write_text(self.help)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100},
    help="Every command takes --json and --help. Exit codes: 0 good, 1 attention needed, 2 wrong use.",
)
for _function, _does, _example in COMMANDS:
    app.command(_function.__name__, short_help=f"{_does:<32} {_example}")(_function)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(given, prog_name="starter.py")
    except Trouble as trouble:
        show_trouble(trouble, as_json="--json" in given)
        return trouble.code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0
