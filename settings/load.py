"""Reading `holdfast.toml`. Every mistake is told with file, key, value and what is allowed; nothing half-starts."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from settings.mistakes import Named, check, problem_of
from settings.model import KINDS, Settings, System

PREFIX = "HOLDFAST__"


class ConfigError(Exception):
    """The configuration cannot be used. `problems` has one line for each mistake."""

    def __init__(self, file: Path, problems: list[str]) -> None:
        self.file = file
        self.problems = problems
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))


def load(file: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """The checked configuration. Raises ConfigError."""
    return parse(read(file, environment), file)


def read(file: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """The file as data, with HOLDFAST__A__B overriding a.b and `{env = …}` and `{file = …}` resolved."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(file, ["the file is missing; copy holdfast.toml from the project and adapt it"]) from None
    except OSError as err:
        raise ConfigError(file, [f"the file cannot be read: {err.strerror}"]) from None
    except UnicodeDecodeError as err:
        raise ConfigError(file, [f"byte {err.start} is not UTF-8; save the file as UTF-8"]) from None
    except tomllib.TOMLDecodeError as err:
        raise ConfigError(file, [f"this is not TOML: {err}"]) from None
    problems: list[str] = []
    for name in sorted(environment):
        if name.startswith(PREFIX):
            _override(data, name, environment[name], problems)
    resolved: dict[str, Any] = _resolve(data, "", file.parent, environment, problems)
    if problems:
        raise ConfigError(file, problems)
    return resolved


def parse(data: dict[str, Any], file: Path) -> Settings:
    """The checked settings of read data. Raises ConfigError with every mistake."""
    problems = [
        problem_of(table, data[table], "must be a table")
        for table in ("systems", "stores", "store_defaults")
        if not isinstance(data.get(table, {}), dict)
    ]
    if problems:
        raise ConfigError(file, problems)
    systems = _systems(data.get("systems", {}), problems)
    whole = {name: value for name, value in data.items() if name != "store_defaults"}
    whole |= {"systems": systems, "stores": _stores(data)}
    if problems:
        # A system that could not be read is told once, not again by every store that names it.
        check(Settings, whole, "", problems, without=("", "systems"), moved=_moved(data))
        raise ConfigError(file, problems)
    settings = check(Settings, whole, "", problems, moved=_moved(data))
    if settings is not None:
        problems += _bad_secrets(settings, {name: value for name, value in whole.items() if name != "systems"}, "")
    if settings is None or problems:
        raise ConfigError(file, problems)
    return settings


def _systems(tables: dict[str, Any], problems: list[str]) -> dict[str, System]:
    """The systems that can be read; the others leave their problems."""
    systems: dict[str, System] = {}
    common = set(System.model_fields) - {"settings"}
    for name, table in tables.items():
        at = f"systems.{name}"
        if not isinstance(table, dict):
            problems.append(problem_of(at, table, "must be a table"))
            continue
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            told = f"{at}.kind: {kind!r} is not allowed" if "kind" in table else f"{at}.kind: is missing"
            problems.append(f"{told}; allowed: {', '.join(sorted(KINDS))}")
            continue
        before = len(problems)
        own = {key: value for key, value in table.items() if key not in common}
        settings = check(KINDS[kind], own, at, problems, also=common)
        shared = {key: value for key, value in table.items() if key in common}
        system = check(System, {**shared, "settings": settings}, at, problems)
        problems += _bad_secrets(settings, own, at)
        if system is not None and len(problems) == before:
            systems[name] = system
    return systems


def _stores(data: dict[str, Any]) -> dict[str, Any]:
    defaults = data.get("store_defaults", {})
    return {
        code: {**defaults, **store} if isinstance(store, dict) else store
        for code, store in data.get("stores", {}).items()
    }


