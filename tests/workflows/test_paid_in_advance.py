"""Checkout with payment by link: from placed to invoiced, and everything that payments do on the way."""

from commerce.documents import Stage
from tests.flow.orders import portal_order
from tests.flow.world import Books, World

PORTAL_BOOKS: Books = {
    "entries": ["Balanced 10024 EUR"],
    "payments": ["Collected 10024 EUR"],
    "sales orders": ["New 10024 EUR"],
    "cash entries": ["Receipt Complete 10024 EUR"],
    "billing orders": ["Billed 10024 EUR"],
    "invoices": ["Paid 10024 EUR"],
    "mails": ["Rechnung … zu Ihrer Bestellung …"],
}
SHOP_BOOKS: Books = {
    "entries": ["Balanced 9984 EUR"],
    "payments": ["Collected 9984 EUR"],
    "sales orders": ["New 9984 EUR"],
    "cash entries": ["Receipt Complete 9984 EUR"],
    "billing orders": ["Billed 9984 EUR"],
    "invoices": ["Paid 9984 EUR"],
    "shop orders": ["processing/processing 9984 EUR"],
    "shop invoices": ["2 9984 EUR"],
    "shop comments": ["ERP order …, invoice …", "Please pay 99.84 EUR here: …"],
    "mails": ["Rechnung … zu Ihrer Bestellung …"],
}


async def test_a_shop_order_paid_by_link_ends_with_one_document_of_each_kind(world: World) -> None:
    key = await world.place_in_shop()
    view = await world.link_of(key)
    assert view.payment_link.startswith(world.sandbox.url("juston"))
    await world.pay(key)
    result = await world.ends(key)
    assert (result.outcome, result.handed_over, result.skipped) == (Stage.COMPLETED, True, ())
    assert await world.books(key) == SHOP_BOOKS
    assert key in await world.ledger.handovers()


async def test_a_portal_order_paid_by_link_ends_with_one_document_of_each_kind(world: World) -> None:
    order = portal_order()
    view = await world.place(order)
    assert (view.stage, view.payment_state) == (Stage.AWAITING_PAYMENT, "due")
    await world.pay(order.key)
    result = await world.ends(order.key)
    assert result.outcome is Stage.COMPLETED
    assert await world.books(order.key) == PORTAL_BOOKS
