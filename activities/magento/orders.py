"""The shop's order that a task is about, and no other."""

from typing import Any

from activities.magento.client import MagentoClient
from activities.magento.fields import text, whole
from commerce.failures import Family, SystemFailure


def order_id(client: MagentoClient, shop_id: str, tried: str) -> int:
    """The shop's own id of an order. Raises BUG for a text that is none."""
    found = whole(shop_id)
    if found is None:
        raise SystemFailure(
            Family.BUG,
            tried,
            f"{shop_id!r} is not an order id of the shop",
            system=client.system,
            do_next="report this; the order did not come from this shop",
        )
    return found


async def meant_order(
    client: MagentoClient, *, shop_id: str, number: str, order_key: str, fields: str, tried: str
) -> dict[str, Any]:
    """The order with this id. Raises NEEDS_PERSON when it has another number: ids start anew in a shop that was set up
    again, and nothing may be written on somebody else's order. `fields` must have `increment_id`.
    """
    found = order_id(client, shop_id, tried)
    order = await client.get("orders/{id}", tried=tried, fields=fields, order_key=order_key, id=shop_id)
    if text(order, "increment_id") != number:
        raise SystemFailure(
            Family.NEEDS_PERSON,
            tried,
            f"the order with id {found} has the number {text(order, 'increment_id')}, not {number}",
            system=client.system,
            do_next="find out which order is meant before anything is written",
        )
    return order
