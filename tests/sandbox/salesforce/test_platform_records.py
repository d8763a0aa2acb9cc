"""Single records: what is taken, what is refused and how, and what an upsert promises."""

import asyncio
import gzip
import json
from decimal import Decimal
from typing import Any

import pytest

from sandbox.salesforce import ids
from sandbox.salesforce.org import USER_ID
from tests.sandbox.salesforce.conftest import DATA, Platform, exact


def test_ids_keep_their_case_in_the_suffix() -> None:
    assert ids.lengthen("001D000000IRFma") == "001D000000IRFmaIAH"  # the example every Salesforce manual shows
    assert ids.normal("001d000000irfmaiah") == "001D000000IRFmaIAH"
    assert ids.normal("001D000000IRFma!") is None


async def test_a_created_record_reads_back_with_its_audit_fields(platform: Platform) -> None:
    reply = await platform.call("POST", "/sobjects/Thing__c", json={"Key__c": "k1", "Amount__c": "19.9"})
    assert reply.status_code == 201
    made = reply.json()
    assert made == {"id": made["id"], "success": True, "errors": []}
    assert len(made["id"]) == 18
    assert reply.headers["location"] == f"{DATA}/sobjects/Thing__c/{made['id']}"
    row = exact(await platform.call("GET", f"/sobjects/Thing__c/{made['id'][:15]}"))
    assert row["attributes"] == {"type": "Thing__c", "url": f"{DATA}/sobjects/Thing__c/{made['id']}"}
    assert (row["Name"], row["Amount__c"], row["Color__c"], row["Must__c"]) == (
        "TH-0001",
        Decimal("19.90"),
        "Red",
        "yes",
    )
    assert (row["OwnerId"], row["CreatedById"], row["IsDeleted"]) == (USER_ID, USER_ID, False)
    assert row["CreatedDate"] == row["SystemModstamp"]
    assert row["SystemModstamp"].endswith(".000+0000")
    assert row["CurrencyIsoCode"] == "EUR"


