"""What a vendor was asked for goods on their way, sorted by what for; and the fewest calls that a feed can do with."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bench.outage import PROBE

SWEEP = "sweep: find what changed"
READING = "reading of orders"
WRITE = "write the shipment"
_COMPOSITE = re.compile(r"/composite$")
_SHIP = re.compile(r"/order/(\d+)/ship$")


class Call(NamedTuple):
    """One call of ours. `of` is the shop's id of the order that a shipment was written for."""

    at: datetime
    kind: str
    of: str = ""


def erp_call(request: Mapping[str, Any]) -> Call | None:
    """A call of the ERP's client. None: what JustOn asks of the same org; sign-ins and probes, which both may ask."""
    path, body = str(request["path"]), request["body"]
    if path == PROBE:
        return None
    if body is None:
        raise RuntimeError("the sandbox has dropped a request's body; read its log more often")
    if "SCMC__" not in path and "SCMC__" not in body:
        return None
    if _COMPOSITE.search(path):
        kind = SWEEP if "/queryAll?" in body else READING
    else:
        kind = f"{request['method']} {path.partition('?')[0]}"
    return Call(_at(request), kind)


def shop_call(request: Mapping[str, Any]) -> Call | None:
    """A call that a shipment causes in the shop. None: sweeps and probes, which no shipment asks for."""
    method, (path, _, query) = str(request["method"]), str(request["path"]).partition("?")
    written = _SHIP.search(path)
    if written:
        return Call(_at(request), WRITE, written[1])
    if re.search(r"/orders/\d+$", path):
        # The order's feed reads what the shop's notification names; it alone asks for addresses.
        return Call(_at(request), "the feed reads the order again" if "billing_address" in query else "read the order")
    if path.endswith("/shipments"):
        return Call(_at(request), "look for the shipment")
    if re.search(r"/shipment/\d+/comments$", path):
        return Call(_at(request), "read a shipment's comments")
    return Call(_at(request), "add a track") if method == "POST" and path.endswith("/shipment/track") else None


def answered(request: Mapping[str, Any]) -> bool:
    status = request["status"]
    return status is not None and 200 <= int(status) < 300


def counted(calls: Iterable[Call]) -> dict[str, int]:
    return dict(Counter(call.kind for call in calls).most_common())


def fewest(changes: Sequence[datetime], every: float, at_once: int) -> int:
    """The fewest calls that find these changes no later than a sweep each `every` seconds does.

    One call finds what changed, in each sweep from the first change to the one after the last; one more reads up to
    `at_once` orders, in each sweep that met a change. Nothing is read a second time.
    """
    if not changes:
        return 0
    first = min(changes)
    met = Counter(int((at - first).total_seconds() // every) for at in changes)
    return max(met) + 1 + sum(math.ceil(count / at_once) for count in met.values())


def _at(request: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(request["at"]))
