"""Sales orders, their guards and the web-order staging, over HTTP as a client sees them."""

from typing import Any

import pytest

from sandbox.kernel.world import ActError
from tests.sandbox.salesforce.conftest import Platform
from tests.sandbox.salesforce.erp_desk import LINE, ORDER, REFUSED, Desk

RECEIVED, RECEIVED_LINE = "SCMC__Received_Order__c", "SCMC__Received_Order_Line__c"
LAMP = ("HF-1001", "2", "39.50")


@pytest.fixture
async def erp(_platform: Platform) -> Desk:
    return await Desk.open(_platform)


async def test_an_order_and_its_lines_stand_together_or_not_at_all(erp: Desk) -> None:
    def graph(sku_id: str) -> dict[str, Any]:
        base = "/services/data/v68.0/sobjects"
        return {
            "allOrNone": True,
            "compositeRequest": [
                {
                    "method": "PATCH",
                    "url": f"{base}/{ORDER}/Magento_Order_Id__c/de:000000007",
                    "referenceId": "so",
                    "body": {"SCMC__Customer_Account__r": {"Magento_Customer_Id__c": "de:501"}},
                },
                {
                    "method": "PATCH",
                    "url": f"{base}/{LINE}/Magento_Line_Id__c/de:000000007:1",
                    "referenceId": "line",
                    "body": {
                        "SCMC__Sales_Order__c": "@{so.id}",
                        "SCMC__Item_Master__c": sku_id,
                        "SCMC__Quantity__c": 2,
                        "SCMC__Price__c": 39.5,
                        "Line_Title__c": "Leselampe Aurora",
                    },
                },
            ],
        }

    broken = await erp.platform.call("POST", "/composite", json=graph("a2C5e0000000999"))
    assert broken.status_code == 200
    assert erp.books()["orders"] == []

    await erp.platform.call("POST", "/composite", json=graph(erp.id_of("SCMC__Item__c", "HF-1001")))
    (order,) = erp.books()["orders"]
    assert (order["key"], order["customer"], order["total_minor"]) == ("de:000000007", "de:501", 7900)
    assert [(line["sku"], line["key"]) for line in order["lines"]] == [("HF-1001", "de:000000007:1")]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("SCMC__Active__c", False, "is not active"),
        ("SCMC__Customer__c", False, "is not a customer"),
        ("SCMC__Temporary_Hold__c", "Finance", "is on temporary hold (Finance)"),
    ],
)
async def test_a_customer_that_may_not_buy_gets_no_order(erp: Desk, field: str, value: Any, reason: str) -> None:
    await erp.change("Account", erp.account("de:501"), **{field: value})

    status, code, message = await erp.refusal(
        "PATCH", f"/sobjects/{ORDER}/Magento_Order_Id__c/de:1", SCMC__Customer_Account__c=erp.account("de:501")
    )
    assert (status, code) == (400, REFUSED)
    assert reason in message
    assert erp.books()["orders"] == []


async def test_an_order_is_approved_with_lines_only_and_then_frozen(erp: Desk) -> None:
    empty = await erp.order("de:1", "de:501")
    assert "without lines" in (await erp.refusal("PATCH", f"/sobjects/{ORDER}/{empty}", SCMC__Status__c="Approved"))[2]

    order = await erp.order("de:2", "de:501", LAMP)
    await erp.change(ORDER, order, SCMC__Status__c="Approved")
    line = erp.one(LINE, "SCMC__Sales_Order__c", order)["Id"]
    row = await erp.read(ORDER, order)
    assert (row["SCMC__Approval_Date__c"], row["SCMC__Total_Value__c"]) == (erp.org.today(), 79)

    item = erp.id_of("SCMC__Item__c", "HF-1002")
    more = {"SCMC__Sales_Order__c": order, "SCMC__Item_Master__c": item, "SCMC__Quantity__c": 1}
    for method, path, fields in (
        ("PATCH", f"/sobjects/{LINE}/{line}", {"SCMC__Quantity__c": 3}),
        ("PATCH", f"/sobjects/{LINE}/{line}", {"SCMC__Price__c": 1}),
        ("POST", f"/sobjects/{LINE}", more),
        ("DELETE", f"/sobjects/{LINE}/{line}", {}),
        ("DELETE", f"/sobjects/{ORDER}/{order}", {}),
        ("PATCH", f"/sobjects/{ORDER}/{order}", {"SCMC__Status__c": "New"}),
        ("PATCH", f"/sobjects/{ORDER}/{order}", {"SCMC__Status__c": "Closed"}),
    ):
        assert (await erp.refusal(method, path, **fields))[:2] == (400, REFUSED), (path, fields)
    await erp.change(ORDER, order, Order_Data__c="{}")  # the merchant's own fields stay open
    assert (await erp.read(ORDER, order))["SCMC__Total_Value__c"] == 79


