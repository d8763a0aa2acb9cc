"""Whom we sell to and what: found letter for letter, and a doubt waits for a person."""

from typing import Any

import pytest

from activities.financialforce.activities import FinancialForce
from activities.financialforce.settings import ChargeItems, FieldNames
from activities.roles import ErpCustomer, FindCustomer, FindItems
from tests.activities.financialforce.conftest import settings_for
from tests.activities.financialforce.parked import refused
from tests.sandbox_process import Sandbox


async def account_with(erp: FinancialForce, key: str, **fields: Any) -> FindCustomer:
    body = {"Name": "Probe AG", "SCMC__Active__c": True, "SCMC__Customer__c": True, **fields}
    await erp.client.upsert("Account", "Magento_Customer_Id__c", key, body, tried="create an account")
    return FindCustomer(key=key, order_key="de:1")


async def find(erp: FinancialForce, key: str) -> ErpCustomer:
    return await erp.find_customer(FindCustomer(key=key, order_key="de:1"))


async def test_a_company_is_found_with_its_terms(erp: FinancialForce) -> None:
    found = await find(erp, "de:501")
    assert (found.name, found.number, found.terms_days, found.on_hold) == ("Müller & Söhne GmbH", "D501", 30, False)


@pytest.mark.parametrize("key", ["de:502", "de:web"])
async def test_a_customer_without_terms_pays_first(erp: FinancialForce, key: str) -> None:
    assert (await find(erp, key)).terms_days is None


@pytest.mark.parametrize(
    ("fields", "terms_days", "on_hold"),
    [
        ({"c2g__CODACreditStatus__c": "Credit Allowed", "c2g__CODADaysOffset1__c": 14}, 14, False),
        ({"c2g__CODACreditStatus__c": "On Hold", "c2g__CODADaysOffset1__c": 14}, 14, True),
        ({"c2g__CODACreditStatus__c": "Cash with Order", "c2g__CODADaysOffset1__c": 14}, None, False),
        ({"c2g__CODACreditStatus__c": "Credit Allowed", "c2g__CODADaysOffset1__c": 0}, 0, False),
    ],
)
async def test_credit_is_what_the_account_says(
    erp: FinancialForce, fields: dict[str, Any], terms_days: int | None, on_hold: bool
) -> None:
    found = await erp.find_customer(await account_with(erp, "de:credit", **fields))
    assert (found.terms_days, found.on_hold) == (terms_days, on_hold)


@pytest.mark.parametrize("field", ["SCMC__Active__c", "SCMC__Customer__c"])
async def test_an_account_that_may_not_buy_waits_for_a_person(erp: FinancialForce, field: str) -> None:
    task = await account_with(erp, f"de:{field}", **{field: False})
    assert field in (await refused(erp.find_customer(task), "NeedsPerson"))["do_next"]


async def test_a_customer_that_is_not_there_waits_for_a_person_with_its_key(erp: FinancialForce) -> None:
    case = await refused(find(erp, "de:999"), "NeedsPerson")
    assert "de:999" in case["came_back"]
    assert case["system"] == "ff-de"


async def test_a_key_in_other_case_is_another_customer(erp: FinancialForce) -> None:
    await refused(find(erp, "DE:501"), "NeedsPerson")


async def test_items_are_found_and_the_missing_are_named_in_order(erp: FinancialForce) -> None:
    found = await erp.find_items(FindItems(skus=("HF-9999", "HF-1001", "hf-1002", "O'X", "HF-1004"), order_key="de:1"))
    assert set(found.found) == {"HF-1001", "HF-1004"}
    assert found.missing == ("HF-9999", "hf-1002", "O'X")


async def test_a_long_list_of_items_is_found_whole(erp: FinancialForce) -> None:
    asked = (*(f"NONE-{i:04}-{'茶' * 20}" for i in range(400)), "HF-1008")
    found = await erp.find_items(FindItems(skus=asked, order_key="de:1"))
    assert set(found.found) == {"HF-1008"}
    assert len(found.missing) == 400


async def test_a_closed_item_is_missing_and_a_twin_waits_for_a_person(erp: FinancialForce) -> None:
    for active in (False, True, True):
        await erp.client.create("SCMC__Item__c", {"Name": "TWIN", "SCMC__Active_Status__c": active}, tried="make")
        if not active:
            found = await erp.find_items(FindItems(skus=("TWIN",), order_key="de:1"))
            assert found.missing == ("TWIN",)
    case = await refused(erp.find_items(FindItems(skus=("TWIN",), order_key="de:1")), "NeedsPerson")
    assert "2 active items are named TWIN" in case["came_back"]


async def test_an_outage_while_looking_is_tried_again(org: Sandbox, erp: FinancialForce) -> None:
    org.faults("salesforce", {"kind": "status", "status": 503})
    await refused(find(erp, "de:501"), "Transient")


async def test_a_whole_set_up_has_no_problems(erp: FinancialForce) -> None:
    assert await erp.verify_setup() == []


async def test_what_the_org_lacks_is_named_with_its_remedy(org: Sandbox) -> None:
    erp = FinancialForce(
        settings_for(
            org,
            fields=FieldNames(
                customer_key="Nope__c",
                order_data="SCMC__Freight__c",
                order_key="SCMC__Existing_SO_Number__c",
                ordered_quantity="Ordered__c",
                transfer_key="Transfer_Reason__c",
            ),
            charge_items=ChargeItems(duty="ZOLL"),
            bank_accounts={"EUR": "Sparkasse", "GBP": "Bank EUR"},
        ),
        system="ff-de",
    )
    problems = "\n".join(await erp.verify_setup())
    await erp.close()
    for said in (
        "Account.Nope__c: the field is missing",
        "SCMC__Sales_Order__c.SCMC__Existing_SO_Number__c: it is not an external id",
        "SCMC__Sales_Order__c.SCMC__Existing_SO_Number__c: it takes 80 characters",
        "SCMC__Sales_Order__c.SCMC__Freight__c: it takes 100 characters: lengthen it to at least 131072",
        "SCMC__Sales_Order_Line_Item__c.Ordered__c: the field is missing",
        "SCMC__Transfer_Request__c.Transfer_Reason__c: it is not an external id",
        "charge_items.duty",
        "no bank account Sparkasse",
        "no accounting currency GBP",
    ):
        assert said in problems


async def test_the_probe_knows_whether_the_org_is_there(org: Sandbox, erp: FinancialForce) -> None:
    await erp.probe()
    org.faults("salesforce", {"kind": "down"})
    with pytest.raises(Exception, match="ask the org for its resources"):
        await erp.probe()
