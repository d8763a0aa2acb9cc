"""The mails that customers read, per language. A language without a translation gets English."""

from typing import Literal

from jinja2 import Environment, StrictUndefined

from commerce.money import Money
from commerce.order import Order

Template = Literal["payment-link", "invoice", "cancelled", "replaced", "payment-failed"]

_SUBJECTS: dict[str, dict[Template, str]] = {
    "en": {
        "payment-link": "Please pay your order {{ number }}",
        "invoice": "Invoice {{ invoice_number }} for your order {{ number }}",
        "cancelled": "Your order {{ number }} was cancelled",
        "replaced": "Your order {{ number }} was changed and is now order {{ replaced_by }}",
        "payment-failed": "The payment of your order {{ number }} did not succeed",
    },
    "de": {
        "payment-link": "Bitte bezahlen Sie Ihre Bestellung {{ number }}",
        "invoice": "Rechnung {{ invoice_number }} zu Ihrer Bestellung {{ number }}",
        "cancelled": "Ihre Bestellung {{ number }} wurde storniert",
        "replaced": "Ihre Bestellung {{ number }} wurde geändert und hat nun die Nummer {{ replaced_by }}",
        "payment-failed": "Die Zahlung Ihrer Bestellung {{ number }} ist fehlgeschlagen",
    },
    "ja": {
        "payment-link": "ご注文 {{ number }} のお支払いのお願い",
        "invoice": "ご注文 {{ number }} の請求書 {{ invoice_number }}",
        "cancelled": "ご注文 {{ number }} はキャンセルされました",
        "replaced": "ご注文 {{ number }} は変更され、新しい注文番号は {{ replaced_by }} です",
        "payment-failed": "ご注文 {{ number }} のお支払いができませんでした",
    },
}

_TEXTS: dict[str, dict[Template, str]] = {
    "en": {
        "payment-link": "{{ greeting }}\n\nplease pay {{ amount }} for your order {{ number }} here:\n{{ link }}\n",
        "invoice": "{{ greeting }}\n\nthank you. Your order {{ number }} over {{ amount }} is invoiced; the invoice "
        "number is {{ invoice_number }}.\n",
        "cancelled": "{{ greeting }}\n\nyour order {{ number }} over {{ amount }} was cancelled. Money that you have "
        "paid goes back to you.\n",
        "replaced": "{{ greeting }}\n\nyour order {{ number }} was changed. It goes on under the new number "
        "{{ replaced_by }}; what we send you from now on is about that number. A payment link for {{ number }} is no "
        "longer valid, and money that you have paid for {{ number }} goes back to you.\n",
        "payment-failed": "{{ greeting }}\n\nthe payment of {{ amount }} for your order {{ number }} did not succeed. "
        "You can try again here:\n{{ link }}\n",
    },
    "de": {
        "payment-link": "{{ greeting }}\n\nbitte bezahlen Sie {{ amount }} für Ihre Bestellung {{ number }} hier:\n"
        "{{ link }}\n",
        "invoice": "{{ greeting }}\n\nvielen Dank. Ihre Bestellung {{ number }} über {{ amount }} ist berechnet; die "
        "Rechnungsnummer ist {{ invoice_number }}.\n",
        "cancelled": "{{ greeting }}\n\nIhre Bestellung {{ number }} über {{ amount }} wurde storniert. Bereits "
        "gezahltes Geld erhalten Sie zurück.\n",
        "replaced": "{{ greeting }}\n\nIhre Bestellung {{ number }} wurde geändert. Sie läuft unter der neuen Nummer "
        "{{ replaced_by }} weiter; was wir Ihnen von nun an schreiben, betrifft diese Nummer. Ein Zahlungslink zu "
        "{{ number }} gilt nicht mehr, und was Sie für {{ number }} bereits gezahlt haben, erhalten Sie zurück.\n",
        "payment-failed": "{{ greeting }}\n\ndie Zahlung von {{ amount }} für Ihre Bestellung {{ number }} ist "
        "fehlgeschlagen. Hier können Sie es noch einmal versuchen:\n{{ link }}\n",
    },
    "ja": {
        "payment-link": "{{ greeting }}\n\nご注文 {{ number }} の代金 {{ amount }} を"
        "下記よりお支払いください。\n{{ link }}\n",
        "invoice": "{{ greeting }}\n\nありがとうございます。ご注文 {{ number }}({{ amount }})の請求書番号は "
        "{{ invoice_number }} です。\n",
        "cancelled": "{{ greeting }}\n\nご注文 {{ number }}({{ amount }})はキャンセルされました。"
        "お支払い済みの代金は返金されます。\n",
        "replaced": "{{ greeting }}\n\nご注文 {{ number }} の内容を変更いたしました。"
        "新しい注文番号は {{ replaced_by }} です。"
        "今後のご連絡はこの番号でお送りします。{{ number }} のお支払いリンクは無効となり、"
        "お支払い済みの代金は返金されます。\n",
        "payment-failed": "{{ greeting }}\n\nご注文 {{ number }} の代金 {{ amount }} のお支払いができませんでした。"
        "下記よりもう一度お試しください。\n{{ link }}\n",
    },
}

_GREETINGS = {"en": "Dear {name},", "de": "Guten Tag {name},", "ja": "{name} 様"}
_FAMILY_NAME_FIRST = frozenset({"ja"})

_engine = Environment(autoescape=False, undefined=StrictUndefined, keep_trailing_newline=True)  # plain text


def customer_text(
    template: Template, order: Order, *, amount: Money, link: str, invoice_number: str, replaced_by: str = ""
) -> tuple[str, str]:
    """Subject and plain text of a mail in the order's language."""
    language = language_of(order)
    values = {
        "greeting": greeting(order, language),
        "number": order.number,
        "amount": str(amount),
        "link": link,
        "invoice_number": invoice_number,
        "replaced_by": replaced_by,
    }
    subject = _engine.from_string(_SUBJECTS[language][template]).render(values)
    text = _engine.from_string(_TEXTS[language][template]).render(values)
    return " ".join(subject.split()), text


def language_of(order: Order) -> str:
    """The order's language where there are texts in it, else English."""
    language = order.language.replace("_", "-").split("-")[0].lower()
    return language if language in _TEXTS else "en"


def greeting(order: Order, language: str) -> str:
    customer = order.customer
    names = (customer.first_name, customer.last_name)
    if language in _FAMILY_NAME_FIRST:
        names = (customer.last_name, customer.first_name)
    name = " ".join(" ".join(names).split()) or customer.company_name
    return _GREETINGS[language].format(name=name or order.customer.email)
