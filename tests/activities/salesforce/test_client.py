"""The org's records by key, whatever happens on the way: no row lost, no record twice, no guess."""

import asyncio
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from activities.gate import gate
from activities.salesforce.client import SalesforceClient, SalesforceSettings, Sub, quote
from commerce.failures import Family, SystemFailure
from tests.activities.salesforce.scripted import Answer, Scripted
from tests.sandbox_process import Sandbox

KEY = "c2g__CODAExternalId__c"
ODD_NAMES = [
    "O'Brien & Söhne",
    "back\\slash",
    "株式会社もみじ",
    "ООО «Ромашка»",
    "Mug 🫖",
    "Cafe\u0301",
    "%2F+/?#&=",
]


async def accounts(client: SalesforceClient, key: str) -> list[dict[str, Any]]:
    return await client.query(f"SELECT Id, Name FROM Account WHERE {KEY} = {quote(key)}", tried="read accounts")


async def family_of(call: Any) -> Family:
    with pytest.raises(SystemFailure) as caught:
        await call
    assert caught.value.system == "erp"
    return caught.value.family


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_a_text_comes_back_as_it_was_written_and_is_found_by_it(client: SalesforceClient, name: str) -> None:
    made = await client.upsert("Account", KEY, f"t-{ODD_NAMES.index(name)}", {"Name": name}, tried="write")
    rows = await client.query(f"SELECT Id FROM Account WHERE Name = {quote(name)}", tried="read")
    assert [row["Id"] for row in rows] == [made.id]


async def test_a_key_with_any_sign_addresses_one_record(client: SalesforceClient) -> None:
    key = "de:10/01 +?#%&='ü🫖"
    made = await client.upsert("Account", KEY, key, {"Name": "A"}, tried="write")
    again = await client.upsert("Account", KEY, key, {"Name": "B"}, tried="write")
    found = await client.get_by("Account", KEY, key, fields=("Id", "Name"), tried="read")
    assert (made.created, again.created, again.id) == (True, False, made.id)
    assert found is not None
    assert (found["Id"], found["Name"]) == (made.id, "B")


async def test_an_amount_comes_back_digit_for_digit(client: SalesforceClient) -> None:
    made = await client.upsert(
        "Account", KEY, "money", {"Name": "M", "c2g__CODACreditLimit__c": Decimal("12345678.10")}, tried="write"
    )
    row = await client.get("Account", made.id, ("c2g__CODACreditLimit__c",), tried="read")
    assert row is not None
    assert row["c2g__CODACreditLimit__c"] == Decimal("12345678.10")
    assert type(row["c2g__CODACreditLimit__c"]) is Decimal


async def test_no_row_is_lost_between_pages(org: Sandbox, client: SalesforceClient) -> None:
    for portion in range(5):
        parts = [
            Sub("POST", "/sobjects/Account", f"a{i}", {"Name": f"page {portion * 450 + i:04}"}) for i in range(450)
        ]
        await client.graph("g", parts, tried="write many")
    sizes, names = [], []
    async for page in client.query_pages("SELECT Name FROM Account WHERE Name LIKE 'page %' ORDER BY Name", tried="r"):
        sizes.append(len(page))
        names += [row["Name"] for row in page]
    assert len(sizes) > 1
    assert names == [f"page {i:04}" for i in range(2250)]


async def test_a_record_that_is_not_there_is_none(client: SalesforceClient) -> None:
    assert await client.get_by("Account", KEY, "nobody", fields=("Id",), tried="read") is None
    assert await client.get("Account", "0015e00000ZZZZZAAA", ("Id",), tried="read") is None


async def test_a_key_field_that_is_not_there_is_not_a_missing_record(client: SalesforceClient) -> None:
    call = client.get_by("Account", "Nope__c", "1", fields=("Id",), tried="read")
    assert await family_of(call) is Family.NEEDS_PERSON


async def test_a_proxys_404_is_not_a_missing_record(script: Scripted) -> None:
    script.answers = [Answer(404, b"<html>gone fishing</html>")]
    client = SalesforceClient(script.settings(), system="erp")
    assert await family_of(client.get_by("Account", KEY, "1", fields=("Id",), tried="t")) is Family.NEEDS_PERSON
    await client.close()


async def test_several_records_under_one_key_wait_for_a_person_with_their_ids(script: Scripted) -> None:
    urls = ["/services/data/v68.0/sobjects/Account/001A", "/services/data/v68.0/sobjects/Account/001B"]
    script.answers = [Answer(300, urls), Answer(300, urls)]
    client = SalesforceClient(script.settings(), system="erp")
    for call in (
        client.get_by("Account", KEY, "1", fields=("Id",), tried="t"),
        client.upsert("Account", KEY, "1", {}, tried="t"),
    ):
        with pytest.raises(SystemFailure, match="001A, 001B") as caught:
            await call
        assert caught.value.family is Family.NEEDS_PERSON
    await client.close()


async def test_an_upsert_answered_without_a_body_names_its_record(script: Scripted) -> None:
    script.answers = [Answer(204), Answer(200, {"Id": "001A"})]
    client = SalesforceClient(script.settings(), system="erp")
    done = await client.upsert("Account", KEY, "1", {"Name": "A"}, tried="t")
    assert (done.id, done.created) == ("001A", False)
    await client.close()


