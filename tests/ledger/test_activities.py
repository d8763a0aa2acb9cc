"""What processes ask of our memory: kept before it is answered, told once, and waited for rather than decided."""

from collections.abc import Callable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.control import CloseCase, KeepDocuments, KnownOutcome, Outcome, Plan, TellOperators
from activities.ledger import tables as t
from activities.ledger.activities import LedgerActivities
from activities.ledger.store import Ledger
from commerce.documents import CheckoutResult, Document, DocumentKind, Stage
from commerce.failures import Family, SystemFailure
from commerce.order import PaymentState
from tests.ledger.rows import count, rows
from tests.ledger.test_store import DECISION, NOON, ORDER, RESULT, VIEW, case

PLAN = Plan(
    storefront="shop", erp="erp", payments="pay", payment_records="pay", billing="pay", web_customer_key="de:web"
)
MESSAGE = TellOperators(key="de:1001:1:0", subject="needs a person", text="open it", order_key="de:1001")


class Team:
    """The operators, who can be out of reach."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.away: SystemFailure | None = None

    async def tell(self, message: TellOperators) -> None:
        if self.away is not None:
            raise self.away
        self.heard.append(message.key)


@pytest.fixture
def team() -> Team:
    return Team()


@pytest.fixture
def control(ledger: Ledger, team: Team) -> LedgerActivities:
    return LedgerActivities(ledger, {"de": PLAN}, team)


async def run(step: Callable[[Any], Any], task: Any) -> Any:
    return await ActivityEnvironment().run(step, task)


async def test_an_order_is_kept_before_its_plan_is_answered(control: LedgerActivities, ledger: Ledger) -> None:
    assert await run(control.open_order, ORDER) == PLAN == await run(control.plan_for, "de")
    known = await ledger.order(ORDER.key)
    assert known is not None
    assert known.workflow_id == "checkout:de:1001"
    assert await run(control.open_order, ORDER) == PLAN
    assert await count(ledger, t.orders) == 1


async def test_an_order_waits_until_its_store_is_configured(ledger: Ledger, team: Team) -> None:
    control = LedgerActivities(ledger, {"us": PLAN}, team)
    with pytest.raises(ApplicationError, match=r"no store de; it has us") as caught:
        await run(control.open_order, ORDER)
    assert (caught.value.type, caught.value.non_retryable) == (Family.TRANSIENT.value, False)


async def test_an_outcome_is_known_once_the_order_is_closed(control: LedgerActivities) -> None:
    assert await run(control.known_outcome, ORDER.key) == KnownOutcome()
    await run(control.open_order, ORDER)
    gateway = tuple(one.transaction_id for one in ORDER.payments if one.state is PaymentState.CAPTURED)
    assert await run(control.known_outcome, ORDER.key) == KnownOutcome(amount=ORDER.total, gateway=gateway)
    for _ in range(2):
        await run(control.close_order, Outcome(view=VIEW, result=RESULT, hand_over=True))
    known: KnownOutcome = await run(control.known_outcome, ORDER.key)
    assert (known.stage, known.amount) == ("completed", ORDER.total)


async def test_money_that_is_booked_after_the_end_is_known_the_next_time(control: LedgerActivities) -> None:
    await run(control.open_order, ORDER)
    receipt = Document(
        kind=DocumentKind.RECEIPT, system="erp", id="a1", number="CSH-1", key="de:1001:pi_1", amount=ORDER.total
    )
    refund = receipt.model_copy(update={"kind": DocumentKind.REFUND, "id": "a2", "key": "de:1001:pi_1:refund"})
    for _ in range(2):
        for document in (receipt, refund):
            await run(control.keep_documents, KeepDocuments(order_key=ORDER.key, documents=(document,)))
    assert (await run(control.known_outcome, ORDER.key)).booked == (receipt, refund)


async def test_an_order_given_up_is_not_handed_over(control: LedgerActivities, ledger: Ledger) -> None:
    await run(control.open_order, ORDER)
    given_up = CheckoutResult(order_key=ORDER.key, outcome=Stage.GIVEN_UP, reason="no stock")
    await run(control.close_order, Outcome(view=VIEW, result=given_up))
    assert await ledger.handovers() == []


async def test_a_case_is_kept_with_the_decision_that_ended_it(control: LedgerActivities, ledger: Ledger) -> None:
    await run(control.open_case, case())
    closing = CloseCase(case_id="de:1001:1", decision=DECISION, reason=DECISION.reason, decided_at=NOON)
    for _ in range(2):
        await run(control.close_case, closing)
    [row] = await rows(ledger, t.cases)
    assert (row["decision"]["by"], row["closed_at"]) == ("Dana", NOON)


async def test_operators_are_told_once_however_often_the_step_runs(control: LedgerActivities, team: Team) -> None:
    for _ in range(3):
        await run(control.tell_operators, MESSAGE)
    await run(control.tell_operators, MESSAGE.model_copy(update={"key": "de:1001:1:1"}))
    assert team.heard == ["de:1001:1:0", "de:1001:1:1"]


async def test_operators_out_of_reach_are_told_later(control: LedgerActivities, team: Team) -> None:
    for family in (Family.TRANSIENT, Family.NEEDS_PERSON, Family.REJECTED):
        team.away = SystemFailure(family, "send mail", "no")
        with pytest.raises(ApplicationError) as caught:
            await run(control.tell_operators, MESSAGE)
        assert not caught.value.non_retryable
    team.away = None
    await run(control.tell_operators, MESSAGE)
    assert team.heard == ["de:1001:1:0"]
