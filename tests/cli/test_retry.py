"""`retry`: nothing is decided before it was shown, and the exit code says whether everything was taken."""

import json
from typing import Any

import pytest

from cli.app import main
from tests.cli.small_api import small_api


def row(number: int, outcome: str = "would retry", message: str = "") -> dict[str, Any]:
    return {
        "case_id": f"de:{number}:1",
        "order_key": f"de:{number}",
        "step": "book sales order",
        "system": "erp",
        "came_back": "the period is closed",
        "amount": {"minor": 1000, "currency": "EUR"},
        "opened_at": "2026-11-21T10:00:00Z",
        "outcome": outcome,
        "message": message,
    }


class Desk:
    """Answers like the API; `outcomes` by case once they are retried."""

    def __init__(self, count: int, **outcomes: str) -> None:
        self.asked: list[dict[str, Any]] = []
        self.rows = [row(number) for number in range(1, count + 1)]
        self.outcomes = {f"de:{name[1:]}:1": outcome for name, outcome in outcomes.items()}

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        assert (method, path) == ("POST", "/v1/parked/retry")
        self.asked.append(body)
        if body.get("dry_run"):
            found = self.rows
        else:
            chosen = [case for case in self.rows if case["case_id"] in body["cases"]]
            found = [
                {**case, "outcome": self.outcomes.get(case["case_id"], "accepted"), "message": "because"}
                for case in chosen
            ]
        if any(case["outcome"] == "away" for case in found):
            return 503, {}, {"error": {"code": "unavailable", "message": "Temporal does not answer"}}
        money = [{"minor": 1000 * len(self.rows), "currency": "EUR"}]
        return 200, {}, {"cases": found, "money": money, "counts": {}, "left": 0, "dry_run": False}

    def run(self, *arguments: str) -> int:
        with small_api(self) as url:
            return main(["retry", *arguments, "--api", url, "--token", "t"])


def test_a_dry_run_shows_age_money_and_case_and_decides_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(2)
    assert desk.run("--system", "erp", "--older-than", "2h", "--dry-run") == 0
    told = capsys.readouterr().out
    assert "2 cases, 20.00 EUR at stake; nothing was changed" in told
    assert "de:2:1" in told
    assert "the period is closed" in told
    [asked] = desk.asked
    assert (asked["system"], asked["older_than_seconds"], asked["dry_run"]) == ("erp", 7200, True)


def test_every_case_that_was_shown_is_decided_in_portions(capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(45)
    assert desk.run("--reason", "it is open again", "--yes") == 0
    portions = [asked["cases"] for asked in desk.asked[1:]]
    assert [len(portion) for portion in portions] == [20, 20, 5]
    assert {asked["reason"] for asked in desk.asked[1:]} == {"it is open again"}
    read = capsys.readouterr()
    assert "45 accepted" in read.out
    assert "retried: 45 of 45 (100 %)" in read.err


@pytest.mark.parametrize(("outcome", "code"), [("decided meanwhile", 0), ("refused", 1), ("no answer", 1), ("away", 1)])
def test_the_exit_code_is_1_as_soon_as_one_was_not_taken(
    outcome: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Desk(2, n2=outcome).run("--reason", "mended", "--yes", "--json") == code
    found = json.loads(capsys.readouterr().out)
    assert sum(found["counts"].values()) == 2
    if outcome != "away":
        assert found["counts"] == {"accepted": 1, outcome: 1}


def test_what_was_not_taken_is_named_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert Desk(2, n2="refused").run("--reason", "mended", "--yes") == 1
    told = capsys.readouterr().out
    assert "de:2:1  refused: because" in told
    assert "1 accepted, 1 refused" in told


def test_nothing_that_fits_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(0)
    assert desk.run("--reason", "mended", "--yes") == 0
    assert len(desk.asked) == 1
    assert "no open case fits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--yes"], "--reason is empty"),
        (["--reason", "x"], "add --yes"),
        (["--reason", "x", "--json"], "add --yes"),
        (["--reason", "x", "--yes", "--older-than", "soon"], "is not a time span"),
    ],
)
def test_wrong_use_asks_nothing_of_the_api(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(1)
    assert desk.run(*arguments) == 2
    assert said in capsys.readouterr().err
    assert desk.asked == []
