"""The console about goods: what is shown of them, who sees what is late, and who may ask for a transfer."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from activities.fulfillment import FulfillmentView, ShipmentView, TrackView
from activities.ledger.fulfillment import FulfillmentBook
from activities.ledger.store import Ledger
from commerce.documents import CheckoutResult, Event, OrderView, Stage
from commerce.fulfillment import LineProgress, Portion, State, Transfer
from commerce.money import Money
from commerce.order import Order
from settings.model import Token
from tests.api.desk import APPROVER, GERMAN, OPERATOR, Served, an_order, no_engine, served, settings_for
from tests.api.test_console import form_secret, signed_in
from workflows.names import fulfillment_id

NOW = datetime.now(UTC)
AMOUNT = Money(minor=9984, currency="EUR")


def box(number: str, **more: Any) -> TrackView:
    return TrackView(number=number, link=f"https://carrier.example/{number}", **more)


async def with_goods(ledger: Ledger, number: str, *, store: str = "de", **goods: Any) -> FulfillmentView:
    """An order that its checkout completed, with its goods as their run kept them last."""
    placed = Order.model_validate(an_order(number)).model_copy(update={"store": store})
    await ledger.keep_order(placed, f"checkout:{placed.key}")
    view = OrderView(order_key=placed.key, store=store, number=number, stage=Stage.COMPLETED, amount=AMOUNT)
    await ledger.close_order(view, CheckoutResult(order_key=placed.key, outcome=Stage.COMPLETED), hand_over=True)
    kept = FulfillmentView(
        **{
            "order_key": placed.key,
            "store": store,
            "number": number,
            "state": State.BACK_ORDERED,
            "waiting_on": "goods",
            "in_shop": True,
            "lines": (
                LineProgress(line="1", sku="HF-1001", ordered=5, cancelled=1, shipped=2, back_ordered=2),
                LineProgress(line="2", sku="HF-GIFT", ordered=1, intangible=True),
            ),
            "timeline": (Event(at=NOW, text="taken up from checkout, sales order SO-1"),),
            **goods,
        }
    )
    await FulfillmentBook(ledger.engine).keep(kept)
    return kept


def shipment(number: str, *tracks: TrackView, **more: Any) -> ShipmentView:
    portions = (Portion(line="1", sku="HF-1001", quantity=1),)
    return ShipmentView(
        **{
            "number": number,
            "state": State.DISPATCHED,
            "carrier": "DHL",
            "service": "Express",
            "tracks": tracks,
            "portions": portions,
            "dispatched_at": NOW - timedelta(days=6),
            "written_back": True,
            **more,
        }
    )


def plain(page: str) -> str:
    """The page's words, one blank between any two."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


