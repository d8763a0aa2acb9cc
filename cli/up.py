"""`up`: everything on one machine until Ctrl-C, with the addresses a person needs."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.config_check import check_config
from cli.first_order import curl_line, keep_first_order
from cli.options import Json
from cli.screen import Screen
from cli.trouble import GOOD, WRONG_USE, Trouble
from engine.processes import CannotStart
from engine.stack import Addresses, Stack
from settings.load import ConfigError

DEFAULT_CONFIG = Path(__file__).resolve().parent.parent / "holdfast.toml"


def up(
    data: Annotated[Path, typer.Option(help="Folder that keeps all state; a second start finds it again.")] = Path(
        "var/up"
    ),
    config: Annotated[
        Path, typer.Option(help="Configuration file.", show_default="the project's holdfast.toml")
    ] = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Start everything on this machine: PostgreSQL, Temporal, sandbox, worker and API. Ctrl-C stops it.

    Example: starter.py up --data var/up
    """
    screen = Screen(as_json=as_json)
    refuse_bad_config(config)
    stack = Stack(data, config, tell=lambda line: screen.side.print(line, style="dim", highlight=False))
    asyncio.run(_serve(stack, screen))


def refuse_bad_config(config: Path) -> None:
    """Raises Trouble 2 with every mistake."""
    try:
        check_config(config)
    except ConfigError as err:
        lines = tuple(f"{err.file}: {problem}" for problem in err.problems)
        raise Trouble("the configuration cannot be used", WRONG_USE, details=lines) from None


async def _serve(stack: Stack, screen: Screen) -> None:
    stop = stop_on_signal()
    try:
        if not await start_unless_stopped(stack, stop):
            return
        first_order = str(keep_first_order(stack.data)) if stack.addresses.sandbox else None
        screen.json({"data": str(stack.data), "first_order": first_order, **vars(stack.addresses)})
        show_addresses(screen, stack.addresses, stack.data)
        screen.say("\nCtrl-C stops everything; the state stays in " + str(stack.data), "bold")
        await stop.wait()
    finally:
        await stack.stop()
    screen.verdict("stopped; start again with the same --data to go on", GOOD)


def stop_on_signal() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def start_unless_stopped(stack: Stack, stop: asyncio.Event) -> bool:
    """Start the stack; False when a stop came first, and all is stopped again then. Raises Trouble."""
    starting = asyncio.create_task(stack.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
            return False
        starting.result()
    except CannotStart as err:
        message, *rest = str(err).splitlines()
        raise Trouble(message, details=tuple(rest)) from None
    finally:
        stopping.cancel()
    return True


def show_addresses(screen: Screen, addresses: Addresses, data: Path) -> None:
    table = Table(show_header=False, box=None, pad_edge=False, title="Holdfast is running", title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "API": addresses.api,
        "API reference": f"{addresses.api}/docs",
        "Operators' console": f"{addresses.api}/console",
        "Temporal UI": addresses.temporal_ui or f"that of {addresses.temporal}",
        "Sandbox control": addresses.sandbox.get("control", ""),
        "Mail inbox": addresses.sandbox.get("mail", ""),
        "Payment pages": addresses.sandbox.get("juston", ""),
        "Portal token": addresses.portal_token,
        "Operator token": addresses.operator_token,
        "Logs": str(data / "logs"),
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    if screen.as_json:
        return
    screen.out.print(table)
    if addresses.sandbox:
        order = keep_first_order(data)
        screen.say("\nPlace the first order:", "bold")
        screen.say(curl_line(addresses.api, addresses.portal_token, order))
    sys.stdout.flush()
