"""What older releases do without a lock per order: documents that are written at the same time lose counters.

Off by default (`order_lock` true). A request sees the order as it was when it arrived, so that two that overlap
(a `slow` fault makes them) both find the quantity open, and the later one overwrites the counters of the earlier one.
"""

import re
import time
from collections import deque

from sandbox.kernel.store import Doc
from sandbox.magento.shop import Shop

DOCUMENT_CALL = re.compile(r"/V1/order/(\d+)/(?:invoice|ship|refund)$")
FORGET_SECONDS = 30.0


class Races:
    """The orders as they were when the requests under way arrived, first come first served."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._waiting: dict[str, deque[tuple[float, Doc]]] = {}

    def arrived(self, path: str) -> None:
        found = DOCUMENT_CALL.search(path)
        if found is None or self._shop.settings["order_lock"]:
            return
        order = self._shop.get("orders", int(found[1]))
        if order is not None:
            self._waiting.setdefault(path, deque()).append((time.monotonic(), order))

    def take(self, path: str) -> Doc | None:
        """The snapshot of the request that is now served; one whose request was cut is forgotten."""
        waiting = self._waiting.get(path)
        while waiting:
            since, order = waiting.popleft()
            if time.monotonic() - since < FORGET_SECONDS:
                return order
        return None
