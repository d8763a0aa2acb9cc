"""The orders of a chaos run, drawn from its seed alone: what is bought, how it is paid, and how it must end."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from cli.demo.catalog import (
    BUNDLE,
    COMPANIES,
    CONSUMERS,
    GUESTS,
    LEAFLET,
    NOT_IN_ERP,
    SIMPLE,
    VARIANTS,
    Article,
    Buyer,
    Shop,
)
from cli.demo.pricing import Wish, order_of
from commerce.order import Order, PaymentState

# A store for portals only, whose payment links end within seconds (see stage.py).
BRIEF = "brief"
GATEWAY_REFUND = "refund at the shop's gateway"  # a step: a person does it there
PAY_BACK = "pay back late payment"  # a step: JustOn refunds nothing by itself once an entry is canceled
GAP_SECONDS, MOST_GAP_SECONDS = 0.6, 2.0  # between two orders: on average, and at most


class End(StrEnum):
    """How an order must end. `UNDONE`: no open document is left, and no money is kept."""

    COMPLETED = "completed"
    UNDONE = "undone"
    AS_CANCELLED = "undone if the cancellation was accepted, else completed"


class Portal(StrEnum):
    """How a portal behaves that places an order."""

    ONCE = "once"
    DOUBLE_CLICK = "double click"
    TWO_PORTALS = "two portals"
    IMPATIENT = "impatient"  # gives up waiting and sends the order again
    CONFLICT = "other content"  # the same number again, with other content


class Cancel(StrEnum):
    """Who cancels, and when."""

    NEVER = ""
    AT_ONCE = "portal, at once"
    LINKED = "portal, before the payment"
    PAID = "portal, after the payment"
    IN_SHOP = "shop, before the payment"


class After(StrEnum):
    """What becomes of the buyer's money once it was collected, or once the order has ended."""

    NOTHING = ""
    FAILS_FIRST = "collected, failed, paid again"  # on the order's way, wherever it is by then
    CHARGED_BACK = "charged back after the end"
    FAILED = "failed after the end"
    PAID_LATE = "paid after the link had ended"


@dataclass(frozen=True)
class Asked:
    """One order to come. Either `order` (for the API) or `shop_order` (for the shop) is set.

    `parts`: percentages of what is due, in which the buyer pays; the last of several is the rest. `declined`: attempts
    that fail before. `repeats`: how often the provider tells of the payment. `dawdles`: seconds before the buyer acts.
    `gap`: seconds after the order before it. `page`: paid on the payment page. `decides`: the operator's decision by
    step, for cases that the plan foresees. `after`: what the money does later.
    """

    title: str
    order: Order | None = None
    shop_order: dict[str, Any] | None = None
    end: End = End.COMPLETED
    parts: tuple[int, ...] = ()
    declined: int = 0
    repeats: int = 1
    dawdles: float = 0.0
    page: bool = True
    gap: float = 0.0
    portal: Portal = Portal.ONCE
    cancel: Cancel = Cancel.NEVER
    after: After = After.NOTHING
    decides: tuple[tuple[str, str], ...] = ()

    @property
    def by_link(self) -> bool:
        """Whether a buyer is asked to pay by a link."""
        if self.order is not None:
            return any(payment.state is PaymentState.DUE for payment in self.order.payments)
        return self.shop_order is not None and self.shop_order["payment_method"] == "juston"


Draw = Callable[[random.Random, str, datetime], Asked]


def draw_orders(chance: random.Random, count: int, seed: int, now: datetime) -> tuple[Asked, ...]:
    """`count` orders: each kind once where there is room, then by their weights. `now` is when they are placed."""
    kinds = list(KINDS) if count >= len(KINDS) else chance.sample(list(KINDS), count)
    kinds += chance.choices(list(KINDS), list(KINDS.values()), k=count - len(kinds))
    chance.shuffle(kinds)
    drawn = (kind(chance, f"C{seed}-{i:05}", now) for i, kind in enumerate(kinds, 1))
    return tuple(
        replace(asked, gap=min(round(chance.expovariate(1 / GAP_SECONDS), 2), MOST_GAP_SECONDS)) for asked in drawn
    )


# ---- through a portal ------------------------------------------------------------------------------------------------


def _basket(chance: random.Random, most: int = 3) -> tuple[tuple[Article, int], ...]:
    return tuple((article, chance.randint(1, 4)) for article in chance.sample(SIMPLE, chance.randint(1, most)))


def _pace(chance: random.Random) -> dict[str, Any]:
    """How buyer and portal behave where an order leaves it open."""
    return {
        "parts": (100,),
        "declined": chance.choice((0, 0, 0, 1)),
        "repeats": chance.choice((1, 1, 2, 3)),
        "dawdles": round(chance.uniform(0, 3), 2),
        "page": chance.random() < 0.7,
        "portal": chance.choices(list(Portal), (10, 3, 3, 3, 1))[0],
    }


