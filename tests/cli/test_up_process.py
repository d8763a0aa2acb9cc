"""`starter.py up` as a merchant runs it: an order outlives a kill -9, and a stop leaves nothing behind."""

import asyncio
import json
import signal
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli.demo.buyers import Buyers
from tests.cli.process import alive, data_folder, descendants, said, starter, wait_until_gone

READY_SECONDS = 90.0
INVOICED_SECONDS = 90.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads process ids from /proc")


def _addresses(out: Path) -> dict[str, Any]:
    """What `up --json` says once everything runs."""
    until = time.monotonic() + READY_SECONDS
    while not out.read_text().endswith("}\n"):
        assert time.monotonic() < until, said(out)
        time.sleep(0.1)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def _order(addresses: dict[str, Any]) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {addresses['portal_token']}"}
    reply = httpx2.get(f"{addresses['api']}/v1/orders/de/FIRST-1", headers=headers, timeout=30)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def _pay(link: str) -> None:
    buyers = Buyers()
    await buyers.pay(link)
    await buyers.close()


def test_an_order_outlives_a_kill_and_a_stop_leaves_no_process_behind(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with data_folder() as data:
        with starter("up", "--json", "--data", str(data), out=first) as process:
            addresses = _addresses(first)
            order = Path(addresses["first_order"]).read_bytes()
            headers = {"authorization": f"Bearer {addresses['portal_token']}", "content-type": "application/json"}
            placed = httpx2.post(f"{addresses['api']}/v1/checkouts", content=order, headers=headers, timeout=60)
            assert placed.status_code == 201, placed.text
            link = placed.json()["payment_link"]
            parts = descendants(process.pid)
            process.send_signal(signal.SIGKILL)
            process.wait()
        with starter("up", "--json", "--data", str(data), out=second) as process:
            addresses = _addresses(second)
            assert alive(parts) == set()
            assert (_order(addresses)["stage"], _order(addresses)["payment_link"]) == ("awaiting payment", link)
            asyncio.run(_pay(link))
            until = time.monotonic() + INVOICED_SECONDS
            while (found := _order(addresses))["stage"] != "completed":
                assert time.monotonic() < until, found
                assert not found["cases"], found["cases"]
                time.sleep(0.5)
            invoices = [document for document in found["documents"] if document["kind"] == "invoice"]
            assert [invoice["amount"]["minor"] for invoice in invoices] == [10024]
            parts = descendants(process.pid)
            assert len(parts) >= 5
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, said(second)
        assert wait_until_gone(parts, 5) == set()
        assert not (data / "addresses.json").exists()
