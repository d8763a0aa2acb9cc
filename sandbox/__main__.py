"""`python -m sandbox`: every stand-in from one process. Exit codes: 0 stopped, 1 cannot run, 2 wrong use."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

from sandbox.control import DEFAULT_SECRET, Control
from sandbox.kernel.serve import PortTaken, Site
from sandbox.kernel.store import Store, StoreInUse
from sandbox.kernel.world import DATA_SETS, World
from sandbox.salesforce.packages.scm_flow import TOPIC
from sandbox.salesforce.vendor import SalesforceVendor
from sandbox.vendors import vendors

DEFAULT_PORT = 9100
PORTS = 9  # control, seven vendors, and SMTP


def parser() -> argparse.ArgumentParser:
    """The command line."""
    options = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Stand-ins for the shop, the ERP, the payment and the billing system, with faults on demand.",
        epilog="Example: python -m sandbox --data var/sandbox, then open http://127.0.0.1:9100/",
    )
    options.add_argument(
        "--data", type=Path, default=Path("var/sandbox"), metavar="DIR", help="where its state is kept"
    )
    options.add_argument(
        "--base-port",
        type=_base_port,
        default=DEFAULT_PORT,
        metavar="N",
        help=f"control is at N, the others at N+1 to N+{PORTS - 1}; 0 takes free ports (default {DEFAULT_PORT})",
    )
    options.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    options.add_argument("--seed", choices=DATA_SETS, default="demo", help="what a first start loads (default demo)")
    options.add_argument("--ports-file", type=Path, metavar="FILE", help="write all addresses there, as JSON")
    options.add_argument(
        "--pubsub",
        action="store_true",
        help="capture changes in salesforce and serve them by its Pub/Sub API (gRPC) on a free port",
    )
    for name in ("magento", "salesforce"):
        options.add_argument(f"--notify-{name}", metavar="URL", type=_url, help=f"where {name} sends its notifications")
    options.add_argument(
        "--notify-goods", metavar="URL", type=_url, help="where salesforce tells of goods; with --notify-salesforce"
    )
    return options


def _base_port(text: str) -> int:
    if not text.isdecimal() or not (int(text) == 0 or 1 <= int(text) <= 65_536 - PORTS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0, or 1 to {65_536 - PORTS}")
    return int(text)


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address: http://... or https://...")
    return text


async def run(options: argparse.Namespace, store: Store) -> None:
    """Serve until SIGINT or SIGTERM. Raises PortTaken."""
    world = World(store)
    site = Site(world, options.host)
    pubsub: Any = None
    base = options.base_port
    try:
        site.add_app("control", Control(world).app, base)
        for number, vendor in enumerate(vendors(world), start=1):
            world.add(vendor)
            if isinstance(vendor, SalesforceVendor) and options.pubsub:
                pubsub = _pubsub(vendor, options.host)
            site.add_vendor(vendor, base and base + number, base and base + PORTS - 1)
        async with world.unit():
            if store.table("kernel.state").get("seed") is None:
                world.reset(options.seed)
            for name in ("magento", "salesforce"):
                if url := getattr(options, f"notify_{name}"):
                    secret = (world.notify_target(name) or {}).get("secret", DEFAULT_SECRET)
                    topics = {TOPIC: options.notify_goods} if name == "salesforce" and options.notify_goods else {}
                    store.table("kernel.notify").put(name, {"url": url, "secret": secret, "topics": topics})
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await site.start()
        if pubsub is not None:
            site.addresses["salesforce-pubsub"] = await pubsub.start()
        _announce(site.addresses, options.ports_file)
        await stop.wait()
        if pubsub is not None:
            await pubsub.stop()
        await site.stop()
    finally:
        site.close()


def _pubsub(vendor: SalesforceVendor, host: str) -> Any:
    # Imported here: gRPC takes as long to load as all the rest.
    from sandbox.salesforce.pubsub import PubSub

    return PubSub(vendor.org, vendor.auth, vendor.captured, host)


def _announce(addresses: dict[str, str], ports_file: Path | None) -> None:
    for name, address in addresses.items():
        print(f"{name:12} {address}")
    print("Ready. Ctrl-C stops it; its state is kept.", flush=True)
    if ports_file is not None:
        draft = ports_file.with_name(f"{ports_file.name}.{os.getpid()}")
        draft.write_text(json.dumps(addresses, indent=1) + "\n", encoding="utf-8")
        draft.replace(ports_file)


def main() -> int:
    asked = parser()
    options = asked.parse_args()
    if options.notify_goods and not options.notify_salesforce:
        asked.error("--notify-goods needs --notify-salesforce")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        options.data.mkdir(parents=True, exist_ok=True)
        if options.ports_file is not None:
            options.ports_file.parent.mkdir(parents=True, exist_ok=True)
            options.ports_file.unlink(missing_ok=True)  # nobody shall take the addresses of an earlier run for ours
        store = Store(options.data / "sandbox.db", exclusive=True)
    except StoreInUse as err:
        print(f"{err}. Stop that sandbox or choose another directory with --data.", file=sys.stderr)
        return 1
    except (OSError, sqlite3.Error) as err:
        print(
            f"{options.data}: {err}. Choose a directory that can be written with --data and --ports-file.",
            file=sys.stderr,
        )
        return 1
    try:
        asyncio.run(run(options, store))
    except PortTaken as err:
        print(
            f"{err}. Stop what listens there, or choose other ports with --base-port (0: free ones).", file=sys.stderr
        )
        return 1
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