# ---- trouble on the way ----------------------------------------------------------------------------------------------

T, U = Family.TRANSIENT, Family.OUTCOME_UNKNOWN
TROUBLE = [
    ({"kind": "lock"}, None, T),
    ({"kind": "limit"}, T, T),
    ({"kind": "status", "status": 500}, T, U),
    ({"kind": "status", "status": 503}, T, U),
    ({"kind": "status", "status": 429, "retry_after": 3}, T, T),
    ({"kind": "html", "status": 502}, T, U),
    ({"kind": "html", "status": 200}, T, U),
    ({"kind": "garble"}, T, U),
    ({"kind": "cut-request"}, T, U),
    ({"kind": "lose-reply"}, T, U),
    ({"kind": "down"}, T, T),
]


@pytest.mark.parametrize(
    ("fault", "read", "write"), TROUBLE, ids=lambda v: "-".join(map(str, v.values())) if isinstance(v, dict) else None
)
async def test_trouble_is_told_apart_for_reads_and_writes(
    org: Sandbox, client: SalesforceClient, fault: dict[str, Any], read: Family | None, write: Family
) -> None:
    await client.probe()
    org.faults("salesforce", fault)
    if read is not None:
        assert await family_of(accounts(client, "x")) is read
    assert await family_of(client.upsert("Account", KEY, "trouble", {"Name": "T"}, tried="write")) is write


async def test_an_org_that_cannot_be_reached_has_done_nothing(org_settings: dict[str, Any]) -> None:
    # A port that nobody listens on: bound and closed again by the system.
    client = SalesforceClient(SalesforceSettings(**org_settings | {"login_url": "http://127.0.0.1:1"}), system="erp")
    assert await family_of(client.upsert("Account", KEY, "x", {"Name": "T"}, tried="write")) is T
    await client.close()


async def test_a_slow_answer_to_a_write_leaves_the_outcome_unknown(org: Sandbox, org_settings: dict[str, Any]) -> None:
    client = SalesforceClient(SalesforceSettings(**org_settings | {"timeout_seconds": 0.3}), system="erp")
    await client.probe()
    org.faults("salesforce", {"kind": "slow", "seconds": 1})
    assert await family_of(client.upsert("Account", KEY, "slow", {"Name": "T"}, tried="write")) is U
    org.no_faults("salesforce")
    await client.close()


@pytest.mark.parametrize("lost", ["lose-reply", "cut-request"])
async def test_after_a_lost_reply_the_repeat_finds_one_record(
    org: Sandbox, client: SalesforceClient, lost: str
) -> None:
    await client.probe()
    org.faults("salesforce", {"kind": lost, "times": 1, "match": {"method": "PATCH"}})
    assert await family_of(client.upsert("Account", KEY, lost, {"Name": "once"}, tried="write")) is U
    done = await client.upsert("Account", KEY, lost, {"Name": "once"}, tried="write")
    assert done.created is (lost == "cut-request")
    assert len(await accounts(client, lost)) == 1


async def test_writers_that_collide_on_a_key_leave_one_record(client: SalesforceClient) -> None:
    calls = [client.upsert("Account", KEY, "race", {"Name": "race"}, tried="write") for _ in range(8)]
    done = await asyncio.gather(*calls)
    assert len({one.id for one in done}) == 1
    assert len(await accounts(client, "race")) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"records": [], "done": "yes"},
        {"done": True},
        [],
        b"<html></html>",
        b"",
        {"records": [{}], "done": False, "nextRecordsUrl": "https://elsewhere.example/steal"},
    ],
)
async def test_an_odd_answer_to_a_query_is_never_an_empty_result(script: Scripted, body: Any) -> None:
    script.answers = [Answer(200, body)]
    client = SalesforceClient(script.settings(), system="erp")
    assert await family_of(client.query("SELECT Id FROM Account", tried="t")) is T
    assert len(script.asked) == 1
    await client.close()


@pytest.mark.parametrize(
    "body",
    [b"ok", {}, {"id": None}, {"graphs": []}, {"graphs": [{"isSuccessful": True}]}, {"compositeResponse": [{}]}, [1]],
)
async def test_an_odd_answer_to_a_write_is_never_a_success(script: Scripted, body: Any) -> None:
    client = SalesforceClient(script.settings(), system="erp")
    part = [Sub("PATCH", f"/sobjects/Account/{KEY}/1", "a", {"Name": "A"})]
    for call in (
        lambda: client.upsert("Account", KEY, "1", {}, tried="t"),
        lambda: client.create("Account", {}, tried="t"),
        lambda: client.composite(part, all_or_none=True, tried="t"),
        lambda: client.graph("g", part, tried="t"),
    ):
        script.answers = [Answer(200, body)]
        assert await family_of(call()) is U
    await client.close()


