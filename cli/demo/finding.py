"""The books by business key, and what is found in them that should be otherwise."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cli.demo.books import Books, Document

CLOSED = frozenset({"canceled", "cancelled"})
WHERE = {
    ("salesforce", "orders"): "sales order in FinancialForce",
    ("salesforce", "payments"): "cash entry in FinancialForce",
    ("juston", "entries"): "payment entry in JustOn",
    ("juston", "payments"): "payment in JustOn",
    ("juston", "orders"): "billing order in JustOn",
    ("juston", "invoices"): "invoice in JustOn",
    ("magento", "orders"): "order in Magento",
    ("magento", "invoices"): "invoice in Magento",
    ("salesforce", "shipments"): "shipment in FinancialForce",
    ("magento", "shipments"): "shipment in Magento",
    ("carrier", "shipments"): "parcel at the carrier",
}


@dataclass
class Finding:
    """What was found so far."""

    duplicates: int = 0
    missing: int = 0
    problems: list[str] = field(default_factory=list)

    def one(self, place: tuple[str, str], key: str, found: Sequence[Document], amount: int, currency: str) -> bool:
        """There must be exactly one document, over this amount. Whether there is."""
        before = len(self.problems)
        what = f"{WHERE[place]} for {key}"
        if not found:
            self.missing += 1
            self.problems.append(f"missing: {what} over {amount} {currency}")
        if len(found) > 1:
            self.duplicates += len(found) - 1
            names = ", ".join(str(document["number"]) for document in found)
            self.problems.append(f"duplicate: {what} exists {len(found)} times: {names}")
        for document in found:
            if (document["total_minor"], document["currency"]) != (amount, currency):
                self.problems.append(
                    f"wrong amount: {what} ({document['number']}) is over {document['total_minor']} "
                    f"{document['currency']}, expected {amount} {currency} (minor units)"
                )
            if closed(document):
                self.problems.append(f"closed: {what} ({document['number']}) is {document['status']}")
        return len(self.problems) == before

    def none_open(self, place: tuple[str, str], key: str, found: Iterable[Document]) -> None:
        for document in found:
            if not closed(document):
                self.problems.append(
                    f"left open: {WHERE[place]} for {key} ({document['number']}) is {document['status']}"
                )


class Shelf:
    """The books by order key; cash entries by the transaction they book."""

    def __init__(self, books: Books) -> None:
        self._books = books
        # The billing system opens an entry of its own for an invoice on account: it belongs to the invoice's order.
        self._invoices = {document["id"]: str(document["key"]) for document in books.of("juston", "invoices")}
        # The carrier knows the ERP's order number.
        self._orders = {str(document["number"]): str(document["key"]) for document in books.of("salesforce", "orders")}
        self._by_key: dict[tuple[str, str], dict[str, list[Document]]] = {}
        for place in (*WHERE, ("juston", "credit_notes")):
            keyed: dict[str, list[Document]] = defaultdict(list)
            for document in books.of(*place):
                if place == ("juston", "payments") and not document["total_minor"]:
                    continue  # an attempt that collected nothing is no payment
                keyed[self.key_of(place, document)].append(document)
            self._by_key[place] = keyed

    def key_of(self, place: tuple[str, str], document: Document) -> str:
        """The order's key (a transaction's id for cash entries), as far as the books tell it."""
        if place == ("salesforce", "payments"):
            return str(document["refs"]["reference"])
        if place in (("magento", "invoices"), ("magento", "shipments")):
            return str(document["refs"]["order_key"])
        key = str(document["key"])
        if place == ("juston", "entries"):
            return self._invoices.get(document["refs"].get("invoice"), key)
        return self._orders.get(key, key) if place == ("carrier", "shipments") else key

    def of(self, place: tuple[str, str], key: str) -> list[Document]:
        return self._by_key[place].get(key, [])

    def strangers(self, place: tuple[str, str], known: set[str]) -> list[Document]:
        return [d for key, documents in self._by_key[place].items() if key not in known for d in documents]


def transaction(payment: Document) -> str:
    return str(payment["refs"]["transaction"])


def closed(document: Document) -> bool:
    return any(part in CLOSED for part in str(document["status"]).lower().split("/"))
