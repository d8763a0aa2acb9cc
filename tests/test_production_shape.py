"""docker-compose.yml and its one-shot scripts agree with the settings and with the names in the code."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import worker
from settings.load import PREFIX
from settings.model import Settings
from workflows.names import SEARCH_ATTRIBUTES

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_every_override_in_the_compose_file_names_a_setting_that_exists() -> None:
    names = [
        name for service in SERVICES.values() for name in service.get("environment", {}) if name.startswith(PREFIX)
    ]
    assert names
    for name in names:
        model: Any = Settings
        for part in name.removeprefix(PREFIX).lower().split("__"):
            assert part in model.model_fields, f"{name}: {part} is not a field of {model.__name__}"
            model = model.model_fields[part].annotation


def test_worker_and_api_get_the_ledger_and_the_engine() -> None:
    for name in ("worker", "api"):
        assert {"HOLDFAST_LEDGER_URL", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"} <= set(SERVICES[name]["environment"])


def test_holdfast_starts_only_after_namespace_and_schema_are_there() -> None:
    for name in ("worker", "api"):
        assert SERVICES[name]["depends_on"]["temporal-namespace"]["condition"] == "service_completed_successfully"
    assert SERVICES["temporal"]["depends_on"]["temporal-schema"]["condition"] == "service_completed_successfully"


def test_server_and_tools_are_of_one_pinned_version_and_none_is_latest() -> None:
    images = {name: service["image"] for name, service in SERVICES.items() if "image" in service}
    assert len({images[name].partition(":")[2] for name in ("temporal", "temporal-schema", "temporal-namespace")}) == 1
    assert all(re.search(r":\d", image) for image in images.values())


def test_no_port_is_open_to_the_network_by_default() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_namespace_script_makes_every_search_attribute_with_its_type() -> None:
    script = (ROOT / "deploy" / "temporal-namespace.sh").read_text()
    made = dict(re.findall(r"^add (\w+) (\w+)$", script, re.MULTILINE))
    assert made == {
        a.name: {"KEYWORD": "Keyword", "BOOL": "Bool"}[a.indexed_value_type.name] for a in SEARCH_ATTRIBUTES
    }


def test_the_image_gets_every_room_that_worker_and_api_import() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    for room in ("activities", "api", "cli", "commerce", "engine", "settings", "workflows"):
        assert f"COPY {room} {room}" in dockerfile
    assert re.search(r"(?m)^COPY .*\bpyproject\.toml\b", dockerfile), "the API takes its version from there"


def test_the_image_gets_the_tested_pins_and_neither_test_tools_nor_servers() -> None:
    tested = _pins("requirements.lock")
    installed = _pins("requirements-production.lock")
    assert installed < tested
    names = {re.split("==", pin)[0] for pin in installed}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {_name(wanted) for wanted in project["dependencies"]} <= names
    extras = {_name(wanted) for extra in project["optional-dependencies"].values() for wanted in extra}
    assert extras & names == {"pyyaml"}, "a library of the production needs that one, too"
    assert "-r requirements-production.lock" in (ROOT / "deploy" / "Dockerfile").read_text()


def _pins(file: str) -> set[str]:
    return set(re.findall(r"(?m)^([\w.-]+==[\w.]+)", (ROOT / file).read_text()))


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=]", requirement)[0]


def test_a_container_is_given_more_time_to_stop_than_the_worker_takes() -> None:
    for name in ("worker", "api"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > worker.GRACE.total_seconds()


def test_the_ledger_may_be_another_postgresql_by_the_environment_file() -> None:
    for name in ("worker", "api"):
        assert SERVICES[name]["environment"]["HOLDFAST_LEDGER_URL"].startswith("${HOLDFAST_LEDGER_URL:-")


def test_the_example_environment_has_every_variable_that_the_live_configuration_names() -> None:
    live = (ROOT / "docs" / "example-live.toml").read_text()
    named = set(re.findall(r'\{ env = "([A-Z_]+)" \}', live)) - {"NAME", "HOLDFAST_LEDGER_URL"}
    offered = set(re.findall(r"^([A-Z_]+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE))
    assert named
    assert named <= offered
    assert "POSTGRES_PASSWORD" in offered


@pytest.mark.parametrize("script", sorted((ROOT / "deploy").glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_valid_shell(script: Path) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
