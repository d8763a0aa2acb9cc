"""The seed alone decides a chaos run, and even a short one has everything in it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from commerce.totals import mismatches
from tests.chaos import trouble
from tests.chaos.orders import KINDS, After, Cancel, Portal
from tests.chaos.plan import Plan, draw
from tests.chaos.trouble import Fault, Kill, Note, Outage

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
SHORT = 30


def _undated(plan: Plan) -> Plan:
    """Without the moment that is written on the orders."""
    orders = (
        one.order.model_copy(update={"placed_at": NOW, "payments": ()}) if one.order else None for one in plan.asked
    )
    return replace(plan, asked=tuple(replace(one, order=order) for one, order in zip(plan.asked, orders, strict=True)))


def test_the_same_seed_draws_the_same_run_at_another_time() -> None:
    assert draw(60, 7, NOW) == draw(60, 7, NOW)
    assert _undated(draw(60, 7, NOW)) == _undated(draw(60, 7, datetime(2027, 1, 1, tzinfo=UTC)))


def test_another_seed_draws_other_orders_and_other_troubles() -> None:
    one, other = draw(60, 7, NOW), draw(60, 8, NOW)
    assert [asked.title for asked in one.asked] != [asked.title for asked in other.asked]
    assert one.troubles != other.troubles


@pytest.mark.parametrize("seed", range(5))
def test_a_short_run_has_every_kind_of_order_and_of_trouble(seed: int) -> None:
    plan = draw(SHORT, seed, NOW)
    kinds = {(one.system, one.kind) for one in plan.troubles if isinstance(one, Fault)}
    assert kinds == {
        *((system, kind.name) for system, those in trouble.KINDS.items() for kind in those),
        *((system, f"notification {k.name}") for system in trouble.NOTIFYING for k in trouble.NOTIFICATION_KINDS),
    }
    assert {one.process for one in plan.troubles if isinstance(one, Kill)} == set(trouble.PROCESSES)
    assert {one.system for one in plan.troubles if isinstance(one, Outage)} == set(trouble.SYSTEMS)
    assert {one.kind for one in plan.troubles if isinstance(one, Note)} == set(trouble.NOTES)
    assert len(plan.asked) == SHORT >= len(KINDS)
    assert {asked.cancel for asked in plan.asked} == set(Cancel)
    assert {asked.after for asked in plan.asked} == set(After)
    assert Portal.CONFLICT in {asked.portal for asked in plan.asked}
    assert all(1 <= one.when <= SHORT for one in plan.troubles)


def test_a_long_run_has_hundreds_of_faults_and_every_currency() -> None:
    plan = draw(1000, 7, NOW)
    assert sum(isinstance(one, Fault) for one in plan.troubles) > 600
    assert {asked.order.currency for asked in plan.asked if asked.order} == {"EUR", "USD", "JPY", "KWD", "CHF"}
    assert len({asked.order.key for asked in plan.asked if asked.order}) == sum(bool(a.order) for a in plan.asked)


@pytest.mark.parametrize("seed", range(3))
def test_every_order_adds_up(seed: int) -> None:
    wrong = {asked.order.key: mismatches(asked.order) for asked in draw(300, seed, NOW).asked if asked.order}
    assert {key: found for key, found in wrong.items() if found} == {}
