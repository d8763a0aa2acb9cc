"""What the documents and the code say of each other is true: links lead somewhere, examples are valid."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from commerce.order import Order
from commerce.totals import mismatches

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SOURCES = sorted(
    path
    for room in (
        "activities",
        "api",
        "cli",
        "commerce",
        "engine",
        "sandbox",
        "settings",
        "workflows",
        "tests",
        "deploy",
    )
    for path in (ROOT / room).rglob("*")
    if path.suffix in (".py", ".html", ".sh", ".toml") and path.name != Path(__file__).name
)
TOP = [ROOT / name for name in ("holdfast.toml", "pyproject.toml", "Makefile", "docker-compose.yml", "worker.py")]


def _called(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_called)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    lost = [
        link
        for link in links
        if "://" not in link and not link.startswith("mailto:") and not (page.parent / link).exists()
    ]
    assert lost == []


def test_every_document_that_code_points_to_is_there() -> None:
    lost = {}
    for path in [*SOURCES, *TOP]:
        for name in re.findall(r"\bdocs/[\w./-]+\.(?:md|toml|json)\b", path.read_text("utf-8")):
            if not (ROOT / name).exists():
                lost[_called(path)] = name
    assert lost == {}


@pytest.mark.parametrize("page", PAGES, ids=_called)
def test_every_example_on_a_page_can_be_read(page: Path) -> None:
    for language, text in re.findall(r"(?ms)^```(json|toml)\n(.*?)^```", page.read_text("utf-8")):
        json.loads(text) if language == "json" else tomllib.loads(text)


@pytest.mark.parametrize("example", sorted(ROOT.glob("docs/examples/*.json")), ids=_called)
def test_an_example_order_is_one_that_is_accepted(example: Path) -> None:
    order = Order.model_validate_json(example.read_text("utf-8"))
    assert mismatches(order) == []


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text("utf-8")))
    named = {
        (_called(page), name)
        for page in PAGES
        for name in re.findall(r"`make ([a-z]+)", page.read_text("utf-8"))
        if name not in targets
    }
    assert named == set()
