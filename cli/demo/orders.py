"""The demo's orders: seeded, varied, each with the fate that it must meet and the way its goods take. A third comes
through the shop."""

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
    PARTS,
    SIMPLE,
    VARIANTS,
    Article,
    Buyer,
)
from cli.demo.pricing import Wish, order_of
from commerce.goods import goods
from commerce.order import Channel, Order, PaymentState

REFUND_FROM = 24  # with so many orders, one is cancelled after its payment too
# The article that is out of stock for a while: nobody buys it by chance.
*PLENTY, SCARCE = SIMPLE
SCARCE_PIECES = 2


class Fate(StrEnum):
    """How an order must end."""

    COMPLETED = "completed"
    PARKED = "parked"
    CANCELLED = "cancelled"  # before anybody paid
    REFUNDED = "refunded"  # cancelled after the payment: the money goes back


class Dispatch(StrEnum):
    """How the warehouse sends an order's goods."""

    WHOLE = "in one shipment"
    SPLIT = "in two shipments, a while apart"
    BOXES = "in one shipment of two boxes"
    BACK_ORDERED = "what is there at once, the scarce article when it has come"


@dataclass(frozen=True)
class Planned:
    """One order to come. Either `order` (for the API) or `shop_order` (for the shop) is set.

    `declined`: payment attempts that fail before one succeeds; `in_outage`: placed while the ERP is away.
    """

    title: str
    order: Order | None = None
    shop_order: dict[str, Any] | None = None
    fate: Fate = Fate.COMPLETED
    declined: int = 0
    in_outage: bool = False
    dispatch: Dispatch = Dispatch.WHOLE

    @property
    def goods(self) -> dict[str, Decimal]:
        """What must leave the house: quantity by SKU. Of a bundle in the shop its parts; of a download nothing."""
        if self.order is not None:
            rows = [(line.sku, line.quantity) for line in goods(self.order)]
        else:
            rows = [(row["sku"], Decimal(row["qty"])) for row in (self.shop_order or {}).get("items", ())]
            rows = [(sku, quantity) for row, quantity in rows for sku in _parts(row)]
        found: dict[str, Decimal] = {}
        for sku, quantity in rows:
            if sku != LEAFLET.sku:
                found[sku] = found.get(sku, Decimal(0)) + quantity
        return found

    @property
    def payment(self) -> PaymentState:
        if self.order is not None:
            return self.order.payments[0].state
        return _SHOP_METHODS[self.shop_order["payment_method"]] if self.shop_order else PaymentState.DUE

    @property
    def by_link(self) -> bool:
        """Whether a buyer pays it on the payment page."""
        return self.payment is PaymentState.DUE


def _parts(sku: str) -> tuple[str, ...]:
    return tuple(part.sku for part in PARTS) if sku == BUNDLE.sku else (sku,)


_SHOP_METHODS = {
    "juston": PaymentState.DUE,
    "companycredit": PaymentState.ON_ACCOUNT,
    "adyen_cc": PaymentState.CAPTURED,
}
Scenario = Callable[[random.Random], "tuple[Wish, str, Fate, int]"]


def plan_orders(count: int, seed: int, *, run: str, now: datetime) -> list[Planned]:
    """`count` orders. The same seed gives the same orders, apart from `run` (in their numbers) and `now`."""
    chance = random.Random(seed)
    shop_count = count // 3
    planned = _api_orders(count - shop_count, chance, run, now, refund=count >= REFUND_FROM)
    shop_orders = [_SHOP[i % len(_SHOP)](chance) for i in range(shop_count)]
    result: list[Planned] = []
    # Two through the API, one through the shop; those for the outage stay last.
    early = [p for p in planned if not p.in_outage]
    while early or shop_orders:
        result += early[:2] + shop_orders[:1]
        early, shop_orders = early[2:], shop_orders[1:]
    return result + [p for p in planned if p.in_outage]


