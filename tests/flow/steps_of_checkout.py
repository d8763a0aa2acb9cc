"""The writes of a shop order's checkout, as the outside systems see them, and faults that strike each of them once."""

from dataclasses import dataclass
from typing import Any

from tests.flow.world import Books

Fault = dict[str, Any]


@dataclass(frozen=True)
class Write:
    """One writing request. `place` counts the writes of the checkout that have the same method and path before it.

    `body` is what it must contain, where a feed asks by the same method and path.
    """

    step: str
    system: str
    path: str
    method: str = "POST"
    place: int = 0
    body: str = ""


FORWARD = (
    Write("payment entry", "juston", r"/entry-link$"),
    Write("announcement", "magento", r"/orders/\d+/comments$"),
    Write("sales order", "salesforce", r"/composite/graph$"),
    Write("cash receipt", "salesforce", r"/composite$", body="codaCashEntry"),
    Write("billing order", "salesforce", r"/composite/graph$", place=1),
    Write("shop invoice", "magento", r"/order/\d+/invoice$"),
    Write("shop's external number", "magento", r"/V1/orders$"),
    Write("references", "magento", r"/orders/\d+/comments$", place=1),
)
BACKWARD = (
    Write("billing order withdrawn", "salesforce", r"/sobjects/Web_Order__c/\w+$", "PATCH"),
    Write("sales order cancelled", "salesforce", r"/sobjects/SCMC__Sales_Order__c/\w+$", "PATCH"),
    Write("payment entry canceled", "salesforce", r"/JPAY1__EntryCancellation$"),
    Write("cash refund", "salesforce", r"/composite$", body="codaCashEntry"),
    Write("shop order canceled", "magento", r"/orders/\d+/cancel$"),
)
# Kinds that carry the request out and spoil the answer. A repeat finds what was written and does not write again.
WRITTEN = frozenset({"lose-reply", "garble"})

UNDISTURBED: Books = {
    "entries": ["Balanced 9984 EUR"],
    "payments": ["Collected 9984 EUR"],
    "sales orders": ["New 9984 EUR"],
    "cash entries": ["Receipt Complete 9984 EUR"],
    "billing orders": ["Billed 9984 EUR"],
    "invoices": ["Paid 9984 EUR"],
    "shop orders": ["processing/processing 9984 EUR"],
    "shop invoices": ["2 9984 EUR"],
    "shop comments": ["ERP order …, invoice …", "Please pay 99.84 EUR here: …"],
    "mails": ["Rechnung … zu Ihrer Bestellung …"],
}
UNDONE: Books = {
    "entries": ["Canceled 9984 EUR"],
    "payments": ["Refunded 9984 EUR"],
    "refunds": ["Paid out 9984 EUR"],
    "sales orders": ["Cancelled 9984 EUR"],
    "cash entries": ["Receipt Complete 9984 EUR", "Refund Complete -9984 EUR"],
    "billing orders": ["Canceled 9984 EUR"],
    "shop orders": ["canceled/canceled 9984 EUR"],
    "shop comments": ["Please pay 99.84 EUR here: …"],
    "mails": ["Ihre Bestellung … wurde storniert"],
}


def once(write: Write, kind: str, **options: Any) -> dict[str, Any]:
    """A rule that strikes this write once.

    Rules with one path stand in the order of the writes. A write that was struck before it was carried out comes again,
    and the rule of the next one must let that pass.
    """
    return {
        "kind": kind,
        "match": {"method": write.method, "path": write.path, "body": write.body},
        "times": 1,
        "after": 0 if kind in WRITTEN else write.place,
        **options,
    }


def rules_by_system(writes: tuple[Write, ...], fault: Fault) -> dict[str, list[dict[str, Any]]]:
    """A rule for each write, by system. `fault` is a kind with its options, or one for each system."""
    found: dict[str, list[dict[str, Any]]] = {}
    for write in writes:
        options = dict(fault.get(write.system, fault))
        found.setdefault(write.system, []).append(once(write, options.pop("kind"), **options))
    return found
