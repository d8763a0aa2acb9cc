"""What the commands make of the API's answers, over HTTP."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cli.app import main
from tests.cli.small_api import small_api

CASE = {
    "id": "de:3:1",
    "order_key": "de:3",
    "store": "de",
    "number": "3",
    "workflow_id": "checkout:de:3",
    "step": "find items",
    "system": "erp",
    "family": "NeedsPerson",
    "tried": "map the SKUs",
    "assignee": "operators",
    "came_back": "no item X",
    "do_next": "create it",
    "amount": {"minor": 4200, "currency": "EUR"},
    "may_skip": False,
    "may_correct": True,
    "opened_at": "2026-11-21T10:00:00Z",
}
ORDER = {
    "order_key": "de:3",
    "store": "de",
    "number": "3",
    "live": True,
    "stuck": "",
    "stage": "checking",
    "payment_link": None,
    "payment_state": "not asked yet",
    "amount": {"minor": 4200, "currency": "EUR"},
    "waiting_on": "",
    "next": "find items needs a person",
    "cases": [CASE],
    "documents": [],
    "timeline": [{"at": "2026-11-21T10:00:00Z", "kind": "heard", "text": "order 3 of de [bold] was placed"}],
    "links": {"self": "", "temporal_ui": None},
}


def _orders(tmp_path: Path, *lines: str) -> str:
    (tmp_path / "orders.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return str(tmp_path / "orders.jsonl")


def _order(number: str) -> str:
    return json.dumps({"store": "de", "number": number})


def test_a_bad_line_never_stops_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked: Counter[str] = Counter()

    def answering(method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        number = body["number"]
        asked[number] += 1
        if number == "2":
            error = {"code": "totals", "message": "does not add up", "field": "total", "details": ["off by 0.01 EUR"]}
            return 422, {}, {"error": error}
        if number == "3":
            return 202, {}, {"stage": "checking", "payment_link": None, "cases": [CASE]}
        if number == "4" and asked["4"] < 3:
            return 503, {"retry-after": "0"}, {"error": {"message": "PostgreSQL is away"}}
        return 200 if number == "5" else 201, {}, {"stage": "awaiting payment", "payment_link": f"http://pay/{number}"}

    file = _orders(tmp_path, _order("1"), "{oops", _order("2"), "", _order("3"), _order("4"), _order("5"), "[]")
    with small_api(answering) as url:
        assert main(["checkout", file, "--api", url, "--token", "t", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["placed"], found["known"], found["parked"], found["refused"]) == (2, 1, 1, 3)
    assert [(order["order"], order["outcome"], order["payment_link"]) for order in found["orders"]] == [
        ("de:1", "placed", "http://pay/1"),
        ("line 2", "refused", ""),
        ("de:2", "refused", ""),
        ("de:3", "parked", ""),
        ("de:4", "placed", "http://pay/4"),
        ("de:5", "known", "http://pay/5"),
        ("line 8", "refused", ""),
    ]
    assert found["orders"][2]["problem"] == "total: does not add up"
    assert found["orders"][2]["details"] == ["off by 0.01 EUR"]


def test_all_orders_placed_is_good_and_shows_links_and_progress(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answering(method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        return 201, {}, {"stage": "awaiting payment", "payment_link": "http://pay/here", "cases": []}

    (tmp_path / "order.json").write_text(json.dumps({"store": "de", "number": "1"}, indent=1))
    with small_api(answering) as url:
        assert main(["checkout", str(tmp_path / "order.json"), "--api", url, "--token", "t"]) == 0
    told = capsys.readouterr().out
    assert "de:1  placed  awaiting payment  http://pay/here" in told
    assert "orders: 1 of 1 (100 %)" in told
    assert told.splitlines()[-1] == "1 orders: 1 placed"


def test_explain_tells_the_story_and_the_exact_commands(capsys: pytest.CaptureFixture[str]) -> None:
    def answering(method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        if path.startswith("/v1/orders?"):
            return 200, {}, {"orders": [{"order_key": "de:3"}]}
        return 200, {}, ORDER

    with small_api(answering) as url:
        assert main(["explain", "SO000001", "--api", url, "--token", "t"]) == 1
    told = capsys.readouterr().out
    assert "2026-11-21 10:00:00  heard    order 3 of de [bold] was placed" in told
    assert 'starter.py resolve de:3:1 --decision retry --reason "…"' in told
    assert "42.00 EUR at stake" in told
    assert "--decision skip" not in told


@pytest.mark.parametrize("command", ["explain", "status"])
def test_an_edited_order_shows_what_it_was_changed_into(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    chain = [{"number": "3", "stage": "cancelled"}, {"number": "3-1", "stage": "open"}]
    answer = ORDER | {"cases": [], "chain": chain}
    with small_api(lambda *_: (200, {}, answer)) as url:
        assert main([command, "de:3", "--api", url, "--token", "t"]) == 0
    assert "3 (cancelled) → 3-1 (open)" in capsys.readouterr().out


def test_an_ambiguous_number_lists_the_orders(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"order_key": key, "stage": "open", "amount": {"minor": 100, "currency": "EUR"}} for key in ("de:3", "ch:3")
    ]
    with small_api(lambda *_: (200, {}, {"orders": rows})) as url:
        assert main(["status", "3", "--api", url, "--token", "t"]) == 2
    told = capsys.readouterr().err
    assert "de:3  open  1.00 EUR" in told
    assert "ch:3  open  1.00 EUR" in told


def test_parked_shows_age_and_money_first_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with small_api(lambda *_: (200, {}, {"cases": [CASE]})) as url:
        assert main(["parked", "--api", url, "--token", "t"]) == 1
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["age", "money", "case"]
    assert "42.00 EUR" in first
    assert first.index("42.00 EUR") < first.index("de:3:1")
    with small_api(lambda *_: (200, {}, {"cases": []})) as url:
        assert main(["parked", "--api", url, "--token", "t"]) == 0


def test_resolve_takes_an_order_with_one_case_and_sends_the_correction(capsys: pytest.CaptureFixture[str]) -> None:
    sent: list[tuple[str, Any]] = []

    def answering(method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        if method == "GET":
            return 200, {}, {"cases": [CASE]}
        sent.append((path, body))
        return 200, {}, {"message": "correct on de:3:1 accepted"}

    patch = '{"lines": {"0": {"sku": "NEW"}}}'
    arguments = ["resolve", "3", "--decision", "correct", "--reason", "typo", "--correction", patch]
    with small_api(answering) as url:
        assert main([*arguments, "--api", url, "--token", "t"]) == 0
    body = {"decision": "correct", "reason": "typo", "correction": json.loads(patch)}
    assert sent == [("/v1/parked/de:3:1/decision", body)]
    assert "accepted" in capsys.readouterr().out


@pytest.mark.parametrize("needed_by", [None, "2026-12-01"])
def test_a_transfer_says_until_when_it_is_needed_where_that_was_asked(
    needed_by: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = []

    def answering(method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        if method == "GET":
            return 200, {}, {"order_key": "de:1"}
        sent.append(body)
        return 201, {}, {"number": "TR-1", "source": "Basel", "destination": "Hamburg", "expected_on": needed_by}

    given = ["--needed-by", needed_by] if needed_by else []
    arguments = [
        "transfer",
        "de:1",
        "--line",
        "1=2",
        "--from",
        "Basel",
        "--to",
        "Hamburg",
        "--reason",
        "sold out",
        *given,
    ]
    with small_api(answering) as url:
        assert main([*arguments, "--api", url, "--token", "t"]) == 0
    assert [body.get("needed_by") for body in sent] == [needed_by]
    said = "transfer TR-1 brings it from Basel to Hamburg" + (", needed by 2026-12-01" if needed_by else "")
    assert said in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(("status", "code"), [(401, 2), (403, 2), (404, 1), (409, 1), (503, 1)])
def test_a_refusal_is_told_with_its_reason(status: int, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with small_api(lambda *_: (status, {}, {"error": {"code": "x", "message": "because of this"}})) as url:
        assert main(["parked", "--api", url, "--token", "t"]) == code
    assert "because of this" in capsys.readouterr().err


def test_what_cannot_go_on_is_listed_with_its_remedy_and_settled_with_a_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sent = []
    feed = {
        "run": "feed:erp:orders",
        "kind": "feed",
        "since": "2026-11-21T10:00:00Z",
        "reason": "403",
        "do_next": "ask",
    }

    def answering(method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        if method == "POST":
            sent.append((path, body))
            return 200, {}, {"order_key": "de:3", "decision": body["decision"], "runs": ["checkout:de:3"]}
        return 200, {}, {"runs": [feed]} if path == "/v1/stuck" else ORDER

    with small_api(answering) as url:
        assert main(["stuck", "--api", url, "--token", "t"]) == 1
        told = capsys.readouterr().out
        for decision in ("restart", "dismiss"):
            assert main(["stuck", "de:3", f"--{decision}", "--reason", "r", "--api", url, "--token", "t"]) == 0
    assert "feed:erp:orders  feed for" in told
    assert "403\n  To do: ask" in told
    assert "1 cannot go on, oldest" in told
    wanted = [{"decision": decision, "reason": "r"} for decision in ("restart", "dismiss")]
    assert sent == [("/v1/orders/de/3/stuck", body) for body in wanted]
    said = capsys.readouterr().out
    assert "checkout:de:3 goes on where it stood" in said
    assert "checkout:de:3 is dismissed" in said


def test_status_counts_by_stage(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"amount": {"minor": 100, "currency": "EUR"}, "received_at": "2026-11-21T10:00:00Z"}

    def answering(method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        if path.startswith("/v1/orders?"):
            rows = [{**row, "order_key": "de:3", "stage": "open"}, {**row, "order_key": "de:4", "stage": "completed"}]
            return 200, {}, {"orders": rows}
        if path in ("/v1/parked", "/v1/stuck"):
            return 200, {}, {"cases": [], "runs": stuck}
        return 200, {}, ORDER

    stuck: list[dict[str, Any]] = []
    with small_api(answering) as url:
        assert main(["status", "--api", url, "--token", "t", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert {stage: group["orders"] for stage, group in found["stages"].items()} == {"checking": 1, "completed": 1}
        stuck.append(
            {"run": "checkout:de:3", "since": "2026-11-21T10:00:00Z", "reason": "odd [words]", "do_next": "report it"}
        )
        assert main(["status", "--api", url, "--token", "t"]) == 1
    told = capsys.readouterr().out
    assert "1 run cannot go on, oldest" in told
    assert "checkout:de:3  odd [words]" in told
    assert "report it" in told
