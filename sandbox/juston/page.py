"""The payment page: server-rendered, in the entry's language, with plain forms."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import jinja2

from sandbox.kernel.store import Doc
from sandbox.salesforce.packages.cash_money import shown
from sandbox.salesforce.packages.cash_objects import METHODS

TEXTS = {
    "en": {
        "heading": "Payment",
        "amount": "Amount",
        "reference": "Reference",
        "method": "Payment method",
        "pay": "Pay",
        "fail": "Let the payment fail",
        "cancel": "Cancel",
        "testers": "For testers",
        "other_amount": "Pay another amount",
        "other_hint": "Empty: what is open. Less is a partial payment, more an overpayment.",
        "Balanced": "This payment has been made. Thank you.",
        "Canceled": "This payment is no longer requested.",
        "expired": "This payment link has expired.",
        "unknown": "There is no such payment link.",
        "success": "Thank you. Your payment is being processed.",
        "failure": "The payment was not successful. You can try again.",
        "left": "You have left the payment. Nothing was charged.",
        "again": "Back to the payment",
        "choose": "Please choose one of the methods and buttons.",
    },
    "de": {
        "heading": "Zahlung",
        "amount": "Betrag",
        "reference": "Verwendungszweck",
        "method": "Zahlungsart",
        "pay": "Bezahlen",
        "fail": "Zahlung fehlschlagen lassen",
        "cancel": "Abbrechen",
        "testers": "Für Tester",
        "other_amount": "Anderen Betrag zahlen",
        "other_hint": "Leer lassen: der offene Betrag. Weniger ist eine Teilzahlung, mehr eine Überzahlung.",
        "Balanced": "Diese Zahlung ist bereits erfolgt. Vielen Dank.",
        "Canceled": "Diese Zahlung wird nicht mehr erwartet.",
        "expired": "Dieser Zahlungslink ist abgelaufen.",
        "unknown": "Diesen Zahlungslink gibt es nicht.",
        "success": "Vielen Dank. Ihre Zahlung wird verarbeitet.",
        "failure": "Die Zahlung war nicht erfolgreich. Sie können es erneut versuchen.",
        "left": "Sie haben die Zahlung verlassen. Es wurde nichts abgebucht.",
        "again": "Zurück zur Zahlung",
        "choose": "Bitte wählen Sie eine der Zahlungsarten und Schaltflächen.",
    },
}
_ENV = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
)


def texts(language: str | None) -> tuple[str, dict[str, str]]:
    """The page's language and its texts; English where JustOn has no other."""
    code = (language or "en")[:2].lower()
    return (code, TEXTS[code]) if code in TEXTS else ("en", TEXTS["en"])


def price(amount: Decimal, currency: str, language: str) -> str:
    """`1,234.50 EUR`, in German `1.234,50 EUR`."""
    text = f"{Decimal(shown(amount, currency)):,}"
    if language == "de":
        text = text.translate(str.maketrans(",.", ".,"))
    return f"{text} {currency}"


def payment(entry: Doc, language: str | None, error: str = "") -> str:
    code, words = texts(language)
    currency = entry["CurrencyIsoCode"]
    return _render(
        code,
        words,
        title=entry["JPAY1__Title__c"],
        amount=price(Decimal(entry["JPAY1__OpenAmount__c"]), currency, code),
        reference=entry["JPAY1__PaymentReference__c"] or "",
        methods=METHODS,
        error=error,
    )


def notice(language: str | None, word: str, title: str = "", again: str = "") -> str:
    """A page that only says something: closed, unknown, or how it went; `again` links back to the form."""
    code, words = texts(language)
    return _render(code, words, title=title, message=words[word], again=again)


def _render(code: str, words: dict[str, str], **values: Any) -> str:
    empty = {"title": "", "message": "", "again": "", "amount": "", "reference": "", "methods": (), "error": ""}
    return _ENV.get_template("pay_page.html").render(empty | values | {"language": code, "words": words})
