"""Companies that buy on account: no link, no receipt, an invoice that is open."""

import asyncio

from commerce.documents import Stage
from tests.flow.orders import company, on_account
from tests.flow.world import World


async def test_a_company_with_terms_is_invoiced_and_owes_the_money(world: World) -> None:
    order = on_account()
    view = await world.place(order)
    assert (view.payment_link, view.payment_state) == ("", "on account")
    assert (await world.ends(order.key)).outcome is Stage.COMPLETED
    assert await world.books(order.key) == {
        "sales orders": ["New 10024 EUR"],
        "billing orders": ["Billed 10024 EUR"],
        "invoices": ["Open 10024 EUR"],
        "mails": ["Rechnung … zu Ihrer Bestellung …"],
    }


async def test_a_company_order_of_the_shop_gets_its_numbers_and_no_shop_invoice(world: World) -> None:
    key = await world.place_in_shop(company=501, customer=None, payment_method="purchaseorder", po_number="PO-1")
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    books = await world.books(key)
    assert books["shop comments"] == ["ERP order …, invoice …"]
    assert "shop invoices" not in books
    assert "entries" not in books


async def test_who_may_not_buy_on_account_waits_for_a_person(world: World) -> None:
    guest = on_account(customer={"kind": "guest", "email": "kim@buyer.example"})
    without_terms = on_account(customer=company("502", "Käfer Handels KG"))
    await world.act("salesforce", "change-credit", customer="ch:505", hold="under review")
    held = on_account(
        customer=company("505", "Bergbahn Zermatt AG"),
        store="ch",
        **_in_francs(),
    )
    expected = {
        guest.key: "only a company buyer can buy on account",
        without_terms.key: "customer Käfer Handels KG has no payment terms in the ERP",
        held.key: "customer Bergbahn Zermatt AG is on credit hold in the ERP",
    }
    await asyncio.gather(*(world.place(order) for order in (guest, without_terms, held)))
    for key, refusal in expected.items():
        case = await world.parks(key, step="check credit")
        assert (case.came_back, case.may_skip) == (refusal, False)
        assert await world.books(key) == {}

    await world.act("salesforce", "change-credit", customer="de:502", terms_days=14, status="Credit Allowed")
    await world.act("salesforce", "change-credit", customer="ch:505", hold=None)
    await world.decide(await world.parks(without_terms.key), "retry", "terms are agreed")
    await world.decide(await world.parks(held.key), "retry", "released")
    await world.decide(await world.parks(guest.key), "give-up", "guests pay in advance")
    for order in (without_terms, held):
        assert (await world.ends(order.key)).outcome is Stage.COMPLETED
        assert len((await world.books(order.key))["invoices"]) == 1
    assert (await world.ends(guest.key)).outcome is Stage.GIVEN_UP
    assert list(await world.books(guest.key)) == ["mails"]


def _in_francs() -> dict[str, object]:
    line = {
        "id": "1",
        "sku": "HF-1002",
        "name": "Stehlampe",
        "quantity": "1",
        "unit_price": "100.00 CHF",
        "total": "100.00 CHF",
        "tax": "8.10 CHF",
        "tax_percent": "8.1",
    }
    return {
        "currency": "CHF",
        "total": "108.10 CHF",
        "lines": [line],
        "shipping": None,
        "payments": [{"method": "purchaseorder", "amount": "108.10 CHF", "state": "on_account"}],
        "billing": {"country": "CH", "city": "Zermatt"},
        "delivery": {"country": "CH", "city": "Zermatt"},
    }
