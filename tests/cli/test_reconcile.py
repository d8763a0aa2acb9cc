"""`reconcile`: the period that is meant, the verdict first, exit codes, and what machines read."""

import csv
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.app import main
from cli.reconcile import COLUMNS, period
from cli.trouble import Trouble
from tests.cli.small_api import small_api

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "since", "zone", "told"),
    [
        (None, None, "UTC", "2026-11-21T10:30:00 2026-11-22T10:30:00"),
        (None, "45m", "UTC", "2026-11-22T09:45:00 2026-11-22T10:30:00"),
        (None, "3d", "UTC", "2026-11-19T10:30:00 2026-11-22T10:30:00"),
        (None, "2026-11-21T06:00+01:00", "UTC", "2026-11-21T05:00:00 2026-11-22T10:30:00"),
        ("2026-11-21", None, "UTC", "2026-11-21T00:00:00 2026-11-22T00:00:00"),
        ("2026-11-21", None, "Europe/Berlin", "2026-11-20T23:00:00 2026-11-21T23:00:00"),
        # The day on which summer time ends has 25 hours.
        ("2026-10-25", None, "Europe/Berlin", "2026-10-24T22:00:00 2026-10-25T23:00:00"),
        ("today", None, "Asia/Tokyo", "2026-11-21T15:00:00 2026-11-22T10:30:00"),
    ],
)
def test_the_period_is_what_was_meant(day: str | None, since: str | None, zone: str, told: str) -> None:
    first, last = period(day, since, zone, NOW)
    assert f"{first:%Y-%m-%dT%H:%M:%S} {last:%Y-%m-%dT%H:%M:%S}" == told
    assert first.tzinfo == last.tzinfo == UTC


@pytest.mark.parametrize(
    ("day", "since", "zone", "told"),
    [
        ("2026-11-21", "2h", "UTC", "exclude each other"),
        ("21.11.2026", None, "UTC", "write it as 2026-11-21"),
        ("2026-11-23", None, "UTC", "has not begun"),
        ("2026-11-21", None, "Berlin", "Europe/Berlin"),
        (None, "yesterday", "UTC", "neither a time"),
        (None, "2026-11-21T06:00", "UTC", "has no zone"),
        (None, "2026-11-23T06:00Z", "UTC", "not in the past"),
        (None, "99999999999d", "UTC", "neither a time"),
    ],
)
def test_what_is_no_period_is_told(day: str | None, since: str | None, zone: str, told: str) -> None:
    with pytest.raises(Trouble, match=told) as caught:
        period(day, since, zone, NOW)
    assert caught.value.code == 2


def _statement(**more: Any) -> dict[str, Any]:
    return {
        "kind": "shop order",
        "system": "magento",
        "id": "17",
        "number": "000000017",
        "amount": {"minor": 9984, "currency": "EUR"},
        "status": "processing",
        **more,
    }


FOUND = {
    "pair": "orders",
    "kind": "missing",
    "side": "ERP",
    "order_key": "de:000000017",
    "item": "=cmd()",
    "left": [_statement()],
    "right": [],
    "amount": {"minor": 9984, "currency": "EUR"},
    "since": "2026-11-21T10:00:00Z",
    "explained": "",
    "command": "starter.py explain de:000000017",
    "remedy": "enter it in the ERP under the key de:000000017",
}
KNOWN = {**FOUND, "order_key": "de:000000018", "explained": "in progress: booking since 2026-11-21 10:00 UTC"}
ROW = {
    "pair": "orders",
    "left_name": "shop",
    "right_name": "ERP",
    "left": 2,
    "right": 1,
    "canceled": 0,
    "pending": 0,
    "left_pieces": "0",
    "right_pieces": "0",
    "differences": 1,
    "explained": 1,
    "money": [{"currency": "EUR", "left": 19968, "right": 9984, "matched": 9984}],
}


class Desk:
    """Answers like the API, two differences a page."""

    def __init__(self, found: list[dict[str, Any]], *, state: str = "done") -> None:
        self.asked: list[Any] = []
        self._found = found
        self._looks = 0
        self._state = state

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        if method == "POST":
            self.asked.append(body)
            return 202, {}, {"id": "one", "state": "running"}
        if "/differences" in path:
            after = int(path.split("after=")[1].split("&")[0])
            rows = [{"number": n, "difference": d} for n, d in enumerate(self._found, 1) if n > after]
            return 200, {}, {"differences": rows[:1]}
        self._looks += 1
        if self._looks == 1:
            return 200, {}, {"id": "one", "state": "running", "progress": None}
        counted = sum(not one["explained"] for one in self._found)
        report = {
            "verdict": "1 difference (…)" if counted else "in step: 1 order",
            "differences": counted,
            "pairs": [ROW],
            "ages": [{"bucket": "< 1 d", "differences": counted, "money": []}],
        }
        return 200, {}, {"id": "one", "state": self._state, "reason": "erp is odd", "report": report}

    def run(self, *arguments: str) -> int:
        with small_api(self) as url:
            return main(["reconcile", *arguments, "--api", url, "--token", "t"])


def test_the_verdict_comes_first_and_each_difference_has_both_sides_and_its_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    desk = Desk([FOUND, KNOWN])
    assert desk.run("--since", "2h", "--pair", "orders", "--store", "de") == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "1 difference (…)"
    text = "\n".join(told)
    assert "orders  shop / ERP" in text
    assert re.search(r"199\.68 EUR +99\.84 EUR +99\.84 EUR", text)
    assert "  left: magento shop order 000000017 (17), 99.84 EUR, processing" in told
    assert "  to do: enter it in the ERP under the key de:000000017" in told
    assert "  starter.py explain de:000000017" in told
    assert "  in progress: booking since 2026-11-21 10:00 UTC" in told
    assert (desk.asked[0]["pair"], desk.asked[0]["store"]) == ("orders", "de")


def test_in_step_is_exit_code_zero_and_what_is_explained_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert Desk([KNOWN]).run() == 0
    assert capsys.readouterr().out.startswith("in step: 1 order\n")


def test_json_is_one_document_with_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert Desk([FOUND, KNOWN]).run("--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "1 difference (…)"
    assert [one["order_key"] for one in document["found"]] == ["de:000000017", "de:000000018"]


def test_csv_has_a_row_for_each_difference_and_no_formula(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "differences.csv"
    assert Desk([FOUND, KNOWN]).run("--csv", str(file)) == 1
    header, *rows = csv.reader(file.read_text("utf-8-sig").splitlines())
    assert tuple(header) == COLUMNS
    first = dict(zip(COLUMNS, rows[0], strict=True))
    assert (first["amount"], first["currency"], first["item"]) == ("99.84", "EUR", "'=cmd()")
    assert len(rows) == 2
    capsys.readouterr()
    assert Desk([FOUND]).run("--csv", "-") == 1
    streams = capsys.readouterr()
    assert streams.out.startswith("pair,kind,side,")
    assert "1 difference" in streams.err


def test_a_comparison_that_could_not_be_made_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert Desk([], state="failed").run() == 1
    assert "it could not be compared: erp is odd" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [("--pair", "everything"), ("--csv", "-", "--json"), ("--day", "soon")])
def test_wrong_use_is_told_before_anything_is_asked(wrong: tuple[str, ...]) -> None:
    desk = Desk([])
    assert desk.run(*wrong) == 2
    assert desk.asked == []
