"""Reading `holdfast.toml`. Every mistake is told with file, key, value and what is allowed; nothing half-starts."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

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
    """The file as data, with `{env = …}` and `{file = …}` resolved and HOLDFAST__A__B overriding a.b."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(file, ["the file is missing; copy holdfast.toml from the project and adapt it"]) from None
    except tomllib.TOMLDecodeError as err:
        raise ConfigError(file, [f"this is not TOML: {err}"]) from None
    problems: list[str] = []
    resolved: dict[str, Any] = _resolve(data, "", file.parent, environment, problems)
    for name, value in environment.items():
        if name.startswith(PREFIX):
            _override(resolved, name, value, problems)
    if problems:
        raise ConfigError(file, problems)
    defaults = resolved.pop("store_defaults", {})
    stores = resolved.get("stores", {})
    resolved["stores"] = {code: {**defaults, **store} for code, store in stores.items()}
    return resolved


def parse(data: dict[str, Any], file: Path) -> Settings:
    problems: list[str] = []
    systems: dict[str, System] = {}
    for name, raw in data.get("systems", {}).items():
        own_fields = set(System.model_fields) - {"settings"}
        kind = raw.get("kind")
        if kind not in KINDS:
            problems.append(f"systems.{name}.kind: {kind!r} is not allowed; allowed: {', '.join(sorted(KINDS))}")
            continue
        common = {key: value for key, value in raw.items() if key in own_fields}
        rest = {key: value for key, value in raw.items() if key not in own_fields}
        settings = _validate(KINDS[kind], rest, f"systems.{name}", problems)
        system = _validate(System, {**common, "settings": settings}, f"systems.{name}", problems)
        if isinstance(system, System):
            systems[name] = system
            problems += _written_secrets(settings, rest, f"systems.{name}")
    whole = {**data, "systems": systems or data.get("systems", {})}
    if problems:
        raise ConfigError(file, problems)
    settings_ = _validate(Settings, whole, "", problems)
    if isinstance(settings_, Settings):
        rest = {key: value for key, value in data.items() if key != "systems"}
        problems += _written_secrets(settings_, rest, "")
    if problems or not isinstance(settings_, Settings):
        raise ConfigError(file, problems)
    return settings_


def _validate(model: type[BaseModel], data: Any, at: str, problems: list[str]) -> BaseModel | None:
    try:
        return model.model_validate(data)
    except ValidationError as err:
        for error in err.errors(include_url=False):
            key = ".".join(part for part in (at, *(str(p) for p in error["loc"])) if part)
            problems.append(f"{key}: {_told(error, key)}")
        return None


def _told(error: Any, key: str) -> str:
    kind: str = error["type"]
    message: str = error["msg"].removeprefix("Value error, ")
    if kind == "missing":
        return "is missing; set it"
    if kind == "extra_forbidden":
        return "is not a setting; check the spelling, the README lists all settings"
    if kind == "value_error" and message.startswith(("stores.", key)):
        return message
    value = error.get("input")
    shown = f"{value!r} " if isinstance(value, str | int | float | bool) and not _secret_key(key) else ""
    return f"{shown}is not allowed: {message}"


def _secret_key(key: str) -> bool:
    return any(word in key.rpartition(".")[2] for word in ("secret", "token", "password", "private_key", "url"))


def _resolve(value: Any, at: str, folder: Path, environment: Mapping[str, str], problems: list[str]) -> Any:
    if isinstance(value, list):
        return [_resolve(item, f"{at}.{i}", folder, environment, problems) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if set(value) == {"env"}:
        name = str(value["env"])
        if name not in environment:
            problems.append(f"{at}: environment variable {name} is not set; set it, or write the value another way")
            return None
        return _Named(environment[name])
    if set(value) == {"file"}:
        path = folder / str(value["file"])
        try:
            return _Named(path.read_text("utf-8").strip())
        except OSError as err:
            problems.append(f"{at}: file {path} cannot be read: {err.strerror}")
            return None
    return {
        key: _resolve(item, f"{at}.{key}" if at else key, folder, environment, problems) for key, item in value.items()
    }


class _Named(str):
    """A text that came from the environment or a file, and so may be a secret."""

    __slots__ = ()


def _override(data: dict[str, Any], name: str, value: str, problems: list[str]) -> None:
    *path, last = name.removeprefix(PREFIX).lower().split("__")
    at: Any = data
    for part in path:
        at = at.setdefault(part, {})
        if not isinstance(at, dict):
            problems.append(f"environment variable {name}: {part} is not a table in the file")
            return
    at[last] = _Named(value)


def _written_secrets(model: Any, raw: Any, at: str) -> list[str]:
    """Secrets that stand in the file in plain text. They are refused: files get copied, committed and shown."""
    found: list[str] = []
    if isinstance(model, SecretStr):
        if isinstance(raw, str) and not isinstance(raw, _Named):
            found.append(f'{at}: a secret does not stand in the file; write {{ env = "NAME" }} or {{ file = "path" }}')
        return found
    if isinstance(model, BaseModel) and isinstance(raw, dict):
        for name in type(model).model_fields:
            if name in raw:
                found += _written_secrets(getattr(model, name), raw[name], f"{at}.{name}" if at else name)
    elif isinstance(model, dict) and isinstance(raw, dict):
        for name, item in model.items():
            found += _written_secrets(item, raw.get(name), f"{at}.{name}" if at else str(name))
    elif isinstance(model, tuple) and isinstance(raw, list):
        for i, item in enumerate(model):
            found += _written_secrets(item, raw[i], f"{at}.{i}")
    return found