def _wish(chance: random.Random, buyer: Buyer, pay: PaymentState = PaymentState.DUE) -> Wish:
    return Wish(
        buyer,
        _basket(chance),
        shirts=((chance.choice(VARIANTS), 1),) if chance.random() < 0.2 else (),
        bundles=int(chance.random() < 0.15),
        line_discount_percent=chance.choice((0, 0, 0, 10, 25)),
        order_discount=Decimal(chance.choice((0, 0, 0, 5))),
        fee=Decimal(chance.choice(("0", "0", "2.95"))),
        duty=Decimal(chance.choice(("0", "0", "0", "3.10"))),
        gift_card_percent=chance.choice((0, 0, 0, 0, 15)),
        store_credit_percent=chance.choice((0, 0, 0, 0, 10)),
        pay=pay,
    )


def _person(chance: random.Random) -> Buyer:
    return chance.choice((*GUESTS, *CONSUMERS))


def _prepaid(chance: random.Random, number: str, now: datetime) -> Asked:
    buyer = _person(chance)
    order = order_of(_wish(chance, buyer), number, now)
    return Asked(f"prepaid in {order.currency}", order=order, **_pace(chance))


def _twice_sent(chance: random.Random, number: str, now: datetime) -> Asked:
    order = order_of(_wish(chance, _person(chance)), number, now)
    portal = chance.choice((Portal.DOUBLE_CLICK, Portal.TWO_PORTALS, Portal.IMPATIENT))
    return Asked(f"prepaid, {portal.value}", order=order, **(_pace(chance) | {"portal": portal}))


def _conflict(chance: random.Random, number: str, now: datetime) -> Asked:
    order = order_of(_wish(chance, _person(chance)), number, now)
    return Asked("prepaid, then other content", order=order, **(_pace(chance) | {"portal": Portal.CONFLICT}))


def _in_two_parts(chance: random.Random, number: str, now: datetime) -> Asked:
    order = order_of(_wish(chance, _person(chance)), number, now)
    pace = _pace(chance) | {"parts": (chance.randint(20, 70), 100), "page": False}
    return Asked("paid by link in two payments", order=order, **pace)


def _gateway(chance: random.Random, number: str, now: datetime) -> Asked:
    order = order_of(_wish(chance, _person(chance), PaymentState.CAPTURED), number, now)
    return Asked("two payments at the shop's gateway", order=order, portal=_pace(chance)["portal"])


def _gateway_cancelled(chance: random.Random, number: str, now: datetime) -> Asked:
    order = order_of(_wish(chance, _person(chance), PaymentState.CAPTURED), number, now)
    return Asked(
        "paid at the gateway, cancelled at once",
        order=order,
        end=End.AS_CANCELLED,
        cancel=Cancel.AT_ONCE,
        decides=((GATEWAY_REFUND, "skip"),),
    )


def _account(chance: random.Random, number: str, now: datetime) -> Asked:
    wish = Wish(chance.choice(COMPANIES), _basket(chance), pay=PaymentState.ON_ACCOUNT)
    return Asked("a company on account", order=order_of(wish, number, now), portal=_pace(chance)["portal"])


def _changed_mind(chance: random.Random, number: str, now: datetime) -> Asked:
    order = order_of(_wish(chance, _person(chance)), number, now)
    pace = _pace(chance) | {"parts": ()}
    return Asked("cancelled before the payment", order=order, end=End.AS_CANCELLED, cancel=Cancel.LINKED, **pace)


def _money_back(chance: random.Random, number: str, now: datetime) -> Asked:
    order = order_of(_wish(chance, _person(chance)), number, now)
    return Asked("cancelled after the payment", order=order, end=End.AS_CANCELLED, cancel=Cancel.PAID, **_pace(chance))


def _unmapped(chance: random.Random, number: str, now: datetime) -> Asked:
    wish = Wish(_person(chance), (*_basket(chance, 1), (NOT_IN_ERP, 1)))
    return Asked(
        f"SKU {NOT_IN_ERP.sku} is not in the ERP",
        order=order_of(wish, number, now),
        end=End.UNDONE,
        decides=(("find items", "give-up"),),
    )


def _brief(chance: random.Random, number: str, now: datetime) -> Order:
    """An order of the store whose links end within seconds."""
    return order_of(_wish(chance, GUESTS[0]), number, now).model_copy(update={"store": BRIEF})


def _never_paid(chance: random.Random, number: str, now: datetime) -> Asked:
    return Asked("nobody pays", order=_brief(chance, number, now), end=End.UNDONE)


def _part_paid(chance: random.Random, number: str, now: datetime) -> Asked:
    return Asked(
        "paid in part only",
        order=_brief(chance, number, now),
        end=End.UNDONE,
        parts=(chance.randint(10, 80),),
        page=False,
        decides=(("judge payment", "give-up"),),
    )


