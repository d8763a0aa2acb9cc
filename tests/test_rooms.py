"""Imports point one way: the contracts of pyproject.toml hold, for every room and for the two modules at the top."""

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest
from importlinter import cli

ROOT = Path(__file__).resolve().parents[1]
CONFIG: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
# Who may be imported by the modules at the top: they wire, and decide nothing.
MODULES = {
    "worker.py": {"activities", "commerce", "settings", "workflows"},
    "starter.py": {"cli"},
}


def test_every_contract_is_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    code = cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert code == 0, capsys.readouterr().out


def test_every_room_is_watched() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert set(CONFIG["root_packages"]) == rooms


def test_a_contract_names_only_rooms_that_exist() -> None:
    """A misspelt room would be kept for ever."""
    for contract in CONFIG["contracts"]:
        for field in ("source_modules", "forbidden_modules", "modules"):
            for name in contract.get(field, []):
                path = ROOT.joinpath(*name.split("."))
                ours = path.is_dir() or path.with_suffix(".py").is_file()
                assert ours or name in _dependencies(), f"{contract['name']}: {name}"


def test_every_system_is_kept_apart_from_processes_and_from_other_systems() -> None:
    systems = {path.parent.name for path in ROOT.glob("activities/*/settings.py")} - {"salesforce", "notify"}
    names = {f"activities.{name}" for name in systems}
    [apart] = [contract for contract in CONFIG["contracts"] if contract["type"] == "independence"]
    assert set(apart["modules"]) == names
    [roles] = [contract for contract in CONFIG["contracts"] if contract["name"].startswith("Workflows know roles")]
    assert names <= set(roles["forbidden_modules"])


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_at_the_top_imports_what_it_wires_and_no_more(module: str) -> None:
    rooms = set(CONFIG["root_packages"]) | {path.removesuffix(".py") for path in MODULES}
    assert _imported(ROOT / module) & rooms <= MODULES[module]


def test_no_room_imports_the_modules_at_the_top() -> None:
    tops = {path.removesuffix(".py") for path in MODULES}
    found = {
        str(path.relative_to(ROOT)): tops & _imported(path)
        for room in CONFIG["root_packages"]
        for path in (ROOT / room).rglob("*.py")
        if tops & _imported(path)
    }
    assert found == {}


def _imported(path: Path) -> set[str]:
    """First parts of everything that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _dependencies() -> set[str]:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {entry.replace("[", ">").partition(">")[0] for entry in listed}
    return names | {"opentelemetry", "starter", "worker"}
