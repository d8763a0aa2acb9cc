"""Place an order: price the wish, write the entity, reserve the goods."""

from sandbox.kernel.store import Doc
from sandbox.magento import inventory
from sandbox.magento.companies import charge
from sandbox.magento.entity import build_order
from sandbox.magento.money import dec
from sandbox.magento.orders import set_state
from sandbox.magento.pricing import Money, Wish, price, rows_of
from sandbox.magento.shop import Shop


def place(shop: Shop, wish: Wish) -> Doc:
    """The new order, with its goods reserved; not kept yet (see `save_order`). Raises MagentoError."""
    view = shop.view(wish.store_id)
    money = Money(view)
    rows = rows_of(shop, wish, money)
    order = build_order(shop, wish, view, money, rows, price(wish, rows, money))
    inventory.promise(shop, order)
    if order["payment"]["method"] == "companycredit" and wish.company is not None:
        charge(shop, wish.company["id"], dec(order["base_grand_total"]), order)
    state = wish.state or ("processing" if dec(order.get("total_paid")) > 0 else "new")
    set_state(shop, order, state, wish.status)
    return order