REFUSED: list[tuple[dict[str, Any], str, list[str] | None]] = [
    ({"Nope__c": 1}, "INVALID_FIELD", None),
    ({"Key__c": "x" * 21}, "STRING_TOO_LONG", ["Key__c"]),
    ({"Amount__c": 10_000_000}, "NUMBER_OUTSIDE_VALID_RANGE", ["Amount__c"]),
    ({"Amount__c": "much"}, "JSON_PARSER_ERROR", None),
    ({"Color__c": "Blue"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Color__c"]),
    ({"Day__c": "21.11.2026"}, "JSON_PARSER_ERROR", None),
    ({"At__c": "2026-11-21T10:00:00"}, "JSON_PARSER_ERROR", None),
    ({"Total__c": 5}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Total__c"]),
    ({"Name": "TH-7"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"]),
    ({"System__c": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["System__c"]),
    ({"Id": "a9A5e0000000001EAA"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Id"]),
    ({"Account__c": "nonsense"}, "MALFORMED_ID", ["Account__c"]),
    ({"Account__c": "0015e0000000zzzAAA"}, "INVALID_CROSS_REFERENCE_KEY", []),
    ({"Account__c": USER_ID}, "FIELD_INTEGRITY_EXCEPTION", ["Account__c"]),
    ({"Amount__c": 13}, "FIELD_CUSTOM_VALIDATION_EXCEPTION", ["Amount__c"]),
    ({"CurrencyIsoCode": "XXX"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["CurrencyIsoCode"]),
]


@pytest.mark.parametrize(("body", "code", "fields"), REFUSED)
async def test_what_the_vendor_refuses_is_refused_with_its_code(
    platform: Platform, body: dict[str, Any], code: str, fields: list[str] | None
) -> None:
    reply = await platform.call("POST", "/sobjects/Thing__c", json=body)
    assert reply.status_code == 400, reply.text
    (error,) = reply.json()
    assert error["errorCode"] == code, error
    assert error.get("fields") == fields
    assert (await platform.query("SELECT COUNT() FROM Thing__c"))["totalSize"] == 0


async def test_a_required_field_is_missed_on_create_and_on_clearing(platform: Platform) -> None:
    missing = await platform.call("POST", "/sobjects/Account", json={})
    assert missing.json() == [
        {
            "message": "Required fields are missing: [Name]",
            "errorCode": "REQUIRED_FIELD_MISSING",
            "fields": ["Name"],
        }
    ]
    thing = await platform.created("Thing__c")
    cleared = await platform.call("PATCH", f"/sobjects/Thing__c/{thing}", json={"Must__c": ""})
    assert (cleared.status_code, cleared.json()[0]["errorCode"]) == (400, "REQUIRED_FIELD_MISSING")


async def test_a_null_in_the_body_keeps_the_default_away(platform: Platform) -> None:
    thing = await platform.created("Thing__c", Color__c=None)
    assert (await platform.call("GET", f"/sobjects/Thing__c/{thing}")).json()["Color__c"] is None


async def test_a_second_record_with_a_unique_key_is_refused_whatever_its_case(platform: Platform) -> None:
    first = await platform.created("Thing__c", Key__c="abc")
    reply = await platform.call("POST", "/sobjects/Thing__c", json={"Key__c": "ABC"})
    assert reply.status_code == 400
    error = reply.json()[0]
    assert error["errorCode"] == "DUPLICATE_VALUE"
    assert error["message"] == f"duplicate value found: Key__c duplicates value on record with id: {first}"


async def test_a_body_that_is_not_json_is_refused(platform: Platform) -> None:
    broken = await platform.call(
        "POST", "/sobjects/Thing__c", content=b"{", headers={"content-type": "application/json"}
    )
    assert (broken.status_code, broken.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    xml = await platform.call("POST", "/sobjects/Thing__c", content=b"<a/>", headers={"content-type": "text/xml"})
    assert xml.status_code == 415


async def test_a_zipped_body_is_read_and_a_large_answer_is_zipped(platform: Platform) -> None:
    body = gzip.compress(json.dumps({"Key__c": "zip"}).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert (await platform.call("POST", "/sobjects/Thing__c", content=body, headers=headers)).status_code == 201
    described = await platform.call("GET", "/sobjects/Thing__c/describe")
    assert described.headers["content-encoding"] == "gzip"
    assert described.json()["keyPrefix"] == "a9A"


@pytest.mark.parametrize("path", ["/sobjects/Nope__c", "/sobjects/Thing__c/a9A5e0000000zzz", "/nowhere"])
async def test_what_is_not_there_is_404(platform: Platform, path: str) -> None:
    reply = await platform.call("GET", path)
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (404, "NOT_FOUND")


async def test_versions_beyond_the_newest_are_404_and_the_list_needs_no_token(platform: Platform) -> None:
    listed = await platform.http.get("/services/data/", headers={"authorization": ""})
    assert listed.json()[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}
    for version, status in (("v69.0", 404), ("v68.0", 200), ("v50.0", 200), ("v68", 404)):
        assert (await platform.http.get(f"/services/data/{version}/limits")).status_code == status


async def test_a_method_that_a_resource_lacks_is_405(platform: Platform) -> None:
    reply = await platform.call("PUT", "/sobjects/Thing__c", json={})
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (405, "METHOD_NOT_ALLOWED")


async def test_deleting_a_master_takes_its_details_and_clears_lookups(platform: Platform) -> None:
    account = await platform.created("Account", Name="Gone soon")
    thing = await platform.created("Thing__c", Account__c=account)
    part = await platform.created("Part__c", Thing__c=thing, Net__c=5)
    assert (await platform.call("DELETE", f"/sobjects/Account/{account}")).status_code == 204
    assert (await platform.call("GET", f"/sobjects/Thing__c/{thing}")).json()["Account__c"] is None
    assert (await platform.call("DELETE", f"/sobjects/Thing__c/{thing}")).status_code == 204
    gone = await platform.call("GET", f"/sobjects/Part__c/{part}")
    assert (gone.status_code, gone.json()[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")


async def test_the_master_of_a_detail_is_fixed(platform: Platform) -> None:
    one, two = await platform.created("Thing__c"), await platform.created("Thing__c")
    part = await platform.created("Part__c", Thing__c=one)
    reply = await platform.call("PATCH", f"/sobjects/Part__c/{part}", json={"Thing__c": two})
    assert reply.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"


# --- upsert ----------------------------------------------------------------------------------------------------------


async def test_an_upsert_creates_once_and_then_updates(platform: Platform) -> None:
    path = "/sobjects/Thing__c/Key__c/de%3A000%2F1"
    first = await platform.call("PATCH", path, json={"Amount__c": 1})
    second = await platform.call("PATCH", path.replace("de", "DE"), json={"Amount__c": 2})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == {"id": first.json()["id"], "success": True, "errors": [], "created": True}
    assert second.json() == first.json() | {"created": False}
    row = (await platform.call("GET", path)).json()
    assert (row["Key__c"], row["Amount__c"]) == ("de:000/1", 2)


async def test_racing_upserts_of_one_key_leave_one_record(platform: Platform) -> None:
    calls = [platform.call("PATCH", "/sobjects/Thing__c/Key__c/race", json={"Amount__c": n}) for n in range(8)]
    replies = await asyncio.gather(*calls)
    assert sorted(reply.status_code for reply in replies) == [200] * 7 + [201]
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert (await platform.query("SELECT COUNT() FROM Thing__c WHERE Key__c = 'race'"))["totalSize"] == 1


async def test_an_upsert_that_meets_two_records_writes_neither(platform: Platform) -> None:
    made = [await platform.created("Thing__c", Loose_Key__c="twin") for _ in range(2)]
    reply = await platform.call("PATCH", "/sobjects/Thing__c/Loose_Key__c/twin", json={"Amount__c": 1})
    assert reply.status_code == 300
    assert reply.json() == [f"{DATA}/sobjects/Thing__c/{record_id}" for record_id in made]
    assert (await platform.query("SELECT COUNT() FROM Thing__c WHERE Amount__c = 1"))["totalSize"] == 0


async def test_update_only_does_not_create(platform: Platform) -> None:
    reply = await platform.call("PATCH", "/sobjects/Thing__c/Key__c/none?updateOnly=true", json={})
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("body", [{"Key__c": "k"}, {"Id": "a9A5e0000000001EAA"}])
async def test_an_upsert_body_repeats_neither_key_nor_id(platform: Platform, body: dict[str, str]) -> None:
    reply = await platform.call("PATCH", "/sobjects/Thing__c/Key__c/k", json=body)
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "INVALID_FIELD")


async def test_an_upsert_by_a_field_that_is_no_external_id_is_404(platform: Platform) -> None:
    reply = await platform.call("PATCH", "/sobjects/Thing__c/Must__c/yes", json={})
    assert reply.status_code == 404
    assert reply.json()[0]["message"].startswith("Provided external ID field does not exist or is not accessible")


async def test_a_parent_is_named_by_its_external_id(platform: Platform) -> None:
    thing = await platform.created("Thing__c", Key__c="parent")
    part = await platform.created("Part__c", Thing__r={"Key__c": "PARENT"})
    assert (await platform.call("GET", f"/sobjects/Part__c/{part}?fields=Thing__c")).json()["Thing__c"] == thing
    lost = await platform.call("POST", "/sobjects/Part__c", json={"Thing__r": {"Key__c": "nobody"}})
    assert (lost.status_code, lost.json()[0]["errorCode"]) == (400, "INVALID_FIELD")


# --- conditions, feeds, limits ---------------------------------------------------------------------------------------


async def test_an_account_is_only_written_when_its_tag_still_fits(platform: Platform) -> None:
    path = f"/sobjects/Account/{await platform.created('Account', Name='A')}"
    tag = (await platform.call("GET", path)).headers["etag"]
    assert (await platform.call("GET", path, headers={"if-none-match": tag})).status_code == 304
    assert (await platform.call("PATCH", path, json={"Phone": "1"}, headers={"if-match": tag})).status_code == 204
    late = await platform.call("PATCH", path, json={"Phone": "2"}, headers={"if-match": tag})
    assert late.status_code == 412
    assert (await platform.call("GET", path)).json()["Phone"] == "1"
    assert (await platform.call("PATCH", path, json={}, headers={"if-match": "junk"})).status_code == 400


async def test_a_read_may_ask_for_changes_since_a_date(platform: Platform) -> None:
    path = f"/sobjects/Thing__c/{await platform.created('Thing__c')}"
    stamp = (await platform.call("GET", path)).headers["last-modified"]
    assert (await platform.call("GET", path, headers={"if-modified-since": stamp})).status_code == 304
    old = {"if-unmodified-since": "Mon, 02 Nov 2026 10:00:00 GMT"}
    assert (await platform.call("PATCH", path, json={"Amount__c": 1}, headers=old)).status_code == 412


async def test_the_feeds_tell_what_changed_and_what_went(platform: Platform) -> None:
    kept, gone = await platform.created("Thing__c"), await platform.created("Thing__c")
    await platform.call("DELETE", f"/sobjects/Thing__c/{gone}")
    now = platform.org.now()
    window = {"start": f"{now:%Y-%m-%dT%H:%M}:00Z", "end": f"{now.replace(year=now.year + 1):%Y-%m-%dT%H:%M}:00Z"}
    changed = (await platform.call("GET", "/sobjects/Thing__c/updated/", params=window)).json()
    assert changed["ids"] == [kept]
    assert changed["latestDateCovered"] <= f"{platform.org.now():%Y-%m-%dT%H:%M:%S.999+0000}"
    vanished = (await platform.call("GET", "/sobjects/Thing__c/deleted/", params=window)).json()
    assert [entry["id"] for entry in vanished["deletedRecords"]] == [gone]
    old = window | {"start": "2020-01-01T00:00:00Z"}
    assert (await platform.call("GET", "/sobjects/Thing__c/updated", params=old)).status_code == 400


async def test_every_answer_counts_the_calls_of_the_day_until_there_are_none(platform: Platform) -> None:
    async with platform.world.unit():
        platform.vendor.act("configure", {"daily_calls": 2})
    first = await platform.call("GET", "/limits")
    assert first.headers["sforce-limit-info"] == "api-usage=1/2"
    assert first.json()["DailyApiRequests"] == {"Max": 2, "Remaining": 1}
    await platform.call("GET", "/sobjects/Nope")
    third = await platform.call("POST", "/sobjects/Thing__c", json={})
    assert (third.status_code, third.json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")


@pytest.mark.parametrize(
    ("kind", "status", "code"), [("lock", 400, "UNABLE_TO_LOCK_ROW"), ("limit", 403, "REQUEST_LIMIT_EXCEEDED")]
)
async def test_faults_speak_the_vendors_language(platform: Platform, kind: str, status: int, code: str) -> None:
    platform.world.set_faults("salesforce", [{"kind": kind, "times": 1}])
    reply = await platform.call("POST", "/sobjects/Thing__c", json={})
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (status, code)
    assert (await platform.query("SELECT COUNT() FROM Thing__c"))["totalSize"] == 0


async def test_describe_tells_lengths_keys_and_relations(platform: Platform) -> None:
    told = (await platform.call("GET", "/sobjects/Thing__c/describe")).json()
    fields = {field["name"]: field for field in told["fields"]}
    assert (fields["Key__c"]["length"], fields["Key__c"]["externalId"], fields["Key__c"]["unique"]) == (20, True, True)
    assert (fields["Amount__c"]["precision"], fields["Amount__c"]["scale"]) == (9, 2)
    assert (fields["Total__c"]["calculated"], fields["Total__c"]["createable"]) == (True, False)
    assert (fields["Account__c"]["referenceTo"], fields["Account__c"]["relationshipName"]) == (
        ["Account"],
        "Account__r",
    )
    assert [value["value"] for value in fields["Color__c"]["picklistValues"]] == ["Red", "Green"]
    part = next(child for child in told["childRelationships"] if child["childSObject"] == "Part__c")
    assert (part["relationshipName"], part["cascadeDelete"]) == ("Parts__r", True)


async def test_an_action_answers_each_input(platform: Platform) -> None:
    reply = await platform.call("POST", "/actions/custom/apex/Demo_Echo", json={"inputs": [{"a": 1}, {"a": 2}]})
    assert reply.json() == [
        {"actionName": "Demo_Echo", "errors": None, "isSuccess": True, "outputValues": {"echo": {"a": n}}}
        for n in (1, 2)
    ]


async def test_the_request_log_knows_the_business_key(platform: Platform) -> None:
    await platform.call("PATCH", "/sobjects/Thing__c/Key__c/de%3A9", json={})
    await platform.call("POST", "/sobjects/SCMC__Sales_Order__c", json={"Magento_Order_Id__c": "de:10"})
    keys = [entry["key"] for entry in platform.world.requests["salesforce"]]
    assert keys[-2:] == ["de:9", "de:10"]
