"""A person's correction of an order: a JSON merge patch (RFC 7396), checked like an order that comes in."""

from typing import Any

from pydantic import ValidationError

from commerce.order import Order
from commerce.totals import amount_due

# What identifies the order, or was told to others already, is not corrected: that would be another order.
_FIXED = ("store", "number", "placed_at", "currency", "shop_id")


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396. In addition a patch object over an array changes the elements it names by index: `{"0": {...}}`."""
    if not isinstance(patch, dict):
        return patch
    if isinstance(target, list):
        result = list(target)
        for index, change in patch.items():
            if not index.isdigit() or int(index) >= len(result):
                raise ValueError(f"{index!r} is not an index below {len(result)}")
            result[int(index)] = merge(result[int(index)], change)
        return result
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
        first = err.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None
    if money_asked and amount_due(result) != amount_due(order):
        raise ValueError(f"the buyer was asked for {amount_due(order)}; the correction would make {amount_due(result)}")
    return result