async def test_cancelling_takes_the_lines_along_and_gives_the_stock_back(erp: Desk) -> None:
    order = await erp.order("de:1", "de:501", LAMP, ("HF-1002", "1", "129.00"))
    await erp.act("approve", order="de:1")
    await erp.act("pick", order=(await erp.act("allocate", order="de:1"))["order"])
    assert held(erp) == 3

    await erp.change(ORDER, order, SCMC__Status__c="Cancelled")

    (row,) = erp.books()["orders"]
    assert (row["status"], {line["status"] for line in row["lines"]}) == ("Cancelled", {"Cancelled"})
    assert held(erp) == 0
    assert [row["status"] for row in erp.books()["shipments"]] == ["Cancelled"]
    with pytest.raises(ActError, match="Cancelled"):
        await erp.act("ship", order="de:1")
    assert (await erp.refusal("PATCH", f"/sobjects/{ORDER}/{order}", SCMC__Status__c="Approved"))[1] == REFUSED


def held(erp: Desk) -> Any:
    return sum(row["SCMC__Quantity_Allocated__c"] for row in erp.org.all("SCMC__Inventory_Position__c"))


async def test_an_order_with_shipped_goods_cannot_be_cancelled(erp: Desk) -> None:
    order = await erp.order("de:1", "de:501", LAMP)
    await erp.act("approve", order="de:1")
    await erp.act("ship", order="de:1", lines=[{"sku": "HF-1001", "quantity": 1}])

    assert "shipped" in (await erp.refusal("PATCH", f"/sobjects/{ORDER}/{order}", SCMC__Status__c="Cancelled"))[2]
    with pytest.raises(ActError, match="shipped"):
        await erp.act("cancel-order", order="de:1")
    assert (await erp.read(ORDER, order))["SCMC__Status__c"] == "Approved"


@pytest.mark.parametrize(
    ("customer", "price", "quantity", "minor"),
    [("de:web", "0.335", "3", 101), ("jp:web", "1265.5", "1", 1266), ("kw:web", "5.9685", "3", 17906)],
)
async def test_a_line_is_rounded_to_its_currency(
    erp: Desk, customer: str, price: str, quantity: str, minor: int
) -> None:
    currency = {"de": "EUR", "jp": "JPY", "kw": "KWD"}[customer[:2]]
    order = await erp.order("k:1", customer, ("HF-1001", quantity, price), CurrencyIsoCode=currency)

    (row,) = erp.books()["orders"]
    assert (row["currency"], row["total_minor"], row["lines"][0]["total_minor"]) == (currency, minor, minor)
    master = erp.id_of("SCMC__Currency_Master__c", currency)
    assert (await erp.read(ORDER, order))["SCMC__Currency__c"] == master


async def test_the_currency_of_the_lookup_wins_over_the_iso_code(erp: Desk) -> None:
    master = erp.id_of("SCMC__Currency_Master__c", "JPY")
    order = await erp.order("jp:1", "jp:web", CurrencyIsoCode="EUR", SCMC__Currency__c=master)

    assert (await erp.read(ORDER, order))["CurrencyIsoCode"] == "JPY"


