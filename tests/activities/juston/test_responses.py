"""Every answer of the hosted service means exactly one thing; one that nobody has seen waits for a person."""

import json

import httpx2
import pytest

from activities.juston.hosted import HostedClient
from activities.juston.responses import RESPONSES, row_for
from commerce.failures import Family, SystemFailure
from tests.activities.juston.desk import settings

T, U, R, P = Family.TRANSIENT, Family.OUTCOME_UNKNOWN, Family.REJECTED, Family.NEEDS_PERSON

# status, is the body the vendor's, what it means for the caller
ANSWERS = [
    (202, True, U),
    (204, False, U),
    (200, False, U),
    (302, False, P),
    (400, True, R),
    (400, False, P),
    (401, True, P),
    (403, False, P),
    (404, True, P),
    (408, False, U),
    (413, False, R),
    (418, True, P),
    (422, True, R),
    (429, True, T),
    (500, True, U),
    (502, False, U),
    (503, False, U),
    (504, False, U),
]


def answering(response: httpx2.Response | Exception, **changes: object) -> HostedClient:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if isinstance(response, Exception):
            raise response
        return response

    return HostedClient(settings(**changes), system="juston", transport=httpx2.MockTransport(handle))


async def failure(client: HostedClient) -> SystemFailure:
    with pytest.raises(SystemFailure) as caught:
        await client.entry_link({"amount": 1}, tried="ask for 1.00 EUR for order de:1", order_key="de:1")
    await client.close()
    return caught.value


@pytest.mark.parametrize(("status", "readable", "family"), ANSWERS)
async def test_an_answer_leads_to_its_family(status: int, readable: bool, family: Family) -> None:
    body = b'{"error":"some_code","message":"kim@example.com is not known"}' if readable else b"<html>proxy</html>"
    found = await failure(answering(httpx2.Response(status, content=body, headers={"x-request-id": "r-7"})))
    assert found.family is family
    assert found.system == "juston"
    assert found.request_id == "r-7"
    assert found.do_next
    assert "kim@example.com" not in str(found)


def test_every_row_of_the_table_is_reached_by_an_answer() -> None:
    reached = {row_for(status, readable=readable) for status, readable, _ in ANSWERS}
    reached |= {row_for(201, readable=True), row_for(409, readable=True)}
    assert reached == set(RESPONSES)


async def test_the_server_says_how_long_to_wait() -> None:
    found = await failure(answering(httpx2.Response(429, json={"error": "x"}, headers={"retry-after": "7"})))
    assert found.retry_after == 7


@pytest.mark.parametrize(
    "body", [{}, {"entryId": "a0J"}, {"paymentLink": "https://x"}, {"entryId": 1, "paymentLink": 2}]
)
async def test_a_success_without_link_or_entry_is_looked_up(body: dict[str, object]) -> None:
    assert (await failure(answering(httpx2.Response(201, json=body)))).family is U


@pytest.mark.parametrize(
    ("error", "family"),
    [
        (httpx2.ConnectError("refused"), T),
        (httpx2.ConnectTimeout("slow"), T),
        (httpx2.ReadTimeout("slow"), U),
        (httpx2.ReadError("reset"), U),
        (httpx2.WriteError("reset"), U),
        (httpx2.RemoteProtocolError("closed"), U),
    ],
)
async def test_a_connection_that_broke_after_sending_leaves_the_outcome_unknown(
    error: Exception, family: Family
) -> None:
    assert (await failure(answering(error))).family is family


async def test_a_duplicate_is_an_answer_and_may_carry_the_link() -> None:
    body = {"error": "duplicate", "message": "there", "paymentLink": "https://pay/1", "entryId": "a0J5e0000000001"}
    client = answering(httpx2.Response(409, json=body))
    told = await client.entry_link({}, tried="ask")
    await client.close()
    assert (told.duplicate, told.link, told.entry_id) == (True, "https://pay/1", "a0J5e0000000001")


async def test_path_header_and_names_come_from_the_settings() -> None:
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(201, json={"id": "a0J5e0000000001", "url": "https://pay/1"})

    configured = settings(
        tenant="acme & söhne",
        hosted_path="/v2/{tenant}",
        auth_header="X-Api-Key",
        auth_format="key {token}",
        wire={"entry_link": "links", "entry_id": "id", "link": "url"},
    )
    client = HostedClient(configured, system="juston", transport=httpx2.MockTransport(handle))
    made = await client.entry_link({"n": "ü"}, tried="ask")
    await client.close()
    assert made.link == "https://pay/1"
    assert seen[0].url.raw_path == b"/v2/acme%20%26%20s%C3%B6hne/links"
    assert seen[0].headers["x-api-key"] == "key secret-token"
    assert "authorization" not in seen[0].headers
    assert seen[0].headers["user-agent"] == "holdfast"
    assert json.loads(seen[0].content) == {"n": "ü"}