async def test_a_proxys_page_is_no_answer_where_the_org_sends_no_body(script: Scripted) -> None:
    client = SalesforceClient(script.settings(), system="erp")
    script.answers = [Answer(200, b"<html>welcome</html>"), Answer(200, b"<html>welcome</html>")]
    assert await family_of(client.update("Account", "001A", {"Name": "A"}, tried="t")) is U
    assert await family_of(client.probe()) is T
    await client.close()


# ---- all or nothing --------------------------------------------------------------------------------------------------


def two_accounts(reference: str, second: dict[str, Any]) -> list[Sub]:
    return [
        Sub("PATCH", f"/sobjects/Account/{KEY}/{reference}-1", "one", {"Name": "first"}),
        Sub("PATCH", f"/sobjects/Account/{KEY}/{reference}-2", "two", second),
    ]


@pytest.mark.parametrize("kind", ["composite", "graph"])
async def test_one_bad_part_undoes_all_and_is_the_one_named(client: SalesforceClient, kind: str) -> None:
    parts = two_accounts(kind, {"Name": "second", "Nope__c": 1})
    if kind == "graph":
        call = client.graph("g", parts, tried="write both")
    else:
        call = client.composite(parts, all_or_none=True, tried="write both")
    with pytest.raises(SystemFailure, match="Nope__c") as caught:
        await call
    assert caught.value.code == "INVALID_FIELD"
    assert await accounts(client, f"{kind}-1") == []


async def test_parts_that_may_fail_alone_keep_the_others(client: SalesforceClient) -> None:
    results = await client.composite(two_accounts("alone", {"Nope__c": 1}), all_or_none=False, tried="write both")
    assert (results["one"].status, results["one"].failure) == (201, None)
    assert results["two"].failure is not None
    assert [row["Id"] for row in await accounts(client, "alone-1")] == [results["one"].id]


async def test_a_later_part_refers_to_an_earlier_one(client: SalesforceClient) -> None:
    parts = [
        Sub("PATCH", f"/sobjects/Account/{KEY}/parent", "acc", {"Name": "parent"}),
        Sub("POST", "/sobjects/Account", "child", {"Name": "child", "ParentId": "@{acc.id}"}),
    ]
    results = await client.graph("g", parts, tried="write both")
    row = await client.get("Account", results["child"].id, ("ParentId",), tried="read")
    assert row is not None
    assert row["ParentId"] == results["acc"].id


async def test_too_many_parts_are_refused_before_sending(script: Scripted) -> None:
    client = SalesforceClient(script.settings(), system="erp")
    with pytest.raises(ValueError, match="25 parts"):
        await client.composite([Sub("GET", "/x", f"r{i}") for i in range(26)], all_or_none=True, tried="t")
    with pytest.raises(ValueError, match="500 nodes"):
        await client.graph("g", [Sub("POST", "/x", f"r{i}", {}) for i in range(501)], tried="t")
    assert script.asked == []
    await client.close()


async def test_an_action_that_failed_is_a_failure_though_its_status_is_good(script: Scripted) -> None:
    client = SalesforceClient(script.settings(), system="erp")
    good = {"actionName": "a", "errors": None, "isSuccess": True, "outputValues": {"code": "0"}}
    bad = {
        "actionName": "a",
        "errors": [{"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "no"}],
        "isSuccess": False,
        "outputValues": None,
    }
    script.answers = [Answer(200, [good]), Answer(200, [bad])]
    assert await client.action("custom/apex/ns__Do", [{"key": "1"}], tried="act") == [{"code": "0"}]
    with pytest.raises(SystemFailure, match="no") as caught:
        await client.action("custom/apex/ns__Do", [{"key": "1"}], tried="act")
    assert caught.value.family is Family.NEEDS_PERSON
    await client.close()


# ---- limits and definitions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "counted"),
    [
        ("api-usage=18/5000", (18, 5000)),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)", (17, 250)),
        ("api-usage=4990/5000; per-app-api-usage=17/250(appName=sample-app)", (4990, 5000)),
        ("", None),
        ("something-else=1/2", None),
    ],
)
async def test_the_orgs_own_count_of_calls_is_read_from_every_answer(
    script: Scripted, header: str, counted: tuple[int, int] | None
) -> None:
    gate.take_counts()
    client = SalesforceClient(script.settings(), system="erp")
    script.answers = [Answer(200, {}, {"Sforce-Limit-Info": header} if header else {})]
    await client.probe()
    assert client.usage == counted
    calls, said = gate.take_counts()
    assert said == ({"erp": counted} if counted else {})
    assert calls["erp"] == len(script.asked) + script.sign_ins
    await client.close()


async def test_the_definition_of_an_object_names_its_fields(client: SalesforceClient) -> None:
    fields = {field["name"]: field for field in (await client.describe("Account"))["fields"]}
    assert fields[KEY]["externalId"] is True
    assert fields[KEY]["length"] == 32


async def test_calls_carry_our_name(script: Scripted) -> None:
    script.answers = [Answer(200, {})]
    client = SalesforceClient(script.settings(), system="erp", transport=httpx2.AsyncHTTPTransport())
    await client.probe()
    method, path, headers, _ = script.asked[0]
    assert (method, path) == ("GET", "/services/data/v68.0")
    assert headers["User-Agent"] == "holdfast"
    await client.close()
