"""Customers, companies, their credit, and carts that an integration turns into orders."""

from typing import Any

from tests.sandbox.magento.shop_client import ShopClient, criteria

ADDRESS = {
    "firstname": "A",
    "lastname": "B",
    "street": ["Weg 1"],
    "city": "Köln",
    "postcode": "50667",
    "country_id": "DE",
    "telephone": "1",
}


async def test_one_email_per_website(shop: ShopClient) -> None:
    customer = {"email": "joerg@weiss.example", "firstname": "J", "lastname": "W", "website_id": 1}
    status, body = await shop.call("POST", "customers", {"customer": customer})
    message = "A customer with the same email address already exists in an associated website."
    assert (status, body["message"]) == (400, message)
    other = await shop.post("customers", {"customer": customer | {"website_id": 2}})
    assert (other["store_id"], other["group_id"]) == (2, 1)


async def test_put_of_a_customer_needs_the_whole_and_replaces_the_addresses(shop: ShopClient) -> None:
    status, body = await shop.call("PUT", "customers/11", {"customer": {"email": "joerg@weiss.example"}})
    assert status == 400
    assert len(body["errors"]) == 3
    old = await shop.get("customers/11")
    whole = {name: old[name] for name in ("email", "firstname", "lastname", "website_id")}
    await shop.put("customers/11", {"customer": whole})
    assert len((await shop.get("customers/11"))["addresses"]) == 1
    changed = await shop.put("customers/11", {"customer": whole | {"addresses": [ADDRESS | {"default_billing": True}]}})
    assert [each["city"] for each in changed["addresses"]] == ["Köln"]
    assert changed["default_billing"] == str(changed["addresses"][0]["id"])
    assert "default_shipping" not in changed


async def test_a_new_company_is_pending_and_its_admin_serves_only_it(shop: ShopClient) -> None:
    company: dict[str, Any] = {
        "company_name": "Neu GmbH",
        "company_email": "neu@neu.example",
        "street": ["Weg 1"],
        "city": "Köln",
        "country_id": "DE",
        "postcode": "50667",
        "telephone": "1",
        "customer_group_id": 1,
        "super_user_id": 11,
    }
    made = await shop.post("company/", {"company": company})
    assert made["status"] == 0
    assert (await shop.get("customers/11"))["extension_attributes"]["company_attributes"]["company_id"] == made["id"]
    taken = company | {"company_email": "other@neu.example"}
    assert (await shop.call("POST", "company", {"company": taken}))[0] == 400
    found = await shop.get(f"company/?{criteria(('company_email', 'eq', 'neu@neu.example'))}")
    assert [each["id"] for each in found["items"]] == [made["id"]]


async def test_credit_operations_refuse_the_types_that_do_not_belong(shop: ShopClient) -> None:
    credit = await shop.get("companyCredits/company/501")
    move = {"value": 10.5, "currency": "EUR", "operationType": 4, "comment": "Payment 5511"}
    path = f"companyCredits/{credit['id']}"
    assert await shop.post(f"{path}/increaseBalance", move) is True
    assert (await shop.call("POST", f"{path}/increaseBalance", move | {"operationType": 3}))[0] == 400
    assert (await shop.call("POST", f"{path}/decreaseBalance", move | {"operationType": 1}))[0] == 400
    history = await shop.get(f"companyCredits/history?{criteria(('comment', 'eq', 'Payment 5511'))}")
    assert history["total_count"] == 1


async def test_an_order_on_account_uses_up_credit(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 1), company=501, payment_method="companycredit")
    order, credit = await shop.get(f"orders/{order_id}"), await shop.get("companyCredits/company/501")
    assert -credit["balance"] == order["base_grand_total"]


async def test_a_cart_becomes_one_order_and_is_gone_then(shop: ShopClient) -> None:
    cart = await shop.post("customers/11/carts")
    item = {"cartItem": {"sku": "HF-1001", "qty": 2, "quote_id": cart}}
    await shop.post(f"carts/{cart}/items", item)
    options = {"extension_attributes": {"configurable_item_options": [{"option_id": "141", "option_value": 10}]}}
    shirt = {"sku": "HF-2000", "qty": 1, "quote_id": cart, "product_option": options}
    await shop.post(f"carts/{cart}/items", {"cartItem": shirt})
    information = {
        "shipping_address": ADDRESS,
        "billing_address": ADDRESS,
        "shipping_carrier_code": "flatrate",
        "shipping_method_code": "flatrate",
    }
    details = await shop.post(f"carts/{cart}/shipping-information", {"addressInformation": information})
    method = {"method": {"method": "purchaseorder", "po_number": "PO-9"}}
    await shop.put(f"carts/{cart}/selected-payment-method", method)
    order_id = await shop.put(f"carts/{cart}/order", {})
    order = await shop.get(f"orders/{order_id}")
    assert str(order["quote_id"]) == cart
    assert order["grand_total"] == details["totals"]["grand_total"]
    assert [each["sku"] for each in order["items"]] == ["HF-1001", "HF-2000-M", "HF-2000-M"]
    status, body = await shop.call("PUT", f"carts/{cart}/order", {})
    assert (status, body["message"]) == (404, "No such entity with %fieldName = %fieldValue")
    assert len(shop.books()["orders"]) == 1


async def test_a_cart_needs_the_quote_id_in_the_body_too(shop: ShopClient) -> None:
    cart = await shop.post("customers/11/carts")
    assert (await shop.call("POST", f"carts/{cart}/items", {"cartItem": {"sku": "HF-1001", "qty": 2}}))[0] == 400


async def test_more_than_is_salable_cannot_be_ordered(shop: ShopClient) -> None:
    cart = await shop.post("customers/11/carts")
    item = {"cartItem": {"sku": "HF-1001", "qty": 2001, "quote_id": cart}}
    assert (await shop.call("POST", f"carts/{cart}/items", item))[0] == 400
