"""Many calls in one: references, all or nothing, partial success, trees, bulk jobs, and what outlives a restart."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sandbox.kernel.serve import running
from sandbox.kernel.store import Store
from sandbox.kernel.world import World
from sandbox.salesforce.vendor import SalesforceVendor
from tests.sandbox.salesforce.conftest import DATA, Platform, define_things, exact


def sub(method: str, path: str, reference: str, body: Any = None) -> dict[str, Any]:
    entry = {"method": method, "url": f"{DATA}{path}", "referenceId": reference}
    return entry if body is None else entry | {"body": body}


def thing_with_parts(key: str, second_net: Any = 2) -> list[dict[str, Any]]:
    return [
        sub("PATCH", f"/sobjects/Thing__c/Key__c/{key}", "thing", {"Amount__c": 1}),
        sub("POST", "/sobjects/Part__c", "one", {"Thing__c": "@{thing.id}", "Net__c": 1}),
        sub("POST", "/sobjects/Part__c", "two", {"Thing__c": "@{thing.id}", "Net__c": second_net}),
    ]


async def count(platform: Platform, kind: str) -> int:
    return int((await platform.query(f"SELECT COUNT() FROM {kind}"))["totalSize"])


async def test_a_composite_request_fills_in_what_came_before(platform: Platform) -> None:
    calls = [*thing_with_parts("de%3A1"), sub("GET", "/sobjects/Thing__c/@{thing.id}?fields=Total__c", "read")]
    reply = await platform.call("POST", "/composite", json={"allOrNone": True, "compositeRequest": calls})
    answers = reply.json()["compositeResponse"]
    assert [answer["httpStatusCode"] for answer in answers] == [201, 201, 201, 200]
    assert [answer["referenceId"] for answer in answers] == ["thing", "one", "two", "read"]
    assert answers[0]["httpHeaders"]["Location"] == f"{DATA}/sobjects/Thing__c/{answers[0]['body']['id']}"
    assert answers[3]["body"]["Total__c"] == 3


async def test_all_or_none_leaves_nothing_and_names_the_culprit(platform: Platform) -> None:
    calls = thing_with_parts("k", second_net="much")
    reply = await platform.call("POST", "/composite", json={"allOrNone": True, "compositeRequest": calls})
    assert reply.status_code == 200
    answers = reply.json()["compositeResponse"]
    assert [answer["httpStatusCode"] for answer in answers] == [400, 400, 400]
    assert [answer["body"][0]["errorCode"] for answer in answers] == [
        "PROCESSING_HALTED",
        "PROCESSING_HALTED",
        "JSON_PARSER_ERROR",
    ]
    assert (await count(platform, "Thing__c"), await count(platform, "Part__c")) == (0, 0)


async def test_without_all_or_none_the_good_calls_stand_and_dependents_halt(platform: Platform) -> None:
    calls = [
        sub("POST", "/sobjects/Thing__c", "bad", {"Amount__c": 13}),
        sub("POST", "/sobjects/Part__c", "orphan", {"Thing__c": "@{bad.id}"}),
        sub("POST", "/sobjects/Thing__c", "good", {}),
    ]
    reply = await platform.call("POST", "/composite", json={"compositeRequest": calls})
    answers = reply.json()["compositeResponse"]
    assert [answer["httpStatusCode"] for answer in answers] == [400, 400, 201]
    assert answers[1]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert await count(platform, "Thing__c") == 1


async def test_a_composite_request_has_limits_and_strict_methods(platform: Platform) -> None:
    many = [sub("GET", "/limits", f"r{n}") for n in range(26)]
    queries = [sub("GET", "/query?q=SELECT+Id+FROM+Thing__c", f"r{n}") for n in range(6)]
    for calls in (many, queries, [sub("get", "/limits", "r")], [sub("GET", "/limits", "r")] * 2):
        reply = await platform.call("POST", "/composite", json={"compositeRequest": calls})
        assert reply.status_code == 400, calls[0]


async def test_each_graph_is_kept_or_left_as_a_whole(platform: Platform) -> None:
    graphs = [
        {"graphId": "good", "compositeRequest": thing_with_parts("good")},
        {"graphId": "bad", "compositeRequest": thing_with_parts("bad", second_net="much")},
    ]
    reply = await platform.call("POST", "/composite/graph", json={"graphs": graphs})
    good, bad = reply.json()["graphs"]
    assert (good["graphId"], good["isSuccessful"], bad["isSuccessful"]) == ("good", True, False)
    assert [a["httpStatusCode"] for a in bad["graphResponse"]["compositeResponse"]] == [400, 400, 400]
    assert [row["Key__c"] for row in (await platform.query("SELECT Key__c FROM Thing__c"))["records"]] == ["good"]
    assert await count(platform, "Part__c") == 2


async def test_a_graph_holds_records_only(platform: Platform) -> None:
    graphs = [{"graphId": "g", "compositeRequest": [sub("GET", "/query?q=SELECT+Id+FROM+Thing__c", "r")]}]
    assert (await platform.call("POST", "/composite/graph", json={"graphs": graphs})).status_code == 400


async def test_a_batch_goes_on_or_halts_after_an_error(platform: Platform) -> None:
    calls = [
        {"method": "POST", "url": "v68.0/sobjects/Thing__c", "richInput": {"Amount__c": 13}},
        {"method": "POST", "url": "v68.0/sobjects/Thing__c", "richInput": {}},
    ]
    on = (await platform.call("POST", "/composite/batch", json={"batchRequests": calls})).json()
    assert (on["hasErrors"], [result["statusCode"] for result in on["results"]]) == (True, [400, 201])
    halt = (await platform.call("POST", "/composite/batch", json={"batchRequests": calls, "haltOnError": True})).json()
    assert [result["statusCode"] for result in halt["results"]] == [400, 412]


# --- collections -----------------------------------------------------------------------------------------------------


def things(*keys: str, **more: Any) -> dict[str, Any]:
    return {"records": [{"attributes": {"type": "Thing__c"}, "Key__c": key} for key in keys]} | more


async def test_a_collection_keeps_the_good_rows_and_says_why_not_for_the_others(platform: Platform) -> None:
    reply = await platform.call("POST", "/composite/sobjects", json=things("a", "x" * 21, "a", "b"))
    assert reply.status_code == 200
    rows = reply.json()
    assert [row["success"] for row in rows] == [True, False, False, True]
    assert [row["errors"][0]["statusCode"] for row in rows[1:3]] == ["STRING_TOO_LONG", "DUPLICATE_VALUE"]
    assert rows[1]["errors"][0]["fields"] == ["Key__c"]
    assert await count(platform, "Thing__c") == 2


async def test_a_collection_with_all_or_none_rolls_the_good_rows_back(platform: Platform) -> None:
    rows = (await platform.call("POST", "/composite/sobjects", json=things("a", "x" * 21, allOrNone=True))).json()
    assert [row["errors"][0]["statusCode"] for row in rows] == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "STRING_TOO_LONG"]
    assert await count(platform, "Thing__c") == 0


async def test_a_collection_upserts_by_the_key_in_each_record(platform: Platform) -> None:
    await platform.created("Thing__c", Key__c="old")
    rows = (await platform.call("PATCH", "/composite/sobjects/Thing__c/Key__c", json=things("old", "new", ""))).json()
    assert [row.get("created") for row in rows] == [False, True, None]
    assert rows[2]["errors"][0]["statusCode"] == "MISSING_ARGUMENT"
    twice = (await platform.call("PATCH", "/composite/sobjects/Thing__c/Key__c", json=things("z", "Z"))).json()
    assert [row["errors"][0]["statusCode"] for row in twice] == ["DUPLICATE_VALUE"] * 2
    assert await count(platform, "Thing__c") == 2


async def test_collections_update_read_and_delete(platform: Platform) -> None:
    a, b = await platform.created("Thing__c", Key__c="a"), await platform.created("Thing__c", Key__c="b")
    change = {"records": [{"attributes": {"type": "Thing__c"}, "id": a, "Amount__c": 4}]}
    assert (await platform.call("PATCH", "/composite/sobjects", json=change)).json()[0]["success"] is True
    ask = {"ids": [a, "a9A5e0000000zzz"], "fields": ["Amount__c"]}
    first, none = (await platform.call("POST", "/composite/sobjects/Thing__c", json=ask)).json()
    assert (first["Amount__c"], none) == (4, None)
    gone = (await platform.call("DELETE", f"/composite/sobjects?ids={a},{b},{a}")).json()
    assert [row["success"] for row in gone] == [True, True, False]
    assert await count(platform, "Thing__c") == 0


async def test_more_than_200_rows_are_refused(platform: Platform) -> None:
    reply = await platform.call("POST", "/composite/sobjects", json=things(*(f"k{n}" for n in range(201))))
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")


@pytest.mark.parametrize(("options", "kept"), [({"rows": [0, 2]}, ["b"]), ({"every": 3}, ["a", "b"])])
async def test_the_fault_partial_locks_some_rows(platform: Platform, options: dict[str, Any], kept: list[str]) -> None:
    platform.world.set_faults("salesforce", [{"kind": "partial", "times": 1} | options])
    rows = (await platform.call("POST", "/composite/sobjects", json=things("a", "b", "c"))).json()
    failed = [row["errors"][0]["statusCode"] for row in rows if not row["success"]]
    assert set(failed) == {"UNABLE_TO_LOCK_ROW"}
    found = (await platform.query("SELECT Key__c FROM Thing__c"))["records"]
    assert [row["Key__c"] for row in found] == kept


# --- trees -----------------------------------------------------------------------------------------------------------


def grown(net: Any) -> dict[str, Any]:
    part = {"attributes": {"type": "Part__c", "referenceId": "p1"}, "Net__c": net}
    thing = {"attributes": {"type": "Thing__c", "referenceId": "t1"}, "Parts__r": {"records": [part]}}
    return {"records": [thing]}


async def test_a_tree_is_stored_whole_or_not_at_all(platform: Platform) -> None:
    bad = await platform.call("POST", "/composite/tree/Thing__c", json=grown("much"))
    assert bad.status_code == 400
    assert bad.json()["hasErrors"] is True
    assert bad.json()["results"][0]["referenceId"] == "p1"
    assert await count(platform, "Thing__c") == 0
    good = await platform.call("POST", "/composite/tree/Thing__c", json=grown(7))
    assert good.status_code == 201
    assert [result["referenceId"] for result in good.json()["results"]] == ["t1", "p1"]
    assert (await platform.query("SELECT Total__c FROM Thing__c"))["records"][0]["Total__c"] == 7


# --- bulk ------------------------------------------------------------------------------------------------------------


async def finished(platform: Platform, path: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            job: dict[str, Any] = (await platform.call("GET", path)).json()
            if job["state"] in ("JobComplete", "Failed", "Aborted"):
                return job
            await asyncio.sleep(0.05)


async def test_a_bulk_upsert_reports_good_and_bad_rows(platform: Platform) -> None:
    await platform.created("Thing__c", Key__c="old", Note__c="stays")
    order = {"object": "Thing__c", "operation": "upsert", "externalIdFieldName": "Key__c", "contentType": "CSV"}
    job = (await platform.call("POST", "/jobs/ingest", json=order)).json()
    assert (job["state"], job["contentUrl"]) == ("Open", f"services/data/v68.0/jobs/ingest/{job['id']}/batches")
    sheet = 'Key__c,Amount__c,Note__c\nold,1.5,\nnew,2,"a, ""b"""\nbad,much,\n'
    csv = {"content-type": "text/csv"}
    assert (await platform.http.put(f"/{job['contentUrl']}", content=sheet.encode(), headers=csv)).status_code == 201
    path = f"/jobs/ingest/{job['id']}"
    again = await platform.http.put(f"/{job['contentUrl']}", content=b"x", headers=csv)
    assert again.status_code == 409
    await platform.call("PATCH", path, json={"state": "UploadComplete"})
    done = await finished(platform, path)
    assert (done["state"], done["numberRecordsProcessed"], done["numberRecordsFailed"]) == ("JobComplete", 3, 1)
    good = (await platform.call("GET", f"{path}/successfulResults")).text.splitlines()
    assert good[0] == '"sf__Id","sf__Created","Key__c","Amount__c","Note__c"'
    assert [line.split(",")[1] for line in good[1:]] == ['"false"', '"true"']
    assert "JSON_PARSER_ERROR" in (await platform.call("GET", f"{path}/failedResults")).text
    soql = "SELECT Key__c, Amount__c, Note__c FROM Thing__c ORDER BY Key__c"
    rows = exact(await platform.call("GET", "/query", params={"q": soql}))["records"]
    assert [(row["Key__c"], row["Amount__c"], row["Note__c"]) for row in rows] == [
        ("new", 2, 'a, "b"'),
        ("old", Decimal("1.5"), "stays"),
    ]
    assert (await platform.call("DELETE", path)).status_code == 204


