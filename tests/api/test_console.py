"""The console: who gets in, what a form must carry, and what an operator sees while systems are away."""

import contextlib
import re
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from activities.ledger.store import Ledger
from activities.ledger.stuck import StuckBook
from api.console import session as sessions
from commerce.cases import CaseEvent
from commerce.documents import Case
from commerce.money import Money
from commerce.order import Order
from commerce.stuck import StuckRun
from tests.api.desk import APPROVER, OPERATOR, PORTAL, TOKENS, Served, an_order


@contextlib.asynccontextmanager
async def signed_in(api: Served, token: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=api.url, timeout=30, trust_env=False) as browser:
        reply = await browser.post("/console/login", data={"token": token, "to": "/console/"})
        assert reply.status_code == 303, reply.text
        yield browser


def form_secret(page: str) -> str:
    found = re.search(r'name="form_secret" value="([0-9a-f]+)"', page)
    assert found is not None
    return found[1]


async def parked(ledger: Ledger, number: str, *, store: str = "de", came_back: str = "no such item") -> Case:
    placed = Order.model_validate(an_order(number)).model_copy(update={"store": store})
    await ledger.keep_order(placed, f"checkout:{placed.key}")
    case = Case(
        id=f"{placed.key}:1",
        order_key=placed.key,
        store=store,
        number=number,
        workflow_id=f"checkout:{placed.key}",
        step="find items",
        system="financialforce",
        family="NeedsPerson",
        tried=f"map the SKUs of order {placed.key}",
        came_back=came_back,
        do_next="activate it",
        may_correct=True,
        amount=Money(minor=9984, currency="EUR"),
        opened_at=placed.placed_at,
    )
    await ledger.open_case(case)
    return case


@pytest.mark.parametrize("path", ["/console/", "/console/orders", "/console/parked", "/console/orders/de/1"])
async def test_nobody_sees_a_page_without_signing_in(api: Served, path: str) -> None:
    forged = sessions.issue(TOKENS[2]).replace("e", "f")
    for cookie in ("", "nonsense", "a.b", forged):
        reply = await api.get(path, "", headers={"Cookie": f"{sessions.COOKIE}={cookie}"})
        assert reply.status_code == 303
        assert reply.headers["location"].startswith("/console/login?to=%2Fconsole%2F")


async def test_a_portal_and_a_stranger_do_not_get_in(api: Served) -> None:
    for token, status in ((PORTAL, 403), ("a-guess-a-guess-a-guess-a-guess", 401), ("", 401)):
        reply = await api.post("/console/login", token="", data={"token": token})
        assert reply.status_code == status
        assert "set-cookie" not in reply.headers


async def test_the_cookie_stays_with_the_browser_and_leads_only_to_own_pages(api: Served) -> None:
    for to in ("https://elsewhere.example/", "//elsewhere.example", "/console//elsewhere.example", "/v1/orders"):
        reply = await api.post("/console/login", token="", data={"token": OPERATOR, "to": to})
        assert reply.headers["location"] == "/console/"
    flags = reply.headers["set-cookie"].lower()
    assert all(flag in flags for flag in ("httponly", "samesite=strict", "path=/console"))
    assert OPERATOR not in reply.headers["set-cookie"]


def test_a_session_ends_with_its_time_and_with_its_token() -> None:
    cookie = sessions.issue(TOKENS[1])
    found = sessions.read(TOKENS, cookie)
    assert found is not None
    assert (found.caller.name, found.caller.role) == ("olga", "operator")
    assert sessions.read(TOKENS, cookie, time.time() + sessions.LASTS + 1) is None
    assert sessions.read(TOKENS[2:], cookie) is None
    changed = TOKENS[1].model_copy(update={"token": TOKENS[2].token})
    assert sessions.read([changed], cookie) is None