def _api_orders(count: int, chance: random.Random, run: str, now: datetime, *, refund: bool) -> list[Planned]:
    scenarios = [s for s in _API if s is not _refunded or refund]
    chosen = scenarios[:count] + [_any] * (count - len(scenarios))
    planned: list[Planned] = []
    for i, scenario in enumerate(chosen, 1):
        wish, title, fate, declined = scenario(chance)
        order = order_of(wish, f"{run}-{i:03}", now)
        found = Planned(title, order=order, fate=fate, declined=declined)
        way = _WAYS.get(scenario) or _USUAL[i % len(_USUAL)]
        fits = way is not Dispatch.SPLIT or sum(found.goods.values()) > 1
        planned.append(replace(found, dispatch=way if fits else Dispatch.WHOLE))
    # Who buys while the ERP is away must get a payment link: that is for orders that are paid by link.
    fit = [p for p in planned if p.by_link and p.fate is Fate.COMPLETED]
    late = {id(p) for p in fit[-max(1, count // 4) :]} if len(fit) > 1 else set()
    # They are the last to be shipped as well: one shipment each keeps the demo short.
    return [replace(p, in_outage=True, dispatch=Dispatch.WHOLE) if id(p) in late else p for p in planned]


# ---- through the API -------------------------------------------------------------------------------------------------


def _basket(chance: random.Random, rows: int = 2) -> tuple[tuple[Article, int], ...]:
    return tuple((article, chance.randint(1, 4)) for article in chance.sample(PLENTY, rows))


def _guest(chance: random.Random) -> tuple[Wish, str, Fate, int]:
    return Wish(GUESTS[0], _basket(chance)), "a guest pays by link", Fate.COMPLETED, 0


def _unmapped(chance: random.Random) -> tuple[Wish, str, Fate, int]:
    wish = Wish(chance.choice(GUESTS), (*_basket(chance, 1), (NOT_IN_ERP, 1)))
    return wish, f"SKU {NOT_IN_ERP.sku} is not in the ERP", Fate.PARKED, 0


def _second_try(chance: random.Random) -> tuple[Wish, str, Fate, int]:
    return Wish(chance.choice(CONSUMERS), _basket(chance)), "the first payment fails", Fate.COMPLETED, 1


def _cancelled(chance: random.Random) -> tuple[Wish, str, Fate, int]:
    return Wish(chance.choice(GUESTS), _basket(chance)), "cancelled before the payment", Fate.CANCELLED, 0


def _refunded(chance: random.Random) -> tuple[Wish, str, Fate, int]:
    return Wish(chance.choice(CONSUMERS), _basket(chance)), "cancelled after the payment", Fate.REFUNDED, 0


def _split(chance: random.Random) -> tuple[Wish, str, Fate, int]:
    wish = Wish(chance.choice(CONSUMERS), _basket(chance), pay=PaymentState.CAPTURED)
    return wish, "two payments at the shop's gateway", Fate.COMPLETED, 0


def _account(chance: random.Random) -> tuple[Wish, str, Fate, int]:
    wish = Wish(chance.choice(COMPANIES), _basket(chance, 3), pay=PaymentState.ON_ACCOUNT)
    return wish, "a company buys on account", Fate.COMPLETED, 0


def _rich(chance: random.Random) -> tuple[Wish, str, Fate, int]:
    wish = Wish(
        chance.choice((GUESTS[1], GUESTS[4])),
        _basket(chance, 3),
        line_discount_percent=chance.randint(5, 25),
        order_discount=Decimal(chance.randint(1, 9)),
        shipping_discount=Decimal("1.50"),
        fee=Decimal("2.95"),
        duty=Decimal(chance.randint(100, 900)) / 100,
        gift_card_percent=chance.randint(5, 30),
        store_credit_percent=chance.randint(5, 20),
        channel=Channel(kind="affiliate", code="nordwind-blog", name="Nordwind Blog"),
        note="Bitte klingeln — merci! 🙏",
    )
    return wish, "discounts, fee, duty, gift card and store credit", Fate.COMPLETED, 0


def _composed(chance: random.Random) -> tuple[Wish, str, Fate, int]:
    wish = Wish(
        chance.choice((GUESTS[2], CONSUMERS[2])),
        ((LEAFLET, 1),),
        shirts=((chance.choice(VARIANTS), chance.randint(1, 3)),),
        bundles=chance.randint(1, 2),
    )
    return wish, "a configurable and a bundle", Fate.COMPLETED, 0


def _any(chance: random.Random) -> tuple[Wish, str, Fate, int]:
    """Whatever: any shop, any kind of payment, any mix."""
    pay = chance.choices((PaymentState.DUE, PaymentState.CAPTURED, PaymentState.ON_ACCOUNT), (6, 2, 1))[0]
    buyer: Buyer = chance.choice(COMPANIES if pay is PaymentState.ON_ACCOUNT else (*GUESTS, *CONSUMERS))
    wish = Wish(
        buyer,
        _basket(chance, chance.randint(1, 5)),
        shirts=((chance.choice(VARIANTS), 1),) if chance.random() < 0.3 else (),
        bundles=int(chance.random() < 0.2),
        line_discount_percent=chance.choice((0, 0, 10)),
        order_discount=Decimal(chance.choice((0, 0, 5))),
        fee=Decimal(chance.choice((0, 0, 2))),
        gift_card_percent=chance.choice((0, 0, 0, 15)),
        pay=pay,
    )
    shop = buyer.shop
    return wish, f"{buyer.customer.kind.value} in {shop.code}, {pay.value.replace('_', ' ')}", Fate.COMPLETED, 0


_API: tuple[Scenario, ...] = (
    _guest,
    _unmapped,
    _second_try,
    _cancelled,
    _split,
    _account,
    _refunded,
    _rich,
    _composed,
)
# How goods leave by scenario; those of all others by turns.
_WAYS: dict[Scenario, Dispatch] = {_guest: Dispatch.SPLIT}
_USUAL = (
    *(Dispatch.WHOLE, Dispatch.WHOLE, Dispatch.SPLIT, Dispatch.WHOLE),
    *(Dispatch.WHOLE, Dispatch.BOXES, Dispatch.WHOLE, Dispatch.WHOLE),
)


# ---- through the shop ------------------------------------------------------------------------------------------------


def _shop_items(chance: random.Random, rows: int = 2) -> list[dict[str, Any]]:
    return [{"sku": article.sku, "qty": quantity} for article, quantity in _basket(chance, rows)]


def _shop(
    title: str, store: str, items: list[dict[str, Any]], dispatch: Dispatch = Dispatch.WHOLE, **more: Any
) -> Planned:
    order = {"store": store, "items": items, "payment_method": "juston", **more}
    return Planned(title, shop_order=order, dispatch=dispatch)


def _shop_kuwait(chance: random.Random) -> Planned:
    items = [
        {"sku": a.sku, "qty": q, "price": str(chance.randint(100, 900) / Decimal(100))} for a, q in _basket(chance)
    ]
    return _shop("a consumer in Kuwait", "kw", items, customer="14", shipping_amount="1.50")


_SHOP: tuple[Callable[[random.Random], Planned], ...] = (
    lambda chance: _shop(
        "a guest of the shop",
        "de",
        [*_shop_items(chance, 1), {"sku": SCARCE.sku, "qty": SCARCE_PIECES}],
        Dispatch.BACK_ORDERED,
    ),
    lambda chance: _shop(
        "a shirt for Japan",
        "jp",
        [{"sku": chance.choice(VARIANTS).sku, "qty": chance.randint(1, 3)}],
        Dispatch.BOXES,
        customer="13",
    ),
    lambda chance: _shop(
        "company 501 on account",
        "de",
        _shop_items(chance, 3),
        Dispatch.SPLIT,
        company="501",
        payment_method="companycredit",
    ),
    lambda chance: _shop(
        "a coupon in the US", "us", _shop_items(chance), customer="12", coupon={"code": "SPRING", "percent": 10}
    ),
    lambda chance: _shop("captured by the shop's gateway", "ch", _shop_items(chance), payment_method="adyen_cc"),
    lambda chance: _shop(
        "a bundle and a gift card", "ch", [{"sku": BUNDLE.sku, "qty": 1}], customer="15", gift_card="5"
    ),
    _shop_kuwait,
    lambda chance: _shop("only a download", "de", [{"sku": LEAFLET.sku, "qty": chance.randint(1, 5)}]),
)