async def test_a_bulk_query_pages_its_csv(platform: Platform) -> None:
    for key in ("a", "b", "c"):
        await platform.created("Thing__c", Key__c=key, Amount__c=1)
    order = {"operation": "query", "query": "SELECT Key__c, Amount__c, Done__c FROM Thing__c ORDER BY Key__c"}
    job = (await platform.call("POST", "/jobs/query", json=order)).json()
    path = f"/jobs/query/{job['id']}"
    early = await platform.call("GET", f"{path}/results")
    assert early.status_code == 409
    await finished(platform, path)
    first = await platform.call("GET", f"{path}/results?maxRecords=2")
    assert first.text.splitlines() == ['"Key__c","Amount__c","Done__c"', '"a","1.00","false"', '"b","1.00","false"']
    last = await platform.call("GET", f"{path}/results?maxRecords=2&locator={first.headers['sforce-locator']}")
    assert (last.headers["sforce-locator"], last.headers["sforce-numberofrecords"]) == ("null", "1")


# --- memory ----------------------------------------------------------------------------------------------------------


async def test_records_keys_and_sessions_survive_a_restart(tmp_path: Path) -> None:
    async def started(fill: bool, token: str) -> tuple[str, str, dict[str, Any]]:
        world = World(Store(tmp_path / "sandbox.db"))
        vendor = SalesforceVendor(world)
        define_things(vendor.org)
        world.add(vendor)
        if fill:
            world.reset("empty")
        async with (
            running(world) as addresses,
            httpx2.AsyncClient(base_url=addresses["salesforce"], trust_env=False) as http,
        ):
            platform = Platform(world, vendor, addresses["salesforce"], http)
            if fill:
                await platform.log_in()
                await platform.created("Thing__c", Key__c="kept", Amount__c="19.99")
            else:
                http.headers["authorization"] = token
            row = exact(await platform.call("GET", "/sobjects/Thing__c/Key__c/KEPT"))
            await platform.created("Thing__c")
            secret = str(vendor.credentials()["private_key"])
        world.store.close()
        return http.headers["authorization"], secret, row

    token, secret, before = await started(True, "")
    _, again, after = await started(False, token)
    assert (again, after) == (secret, before)
    assert after["Amount__c"] == Decimal("19.99")
