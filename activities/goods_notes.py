"""What a shop's order says about its goods, in the buyer's language; one without a text gets English. Pure functions.

Shorter than the mails (`activities/notify/goods.py`): staff and buyers read it beside the shop's own shipments.
"""

from jinja2 import Environment, StrictUndefined

from activities.fulfillment import GoodsTemplate, NoteGoods
from commerce.fulfillment import Portion
from commerce.order import Order

MOST_LINES = 20  # a comment is read at a glance

_TEXTS: dict[str, dict[GoodsTemplate, str]] = {
    "en": {
        "dispatched": "Shipment {{ shipment }} has left our warehouse{% if carrier %} with {{ carrier }}{% endif %}: "
        "{{ goods }}.{% if tracks %} Tracking: {{ tracks }}{% endif %}",
        "delayed": "This takes longer than planned: {{ goods }}. "
        "{% if day %}We expect to ship it on {{ day }}.{% else %}There is no new date yet.{% endif %}",
        "delivered": "Shipment {{ shipment }} was delivered: {{ goods }}.",
        "lines-cancelled": "Cancelled, and will not be delivered: {{ goods }}.",
    },
    "de": {
        "dispatched": "Lieferung {{ shipment }} hat unser Lager verlassen{% if carrier %}, mit {{ carrier }}"
        "{% endif %}: {{ goods }}.{% if tracks %} Sendungsverfolgung: {{ tracks }}{% endif %}",
        "delayed": "Dies braucht länger als geplant: {{ goods }}. "
        "{% if day %}Wir versenden es voraussichtlich am {{ day }}.{% else %}Ein neuer Termin steht noch nicht fest."
        "{% endif %}",
        "delivered": "Lieferung {{ shipment }} wurde zugestellt: {{ goods }}.",
        "lines-cancelled": "Storniert, wird nicht geliefert: {{ goods }}.",
    },
    "ja": {
        "dispatched": "発送 {{ shipment }}{% if carrier %}({{ carrier }}){% endif %}を出荷しました。{{ goods }}"
        "{% if tracks %} 追跡番号: {{ tracks }}{% endif %}",
        "delayed": "お届けが遅れております。{{ goods }} "
        "{% if day %}{{ day }} に発送の予定です。{% else %}発送日は未定です。{% endif %}",
        "delivered": "発送 {{ shipment }} をお届けしました。{{ goods }}",
        "lines-cancelled": "キャンセルのためお届けできません。{{ goods }}",
    },
}
_MORE = {"en": "and {n} more", "de": "und {n} weitere", "ja": "他 {n} 点"}
_engine = Environment(autoescape=False, undefined=StrictUndefined)  # plain text


def note_text(task: NoteGoods) -> str:
    """One line; the key stands at its end in brackets."""
    language = task.order.language.replace("_", "-").split("-")[0].lower()
    language = language if language in _TEXTS else "en"
    named = [_named(task.order, portion) for portion in task.portions[:MOST_LINES]]
    more = len(task.portions) - len(named)
    values = {
        "shipment": task.shipment,
        "carrier": task.carrier,
        "goods": ", ".join(named + ([_MORE[language].format(n=more)] if more else [])),
        "tracks": ", ".join(" ".join(part for part in (each.number, each.link) if part) for each in task.tracks),
        "day": task.expected_on.isoformat() if task.expected_on else "",
    }
    said = _engine.from_string(_TEXTS[language][task.template]).render(values)
    return f"{' '.join(said.split())} [{task.key}]"


def _named(order: Order, portion: Portion) -> str:
    """As the buyer saw it, with how many of them."""
    row = next((row for row in order.lines if row.id == portion.line), None)
    quantity = format(portion.quantity.normalize(), "f")
    if row is None:
        return f"{quantity} × {portion.sku}"
    of = f"/{format(row.quantity.normalize(), 'f')}" if portion.quantity != row.quantity else ""
    return f"{quantity}{of} × {row.name}"
