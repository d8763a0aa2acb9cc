"""SOQL: what a query selects, in which order, in which pages, and what it refuses."""

from typing import Any

import pytest

from tests.sandbox.salesforce.conftest import DATA, Platform


@pytest.fixture
async def stocked(platform: Platform) -> Platform:
    """Two accounts, five things (two without an account), three parts."""
    org = platform.org
    async with platform.world.unit():
        nord, sued = org.create("Account", {"Name": "Nord"}), org.create("Account", {"Name": "Süd", "ParentId": None})
        org.update("Account", sued, {"ParentId": nord})
        rows: list[dict[str, Any]] = [
            {
                "Key__c": "a",
                "Amount__c": 10,
                "Account__c": nord,
                "Color__c": "Red",
                "Day__c": "2026-11-01",
                "Tags__c": "A;B",
            },
            {"Key__c": "b", "Amount__c": 20, "Account__c": sued, "Color__c": "Green", "Day__c": "2026-11-02"},
            {"Key__c": "c", "Amount__c": 30, "Account__c": nord, "Color__c": "Green", "Done__c": True},
            {"Key__c": "d", "Note__c": "O'Neill", "Tags__c": "C"},
            {"Key__c": "50%_off", "Amount__c": 50},
        ]
        made = [org.create("Thing__c", row) for row in rows]
        for n, net in ((0, 1), (0, 2), (1, 5)):
            org.create("Part__c", {"Thing__c": made[n], "Net__c": net})
    return platform


async def keys(platform: Platform, rest: str) -> list[str]:
    return [row["Key__c"] for row in (await platform.query(f"SELECT Key__c FROM Thing__c {rest}"))["records"]]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Key__c = 'A'", "a"),
        ("Key__c IN ('a', 'B', 'zz')", "a b"),
        ("Key__c NOT IN ('a','b','c','d')", "50%_off"),
        ("Amount__c >= 20 AND Amount__c < 50", "b c"),
        ("Amount__c = null", "d"),
        ("Amount__c != 10", "b c d 50%_off"),
        ("(Amount__c = 10 OR Amount__c = 30) AND Color__c = 'red'", "a"),
        ("NOT Account__r.Name = 'nord'", "b d 50%_off"),
        ("Account__r.Parent.Name = 'Nord'", "b"),
        ("Done__c = true", "c"),
        ("Day__c > 2026-11-01", "b"),
        ("Key__c LIKE '50\\%%'", "50%_off"),
        ("Key__c LIKE '_'", "a b c d"),
        ("Tags__c INCLUDES ('A;B','C')", "a d"),
        ("Tags__c EXCLUDES ('A')", "b c d 50%_off"),
        ("CreatedDate = TODAY AND Key__c < 'c'", "a b 50%_off"),
        ("CreatedDate > 2020-01-01T00:00:00Z AND Amount__c > 25", "c 50%_off"),
        ("SystemModstamp < LAST_N_DAYS:3", ""),
        ("Id IN (SELECT Thing__c FROM Part__c WHERE Net__c < 5)", "a"),
        ("Total__c = 3", "a"),
    ],
)
async def test_a_where_clause_selects(stocked: Platform, where: str, expected: str) -> None:
    assert await keys(stocked, f"WHERE {where}") == expected.split()


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("ORDER BY Amount__c", "d a b c 50%_off"),
        ("ORDER BY Amount__c DESC NULLS LAST", "50%_off c b a d"),
        ("ORDER BY Color__c, Amount__c DESC NULLS LAST", "c b 50%_off a d"),
        ("ORDER BY Account__r.Name NULLS LAST, Key__c LIMIT 2 OFFSET 1", "c b"),
    ],
)
async def test_rows_come_in_the_order_asked_for(stocked: Platform, rest: str, expected: str) -> None:
    assert await keys(stocked, rest) == expected.split()


async def test_parents_nest_and_children_come_as_results(stocked: Platform) -> None:
    found = await stocked.query(
        "SELECT Id, t.Account__r.Name, Account__r.Parent.Name, (SELECT Net__c FROM Parts__r ORDER BY Net__c DESC) "
        "FROM Thing__c t WHERE Key__c IN ('b', 'd') ORDER BY Key__c"
    )
    b, d = found["records"]
    assert b["attributes"] == {"type": "Thing__c", "url": f"{DATA}/sobjects/Thing__c/{b['Id']}"}
    assert (b["Account__r"]["Name"], b["Account__r"]["Parent"]["Name"]) == ("Süd", "Nord")
    assert b["Account__r"]["attributes"]["type"] == "Account"
    assert (b["Parts__r"]["totalSize"], b["Parts__r"]["done"]) == (1, True)
    assert b["Parts__r"]["records"][0]["Net__c"] == 5
    assert (d["Account__r"], d["Parts__r"]) == (None, None)


