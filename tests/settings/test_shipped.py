"""The configurations that come with the project load, with the variables that they name and without any other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from settings.load import ConfigError, load
from tests.sandbox_process import Sandbox
from tests.settings.sample import PUBLIC_KEY, sandbox_environment

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "holdfast.toml"
LIVE = ROOT / "docs" / "example-live.toml"
LIVE_FILES = ("secrets/magento_webhook.pem",)


def test_the_shipped_file_loads_with_the_sandboxs_variables(sandbox: Sandbox) -> None:
    settings = load(SHIPPED, sandbox_environment(sandbox))
    assert sorted(settings.systems) == ["carrier", "financialforce", "juston", "magento"]
    assert sorted(settings.stores) == ["ch", "de", "jp", "kw", "us"]
    plan = settings.plans()["jp"]
    assert (plan.storefront, plan.erp, plan.payments) == ("magento", "financialforce", "juston")
    assert (plan.payment_records, plan.billing) == ("juston-org", "juston-org")
    assert plan.web_customer_key == "jp:web"
    assert plan.entry_lifetime == 24 * 3600


def test_the_shipped_file_names_every_variable_that_is_not_set(sandbox: Sandbox) -> None:
    needed = set(re.findall(r'(?m)^[^#\n]*env = "(\w+)"', SHIPPED.read_text()))
    assert set(sandbox_environment(sandbox)) == needed
    with pytest.raises(ConfigError) as caught:
        load(SHIPPED, {})
    missing = {re.search(r"environment variable (\w+) is not set", problem) for problem in caught.value.problems}
    assert {found.group(1) for found in missing if found} == needed


def live_environment() -> dict[str, str]:
    names = set(re.findall(r'env = "(\w+)"', LIVE.read_text()))
    values = {name: f"{name.lower()}-of-twenty-four-characters" for name in names}
    values |= {name: "json://chat.example.com/key" for name in names if name.endswith("_CHAT_URL")}
    return values | {"HOLDFAST_LEDGER_URL": "postgresql://holdfast:secret@db.example.com/holdfast"}


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """The example as a merchant copies it, with the files that it names beside it."""
    copy = tmp_path / "holdfast.toml"
    copy.write_text(LIVE.read_text())
    for name in LIVE_FILES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(PUBLIC_KEY)
    return copy


def test_the_example_for_real_vendors_loads_with_what_it_names(live: Path) -> None:
    settings = load(live, live_environment())
    kinds = {name: system.kind for name, system in settings.systems.items()}
    assert kinds == {"shop": "magento", "erp": "financialforce", "juston": "juston", "carrier": "carrier"}
    assert settings.mail is not None
    assert settings.mail.password is not None
    assert settings.stores["us"].portal is not None
    assert settings.stores["us"].payments == "juston"


def test_no_secret_of_the_example_stands_in_the_file_or_is_shown(live: Path) -> None:
    settings = load(live, live_environment())
    told = repr(settings)
    for name, value in live_environment().items():
        if any(word in name for word in ("SECRET", "TOKEN", "PASSWORD", "LEDGER")):
            assert value not in told


def test_the_example_explains_every_setting_that_it_shows() -> None:
    lines = LIVE.read_text().splitlines()
    shown = [number for number, line in enumerate(lines) if re.match(r"#?\w+ = ", line)]
    assert [lines[number] for number in shown if not _comment_above(lines, number)] == []


def test_the_example_shows_every_setting_there_is_with_a_value_that_is_allowed(live: Path) -> None:
    live.write_text(re.sub(r"(?m)^#(?=\w+ = )", "", live.read_text()))
    names = set(re.findall(r'env = "(\w+)"', live.read_text()))
    settings = load(live, dict.fromkeys(names, "of-twenty-four-characters") | live_environment())
    parts = list(_parts(settings))
    known = {(type(part), name) for part in parts for name in type(part).model_fields}
    assert known - {(type(part), name) for part in parts for name in part.model_fields_set} == set()


def _parts(value: Any) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _parts(getattr(value, name))
    elif isinstance(value, dict | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _parts(item)


def _comment_above(lines: list[str], number: int) -> bool:
    """A comment covers the settings below it up to the next blank line, or stands above a whole table."""
    while number > 0 and lines[number - 1].strip():
        number -= 1
        if lines[number].startswith("# "):
            return True
    return lines[number] == "[[api.tokens]]"  # explained at the first one