def _overpaid(chance: random.Random, number: str, now: datetime) -> Asked:
    return Asked(
        "overpaid",
        order=order_of(_wish(chance, _person(chance)), number, now),
        end=End.UNDONE,
        parts=(chance.randint(110, 180),),
        page=False,
        decides=(("judge payment", "give-up"), ("confirm payment", "give-up")),
    )


def _taken_back(chance: random.Random, number: str, now: datetime, after: After) -> Asked:
    return Asked(
        after.value,
        order=order_of(_wish(chance, _person(chance)), number, now),
        after=after,
        decides=(("late payment", "skip"),),
        **_pace(chance),
    )


def _charged_back(chance: random.Random, number: str, now: datetime) -> Asked:
    return _taken_back(chance, number, now, After.CHARGED_BACK)


def _failed_late(chance: random.Random, number: str, now: datetime) -> Asked:
    return _taken_back(chance, number, now, After.FAILED)


def _fails_first(chance: random.Random, number: str, now: datetime) -> Asked:
    return Asked(
        After.FAILS_FIRST.value,
        order=order_of(_wish(chance, _person(chance)), number, now),
        after=After.FAILS_FIRST,
        decides=(("confirm payment", "retry"), ("late payment", "retry")),
        **(_pace(chance) | {"page": False}),
    )


def _paid_late(chance: random.Random, number: str, now: datetime) -> Asked:
    order = _brief(chance, number, now)
    decides = ((PAY_BACK, "retry"),)
    return Asked(After.PAID_LATE.value, order=order, end=End.UNDONE, after=After.PAID_LATE, decides=decides)


# ---- through the shop ------------------------------------------------------------------------------------------------


def _items(chance: random.Random, shop: Shop | None = None) -> list[dict[str, Any]]:
    """With prices of two decimals where the shop's own would have three: the ERP's cash entries hold two."""
    found: list[dict[str, Any]] = []
    for article, quantity in _basket(chance):
        price = {"price": str(chance.randint(100, 3000) / Decimal(100))} if shop is not None else {}
        found.append({"sku": article.sku, "qty": quantity, **price})
    return found


def _of_shop(chance: random.Random) -> dict[str, Any]:
    buyer = chance.choice(CONSUMERS)
    own = buyer.shop.code == "kw"
    return {
        "store": buyer.shop.code,
        "customer": buyer.customer.number,
        "items": _items(chance, buyer.shop if own else None),
        "payment_method": "juston",
        **({"shipping_amount": "1.50"} if own else {}),
    }


def _shop_link(chance: random.Random, number: str, now: datetime) -> Asked:
    extra: dict[str, Any] = {}
    wished = _of_shop(chance)
    if wished["store"] != "kw":
        extra = chance.choice(({}, {}, {"coupon": {"code": "SPRING", "percent": 10}}, {"gift_card": "2"}))
    return Asked(f"in shop {wished['store']}, paid by link", shop_order=wished | extra, **_pace(chance))


def _shop_composed(chance: random.Random, number: str, now: datetime) -> Asked:
    items = [{"sku": BUNDLE.sku, "qty": 1}, {"sku": chance.choice(VARIANTS).sku, "qty": 1}, {"sku": LEAFLET.sku}]
    wished = {"store": "de", "customer": "11", "items": items, "payment_method": "juston"}
    return Asked("in shop de, a bundle and a shirt", shop_order=wished, **_pace(chance))


def _shop_gateway(chance: random.Random, number: str, now: datetime) -> Asked:
    return Asked("in shop, paid at its gateway", shop_order=_of_shop(chance) | {"payment_method": "adyen_cc"})


def _shop_account(chance: random.Random, number: str, now: datetime) -> Asked:
    wished = {"store": "de", "company": "501", "items": _items(chance), "payment_method": "companycredit"}
    return Asked("in shop, on account", shop_order=wished)


def _shop_cancelled(chance: random.Random, number: str, now: datetime) -> Asked:
    pace = _pace(chance) | {"parts": ()}
    return Asked("in shop, cancelled there", shop_order=_of_shop(chance), end=End.UNDONE, cancel=Cancel.IN_SHOP, **pace)


def _shop_money_back(chance: random.Random, number: str, now: datetime) -> Asked:
    return Asked(
        "in shop, cancelled after the payment",
        shop_order=_of_shop(chance),
        end=End.AS_CANCELLED,
        cancel=Cancel.PAID,
        **_pace(chance),
    )


KINDS: dict[Draw, int] = {
    _prepaid: 30,
    _twice_sent: 10,
    _conflict: 3,
    _in_two_parts: 4,
    _gateway: 6,
    _gateway_cancelled: 1,
    _account: 4,
    _changed_mind: 4,
    _money_back: 4,
    _unmapped: 2,
    _never_paid: 2,
    _part_paid: 1,
    _overpaid: 1,
    _charged_back: 2,
    _failed_late: 1,
    _fails_first: 2,
    _paid_late: 1,
    _shop_link: 16,
    _shop_composed: 4,
    _shop_gateway: 5,
    _shop_account: 2,
    _shop_cancelled: 2,
    _shop_money_back: 2,
}
