"""`make bench`: the claims about speed and cost, measured. One file of this room for each claim.

    python -m bench [--orders 60] [--data var/bench]

Prints machine, versions and results, and writes var/bench/latest.json. docs/benchmarks.md keeps the last run.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import httpx2

from bench.economy import economy
from bench.links import links
from bench.machine import machine
from engine.stack import Stack
from settings.connect import connect

ROOT = Path(__file__).resolve().parent.parent


async def main(orders: int, data: Path) -> int:
    stack = Stack(data, ROOT / "holdfast.toml", tell=lambda text: print(text, file=sys.stderr))
    await stack.start()
    try:
        os.environ.update(stack.env)
        client = await connect()
        prefix = f"B{int(time.time())}-"
        result: dict[str, Any] = {"machine": machine(), "links": await links(client, orders, prefix)}
        async with httpx2.AsyncClient(base_url=stack.addresses.sandbox["control"], timeout=30) as control:
            paid = [f"de:{prefix}{number}" for number in range(min(orders, 10))]
            result["economy"] = await economy(client, control, paid)
    finally:
        await stack.stop()
    text = json.dumps(result, indent=2)
    (data / "latest.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("--orders", type=int, default=60, help="how many orders to place one after the other")
    options.add_argument("--data", type=Path, default=ROOT / "var" / "bench", help="where the servers keep their data")
    chosen = options.parse_args()
    code = asyncio.run(main(chosen.orders, chosen.data))
    sys.stdout.flush()
    os._exit(code)  # the engine's SDK may abort in its own clean-up at interpreter exit
