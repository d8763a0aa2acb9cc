"""A person's correction of an order: a JSON merge patch (RFC 7396), checked like an order that comes in."""

import re
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from commerce.order import Order
from commerce.totals import amount_due, mismatches

# What identifies the order, or was told to others already, is not corrected: that would be another order.
_FIXED = ("store", "number", "placed_at", "currency", "shop_id", "replaces")


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396. In addition a patch object over an array changes the elements it names by index: `{"0": {...}}`.

    As for a field, null takes the element out; the indexes are those before the change.
    """
    if not isinstance(patch, dict):
        return patch
    if isinstance(target, list):
        places: dict[int, Any] = {}
        for index, change in patch.items():
            if not re.fullmatch("[0-9]{1,6}", index) or int(index) >= len(target):
                raise ValueError(f"{index!r} is not an index below {len(target)}")
            places[int(index)] = change
        return [
            merge(item, places[i]) if i in places else item
            for i, item in enumerate(target)
            if places.get(i, item) is not None
        ]
    result_object = dict(target) if isinstance(target, dict) else {}
    for name, change in patch.items():
        if change is None:
            result_object.pop(name, None)
        else:
            result_object[name] = merge(result_object.get(name), change)
    return result_object


def corrected(order: Order, patch: dict[str, Any] | None, *, money_asked: bool) -> Order:
    """The corrected order. Raises ValueError naming what cannot be changed, or what is wrong with the result.

    `money_asked`: the buyer has a payment link; the amount due cannot change any more.
    """
    if not patch:
        raise ValueError('a correction names what to change, for example {"lines": {"0": {"sku": "NEW"}}}')
    fixed = sorted(set(patch) & set(_FIXED))
    if fixed:
        raise ValueError(f"{', '.join(fixed)} cannot be corrected; cancel the order and place it anew")
    try:
        result = Order.model_validate(merge(order.model_dump(mode="json"), patch))
    except ValidationError as err:
        raise ValueError("; ".join(_told(error) for error in err.errors(include_url=False))) from None
    wrong = mismatches(result)
    if wrong:
        raise ValueError(f"the corrected order does not add up: {'; '.join(wrong)}")
    if money_asked and amount_due(result) != amount_due(order):
        raise ValueError(f"the buyer was asked for {amount_due(order)}; the correction would make {amount_due(result)}")
    return result


def _told(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    value, text = error["input"], str(error["msg"]).removeprefix("Value error, ")
    shown = f"{value!r} is not allowed: " if place and isinstance(value, str | int | Decimal) else ""
    return f"{place}: {shown}{text}" if place else text
