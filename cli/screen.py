"""Where a command speaks: prose for people through Rich, one JSON document on standard output with `--json`."""

import json
import sys
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.markup import escape

from cli.trouble import GOOD, Trouble

# Wide enough for a payment link on one line where there is no terminal to ask.
UNKNOWN_WIDTH = 160


class Screen:
    """`out` shows results, `side` progress and hints. With `--json` only the JSON document is on standard output."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.out = _console(sys.stderr if as_json else sys.stdout)
        self.side = _console(sys.stderr)

    def json(self, document: Any) -> None:
        if self.as_json:
            sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=1, default=plain) + "\n")
            sys.stdout.flush()

    def say(self, text: str, style: str | None = None) -> None:
        """Plain text: brackets in it are no markup."""
        if not self.as_json:
            self.out.print(escape(text), style=style, soft_wrap=True, highlight=False)

    def verdict(self, text: str, code: int) -> None:
        """The last line of a command."""
        self.say(text, "bold green" if code == GOOD else "bold yellow")


def plain(value: Any) -> str:
    """Decimals as text: no amount passes through a float."""
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def show_trouble(trouble: Trouble, *, as_json: bool) -> None:
    if as_json:
        error = {"error": {"message": str(trouble), "details": list(trouble.details)}}
        sys.stdout.write(json.dumps(error, ensure_ascii=False) + "\n")
    console = _console(sys.stderr)
    console.print(escape(str(trouble)), style="bold red", soft_wrap=True, highlight=False)
    for detail in trouble.details:
        console.print(escape(detail), soft_wrap=True, highlight=False)


def _console(file: Any) -> Console:
    return Console(file=file, width=None if file.isatty() else UNKNOWN_WIDTH)
