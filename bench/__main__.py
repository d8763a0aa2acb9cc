"""`make bench`: the claims about speed and cost, measured. One file of this room for each claim.

    python -m bench [--only throughput] [--orders 24] [--rounds 3] [--held 100] [--open 1000]
                    [--goods 200] [--changed 60] [--data var/bench]
    python -m bench cost [--orders-per-year N] [--measured var/bench/latest.json] [--prices bench/prices.toml]

Prints machine, versions and results, and writes var/bench/latest.json; what was not measured this time keeps its last
result there. docs/benchmarks.md keeps a run.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from temporalio.client import Client

from bench import cost
from bench.economy import economy
from bench.goods import goods
from bench.held_open import held_open
from bench.links import links
from bench.machine import machine
from bench.open_goods import MOST
from bench.outage import ERP, outage
from bench.processes import OtherWork, cpu_by_part, memory
from bench.report import report
from bench.throughput import throughput
from bench.vendors import Vendors
from engine.processes import CannotStart
from engine.stack import Stack, is_in_use
from settings.connect import connect
from settings.load import load

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "holdfast.toml"
BASELINES = ("-m", "bench.worker")
HOLDFAST = (str(ROOT / "worker.py"),)
ERP_PACE = 10  # steps per second: what a backlog is drained against
ECONOMY_ORDERS = 10
# The worker leaves the shop orders of the goods' claim to the benchmark, which hands them over itself.
TAKEN_IN_ALREADY = {"HOLDFAST__SYSTEMS__MAGENTO__ORDERS_SINCE": "2100-01-01T00:00:00Z"}


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.asynccontextmanager
async def standing(data: Path, worker: Sequence[str], **settings: str) -> AsyncIterator[tuple[Stack, Client, Vendors]]:
    """Everything on this machine, from nothing: what an earlier run left would be measured too."""
    if is_in_use(data):
        raise CannotStart(f"{data} is in use by another benchmark")
    shutil.rmtree(data, ignore_errors=True)
    stack = Stack(data, CONFIG, tell=tell, worker=worker)
    stack.env |= settings
    await stack.start()
    before = dict(os.environ)
    os.environ.update(stack.env)
    vendors = Vendors(stack.addresses.sandbox["control"])
    try:
        yield stack, await connect(), vendors
    finally:
        await vendors.close()
        await stack.stop()
        os.environ.clear()
        os.environ.update(before)


async def measure_throughput(options: argparse.Namespace) -> dict[str, Any]:
    async with standing(options.data / "throughput", BASELINES) as (stack, client, vendors):
        rates = await throughput(client, vendors, lambda: cpu_by_part(stack), options.orders, options.rounds)
        return {"throughput": rates}


async def measure_links(options: argparse.Namespace) -> dict[str, Any]:
    prefix = f"B{int(time.time())}-"
    async with standing(options.data / "links", BASELINES) as (_, client, vendors):
        answered = await links(client, options.links, prefix)
        paid = [f"de:{prefix}{number}" for number in range(min(options.links, ECONOMY_ORDERS))]
        return {"links": answered, "economy": await economy(client, vendors, paid)}


async def measure_outage(options: argparse.Namespace) -> dict[str, Any]:
    pace = {f"HOLDFAST__SYSTEMS__{ERP.upper()}__PER_SECOND": str(ERP_PACE)}
    async with standing(options.data / "outage", HOLDFAST, **pace) as (_, client, vendors):
        system = load(CONFIG).systems[ERP]
        return {"outage": await outage(client, vendors, system, options.held, tell)}


async def measure_open(options: argparse.Namespace) -> dict[str, Any]:
    async with standing(options.data / "open", HOLDFAST) as (stack, client, _):
        return {"open": await held_open(client, lambda: memory_of_worker(stack), options.open, tell)}


async def measure_goods(options: argparse.Namespace) -> dict[str, Any]:
    async with standing(options.data / "goods", HOLDFAST, **TAKEN_IN_ALREADY) as (stack, client, vendors):
        measured = await goods(
            client,
            vendors,
            load(CONFIG),
            lambda: memory_of_worker(stack),
            options.goods,
            options.changed,
            tell,
        )
        return {"goods": measured}


def memory_of_worker(stack: Stack) -> dict[str, int]:
    worker = stack.worker
    if worker is None or worker.process is None or worker.restarts:
        raise RuntimeError(f"the worker did not live through it; see {stack.data}/logs/worker.log")
    return memory(worker.process.pid)


CLAIMS: dict[str, Callable[[argparse.Namespace], Coroutine[Any, Any, dict[str, Any]]]] = {
    "throughput": measure_throughput,
    "links": measure_links,
    "outage": measure_outage,
    "open": measure_open,
    "goods": measure_goods,
}


def main(options: argparse.Namespace) -> int:
    options.data.mkdir(parents=True, exist_ok=True)
    path: Path = options.data / "latest.json"
    result: dict[str, Any] = json.loads(path.read_text("utf-8")) if options.only and path.exists() else {}
    result["machine"] = machine()
    for name, measure in CLAIMS.items():
        if not options.only or name in options.only:
            tell(f"-- {name}")
            began, others = time.monotonic(), OtherWork()
            result |= asyncio.run(measure(options))
            result.setdefault("seconds", {})[name] = round(time.monotonic() - began)
            result.setdefault("others_share", {})[name] = round(others.share(), 2)
            path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if "throughput" in result and "economy" in result:
        result["cost"] = cost.years(result, cost.Prices.read())
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(report(result))
    print(f"\nAll of it: {path}")
    return 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    options = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--only", action="append", choices=CLAIMS, help="measure this claim (may be repeated)")
    options.add_argument("--orders", type=int, default=24, help="orders at once in a batch of throughput")
    options.add_argument("--rounds", type=int, default=3, help="batches of each kind of throughput")
    options.add_argument("--links", type=int, default=60, help="orders placed one after the other for their links")
    options.add_argument("--held", type=int, default=100, help="orders placed and paid while the ERP is away")
    options.add_argument("--open", type=int, default=1000, help="orders left open to see the worker's memory")
    options.add_argument("--goods", type=int, default=200, help="orders whose goods are still to come")
    options.add_argument("--changed", type=int, default=60, help="of them shipped one by one, and as many in a burst")
    options.add_argument("--data", type=Path, default=ROOT / "var" / "bench", help="where servers keep their data")
    given = options.parse_args(arguments)
    if given.changed < 2 or not 2 * given.changed <= given.goods <= MOST:
        options.error(f"--changed: at least 2; --goods: at least twice as many, and at most {MOST}")
    return given


if __name__ == "__main__":
    code = cost.main(sys.argv[2:]) if sys.argv[1:2] == ["cost"] else main(parsed(sys.argv[1:]))
    sys.stdout.flush()
    os._exit(code)  # the engine's SDK may abort in its own clean-up at interpreter exit
