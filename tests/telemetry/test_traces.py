"""One order is one trace, from the portal's request to every vendor call, and nothing private leaves with it."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from engine.stack import Stack
from tests.stack_process import Portal, order, running_stack
from tests.telemetry.collector import Span, running_collector

TRACE, PORTAL_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CLIENT = 3  # the wire's number of a call that leaves the process
SHORTEST_SECRET = 16  # shorter values of the environment are ports and hosts
# What the buyer told. None of it is needed to find an order.
PRIVATE = ("geheim", "wilhelmine", "ångström", "5550199", "50667")
_QUOTES_BUYER = '[{"message": "wilhelmine.geheim@buyer.example is odd", "errorCode": "UNKNOWN_EXCEPTION"}]'
# Calls that go wrong once, so that what is told of failures is seen too.
STUMBLES: dict[str, list[dict[str, Any]]] = {
    "juston": [{"kind": "limit", "retry_after": 1, "match": {"method": "POST", "path": "entry-link"}, "times": 1}],
    "salesforce": [
        {"kind": "status", "status": 503, "body": _QUOTES_BUYER, "match": {"path": "/query"}, "times": 4},
        {"kind": "lose-reply", "match": {"path": "composite/graph"}, "times": 1},
    ],
}


@dataclass(frozen=True)
class Told:
    """What the collector heard of one order and of everything, and what the processes wrote into their logs."""

    order_key: str
    spans: list[Span]
    all_spans: list[Span]
    logs: dict[str, str]
    secrets: dict[str, str]

    def named(self, name: str) -> list[Span]:
        found = [span for span in self.spans if span.name == name]
        assert found, f"no span {name!r}; there are {sorted({span.name for span in self.spans})}"
        return found

    def way_up(self, span: Span) -> list[str]:
        """The names from this span up to the portal's."""
        known = {each.id: each for each in self.spans}
        names = [span.name]
        while span.parent != PORTAL_SPAN:
            assert span.parent in known, f"{' < '.join(names)} hangs in the air"
            span = known[span.parent]
            names.append(span.name)
        return names


@pytest.fixture(scope="module")
async def told() -> AsyncIterator[Told]:
    """An order is placed, paid and invoiced, then everything is stopped: the last spans leave at the stop."""
    async with running_collector() as collector:
        async with running_stack({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}) as stack:
            await _stumble(stack)
            portal = Portal(stack.addresses)
            placed = await portal.place(order("de", "EUR", "50.00"), traceparent=f"00-{TRACE}-{PORTAL_SPAN}-01")
            await portal.pay(placed["payment_link"])
            await portal.reaches(placed["order_key"], "completed")
            (await portal.http.get("/v1/orders", params={"number": "wilhelmine"})).raise_for_status()
            await portal.close()
            await stack.household.stop()
            logs = {file.name: file.read_text("utf-8") for file in (stack.data / "logs").glob("*.log")}
            secrets = _secrets(stack) | {"payment link": placed["payment_link"].split("/pay/")[1].split("/")[0]}
        yield Told(placed["order_key"], collector.of(TRACE), collector.spans, logs, secrets)


async def _stumble(stack: Stack) -> None:
    async with httpx2.AsyncClient(base_url=stack.addresses.sandbox["control"]) as control:
        for system, rules in STUMBLES.items():
            (await control.put(f"/systems/{system}/faults", json=rules)).raise_for_status()


def _secrets(stack: Stack) -> dict[str, str]:
    """Every secret that the worker and the API were given, by its name."""
    wanted = ("TOKEN", "SECRET", "CONSUMER_KEY")
    found = {name: value for name, value in stack.env.items() if any(word in name for word in wanted)}
    found["database password"] = stack.addresses.ledger.split("@")[0].rpartition(":")[2]
    return {name: value for name, value in found.items() if len(value) >= SHORTEST_SECRET}


def test_every_span_of_the_order_hangs_below_the_portals_own(told: Told) -> None:
    for span in told.spans:
        assert told.way_up(span)[-1] == "POST /v1/checkouts"
    assert {span.service for span in told.spans} == {"holdfast-api", "holdfast-worker"}


def test_a_request_is_one_span(told: Told) -> None:
    assert Counter(span.name for span in told.spans if span.parent == PORTAL_SPAN) == {"POST /v1/checkouts": 1}


@pytest.mark.parametrize(
    ("call", "activity"),
    [
        ("POST /tenant/{tenant}/entry-link", "payments.ensure_entry"),
        ("POST /composite/graph", "erp.book_all"),
        ("POST /composite", "erp.book_all"),
        ("POST /composite/graph", "billing.ensure_order"),
        ("GET /query", "erp.check_order"),
    ],
)
def test_a_vendor_call_is_found_from_the_portals_request(told: Told, call: str, activity: str) -> None:
    """Request, start of the run with its update, the run, the activity, the call: nothing is left out on the way."""
    ways = [told.way_up(span) for span in told.named(call)]
    assert [
        call,
        f"RunActivity:{activity}",
        f"StartActivity:{activity}",
        "RunWorkflow:CheckoutPaymentInvoice",
        "StartUpdateWithStartWorkflow:CheckoutPaymentInvoice",
        "POST /v1/checkouts",
    ] in ways


def test_the_portals_question_is_traced_as_well(told: Told) -> None:
    (handled,) = told.named("HandleUpdate:payment_link")
    assert told.way_up(handled)[1] == "StartUpdateWithStartWorkflow:CheckoutPaymentInvoice"


def test_a_vendor_call_names_its_system_and_order_and_how_it_ended(told: Told) -> None:
    links = told.named("POST /tenant/{tenant}/entry-link")
    assert {span.kind for span in links} == {CLIENT}
    assert {span.attributes["holdfast.order_key"] for span in links} == {told.order_key}
    assert {span.attributes["holdfast.system"] for span in links} == {"juston"}
    assert sorted(span.attributes["http.response.status_code"] for span in links) == ["201", "429"]
    broken = [span for span in told.named("POST /composite/graph") if "error.type" in span.attributes]
    assert len(broken) == 1, "the reply that was lost is told as such"


def test_no_span_carries_what_the_buyer_told_or_a_secret(told: Told) -> None:
    assert len(told.all_spans) > len(told.spans), "spans of other traces are looked at too"
    for span in told.all_spans:
        _assert_discreet(f"span {span.name}", span.text, told)


def test_no_span_carries_the_trace_of_an_exception(told: Told) -> None:
    """A call failed on the way; the exceptions behind ours may quote what was sent."""
    assert any("429" in span.text for span in told.spans)
    assert not [span.name for span in told.all_spans if "exception.stacktrace" in span.text]


def test_no_log_carries_what_the_buyer_told_or_a_secret(told: Told) -> None:
    assert {"worker.log", "api.log"} <= set(told.logs)
    for name in ("worker.log", "api.log"):
        _assert_discreet(name, told.logs[name], told)


def _assert_discreet(where: str, text: str, told: Told) -> None:
    found = [word for word in PRIVATE if word in text.casefold()]
    found += [name for name, secret in told.secrets.items() if secret in text]
    assert not found, f"{where} tells {found}"
