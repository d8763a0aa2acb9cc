"""The plan of a chaos run: the seed alone decides what is bought, what goes wrong, and when."""

import random
from dataclasses import dataclass
from datetime import datetime

from tests.chaos.orders import Asked, draw_orders
from tests.chaos.trouble import Trouble, draw_trouble


@dataclass(frozen=True)
class Plan:
    seed: int
    asked: tuple[Asked, ...]
    troubles: tuple[Trouble, ...]


def draw(orders: int, seed: int, now: datetime) -> Plan:
    """The same orders and troubles for the same numbers; `now` is written on the orders and decides nothing."""
    chance = random.Random(f"chaos {orders} {seed}")
    return Plan(seed, draw_orders(chance, orders, seed, now), draw_trouble(chance, orders))
