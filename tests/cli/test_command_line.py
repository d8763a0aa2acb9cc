"""What a person at the keyboard meets: help that fits a screen, exit codes, and no traceback for a mistake."""

from pathlib import Path

import pytest

from cli.app import COMMANDS, main

SCREEN = (24, 100)


@pytest.fixture(autouse=True)
def _screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A plain terminal of 24 x 100, in a folder where nothing runs."""
    monkeypatch.setenv("COLUMNS", str(SCREEN[1]))
    monkeypatch.setenv("TERMINAL_WIDTH", str(SCREEN[1]))
    for name in ("HOLDFAST_API_URL", "HOLDFAST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", ["", *(function.__name__ for function, _, _ in COMMANDS)])
def test_help_fits_a_screen(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*([command] if command else []), "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= SCREEN[0]
    assert max(len(line) for line in lines) <= SCREEN[1]
    if command:
        text = " ".join(" ".join(lines).split())
        assert f"Example: starter.py {command}" in text
        assert "--json" in text


def test_help_has_one_example_for_each_command_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    for function, _, example in COMMANDS:
        assert [line for line in lines if line.split()[:1] == [function.__name__] and line.endswith(example)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["checkout", "nowhere.json"], "nowhere.json: there is no such file"),
        (["checkout", "empty.json"], "there is no order in it"),
        (["checkout", "list.json"], "neither an object nor JSON lines"),
        (["checkout"], "Missing argument"),
        (["bogus"], "bogus"),
        (["demo", "--orders", "0"], "--orders"),
        (["up", "--config", "nowhere.toml"], "nowhere.toml: the file is missing"),
        (["status", "--api", "localhost:8080", "--token", "t"], "is not an address"),
        (["status", "--api", "http://127.0.0.1:9"], "--token is missing"),
        (["cancel", "1", "--reason", " ", "--api", "http://127.0.0.1:9", "--token", "t"], "--reason is empty"),
        (["stuck", "--dismiss", "--api", "http://127.0.0.1:9", "--token", "t"], "name the ORDER"),
        (["stuck", "1", "--reason", "r", "--api", "http://127.0.0.1:9", "--token", "t"], "--restart or --dismiss"),
        (["stuck", "1", "--dismiss", "--api", "http://127.0.0.1:9", "--token", "t"], "--reason is empty"),
        (["resolve", "x", "--decision", "maybe", "--reason", "r"], "maybe"),
        (["resolve", "x", "--decision", "correct", "--reason", "r"], "--correction is missing"),
        (["resolve", "x", "--decision", "correct", "--reason", "r", "--correction", "{"], "is not JSON"),
        (["resolve", "x", "--decision", "correct", "--reason", "r", "--correction", "[]"], "not a JSON object"),
        (["resolve", "x", "--decision", "correct", "--reason", "r", "--correction", "@no"], "cannot be read"),
        (["resolve", "x", "--decision", "retry", "--reason", "r", "--correction", "{}"], "goes with"),
    ],
)
def test_wrong_use_is_told_and_ends_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "empty.json").write_text("\n")
    (tmp_path / "list.json").write_text("[1]")
    assert main(arguments) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert "Traceback" not in told


@pytest.mark.parametrize("command", [["status"], ["explain", "1"], ["parked"], ["checkout", "one.json"]])
def test_without_a_running_holdfast_the_message_says_what_to_start(
    command: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "one.json").write_text("{}")
    assert main(command) == 1
    assert "starter.py up" in capsys.readouterr().err


def test_a_stale_address_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "var" / "up").mkdir(parents=True)
    (tmp_path / "var" / "up" / "addresses.json").write_text('{"api": "http://127.0.0.1:9", "operator_token": "t"}')
    assert main(["status"]) == 1
    assert "nothing answers at http://127.0.0.1:9 (named in var/up/addresses.json)" in capsys.readouterr().err


def test_an_error_is_json_on_standard_output_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == 1
    assert capsys.readouterr().out.startswith('{"error": {"message": "Holdfast is not running here"')


def test_a_bad_configuration_is_told_before_anything_starts(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    good = (Path(__file__).parents[2] / "holdfast.toml").read_text("utf-8")
    (tmp_path / "bad.toml").write_text(good.replace('erp = "financialforce"', 'erp = "magento"'), "utf-8")
    assert main(["up", "--config", "bad.toml", "--data", "data"]) == 2
    assert "stores.de.erp" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_the_demo_wipes_no_folder_that_is_not_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    assert main(["demo", "--data", "mine"]) == 2
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"
    assert "is not wiped" in " ".join(capsys.readouterr().err.split())
