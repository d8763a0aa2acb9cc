"""One order to bill for one order, and the invoice that comes out of it, to the minor unit."""

from decimal import Decimal
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.juston.activities import JustOnBilling, JustOnPayments
from activities.juston.settings import JustOnSettings
from activities.roles import CancelBilling, FindInvoice
from activities.salesforce.client import SalesforceClient
from commerce.order import Order
from commerce.totals import gross_total, tax_total
from tests.activities.juston.desk import as_engine, billing_task, details, entry_task, money, order, settings, until
from tests.activities.juston.test_payments import asked, look
from tests.sandbox_process import Sandbox


def bills(sandbox: Sandbox, key: str) -> list[dict[str, Any]]:
    return [row for row in sandbox.books("juston")["orders"] if row["key"] == key]


def invoices(sandbox: Sandbox, key: str) -> list[dict[str, Any]]:
    return [row for row in sandbox.books("juston")["invoices"] if row["key"] == key]


def find(of: Order, *, entry: bool = False) -> FindInvoice:
    return FindInvoice(order_key=of.key, entry_key=of.key if entry else "")


def mixed(store: str = "de", currency: str = "EUR") -> Order:
    """Uneven tax, shipping, fee, duty, discounts, a gift card, store credit and a captured payment."""

    def of(minor: int) -> dict[str, Any]:
        return {"minor": minor, "currency": currency}

    return order(
        store,
        lines=[
            {
                "id": "1",
                "sku": "CONF-L",
                "name": "連帽外套 L – Größe „groß“ 👕",
                "quantity": Decimal(3),
                "unit_price": of(3333),
                "total": of(10000),
                "tax": of(1899),
                "tax_percent": Decimal(19),
                "kind": "configurable",
            },
            {
                "id": "2",
                "sku": "CONF-L",
                "name": "child",
                "quantity": Decimal(3),
                "unit_price": of(0),
                "total": of(0),
                "tax": of(0),
                "parent": "1",
            },
            {
                "id": "3",
                "sku": "BOOK",
                "name": "Книга",
                "quantity": Decimal("1.5"),
                "unit_price": of(1001),
                "total": of(1502),
                "tax": of(105),
                "tax_percent": Decimal(7),
            },
        ],
        shipping={"title": "DHL", "amount": of(499), "tax": of(95), "tax_percent": Decimal(19)},
        fees=[{"code": "deposit", "amount": of(25), "tax": of(0)}],
        duties=[{"code": "import", "amount": of(200), "tariff_number": "6109.10"}],
        discounts=[
            {"level": "line", "line": "1", "amount": of(1000), "code": "TEN"},
            {"level": "order", "amount": of(77), "title": "Welcome"},
        ],
        gift_cards=[{"code": "GIFT-1234-ABCD", "amount": of(2000)}],
        store_credit=of(48),
        total=of(11200),
        payments=[
            {"method": "card", "amount": of(11200), "state": "captured", "gateway": "adyen", "transaction_id": "T-1"}
        ],
    )


async def test_an_order_of_every_part_is_billed_to_the_minor_unit(billing: JustOnBilling, sandbox: Sandbox) -> None:
    placed = mixed()
    made = await billing.ensure_order(billing_task(placed, already_paid=placed.payments))
    assert (made.adopted, made.amount) == (False, gross_total(placed))
    assert (await billing.find_invoice(find(placed))).invoice is None
    sandbox.act("salesforce", "run-invoices", order=placed.key)
    progress = await until(lambda: billing.find_invoice(find(placed)), lambda seen: seen.invoice is not None)
    invoice = progress.invoice
    assert invoice is not None
    assert (progress.build_error, invoice.final) == ("", True)
    assert (invoice.total, invoice.tax) == (gross_total(placed), tax_total(placed))
    assert invoice.booked == invoice.total
    assert invoice.balance == money(0)
    assert invoice.number
    assert invoice.entry_assigned is False


@pytest.mark.parametrize(("store", "currency"), [("jp", "JPY"), ("kw", "KWD")])
async def test_currencies_without_and_with_three_decimals_are_billed_exactly(
    billing: JustOnBilling, sandbox: Sandbox, store: str, currency: str
) -> None:
    placed = mixed(store, currency)
    await billing.ensure_order(billing_task(placed, already_paid=placed.payments))
    sandbox.act("salesforce", "run-invoices", order=placed.key)
    progress = await billing.find_invoice(find(placed))
    assert progress.invoice is not None, progress.build_error
    assert progress.invoice.total == gross_total(placed)


async def test_a_paid_entry_is_assigned_to_the_invoice(
    billing: JustOnBilling, payments: JustOnPayments, sandbox: Sandbox
) -> None:
    placed = order()
    await asked(payments, entry_task(placed))
    sandbox.act("juston", "pay", key=placed.key)
    await until(lambda: look(payments, placed.key), lambda state: bool(state.collected))
    await billing.ensure_order(billing_task(placed, entry=True))
    sandbox.act("salesforce", "run-invoices", order=placed.key)
    invoice = (await billing.find_invoice(find(placed, entry=True))).invoice
    assert invoice is not None
    assert (invoice.status, invoice.entry_assigned, invoice.balance) == ("Paid", True, money(0))


