"""What is wrong with a configuration, in words: key, value, and what is allowed. Never the value of a secret."""

import difflib
import types
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)
_SECRET = ("secret", "token", "password", "private_key", "url")


class Named(str):
    """A text that came from the environment or a file, and so may be a secret."""

    __slots__ = ()


def check(
    model: type[M],
    data: Any,
    at: str,
    problems: list[str],
    *,
    also: Collection[str] = (),
    without: Collection[str] = (),
    moved: Mapping[str, str] | None = None,
) -> M | None:
    """The data as `model`, or None with its mistakes added to `problems`, each once.

    `also` are keys that are allowed beside the model's; mistakes at the top-level keys `without` are left out ("" is
    the whole); `moved` says where in the file a key really stands.
    """
    try:
        return model.model_validate(data)
    except ValidationError as err:
        errors = err.errors(include_url=False)
        inside = {error["loc"][:-1] for error in errors} | {error["loc"][:-2] for error in errors}
        for error in errors:
            way = [str(part) for part in error["loc"]]
            # A list is "too short" as well when the items in it are wrong: that would be told twice.
            if (way[0] if way else "") in without or (error["type"] == "too_short" and error["loc"] in inside):
                continue
            key = ".".join(part for part in (at, *way) if part)
            for wrong, right in (moved or {}).items():
                if key == wrong or key.startswith(f"{wrong}."):
                    key = right + key.removeprefix(wrong)
                    break
            told = _told(error, key, [*_allowed(model, way[:-1]), *(also if len(way) == 1 else ())])
            if told not in problems:
                problems.append(told)
        return None


def problem_of(key: str, value: Any, rule: str) -> str:
    """One mistake in a line; only plain values are shown, and no secrets."""
    shown = isinstance(value, str | int | float | bool) and not any(word in key.rpartition(".")[2] for word in _SECRET)
    return f"{key}: {value!r} is not allowed: {rule}" if shown else f"{key}: {rule}"


def _told(error: Any, key: str, allowed: Sequence[str]) -> str:
    kind: str = error["type"]
    message: str = error["msg"].removeprefix("Value error, ")
    if kind == "missing":
        return f"{key}: is missing; set it"
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(key.rpartition(".")[2], allowed, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        return f"{key}: is not a setting; {meant}allowed: {', '.join(sorted(allowed))}"
    if not key or message.startswith(f"{key}:"):
        return message
    return problem_of(key, error.get("input"), message)


def _allowed(model: type[BaseModel], way: Sequence[str]) -> list[str]:
    """The settings that exist where `way` leads to."""
    at: list[Any] = [model]
    for part in way:
        at = [inner for one in at for inner in _inside(one, part)]
    return [name for one in at for name in one.model_fields]


def _inside(model: type[BaseModel], part: str) -> Iterator[Any]:
    """Models below a field of a model. A key of a table or an index of a list leads to what is kept there itself."""
    field = model.model_fields.get(part)
    yield from _models(field.annotation) if field is not None else [model]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        for part in typing.get_args(annotation):
            yield from _models(part)