async def test_aggregates_count_and_sum_by_group(stocked: Platform) -> None:
    counted = await stocked.query("SELECT COUNT() FROM Thing__c WHERE Amount__c > 10")
    assert counted == {"totalSize": 3, "done": True, "records": []}
    grouped = await stocked.query(
        "SELECT Account__r.Name, COUNT(Id), SUM(Amount__c) total FROM Thing__c WHERE Account__c != null "
        "GROUP BY Account__r.Name HAVING COUNT(Id) > 1 ORDER BY Account__r.Name"
    )
    assert grouped["records"] == [{"attributes": {"type": "AggregateResult"}, "Name": "Nord", "expr0": 2, "total": 40}]
    empty = await stocked.query("SELECT MAX(Amount__c) FROM Thing__c WHERE Key__c = 'none'")
    assert empty["records"][0]["expr0"] is None


async def test_all_fields_need_a_limit(stocked: Platform) -> None:
    row = (await stocked.query("SELECT FIELDS(ALL) FROM Thing__c LIMIT 1"))["records"][0]
    assert {"Id", "Name", "Key__c", "SystemModstamp", "Total__c"} <= set(row)
    reply = await stocked.call("GET", "/query", params={"q": "SELECT FIELDS(ALL) FROM Thing__c"})
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "MALFORMED_QUERY")


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Nope__c FROM Thing__c", "INVALID_FIELD"),
        ("SELECT Id FROM Nope__c", "INVALID_TYPE"),
        ("SELECT Id FORM Thing__c", "MALFORMED_QUERY"),
        ("SELECT Id FROM Thing__c WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Thing__c WHERE Key__c = 'open", "MALFORMED_QUERY"),
        ("SELECT Id FROM Thing__c WHERE Key__c = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Thing__c WHERE Amount__c = '5'", "INVALID_FIELD"),
        ("SELECT Id FROM Thing__c WHERE Note__c = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Thing__c WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Thing__c WHERE Key__c = 'a' OR Done__c = true AND Amount__c = 1", "MALFORMED_QUERY"),
        ("SELECT Nobody__r.Name FROM Thing__c", "INVALID_FIELD"),
        ("SELECT Id FROM Thing__c OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("SELECT Key__c, COUNT(Id) FROM Thing__c", "MALFORMED_QUERY"),
        ("SELECT Id, Id FROM Thing__c", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ],
)
async def test_a_query_that_the_vendor_refuses_is_refused(stocked: Platform, soql: str, code: str) -> None:
    reply = await stocked.call("GET", "/query", params={"q": soql})
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, code), reply.text


async def test_an_escaped_quote_stays_inside_its_text(platform: Platform) -> None:
    await platform.created("Account", Name="O'Neill \\ Söhne")
    found = await platform.query(r"SELECT Name FROM Account WHERE Name = 'O\'Neill \\ Söhne'")
    assert [row["Name"] for row in found["records"]] == ["O'Neill \\ Söhne"]


async def test_deleted_rows_are_seen_by_query_all_only(platform: Platform) -> None:
    thing = await platform.created("Thing__c", Key__c="gone")
    await platform.call("DELETE", f"/sobjects/Thing__c/{thing}")
    soql = {"q": "SELECT Id, IsDeleted FROM Thing__c"}
    assert (await platform.call("GET", "/query", params=soql)).json()["totalSize"] == 0
    assert (await platform.call("GET", "/queryAll", params=soql)).json()["records"][0]["IsDeleted"] is True


async def test_pages_behind_locators_hold_every_row_once(platform: Platform) -> None:
    async with platform.world.unit():
        made = [platform.org.create("Thing__c", {"Key__c": f"k{n:03d}"}) for n in range(450)]
    headers = {"sforce-query-options": "batchSize=50"}  # a hint below the least of 200
    page = await platform.query("SELECT Id FROM Thing__c ORDER BY Key__c", headers=headers)
    sizes, seen = [len(page["records"])], [row["Id"] for row in page["records"]]
    while not page["done"]:
        assert page["nextRecordsUrl"].startswith(f"{DATA}/query/01g")
        page = (await platform.http.get(page["nextRecordsUrl"])).json()
        sizes.append(len(page["records"]))
        seen += [row["Id"] for row in page["records"]]
    assert (sizes, seen, page["totalSize"]) == ([200, 200, 50], made, 450)
    assert "nextRecordsUrl" not in page


async def test_an_eleventh_locator_ends_the_first(platform: Platform) -> None:
    async with platform.world.unit():
        for n in range(201):
            platform.org.create("Thing__c", {"Key__c": f"k{n}"})
    headers = {"sforce-query-options": "batchSize=200"}
    urls = [(await platform.query("SELECT Id FROM Thing__c", headers=headers))["nextRecordsUrl"] for _ in range(11)]
    first, last = await platform.http.get(urls[0]), await platform.http.get(urls[-1])
    assert (first.status_code, first.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
    assert last.json()["done"] is True
