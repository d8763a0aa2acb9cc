"""Every write to Magento loses its answer a hundred times: a hundred comments, invoices and cancellations."""

from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.magento.client import MagentoClient
from tests.activities.magento.conftest import Placed, Shop, settings_for
from tests.once.rig import Path, Trouble, abreast, cases, differences, troubled
from tests.once.table import ANNOUNCE, CANCEL_SHOP_ORDER, REFERENCES, SHOP_INVOICE, STAMP
from tests.sandbox_process import Sandbox

LINK = "https://pay.example/l/"


@pytest.fixture(scope="module")
async def shop(vendors: Sandbox) -> AsyncIterator[Shop]:
    client = MagentoClient(settings_for(vendors, timeout_seconds=4, settled_after_seconds=5), system="shop")
    yield Shop(vendors, client)
    await client.close()


@pytest.mark.parametrize(("path", "trouble"), cases(ANNOUNCE))
async def test_every_payment_link_stands_once_in_the_shop(shop: Shop, path: Path, trouble: Trouble) -> None:
    orders = await _placed(shop, trouble.orders)
    tasks = [placed.announce(f"{LINK}{placed.number}") for placed in orders]
    await troubled(shop.sandbox, path, trouble, shop.does.announce_payment, tasks)
    expected = {
        placed.key: [f"Please pay {placed.total} here: {task.link}"] for placed, task in zip(orders, tasks, strict=True)
    }
    assert differences(_comments(shop, orders), expected) == {}


@pytest.mark.parametrize(("path", "trouble"), cases(SHOP_INVOICE))
async def test_every_order_is_invoiced_in_the_shop_once(shop: Shop, path: Path, trouble: Trouble) -> None:
    orders = await _placed(shop, trouble.orders)
    tasks = [placed.invoice(f"RE-{placed.number}") for placed in orders]
    await troubled(shop.sandbox, path, trouble, shop.does.ensure_invoice, tasks)
    expected = {placed.key: [f"RE-{placed.number} {placed.total.minor} EUR"] for placed in orders}
    found: dict[str, list[str]] = defaultdict(list)
    keys = {placed.key for placed in orders}
    for row in shop.sandbox.books("magento")["invoices"]:
        if row["refs"]["order_key"] in keys:
            found[row["refs"]["order_key"]].append(f"{row['key']} {row['total_minor']} {row['currency']}")
    assert differences(found, expected) == {}


@pytest.mark.parametrize(("path", "trouble"), cases(STAMP, REFERENCES))
async def test_every_order_carries_its_numbers_once(shop: Shop, path: Path, trouble: Trouble) -> None:
    orders = await _placed(shop, trouble.orders)
    tasks = [placed.references(f"SO-{placed.number}", f"RE-{placed.number}") for placed in orders]
    await troubled(shop.sandbox, path, trouble, shop.does.write_references, tasks)
    expected = {placed.key: [f"ERP order SO-{placed.number}, invoice RE-{placed.number}"] for placed in orders}
    assert differences(_comments(shop, orders), expected) == {}
    assert {row["key"]: row["refs"]["ext_order_id"] for row in _orders(shop, orders)} == {
        placed.key: f"SO-{placed.number}" for placed in orders
    }


@pytest.mark.parametrize(("path", "trouble"), cases(CANCEL_SHOP_ORDER))
async def test_every_order_is_canceled_in_the_shop_once(shop: Shop, path: Path, trouble: Trouble) -> None:
    orders = await _placed(shop, trouble.orders)
    undone = await troubled(shop.sandbox, path, trouble, shop.does.cancel_order, [placed.cancel() for placed in orders])
    assert all(one.done for one in undone)
    assert {row["key"]: (row["status"], row["total_minor"]) for row in _orders(shop, orders)} == {
        placed.key: ("canceled/canceled", placed.total.minor) for placed in orders
    }


async def _placed(shop: Shop, count: int) -> list[Placed]:
    """Each over another total, as far as the stock goes."""
    return await abreast(
        lambda number: shop.place(items=[{"sku": "HF-1001", "qty": 1 + number % 3}]), list(range(count))
    )


def _orders(shop: Shop, of: list[Placed]) -> list[dict[str, Any]]:
    keys = {placed.key for placed in of}
    return [row for row in shop.sandbox.books("magento")["orders"] if row["key"] in keys]


def _comments(shop: Shop, of: list[Placed]) -> dict[str, list[str]]:
    return {row["key"]: [text for text in row["refs"]["comments"] if text] for row in _orders(shop, of)}
