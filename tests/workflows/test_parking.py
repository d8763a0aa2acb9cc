"""A process that cannot go on waits for a person: what the case says, which decisions it takes, and what heals it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from commerce.documents import Case, Stage
from tests.flow.orders import company, line, on_account, portal_order
from tests.flow.world import World, said
from workflows.names import NEEDS_PERSON


async def test_an_order_that_does_not_add_up_is_healed_by_a_correction(world: World) -> None:
    order = portal_order(total="99.99 EUR")
    await world.place(order)
    case = await world.parks(order.key, step="check totals")
    assert "total: the parts add up to 100.24 EUR, but total says 99.99 EUR (difference -0.25 EUR)" in case.came_back
    assert await world.books(order.key) == {}
    await world.decide(case, "correct", "a typing error", {"total": "100.24 EUR"})
    view = await world.reaches(order.key, Stage.AWAITING_PAYMENT)
    assert said(view, "corrected total")
    await world.pay(order.key)
    await world.ends(order.key)
    assert (await world.books(order.key))["invoices"] == ["Paid 10024 EUR"]


async def test_an_unknown_sku_is_healed_in_the_erp_or_by_a_correction(world: World) -> None:
    made, corrected = portal_order(lines=[line("1", "NEW-77")]), portal_order(lines=[line("1", "HF-1OO1")])
    await asyncio.gather(world.place(made), world.place(corrected))
    case = await world.parks(made.key, step="find items")
    assert case.came_back == "the ERP has no active item for NEW-77"
    await world.act("salesforce", "change-item", sku="NEW-77", name="New lamp")
    await world.decide(case, "retry", "the item is there now")
    case = await world.parks(corrected.key, step="find items")
    await world.decide(case, "correct", "letters for digits", {"lines": {"0": {"sku": "HF-1001"}}})
    for order in (made, corrected):
        await world.reaches(order.key, Stage.AWAITING_PAYMENT)
        await world.pay(order.key)
        await world.ends(order.key)
        assert (await world.books(order.key))["sales orders"] == ["New 10024 EUR"]


async def test_an_unknown_customer_waits_until_the_erp_knows_the_account(world: World) -> None:
    order = on_account(customer=company("777", "Neu & Co. KG"))
    await world.place(order)
    case = await world.parks(order.key, step="find customer")
    assert "de:777" in case.came_back
    await world.act("salesforce", "create-customer", name="Neu & Co. KG", key="de:777", terms_days=14)
    await world.decide(case, "retry", "the account is made")
    assert (await world.ends(order.key)).outcome is Stage.COMPLETED
    assert (await world.books(order.key))["invoices"] == ["Open 10024 EUR"]


async def test_a_decision_is_checked_before_it_counts(world: World) -> None:
    order = portal_order(total="99.99 EUR")
    await world.place(order)
    case = await world.parks(order.key)
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("UnknownCase", {"case": case.model_copy(update={"id": f"{order.key}:9"}), "kind": "retry"}, "open cases"),
        ("Impossible", {"case": case, "kind": "skip"}, "cannot be skipped"),
        ("Impossible", {"case": case, "kind": "correct"}, "a correction names what to change"),
        ("Impossible", {"case": case, "kind": "correct", "correction": {"number": "1"}}, "cannot be corrected"),
        ("Impossible", {"case": case, "kind": "correct", "correction": {"total": "x"}}, "total"),
        ("Impossible", {"case": case, "kind": "correct", "correction": {"colour": "red"}}, "colour"),
        ("Impossible", {"case": case, "kind": "retry", "correction": {"note": "x"}}, "'correct' only"),
    ]
    for type, asked, text in refused:
        with pytest.raises(WorkflowUpdateFailedError) as told:
            await world.decide(**asked)
        cause = told.value.cause
        assert isinstance(cause, ApplicationError)
        assert (cause.type, text in cause.message) == (type, True), cause.message
    assert [open.id for open in (await world.view(order.key)).cases] == [case.id]


async def test_a_double_click_is_harmless_and_a_second_decision_is_refused(world: World) -> None:
    order = portal_order(total="99.99 EUR")
    await world.place(order)
    case = await world.parks(order.key)
    answers = await asyncio.gather(*(world.decide(case, "give-up", "cannot be right") for _ in range(3)))
    assert set(answers) == {f"give-up on {case.id} accepted"}
    assert (await world.ends(order.key)).outcome is Stage.GIVEN_UP

    order = portal_order(total="99.99 EUR")
    await world.place(order)
    case = await world.parks(order.key)
    await world.decide(case, "retry", "once more")
    again = await world.parks(order.key)
    assert again.id != case.id
    with pytest.raises(WorkflowUpdateFailedError) as told:
        await world.decide(case, "give-up", "no")
    assert isinstance(told.value.cause, ApplicationError)
    assert told.value.cause.type == "AlreadyDecided"


async def test_a_parked_order_is_found_by_the_engines_own_search_and_no_longer_afterwards(world: World) -> None:
    order = portal_order(total="99.99 EUR")
    await world.place(order)
    case = await world.parks(order.key)

    async def needs_person() -> bool:
        described = await world.run(order.key).describe()
        return bool(described.typed_search_attributes.get(NEEDS_PERSON))

    assert await needs_person()
    await world.decide(case, "correct", "a typing error", {"total": "100.24 EUR"})
    await world.reaches(order.key, Stage.AWAITING_PAYMENT)
    assert not await needs_person()


async def test_a_build_error_of_the_invoice_run_waits_for_a_person(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.is_billed(order.key)
    await world.set_service_date(order.key, None)
    case = await world.parks(order.key, step="await invoice", bill=True)
    assert "the invoice run refused the order" in case.came_back
    assert case.system.startswith("juston")
    assert "invoices" not in await world.books(order.key)
    await world.set_service_date(order.key, "2026-11-21")
    await world.bill(order.key)
    await world.decide(case, "retry", "the date is filled in")
    assert (await world.ends(order.key)).outcome is Stage.COMPLETED
    assert (await world.books(order.key))["invoices"] == ["Paid 10024 EUR"]


async def test_a_mail_that_is_refused_can_be_skipped_or_corrected(world: World) -> None:
    buyer = {"kind": "guest", "email": "kim@refused.example", "first_name": "Kim"}
    skipped, corrected = portal_order(customer=buyer), portal_order(customer=buyer)
    for order in (skipped, corrected):
        await world.place(order)
        await world.pay(order.key)
    cases: list[Case] = []
    for order in (skipped, corrected):
        cases.append(await world.parks(order.key, step="mail invoice", bill=True))
    assert [(case.family, case.may_skip) for case in cases] == [("Rejected", True)] * 2
    await world.decide(cases[0], "skip", "sent by post")
    await world.decide(cases[1], "correct", "asked by phone", {"customer": {"email": "kim@buyer.example"}})
    results = [await world.ends(order.key) for order in (skipped, corrected)]
    assert [result.outcome for result in results] == [Stage.COMPLETED] * 2
    assert results[0].skipped == ("mail invoice: sent by post (olga)",)
    assert "mails" not in await world.books(skipped.key)
    assert (await world.books(corrected.key))["mails"] == ["Rechnung … zu Ihrer Bestellung …"]


async def test_operators_are_told_at_once_and_again_every_day(world: World) -> None:
    order = portal_order(total="99.99 EUR")
    await world.place(order)
    await world.parks(order.key)
    await world.told_operators(f"order {order.number} of de needs a person")
    await world.skip_time(order.key, timedelta(hours=49))
    mails = await world.told_operators(f"Reminder: order {order.number} of de needs a person", times=2)
    assert "the parts add up to 100.24 EUR" in mails[0]["text"]
    assert "Money at stake: 99.99 EUR" in mails[0]["text"]
