"""The command line's table of commands, and its exit codes: 0 good, 1 attention needed, 2 wrong use."""

import sys
from collections.abc import Sequence

import typer

from cli.checkout import checkout
from cli.demo.command import demo
from cli.screen import show_trouble
from cli.trouble import Trouble
from cli.up import up

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100},
    help="Holdfast keeps shop, ERP, payment and billing in step: one document per event, nothing lost.",
    epilog="Every command takes --json and --help. Exit codes: 0 good, 1 attention needed, 2 wrong use.",
)
app.command("up", short_help="Start everything here          starter.py up")(up)
app.command("checkout", short_help="Place orders                   starter.py checkout orders.jsonl")(checkout)

app.command("demo", short_help="Play it all, with an outage    starter.py demo --orders 24 --keep")(demo)


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