async def test_a_repeat_adopts_the_order_that_is_there(billing: JustOnBilling, sandbox: Sandbox) -> None:
    placed = mixed()
    made = await billing.ensure_order(billing_task(placed, already_paid=placed.payments))
    again = await billing.ensure_order(billing_task(placed, already_paid=placed.payments))
    assert (again.id, again.adopted) == (made.id, True)
    assert len(bills(sandbox, placed.key)) == 1


@pytest.mark.parametrize("kind", ["lose-reply", "garble", "html"])
async def test_a_lost_answer_leaves_one_order_to_bill(billing: JustOnBilling, sandbox: Sandbox, kind: str) -> None:
    placed = order()
    sandbox.faults("salesforce", {"kind": kind, "match": {"path": "composite/graph"}, "times": 1})
    made = await as_engine(billing.ensure_order, billing_task(placed))
    there = bills(sandbox, placed.key)
    assert [row["id"] for row in there] == [made.id]
    assert len(there[0]["lines"]) == 1


async def test_an_order_that_differs_waits_for_a_person_and_is_not_overwritten(
    billing: JustOnBilling, sandbox: Sandbox
) -> None:
    placed = order()
    await billing.ensure_order(billing_task(placed))
    other = order(minor=9900, number=placed.number)
    with pytest.raises(ApplicationError) as caught:
        await billing.ensure_order(billing_task(other))
    assert caught.value.type == "NeedsPerson"
    came_back = details(caught.value)["came_back"]
    assert "119" in came_back
    assert "99.00" in came_back
    assert [row["total_minor"] for row in bills(sandbox, placed.key)] == [11900]


async def test_an_order_for_an_unknown_customer_is_not_written(billing: JustOnBilling, sandbox: Sandbox) -> None:
    placed = order()
    task = billing_task(placed)
    task = task.model_copy(update={"customer": task.customer.model_copy(update={"key": "de:nobody"})})
    with pytest.raises(ApplicationError) as caught:
        await billing.ensure_order(task)
    assert caught.value.type in ("Rejected", "NeedsPerson")
    assert bills(sandbox, placed.key) == []


async def test_an_order_before_billing_is_withdrawn_and_never_billed(billing: JustOnBilling, sandbox: Sandbox) -> None:
    placed = order()
    await billing.ensure_order(billing_task(placed))
    sandbox.faults("salesforce", {"kind": "lose-reply", "match": {"method": "PATCH"}, "times": 1})
    task = CancelBilling(order_key=placed.key, reason="Storno")
    undone = await as_engine(billing.cancel, task)
    sandbox.act("salesforce", "run-invoices")
    assert undone.done
    assert invoices(sandbox, placed.key) == []
    assert (await billing.cancel(task)).done


@pytest.mark.parametrize("fault", [None, "lose-reply"])
async def test_a_billed_order_is_canceled_by_one_opposite_document(
    billing: JustOnBilling, sandbox: Sandbox, fault: str | None
) -> None:
    placed = order()
    await billing.ensure_order(billing_task(placed))
    sandbox.act("salesforce", "run-invoices", order=placed.key)
    if fault is not None:
        sandbox.faults("salesforce", {"kind": fault, "match": {"path": "actions"}, "times": 1})
    task = CancelBilling(order_key=placed.key, reason="Storno")
    undone = await as_engine(billing.cancel, task)
    again = await billing.cancel(task)
    assert undone.done
    assert again.done
    assert again.document is not None
    assert again.document.adopted
    assert [row["status"] for row in invoices(sandbox, placed.key)] == ["Canceled"]
    credits = [row for row in sandbox.books("juston")["credit_notes"] if row["key"] == placed.key]
    assert [abs(row["total_minor"]) for row in credits] == [11900]


async def test_a_final_invoice_waits_for_a_person_where_no_action_is_configured(
    live_settings: JustOnSettings, org: SalesforceClient, billing: JustOnBilling, sandbox: Sandbox
) -> None:
    placed = order()
    await billing.ensure_order(billing_task(placed))
    sandbox.act("salesforce", "run-invoices", order=placed.key)
    by_hand = JustOnBilling(
        live_settings.model_copy(update={"invoice_cancellation_action": ""}), system="juston", salesforce=org
    )
    with pytest.raises(ApplicationError) as caught:
        await by_hand.cancel(CancelBilling(order_key=placed.key, reason="Storno"))
    assert caught.value.type == "NeedsPerson"
    assert [row["status"] for row in invoices(sandbox, placed.key)] == ["Open"]


async def test_nothing_to_withdraw_is_not_called_done(billing: JustOnBilling) -> None:
    assert (await billing.cancel(CancelBilling(order_key=order().key, reason="Storno"))).done is False


async def test_what_the_run_complains_about_is_passed_on(
    billing: JustOnBilling, org: SalesforceClient, sandbox: Sandbox
) -> None:
    placed = order()
    made = await billing.ensure_order(billing_task(placed))
    names = settings().fields.billing
    await org.update(names.order, made.id, {names.expected_total: Decimal("1.00")}, tried="spoil the order")
    sandbox.act("salesforce", "run-invoices", order=placed.key)
    progress = await billing.find_invoice(find(placed))
    assert progress.invoice is None
    assert progress.build_error


async def test_an_order_that_vanished_waits_for_a_person(billing: JustOnBilling) -> None:
    with pytest.raises(ApplicationError) as caught:
        await billing.find_invoice(find(order()))
    assert caught.value.type == "NeedsPerson"