def _moved(data: dict[str, Any]) -> dict[str, str]:
    """Where a store's setting really stands: in [store_defaults], unless the store says otherwise."""
    return {
        f"stores.{code}.{key}": f"store_defaults.{key}"
        for code, store in data.get("stores", {}).items()
        for key in data.get("store_defaults", {})
        if isinstance(store, dict) and key not in store
    }


def _resolve(value: Any, at: str, folder: Path, environment: Mapping[str, str], problems: list[str]) -> Any:
    if isinstance(value, list):
        return [_resolve(item, f"{at}.{i}", folder, environment, problems) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    source = next(iter(value)) if len(value) == 1 else ""
    if source == "env" and isinstance(value["env"], str):
        name = value["env"]
        if name not in environment:
            problems.append(f"{at}: environment variable {name} is not set; set it, or write the value another way")
            return None
        return Named(environment[name])
    if source == "file" and isinstance(value["file"], str):
        path = folder / value["file"]
        try:
            text = path.read_text("utf-8").strip()
        except OSError as err:
            problems.append(f"{at}: file {path} cannot be read: {err.strerror}")
            return None
        except UnicodeDecodeError:
            problems.append(f"{at}: file {path} is not UTF-8 text; save it as that")
            return None
        return Named(text)
    return {
        key: _resolve(item, f"{at}.{key}" if at else key, folder, environment, problems) for key, item in value.items()
    }


def _override(data: dict[str, Any], name: str, value: str, problems: list[str]) -> None:
    """Variable names are upper case and have no hyphens: `HOLDFAST__STORES__DE_AT__ERP` also means [stores.de-AT]."""
    *path, last = name.removeprefix(PREFIX).split("__")
    at: Any = data
    for part in path:
        key = _key(at, part)
        if isinstance(at, dict):
            at = at.setdefault(key, {})
        elif isinstance(at, list) and isinstance(key, int):
            at = at[key]
        else:
            at = None
        if not isinstance(at, dict | list):
            problems.append(f"environment variable {name}: {part.lower()} is neither a table nor a list in the file")
            return
    key = _key(at, last)
    if isinstance(at, list) and not isinstance(key, int):
        problems.append(f"environment variable {name}: {last.lower()} is not an index below {len(at)}")
        return
    at[key] = _written(value)


def _key(at: Any, part: str) -> str | int:
    """The key that is there already in any spelling; else the part in lower case. In a list, its index."""
    if isinstance(at, list) and part.isascii() and part.isdigit() and int(part) < len(at):
        return int(part)
    plain = part.lower()
    known = at if isinstance(at, dict) else {}
    return next((key for key in known if key.lower().replace("-", "_") == plain), plain)


def _written(value: str) -> Any:
    """A list or table is written as in the file: `HOLDFAST__MAIL__OPERATORS='["a@example.com"]'`."""
    if value.startswith(("[", "{")):
        try:
            return tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            return Named(value)  # a secret may begin like that
    return Named(value)


def _bad_secrets(model: Any, raw: Any, at: str) -> list[str]:
    """Secrets that stand in the file in plain text, and empty ones. Files get copied, committed and shown."""
    found: list[str] = []
    if isinstance(model, SecretStr):
        if raw == "":
            found.append(f"{at}: is empty; a secret has a value, or is left out")
        elif isinstance(raw, str) and not isinstance(raw, Named):
            found.append(f'{at}: a secret does not stand in the file; write {{ env = "NAME" }} or {{ file = "path" }}')
        return found
    if isinstance(model, BaseModel) and isinstance(raw, dict):
        for name in type(model).model_fields:
            if name in raw:
                found += _bad_secrets(getattr(model, name), raw[name], f"{at}.{name}" if at else name)
    elif isinstance(model, dict) and isinstance(raw, dict):
        for name, item in model.items():
            found += _bad_secrets(item, raw.get(name), f"{at}.{name}" if at else str(name))
    elif isinstance(model, tuple) and isinstance(raw, list):
        for i, item in enumerate(model):
            found += _bad_secrets(item, raw[i], f"{at}.{i}")
    return found