async def test_an_order_shows_lines_shipments_boxes_and_transfers(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    arrived = NOW - timedelta(days=1)
    boxes = (box("B-1", said="delivered", delivered_at=arrived), box("B-2", said="in transit", expected_at=NOW))
    moved = Transfer(
        number="TR-7", id="a1", source="Basel", destination="Hamburg", expected_on=date(2026, 12, 1), portions=()
    )
    await with_goods(
        ledger,
        fresh_number,
        shipments=(
            shipment("SH-1", *boxes),
            shipment("SH-2", written_back=False),
            shipment("SH-3", state=State.READY, written_back=False),
        ),
        transfers=(moved,),
        skipped=("write shipment SH-9: sent by hand (olga)",),
    )
    async with signed_in(api, OPERATOR) as browser:
        page = (await browser.get(f"/console/orders/de/{fresh_number}")).text
    text = plain(page)
    assert "The goods are back-ordered, waiting for goods." in text
    assert "1 HF-1001 back-ordered 5 1 0 2 2 2 —" in text, "state, ordered, cancelled, allocated, back-ordered, shipped"
    assert "2 HF-GIFT not shipped" in text
    assert '<a href="https://carrier.example/B-2" rel="noreferrer">B-2</a>' in page
    assert f"B-1 delivered {arrived:%Y-%m-%d %H:%M:%S}" in text
    assert f"B-2 in transit, expected {NOW:%Y-%m-%d}" in text
    assert re.search(r"SH-1 dispatched .* yes SH-2 dispatched .* not yet SH-3 ready .* —", text)
    assert "TR-7 on its way Basel Hamburg 2026-12-01" in text
    assert "write shipment SH-9: sent by hand (olga)" in text
    assert "Checkout Nothing yet. Goods" in text
    assert "taken up from checkout, sales order SO-1" in text
    assert f"/workflows/fulfillment%3Ade%3A{fresh_number}" in page


async def test_goods_that_have_arrived_are_said_to_have_and_nothing_is_asked_of_them(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    await with_goods(ledger, fresh_number, state=State.DELIVERED, ended=True, reason="everything was delivered")
    async with signed_in(api, APPROVER) as browser:
        text = plain((await browser.get(f"/console/orders/de/{fresh_number}")).text)
    assert "The goods have ended as delivered: everything was delivered." in text
    assert "Bring goods from another warehouse" not in text
    assert "Cancel what has not left the house" not in text


async def test_an_order_without_goods_says_nothing_about_them(api: Served, ledger: Ledger, fresh_number: str) -> None:
    placed = Order.model_validate(an_order(fresh_number))
    await ledger.keep_order(placed, f"checkout:{placed.key}")
    async with signed_in(api, APPROVER) as browser:
        page = (await browser.get(f"/console/orders/de/{fresh_number}")).text
    assert 'id="goods"' not in page
    assert "Cancel this order" in page


async def test_only_an_approver_may_ask_for_a_transfer_with_a_form_of_the_session(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    await with_goods(ledger, fresh_number)
    path = f"/console/orders/de/{fresh_number}"
    form = {"source": "Basel", "destination": "Hamburg", "line:1": "1", "reason": "sold out"}
    async with signed_in(api, OPERATOR) as browser:
        page = (await browser.get(path)).text
        assert "Bring goods from another warehouse" not in page
        refused = await browser.post(f"{path}/transfers", data={**form, "form_secret": form_secret(page)})
        assert (refused.status_code, "needs" in refused.text) == (403, True)
    async with signed_in(api, APPROVER) as browser:
        for secret in ("", "0" * 64):
            reply = await browser.post(f"{path}/transfers", data={**form, "form_secret": secret})
            assert reply.status_code == 403
        page = (await browser.get(path)).text
        asked = await browser.post(f"{path}/transfers", data={**form, "form_secret": form_secret(page)})
        assert asked.status_code == 409, "nobody follows these goods"
        assert f"no run follows the goods of order de:{fresh_number}" in asked.text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"line:1": "two"}, "&#39;two&#39; is not allowed"),
        ({"line:1": "-1"}, "&#39;-1&#39; is not allowed"),
        ({"line:1": "0"}, "give the quantity of at least one line"),
        ({"source": " "}, "should have at least 1 character"),
        ({"reason": ""}, "should have at least 1 character"),
        ({"needed_by": "2025-02-28"}, "2025-02-28 in Europe/Berlin is in the past"),
        ({"needed_by": "tomorrow"}, "write a day, as 2026-12-01"),
    ],
    ids=["no number", "negative", "nothing", "from nowhere", "no reason", "past", "no day"],
)
async def test_what_is_wrong_in_a_transfer_stands_beside_its_field_and_what_was_typed_is_kept(
    api: Served, ledger: Ledger, fresh_number: str, changed: dict[str, str], said: str
) -> None:
    await with_goods(ledger, fresh_number)
    path = f"/console/orders/de/{fresh_number}"
    form = {"source": "Basel", "destination": "Hamburg", "line:1": "1", "reason": "sold out", **changed}
    async with signed_in(api, APPROVER) as browser:
        secret = form_secret((await browser.get(path)).text)
        reply = await browser.post(f"{path}/transfers", data={**form, "form_secret": secret})
    assert reply.status_code == 422
    assert 'id="transfer" open' in reply.text
    wrong = re.search(r'aria-invalid="true" aria-describedby="([^"]+)"', reply.text)
    assert wrong is not None
    beside = re.search(rf'<p class="wrong" id="{wrong[1]}">([^<]+)</p>', reply.text)
    assert beside is not None
    assert said in beside[1]
    assert 'value="Hamburg"' in reply.text


@pytest.mark.parametrize(
    ("needed_by", "said"),
    [
        ("2025-12-01", "needed_by: 2025-12-01 in Europe/Berlin is in the past"),
        ("2025-12-01T12:00+01:00", "needed_by: 2025-12-01T12:00+0100 is in the past"),
        ("2026-12-01T12:00", "write a day, as 2026-12-01, or a time with its zone"),
        ("2026-02-30", "write a day"),
        ("9999-12-31", "write a day"),
        (20261201, "write a day"),
    ],
)
async def test_goods_that_were_needed_before_now_are_not_asked_for(
    api: Served, ledger: Ledger, fresh_number: str, needed_by: object, said: str
) -> None:
    await with_goods(ledger, fresh_number)
    body = {"source": "Basel", "destination": "Hamburg", "lines": {"1": "1"}, "reason": "sold out"}
    reply = await api.post(f"/v1/orders/de/{fresh_number}/transfers", {**body, "needed_by": needed_by})
    assert reply.status_code == 422
    assert reply.json()["error"]["field"] == "needed_by"
    assert said in reply.json()["error"]["message"]


