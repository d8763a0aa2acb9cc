"""Orders whose money the shop's own gateway took: every payment is a receipt of its own."""

from commerce.documents import Stage
from tests.flow.orders import gateway_payments, portal_order
from tests.flow.world import World


async def test_split_payments_are_booked_one_by_one(world: World) -> None:
    order = portal_order(payments=gateway_payments("60.00", "40.24"))
    view = await world.place(order)
    assert (view.payment_link, view.payment_state) == ("", "paid at the shop")
    assert (await world.ends(order.key)).outcome is Stage.COMPLETED
    assert await world.books(order.key) == {
        "sales orders": ["New 10024 EUR"],
        "cash entries": ["Receipt Complete 4024 EUR", "Receipt Complete 6000 EUR"],
        "billing orders": ["Billed 10024 EUR"],
        "invoices": ["Paid 10024 EUR"],
        "mails": ["Rechnung … zu Ihrer Bestellung …"],
    }


async def test_a_part_by_gateway_and_the_rest_by_link(world: World) -> None:
    due = {"method": "juston", "amount": "40.24 EUR", "state": "due"}
    order = portal_order(payments=[*gateway_payments("60.00"), due])
    await world.place(order)
    await world.pay(order.key)
    await world.ends(order.key)
    books = await world.books(order.key)
    assert books["entries"] == ["Balanced 4024 EUR"]
    assert books["cash entries"] == ["Receipt Complete 4024 EUR", "Receipt Complete 6000 EUR"]
    assert books["invoices"] == ["Paid 10024 EUR"]


async def test_a_shop_order_that_is_paid_and_invoiced_there_is_not_invoiced_twice(world: World) -> None:
    key = await world.place_in_shop(payment_method="stripe", captured=True, invoice=True)
    case = await world.parks(key, step="write shop invoice", bill=True)
    assert "invoiced already" in case.came_back
    await world.decide(case, "skip", "the gateway's invoice is the right one")
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    assert (await world.books(key))["shop invoices"] == ["2 9984 EUR"]


async def test_money_at_the_gateway_goes_back_by_hand_and_the_erp_hears_of_it(world: World) -> None:
    order = portal_order(payments=gateway_payments("60.00", "40.24"))
    await world.place(order)
    await world.is_billed(order.key)
    await world.cancel(order.key)
    for amount in ("60.00 EUR", "40.24 EUR"):
        case = await world.parks(order.key, step="refund at the shop's gateway", amount=amount)
        assert amount in case.tried
        await world.decide(case, "skip", f"re_{amount[:2]} at the gateway")
    result = await world.ends(order.key)
    assert [entry for entry in result.undone if "re_60 at the gateway" in entry.what]
    assert (await world.books(order.key))["cash entries"] == [
        "Receipt Complete 4024 EUR",
        "Receipt Complete 6000 EUR",
        "Refund Complete -4024 EUR",
        "Refund Complete -6000 EUR",
    ]
