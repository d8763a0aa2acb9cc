"""Mails about goods on their way: dispatched, delayed, delivered, cancelled. A language without a text gets English."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

from jinja2 import Environment, StrictUndefined
from temporalio import activity

from activities.fulfillment import GoodsNews, TellOfGoods
from activities.ledger.store import Ledger
from activities.notify.mail import Mailer
from activities.notify.texts import greeting, language_of
from activities.steps import step
from commerce.documents import Document, DocumentKind
from commerce.order import Order

Template = Literal["dispatched", "delayed", "delivered", "lines-cancelled"]

_SUBJECTS: dict[str, dict[Template, str]] = {
    "en": {
        "dispatched": "Your order {{ number }} is on its way",
        "delayed": "Your order {{ number }} takes longer",
        "delivered": "Your order {{ number }} was delivered",
        "lines-cancelled": "A part of your order {{ number }} was cancelled",
    },
    "de": {
        "dispatched": "Ihre Bestellung {{ number }} ist unterwegs",
        "delayed": "Ihre Bestellung {{ number }} verzögert sich",
        "delivered": "Ihre Bestellung {{ number }} wurde zugestellt",
        "lines-cancelled": "Ein Teil Ihrer Bestellung {{ number }} wurde storniert",
    },
    "ja": {
        "dispatched": "ご注文 {{ number }} を発送しました",
        "delayed": "ご注文 {{ number }} のお届けが遅れています",
        "delivered": "ご注文 {{ number }} をお届けしました",
        "lines-cancelled": "ご注文 {{ number }} の一部がキャンセルされました",
    },
}
_GOODS = "{% for line in lines %}{{ line }}\n{% endfor %}"
_TRACKS = "{% for track in tracks %}{{ track.number }}{% if track.link %}  {{ track.link }}{% endif %}\n{% endfor %}"
_TEXTS: dict[str, dict[Template, str]] = {
    "en": {
        "dispatched": "{{ greeting }}\n\nthis has left our warehouse:\n\n"
        + _GOODS
        + "{% if tracks %}\nParcels:\n"
        + _TRACKS
        + "{% endif %}",
        "delayed": "{{ greeting }}\n\na part of your order {{ number }} takes longer than planned. "
        "{% if day %}We expect to ship it on {{ day }}.{% else %}We will write to you when it leaves our warehouse."
        "{% endif %}\n",
        "delivered": "{{ greeting }}\n\nthis was delivered:\n\n" + _GOODS,
        "lines-cancelled": "{{ greeting }}\n\nthis will not be delivered:\n\n" + _GOODS,
    },
    "de": {
        "dispatched": "{{ greeting }}\n\ndies hat unser Lager verlassen:\n\n"
        + _GOODS
        + "{% if tracks %}\nPakete:\n"
        + _TRACKS
        + "{% endif %}",
        "delayed": "{{ greeting }}\n\nein Teil Ihrer Bestellung {{ number }} braucht länger als geplant. "
        "{% if day %}Wir versenden ihn voraussichtlich am {{ day }}.{% else %}Wir schreiben Ihnen, wenn er unser Lager "
        "verlässt.{% endif %}\n",
        "delivered": "{{ greeting }}\n\ndies wurde zugestellt:\n\n" + _GOODS,
        "lines-cancelled": "{{ greeting }}\n\ndies wird nicht geliefert:\n\n" + _GOODS,
    },
    "ja": {
        "dispatched": "{{ greeting }}\n\n下記の商品を発送しました。\n\n"
        + _GOODS
        + "{% if tracks %}\nお荷物:\n"
        + _TRACKS
        + "{% endif %}",
        "delayed": "{{ greeting }}\n\nご注文 {{ number }} の一部のお届けが遅れております。"
        "{% if day %}{{ day }} に発送の予定です。{% else %}発送の際に改めてご連絡いたします。{% endif %}\n",
        "delivered": "{{ greeting }}\n\n下記の商品をお届けしました。\n\n" + _GOODS,
        "lines-cancelled": "{{ greeting }}\n\n下記の商品はお届けできません。\n\n" + _GOODS,
    },
}
_engine = Environment(autoescape=False, undefined=StrictUndefined, keep_trailing_newline=True)  # plain text


def goods_text(task: TellOfGoods) -> tuple[str, str]:
    """Subject and plain text in the order's language. The goods are named as the buyer saw them, with quantities."""
    language = language_of(task.order)
    values = {
        "greeting": greeting(task.order, language),
        "number": task.order.number,
        "lines": [f"{_plain(p.quantity)} × {_title(task.order, p.line)}" for p in task.portions],
        "tracks": task.tracks,
        "day": _day(task.expected_on),
    }
    subject = _engine.from_string(_SUBJECTS[language][task.template]).render(values)
    return " ".join(subject.split()), _engine.from_string(_TEXTS[language][task.template]).render(values)


class GoodsMail(GoodsNews):
    def __init__(self, ledger: Ledger, mailer: Mailer | None) -> None:
        self._ledger = ledger
        self._mailer = mailer

    @activity.defn(name="notify.goods")
    @step
    async def goods(self, task: TellOfGoods) -> Document:
        key = f"{task.key}:mail"
        document = Document(kind=DocumentKind.MAIL, system="mail", id=key, key=key, status="sent")
        if self._mailer is None:
            return document.model_copy(update={"status": "no mail configured"})
        document = document.model_copy(update={"id": self._mailer.message_id(key)})
        if await self._ledger.delivered(key):
            return document.model_copy(update={"adopted": True})
        subject, text = goods_text(task)
        reference = await self._mailer.send(key, (task.order.customer.email,), subject, text, datetime.now(UTC))
        await self._ledger.keep_message(key, "mail", task.order.key, reference=reference)
        return document


def _title(order: Order, line: str) -> str:
    return next((row.name for row in order.lines if row.id == line), line)


def _plain(quantity: Decimal) -> str:
    return format(quantity.normalize(), "f")


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