@pytest.mark.parametrize("needed_by", [None, f"{NOW.date()}", "2199-12-31", "2199-12-31T23:30-10:00"])
async def test_goods_may_be_needed_today_some_day_or_at_no_time_at_all(
    api: Served, ledger: Ledger, fresh_number: str, needed_by: str | None
) -> None:
    await with_goods(ledger, fresh_number)
    body = {"source": "Basel", "destination": "Hamburg", "lines": {"1": "1"}, "reason": "sold out"}
    reply = await api.post(f"/v1/orders/de/{fresh_number}/transfers", {**body, "needed_by": needed_by})
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "no-goods"), "all that is wrong: nobody follows"


async def test_an_operator_has_the_goods_looked_at_again_with_a_form_of_the_session(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    kept = await with_goods(ledger, fresh_number, state=State.DELIVERED, ended=True, reason="everything was delivered")
    path = f"/console/orders/de/{fresh_number}"
    async with signed_in(api, OPERATOR) as browser:
        assert (await browser.post(f"{path}/follow", data={"form_secret": "0" * 64})).status_code == 403
        assert await api.backing.engine.look(fulfillment_id(kept.order_key)) is None
        secret = form_secret((await browser.get(path)).text)
        done = await browser.post(f"{path}/follow", data={"form_secret": secret})
        assert done.status_code == 303
        assert "looked for in the shop again" in (await browser.get(done.headers["location"])).text
    assert await api.backing.engine.look(fulfillment_id(kept.order_key)) is not None, "a run follows them"


async def test_what_is_late_is_told_oldest_first_with_money_and_only_of_own_stores(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    line = LineProgress(line="1", sku="HF-1001", ordered=1, promised_on=(NOW - timedelta(days=9)).date())
    promised = await with_goods(ledger, f"{fresh_number}-1", lines=(line,))
    on_the_way = await with_goods(ledger, f"{fresh_number}-2", shipments=(shipment("SH-1", box("B-1")),))
    other = await with_goods(ledger, f"{fresh_number}-3", store="ch", lines=(line,))
    async with signed_in(api, GERMAN) as browser:
        page = (await browser.get("/console/late")).text
        overview = plain((await browser.get("/console/")).text)
        patient = (await browser.get("/console/late", params={"delivery_days": "7"})).text
    found = [key for key in re.findall(r">(de:[^<]+|ch:[^<]+)</a>", page) if fresh_number in key]
    assert found == [promised.order_key, on_the_way.order_key]
    assert other.order_key not in page
    said = re.search(r"(\d+) orders are late, (\d+\.\d\d EUR), the oldest for 8 d .*?: (.*?)\.", plain(page))
    assert said is not None
    assert Money.model_validate(said[2]).minor == int(said[1]) * AMOUNT.minor
    assert f"{said[1]} late" in overview
    assert "promised but not shipped" in said[3]
    assert on_the_way.order_key not in patient
    assert 'value="7"' in patient
    ended = promised.model_copy(update={"ended": True})
    await FulfillmentBook(ledger.engine).keep(ended)
    async with signed_in(api, GERMAN) as browser:
        assert promised.order_key not in (await browser.get("/console/late")).text


async def test_limits_that_make_no_sense_are_refused_beside_their_field(api: Served) -> None:
    async with signed_in(api, OPERATOR) as browser:
        for given, said in (("soon", "is not allowed"), ("-1", "greater than or equal to 0"), ("1e99", "less than")):
            reply = await browser.get("/console/late", params={"write_back_minutes": given})
            assert reply.status_code == 422
            beside = re.search(r'<p class="wrong" id="l-write_back_minutes-wrong">([^<]+)<', reply.text)
            assert beside is not None
            assert said in beside[1]
            assert f'value="{given}"' in reply.text
        reply = await api.get("/v1/late", params={"delivery_days": "1e99"})
        assert reply.status_code == 422


async def test_nothing_late_is_said_in_words(postgres_url: str, ledger: Ledger) -> None:
    tokyo = f"tokyo-token-{'x' * 24}"
    token = Token(name="tokyo", role="operator", token=SecretStr(tokyo), stores=("jp",))
    settings = settings_for(postgres_url, tokens=(token,))
    async with served(settings, ledger, no_engine()) as api, signed_in(api, tokyo) as browser:
        page = await browser.get("/console/late")
    assert page.status_code == 200
    assert "Nothing is late: what was promised has left" in page.text
    assert "<table" not in page.text
