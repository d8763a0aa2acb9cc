"""The demo's orders add up, are varied, and can be made again from their seed."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from cli.demo.goods import first_part
from cli.demo.orders import REFUND_FROM, SCARCE, SCARCE_PIECES, Dispatch, Fate, plan_orders
from commerce.order import CustomerKind, PaymentState
from commerce.totals import mismatches

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
seeds = st.integers(min_value=0, max_value=2**32)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, count=st.integers(min_value=1, max_value=40))
def test_every_order_adds_up_and_has_a_number_of_its_own(seed: int, count: int) -> None:
    planned = plan_orders(count, seed, run="r", now=NOW)
    orders = [plan.order for plan in planned if plan.order is not None]
    assert len(planned) == count
    assert [found for order in orders for found in mismatches(order)] == []
    assert len({order.number for order in orders}) == len(orders)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, count=st.integers(min_value=1, max_value=40))
def test_a_third_comes_through_the_shop_and_what_is_placed_in_the_outage_is_paid_by_link(seed: int, count: int) -> None:
    planned = plan_orders(count, seed, run="r", now=NOW)
    assert sum(plan.shop_order is not None for plan in planned) == count // 3
    late = [plan for plan in planned if plan.in_outage]
    assert all(plan.order is not None and plan.by_link and plan.fate is Fate.COMPLETED for plan in late)
    if count >= 12:
        assert late


@settings(max_examples=40, deadline=None)
@given(seed=seeds, count=st.integers(min_value=1, max_value=40))
def test_what_ships_in_two_parts_leaves_something_for_the_second_one(seed: int, count: int) -> None:
    for plan in plan_orders(count, seed, run="r", now=NOW):
        if plan.dispatch is Dispatch.SPLIT:
            (part,) = first_part(plan.goods)
            assert 0 < int(part["quantity"]) <= plan.goods[part["sku"]]
            assert int(part["quantity"]) < sum(plan.goods.values())
        assert plan.goods.get(SCARCE.sku, 0) == (SCARCE_PIECES if plan.dispatch is Dispatch.BACK_ORDERED else 0)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_no_amount_of_a_three_decimal_currency_needs_the_third_decimal(seed: int) -> None:
    orders = [plan.order for plan in plan_orders(40, seed, run="r", now=NOW) if plan.order is not None]
    payments = [payment for order in orders for payment in order.payments if payment.amount.currency == "KWD"]
    assert [str(payment.amount) for payment in payments if payment.amount.minor % 10] == []


def test_the_same_seed_makes_the_same_orders_and_another_seed_others() -> None:
    assert plan_orders(24, 7, run="r", now=NOW) == plan_orders(24, 7, run="r", now=NOW)
    assert plan_orders(24, 7, run="r", now=NOW) != plan_orders(24, 8, run="r", now=NOW)


def test_two_dozen_orders_show_every_case() -> None:
    planned = plan_orders(24, 1, run="r", now=NOW)
    orders = [plan.order for plan in planned if plan.order is not None]
    fates = [plan.fate for plan in planned]
    assert [fates.count(fate) for fate in (Fate.PARKED, Fate.CANCELLED, Fate.REFUNDED)] == [1, 1, 1]
    assert [plan.declined for plan in planned].count(1) == 1
    assert {plan.payment for plan in planned} == set(PaymentState)
    assert {order.customer.kind for order in orders} == set(CustomerKind)
    assert {order.currency for order in orders} | {"EUR"} >= {"EUR", "JPY", "CHF"}
    assert any(len(order.payments) == 2 for order in orders)
    assert any(order.gift_cards and order.store_credit and order.fees and order.duties for order in orders)
    assert any({"configurable", "bundle"} <= {line.kind for line in order.lines} for order in orders)
    ways = [plan.dispatch for plan in planned if plan.fate is Fate.COMPLETED]
    assert set(ways) == set(Dispatch)
    assert ways.count(Dispatch.WHOLE) > len(ways) / 2
    assert [plan.title for plan in planned if not plan.goods] == ["only a download"]
    assert {discount.level.value for order in orders for discount in order.discounts} >= {"line", "order", "shipping"}


def test_few_orders_are_never_refunded_after_payment() -> None:
    fates = [plan.fate for plan in plan_orders(REFUND_FROM - 1, 1, run="r", now=NOW)]
    assert Fate.REFUNDED not in fates