async def test_a_form_without_the_sessions_own_secret_changes_nothing(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    case = await parked(ledger, fresh_number)
    async with signed_in(api, APPROVER) as browser, signed_in(api, APPROVER) as other:
        stolen = form_secret((await other.get("/console/")).text)
        for secret in ("", "0" * 64, stolen):
            form = {"decision": "retry", "reason": "x", "form_secret": secret}
            assert (await browser.post(f"/console/parked/{case.id}", data=form)).status_code == 403
            cancel = {"reason": "x", "form_secret": secret}
            path = f"/console/orders/de/{fresh_number}/cancel"
            assert (await browser.post(path, data=cancel)).status_code == 403


async def test_an_operator_sees_a_case_and_only_an_approver_can_decide_it(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    case = await parked(ledger, fresh_number, came_back="<script>alert(1)</script>")
    async with signed_in(api, OPERATOR) as browser:
        page = (await browser.get(f"/console/parked/{case.id}")).text
        assert "99.84 EUR" in page
        assert "&lt;script&gt;" in page
        assert "<script>" not in page
        assert 'value="give-up"' not in page
        form = {"decision": "retry", "reason": "x", "form_secret": form_secret(page)}
        assert (await browser.post(f"/console/parked/{case.id}", data=form)).status_code == 403
    async with signed_in(api, APPROVER) as browser:
        page = (await browser.get(f"/console/parked/{case.id}")).text
        assert 'value="give-up"' in page
        assert 'value="skip"' not in page, "this step cannot be skipped"
        bad = {"decision": "correct", "reason": "typo", "correction": "{", "form_secret": form_secret(page)}
        refused = await browser.post(f"/console/parked/{case.id}", data=bad)
        assert refused.status_code == 422
        assert "not JSON" in refused.text
        assert 'value="typo"' in refused.text, "what was typed is not lost"


async def test_a_token_of_one_store_sees_only_its_cases(api: Served, ledger: Ledger, fresh_number: str) -> None:
    own, other = await parked(ledger, fresh_number), await parked(ledger, fresh_number, store="ch")
    async with signed_in(api, TOKENS[3].token.get_secret_value()) as browser:
        page = (await browser.get("/console/parked")).text
        assert f">{own.order_key}<" in page
        assert f">{other.order_key}<" not in page
        assert (await browser.get(f"/console/parked/{other.id}")).status_code == 403
        assert (await browser.get(f"/console/orders/ch/{fresh_number}")).status_code == 403


async def test_an_edited_order_shows_its_whole_chain_from_every_side(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    numbers = [fresh_number, f"{fresh_number}-1", f"{fresh_number}-2"]
    for before, number in zip(["", *numbers], numbers, strict=False):
        placed = Order.model_validate(an_order(number, replaces=before))
        await ledger.keep_order(placed, f"checkout:{placed.key}")
    async with signed_in(api, OPERATOR) as browser:
        for i, number in enumerate(numbers):
            answer = (await api.get(f"/v1/orders/de/{number}", OPERATOR)).json()
            assert [one["number"] for one in answer["chain"]] == numbers
            assert [one["stage"] for one in answer["chain"]] == ["open"] * 3
            assert answer["replaces"] == (numbers[i - 1] if i else None)
            assert answer["replaced_by"] == (numbers[i + 1] if i < 2 else None)
            page = (await browser.get(f"/console/orders/de/{number}")).text
            assert f"<strong>{number}</strong>" in page
            for other in {*numbers} - {number}:
                assert f'href="/console/orders/de/{other}"' in page
    alone = f"{fresh_number}-alone"
    await ledger.keep_order(Order.model_validate(an_order(alone)), f"checkout:de:{alone}")
    assert (await api.get(f"/v1/orders/de/{alone}", OPERATOR)).json()["chain"] == []


async def test_an_order_number_is_enough_to_find_the_order(api: Served, ledger: Ledger, fresh_number: str) -> None:
    await parked(ledger, fresh_number)
    async with signed_in(api, OPERATOR) as browser:
        found = await browser.get("/console/orders", params={"q": f" {fresh_number} "})
        assert found.headers["location"] == f"/console/orders/de/{fresh_number}"
        missing = await browser.get("/console/orders", params={"q": "no-such-number"})
        assert "No order and no document has this number" in missing.text
        assert (await browser.get("/console/orders/de/no-such-number")).status_code == 404


async def test_the_overview_works_while_temporal_is_away(
    without_engine: Served, ledger: Ledger, fresh_number: str
) -> None:
    case = await parked(ledger, fresh_number)
    async with signed_in(without_engine, OPERATOR) as browser:
        page = await browser.get("/console/")
    assert page.status_code == 200
    assert "Temporal does not answer" in page.text
    assert case.order_key in page.text
    assert page.text.index("99.84 EUR") < page.text.index(case.came_back), "money comes first"


async def test_the_console_says_so_while_postgres_is_away(without_postgres: Served) -> None:
    async with signed_in(without_postgres, OPERATOR) as browser:
        page = await browser.get("/console/")
    assert page.status_code == 503
    assert "the ledger does not answer" in page.text
    assert int(page.headers["retry-after"]) > 0


async def test_signing_out_ends_the_session_in_the_browser(api: Served) -> None:
    async with signed_in(api, OPERATOR) as browser:
        page = (await browser.get("/console/")).text
        assert (await browser.post("/console/logout", data={"form_secret": form_secret(page)})).status_code == 303
        assert (await browser.get("/console/")).status_code == 303


async def test_the_parked_page_shows_what_fits_the_filter_and_whose_move_it_is(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    case = await parked(ledger, fresh_number, came_back=f"period {fresh_number} is closed")
    other = await parked(ledger, f"{fresh_number}-2", came_back="no such item")
    async with signed_in(api, APPROVER) as browser:
        page = (await browser.get("/console/parked", params={"error": f"PERIOD {fresh_number}", "store": "de"})).text
        assert f">{case.order_key}<" in page
        assert f">{other.order_key}<" not in page
        assert "<td>operators</td>" in page
        assert "Retry all 1 shown here" in page
        none = (await browser.get("/console/parked", params={"error": "no such words"})).text
        assert "No open case fits." in none
        assert "Retry all" not in none
    async with signed_in(api, OPERATOR) as browser:
        page = (await browser.get("/console/parked")).text
        assert "Retry all" not in page
        form = {"cases": case.id, "reason": "x", "form_secret": form_secret(page)}
        assert (await browser.post("/console/parked", data=form)).status_code == 403


async def test_the_retry_of_what_was_shown_tells_what_became_of_each(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    case = await parked(ledger, fresh_number)  # no run is there to take the decision
    async with signed_in(api, APPROVER) as browser:
        page = (await browser.get("/console/parked")).text
        form = {"cases": f"{case.id}\r\n", "reason": "mended", "form_secret": form_secret(page)}
        reply = await browser.post("/console/parked", data=form)
        assert reply.status_code == 200
        assert "1 refused" in reply.text
        assert f"{case.id}: refused, " in reply.text
        empty = await browser.post("/console/parked", data={**form, "reason": " "})
        assert empty.status_code == 422
        assert 'role="alert"' in empty.text


async def test_a_case_shows_its_history_and_the_commands_that_move_it(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    case = await parked(ledger, fresh_number)
    moved = case.model_copy(
        update={"assignee": "anna", "escalated_at": case.opened_at, "may_give_up": False, "may_correct": False}
    )
    event = CaseEvent(at=case.opened_at, what="reassigned", by="olga", text="from operators to anna: knows it")
    await ledger.note_case(moved, 1, event)
    async with signed_in(api, APPROVER) as browser:
        page = (await browser.get(f"/console/parked/{case.id}")).text
    assert "from operators to anna: knows it" in page
    assert "anna, <strong" in page
    assert f"starter.py resolve {case.id} --decision retry" in page
    assert 'value="give-up"' not in page, "what is impossible is not offered"
    assert 'value="correct"' not in page


async def test_something_quarantined_is_released_by_form(api: Served, ledger: Ledger, fresh_number: str) -> None:
    number = await ledger.keep_notification(
        "juston", {}, b"{}", sender_id=f"odd-{fresh_number}", quarantine=f"odd {fresh_number}"
    )
    async with signed_in(api, OPERATOR) as browser:
        page = (await browser.get("/console/quarantine")).text
        assert f"odd {fresh_number}" in page
        assert f'action="/console/quarantine/{number}"' not in page
    async with signed_in(api, APPROVER) as browser:
        page = (await browser.get("/console/quarantine")).text
        form = {"how": "read", "reason": "mended", "form_secret": form_secret(page)}
        again = (await browser.post(f"/console/quarantine/{number}", data=form)).text
        assert f"{number}: quarantined again, X-Holdfast-Signature is missing or wrong" in again
        assert "released by anna: mended" in again
        dropped = (await browser.post(f"/console/quarantine/{number}", data={**form, "how": "drop"})).text
        assert f"{number}: dropped" in dropped
        gone = await browser.post(f"/console/quarantine/{number}", data=form)
        assert gone.status_code == 409
        assert "not in quarantine any more" in gone.text


async def test_a_run_that_cannot_go_on_is_shown_with_its_order_and_only_to_its_stores(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    book, runs = StuckBook(ledger.engine), list[StuckRun]()
    for store in ("de", "ch"):
        placed = Order.model_validate(an_order(fresh_number)).model_copy(update={"store": store})
        await ledger.keep_order(placed, f"checkout:{placed.key}")
        runs.append(
            StuckRun(
                workflow_id=f"checkout:{placed.key}",
                run_id=placed.key,
                process="CheckoutPaymentInvoice",
                kind="failing",
                reason="<b>an odd answer</b>",
                since=placed.placed_at,
            )
        )
    await book.keep(runs)
    order = (await api.get(f"/v1/orders/de/{fresh_number}")).json()
    assert order["stuck"] == order["next"]
    assert f"Run checkout:de:{fresh_number} cannot go on since" in order["next"]
    one_store = TOKENS[3].token.get_secret_value()
    listed = (await api.get("/v1/stuck", one_store)).json()["runs"]
    assert [run["order_key"] for run in listed] == [f"de:{fresh_number}"]
    async with signed_in(api, one_store) as browser:
        page = (await browser.get("/console/")).text
    assert "<b>1</b> cannot go on" in page
    assert f"/console/orders/de/{fresh_number}" in page
    assert "&lt;b&gt;an odd answer&lt;/b&gt;" in page
    for run in runs:
        await book.over(run, "mended")
    assert (await api.get("/v1/stuck")).json()["runs"] == []
    assert (await api.get(f"/v1/orders/de/{fresh_number}")).json()["stuck"] == ""