@pytest.mark.parametrize(
    ("kind", "field", "value", "code"),
    [
        (ORDER, "SCMC__Customer_Purchase_Order__c", "x" * 81, "STRING_TOO_LONG"),
        (ORDER, "SCMC__Drop_Ship_Zip_Postal_Code__c", "x" * 16, "STRING_TOO_LONG"),
        (ORDER, "SCMC__Total_Tax__c", 10_000_000, "NUMBER_OUTSIDE_VALID_RANGE"),
        (ORDER, "SCMC__Total_Value__c", 1, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (ORDER, "SCMC__Shipment_Status__c", "Fulfilled", "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (ORDER, "SCMC__Status__c", "Shipped", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Account", "SCMC__Corp_PostalCode__c", "x" * 11, "STRING_TOO_LONG"),
        ("Account", "SCMC__Corp_Country__c", "x" * 26, "STRING_TOO_LONG"),
    ],
)
async def test_fields_take_what_the_vendor_takes(erp: Desk, kind: str, field: str, value: Any, code: str) -> None:
    record = await erp.order("de:1", "de:501") if kind == ORDER else erp.account("de:501")

    assert (await erp.refusal("PATCH", f"/sobjects/{kind}/{record}", **{field: value}))[:2] == (400, code)


async def test_total_tax_keeps_two_decimals_whatever_the_currency(erp: Desk) -> None:
    order = await erp.order("kw:1", "kw:web", CurrencyIsoCode="KWD", SCMC__Total_Tax__c=1.235)

    assert (await erp.read(ORDER, order))["SCMC__Total_Tax__c"] == 1.24


@pytest.mark.parametrize("quantity", [0, -1])
async def test_a_line_without_a_quantity_is_refused(erp: Desk, quantity: int) -> None:
    order = await erp.order("de:1", "de:501")
    line = {"SCMC__Sales_Order__c": order, "SCMC__Item_Master__c": erp.id_of("SCMC__Item__c", "HF-1001")}

    assert (await erp.refusal("POST", f"/sobjects/{LINE}", **line, SCMC__Quantity__c=quantity))[1] == REFUSED


async def test_an_item_that_is_not_active_is_refused(erp: Desk) -> None:
    await erp.act("change-item", sku="HF-1001", active=False)
    order = await erp.order("de:1", "de:501")
    line = {"SCMC__Sales_Order__c": order, "SCMC__Item_Master__c": erp.id_of("SCMC__Item__c", "HF-1001")}

    assert "not active" in (await erp.refusal("POST", f"/sobjects/{LINE}", **line, SCMC__Quantity__c=1))[2]


# --- staging -------------------------------------------------------------------------------------------------------


async def stage(erp: Desk, order_id: str, sku: str = "HF-1001", **fields: Any) -> str:
    header = {"SCMC__Customer_Number__c": "de:501", "SCMC__Currency__c": "EUR"} | fields
    staged = await erp.create(RECEIVED, SCMC__Order_Id__c=order_id, **header)
    await erp.create(
        RECEIVED_LINE,
        SCMC__Received_Order__c=staged,
        SCMC__Product_Name__c=sku,
        SCMC__Product_Quantity__c=2,
        SCMC__Product_Unit_Price__c=39.5,
    )
    return staged


async def test_a_received_order_becomes_one_sales_order(erp: Desk) -> None:
    staged = await stage(erp, "000000123", SCMC__Total_Tax__c=15.01)

    assert await erp.act("convert-received-orders") == {"converted": 1, "failed": 0}
    assert await erp.act("convert-received-orders") == {"converted": 0, "failed": 0}

    (order,) = erp.books()["orders"]
    assert (order["key"], order["customer"], order["total_minor"]) == ("000000123", "de:501", 9401)
    row = await erp.read(RECEIVED, staged)
    assert (row["SCMC__Status__c"], row["SCMC__Sales_Order__c"]) == ("Processed", order["id"])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"sku": "HF-9999"}, "There is no item HF-9999."),
        ({"SCMC__Currency__c": "GBP"}, "There is no currency GBP."),
        ({"SCMC__Customer_Number__c": "de:999"}, "There is no account for de:999."),
        ({"SCMC__Total_Tax__c": 12345678}, "value outside of valid range"),
    ],
)
async def test_a_received_order_that_cannot_be_used_says_why_and_leaves_nothing(
    erp: Desk, fields: dict[str, Any], reason: str
) -> None:
    staged = await stage(erp, "000000123", **fields)

    assert await erp.act("convert-received-orders") == {"converted": 0, "failed": 1}

    row = await erp.read(RECEIVED, staged)
    assert row["SCMC__Status__c"] == "Error"
    assert reason in row["SCMC__Error_Text__c"]
    assert erp.books()["orders"] == []
    (logged,) = erp.org.all("SCMC__Error_Log__c")
    assert (logged["SCMC__Record_Id__c"], reason in logged["SCMC__Error_Message__c"]) == (staged, True)


async def test_a_held_customers_received_order_converts_after_the_hold(erp: Desk) -> None:
    await erp.act("change-credit", customer="de:501", hold="Finance")
    staged = await stage(erp, "000000123")
    await erp.act("convert-received-orders")
    assert "temporary hold" in (await erp.read(RECEIVED, staged))["SCMC__Error_Text__c"]

    await erp.act("change-credit", customer="de:501", hold=None)
    assert await erp.act("convert-received-orders", order="000000123") == {"converted": 1, "failed": 0}
    row = await erp.read(RECEIVED, staged)
    assert (row["SCMC__Status__c"], row["SCMC__Error_Text__c"]) == ("Processed", None)


async def test_the_background_step_leaves_an_order_alone_that_is_still_being_written(erp: Desk) -> None:
    await stage(erp, "000000123")

    await erp.tick()

    assert erp.books()["orders"] == []


async def test_the_background_step_converts_what_has_been_quiet_for_a_moment(erp: Desk) -> None:
    await stage(erp, "000000123")
    async with erp.platform.world.unit():
        for kind in (RECEIVED, RECEIVED_LINE):
            for row_id in erp.org.table(kind):
                row = erp.org.table(kind).get(row_id) or {}
                erp.org.table(kind).put(row_id, row | {"SystemModstamp": "2026-01-01T00:00:00.000+0000"})

    await erp.tick()
    await erp.tick()

    assert [row["key"] for row in erp.books()["orders"]] == ["000000123"]


async def test_one_query_gives_an_order_with_its_customer_and_lines(erp: Desk) -> None:
    await erp.order("de:1", "de:501", LAMP, ("HF-1002", "1", "129.00"))

    found = await erp.platform.query(
        "SELECT Name, SCMC__Total_Value__c, SCMC__Customer_Account__r.Name, "
        "(SELECT SCMC__Item_Master__r.Name, SCMC__Extended_Price__c FROM SCMC__Line_Items__r) "
        f"FROM {ORDER} WHERE SCMC__Customer_Account__r.Magento_Customer_Id__c = 'de:501'"
    )

    (row,) = found["records"]
    assert (row["SCMC__Total_Value__c"], row["SCMC__Customer_Account__r"]["Name"]) == (208, "Müller & Söhne GmbH")
    lines = row["SCMC__Line_Items__r"]["records"]
    assert [(line["SCMC__Item_Master__r"]["Name"], line["SCMC__Extended_Price__c"]) for line in lines] == [
        ("HF-1001", 79),
        ("HF-1002", 129),
    ]
