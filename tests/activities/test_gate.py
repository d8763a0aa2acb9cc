"""The gate lets a vendor rest that asked for it, counts every call, and keeps the last calls of a day for money."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.testing import ActivityEnvironment

from activities.budget import FEED, Budget, may_call, smallest, usage
from activities.gate import HELD, LONGEST_REST, Gate, probing
from commerce.failures import SystemFailure


@pytest.fixture
def gate() -> Gate:
    made = Gate()
    made.on_rest = lambda endpoint, reason, seconds: None
    return made


def refused(gate: Gate, *, writes: bool = False) -> SystemFailure | None:
    try:
        gate.check("erp", "book", writes=writes)
    except SystemFailure as failure:
        return failure if failure.code == HELD else None
    return None


async def as_step(gate: Gate, name: str) -> SystemFailure | None:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(ActivityEnvironment.default_info(), activity_type=name)
    return await environment.run(_refused, gate)


async def _refused(gate: Gate) -> SystemFailure | None:
    return refused(gate)


def test_a_vendor_that_says_too_many_is_left_alone_by_all_calls_probes_too_for_as_long_as_it_asked(gate: Gate) -> None:
    heard: list[tuple[str, str, float]] = []
    gate.on_rest = lambda *asked: heard.append(asked)
    gate.asked_to_rest("erp", "HTTP 429", 40)
    held = refused(gate)
    assert held is not None
    assert held.retry_after is not None
    assert 39 <= held.retry_after <= 40 + 30 + 1  # they do not all come back at the same moment
    with probing():
        assert refused(gate) is not None
    assert heard == [("erp", "HTTP 429", 40)]
    gate.check("shop", "others go on")


def test_a_rest_is_over_in_time_and_a_shorter_one_does_not_end_a_longer(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("activities.gate.time.monotonic", lambda: now)
    gate.rest("erp", "long", 60)
    gate.rest("erp", "short", 5)
    now = 1059.0
    assert gate.rest_of("erp") == (1.0, "long")
    now = 1060.0
    assert refused(gate) is None
    gate.asked_to_rest("erp", "a year", 365 * 86_400)
    assert gate.rest_of("erp")[0] == LONGEST_REST


def test_a_rest_that_no_other_worker_would_hear_of_is_not_kept() -> None:
    gate = Gate()
    gate.asked_to_rest("erp", "HTTP 429", 40)
    assert refused(gate) is None


def test_outside_its_window_a_system_is_read_and_not_written(gate: Gate) -> None:
    gate.no_writes = {"erp": "closed until Mon 20:00"}
    assert refused(gate) is None
    held = refused(gate, writes=True)
    assert held is not None
    assert "closed until Mon 20:00" in held.came_back


def test_every_call_is_counted_once_and_none_is_lost_when_it_could_not_be_kept(gate: Gate) -> None:
    for _ in range(3):
        gate.called("erp")
    gate.said("erp", 18, 5000)
    calls, said = gate.take_counts()
    assert (calls, said) == ({"erp": 3}, {"erp": (18, 5000)})
    gate.give_back(calls)
    gate.called("erp")
    assert gate.take_counts() == ({"erp": 4}, {})


MONEY = ("payments.ensure_entry", "erp.book_order", "erp.book_receipt", "erp.book_refund", "billing.ensure_order")
REST = ("storefront.write_references", "storefront.say", "endpoint.watch", "reconcile.read", "")


@pytest.mark.parametrize("name", MONEY)
async def test_the_reserve_is_for_money(gate: Gate, name: str) -> None:
    gate.levels = {"erp": "reserve"}
    assert await as_step(gate, name) is None
    gate.levels = {"erp": "spent"}
    assert await as_step(gate, name) is not None


@pytest.mark.parametrize("name", REST[:-1])
async def test_what_is_not_money_waits_when_only_the_reserve_is_left(gate: Gate, name: str) -> None:
    gate.levels = {"erp": "warned"}
    assert await as_step(gate, name) is None
    gate.levels = {"erp": "reserve"}
    held = await as_step(gate, name)
    assert held is not None
    assert "kept for money" in held.came_back
    with probing():
        assert refused(gate) is None


def test_feeds_pass_while_the_reserve_lasts_because_they_see_payments() -> None:
    assert [may_call(level, FEED) for level in ("free", "warned", "reserve", "spent")] == [True, True, True, False]
    assert [may_call("reserve", name) for name in (*MONEY, *REST)] == [True] * len(MONEY) + [False] * len(REST)


BUDGET = Budget(calls=1000)
LEVELS = [(0, "free"), (799, "free"), (800, "warned"), (899, "warned"), (900, "reserve"), (999, "reserve")]


@pytest.mark.parametrize(("used", "level"), [*LEVELS, (1000, "spent"), (1001, "spent")])
def test_levels_turn_at_the_shares_that_are_configured(used: int, level: str) -> None:
    assert usage(BUDGET, used, None).level == level
    assert usage(Budget(), 0, (used, 1000)).level == level


def test_the_vendors_own_count_goes_before_ours_and_a_smaller_budget_of_ours_holds_beside_it() -> None:
    vendor = usage(Budget(), 5, (700, 1000))
    assert (vendor.used, vendor.allowed, vendor.by_vendor) == (700, 1000, True)
    assert usage(Budget(calls=600), 5, (700, 1000)).level == "spent"
    assert usage(Budget(calls=5000), 5, (700, 1000)).allowed == 1000
    assert usage(Budget(), 10**9, None).level == "free"
    assert smallest({"a": Budget(), "b": Budget(calls=7), "c": Budget(calls=9)}).calls == 7


@given(st.integers(1, 10**6), st.floats(0.01, 1), st.floats(0, 0.99))
def test_more_calls_never_bring_a_lower_level(calls: int, warn_at: float, reserve: float) -> None:
    budget = Budget(calls=calls, warn_at=warn_at, reserve_for_money=reserve)
    order = ("free", "warned", "reserve", "spent")
    found = [order.index(usage(budget, calls * part // 20, None).level) for part in range(22)]
    assert found == sorted(found)
    assert order[found[20]] == "spent"
