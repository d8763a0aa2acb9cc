"""`quarantine` and `release`: what was left out, why, and whether its release helped."""

import json
from typing import Any

import pytest

from cli.app import main
from tests.cli.small_api import small_api


def row(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "system": "magento",
        "source": "magento:orders",
        "reference": f"fr:{number}",
        "reason": "no [stores.fr] is configured",
        "tries": 0,
        "received_at": "2026-11-21T10:00:00Z",
        "body": "{}",
        "releases": [{"by": "olga", "reason": "tried", "drop": False, "at": "2026-11-21T11:00:00Z"}],
    }


def desk(*numbers: int, **outcomes: str) -> Any:
    """Answers like the API; `outcomes` by id as `n7`, "passed on" where nothing is said."""
    asked: list[tuple[str, Any]] = []

    def answering(method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        if method == "GET":
            return 200, {}, {"notifications": [row(number) for number in numbers]}
        asked.append((path, body))
        number = int(path.split("/")[3])
        outcome = outcomes.get(f"n{number}", "passed on")
        if outcome == "gone":
            return 409, {}, {"error": {"code": "closed", "message": f"{number} is not in quarantine any more: done"}}
        return 200, {}, {"id": number, "reference": f"fr:{number}", "outcome": outcome, "message": "so it is"}

    answering.asked = asked  # type: ignore[attr-defined]
    return answering


def test_the_list_tells_why_and_who_tried_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with small_api(desk(7)) as url:
        assert main(["quarantine", "--api", url, "--token", "t"]) == 1
    told = capsys.readouterr().out
    for part in ("7", "fr:7", "no [stores.fr] is configured", "released by olga: tried", "starter.py release ID"):
        assert part in told
    with small_api(desk()) as url:
        assert main(["quarantine", "--api", url, "--token", "t"]) == 0


@pytest.mark.parametrize(
    ("outcome", "code"), [("passed on", 0), ("dropped", 0), ("quarantined again", 1), ("waiting", 1)]
)
def test_one_is_released_and_the_exit_code_says_whether_it_helped(
    outcome: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    answering = desk(7, n7=outcome)
    with small_api(answering) as url:
        assert main(["release", "7", "--reason", "mended", "--api", url, "--token", "t"]) == code
    assert answering.asked == [("/v1/quarantine/7/release", {"reason": "mended", "drop": False})]
    assert f"fr:7  {outcome}: so it is" in capsys.readouterr().out


def test_all_are_released_oldest_first_and_a_colleague_who_was_quicker_is_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answering = desk(9, 8, 7, n8="gone")
    with small_api(answering) as url:
        assert main(["release", "--all", "--reason", "mended", "--json", "--api", url, "--token", "t"]) == 0
    assert [path.split("/")[3] for path, _ in answering.asked] == ["7", "8", "9"]
    assert json.loads(capsys.readouterr().out)["counts"] == {"passed on": 2, "released meanwhile": 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--reason", "x"], "name one"), (["7", "--all", "--reason", "x"], "name one"), (["7", "--reason", " "], "empty")],
)
def test_wrong_use_is_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", *arguments, "--api", "http://127.0.0.1:9", "--token", "t"]) == 2
    assert said in capsys.readouterr().err
