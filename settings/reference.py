"""`python -m settings.reference`: every setting as a page, made from the models, so that it cannot be out of date."""

import json
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from activities.notify.settings import NoticeSettings
from settings.model import FILLS, KINDS, Settings, Store, System

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

_INTRO = """\
# Every setting

Made from the code by `python -m settings.reference`; a test keeps it current. Secrets (marked so) are named, never
written: `{ env = "NAME" }` or `{ file = "path" }`. Defaults stand here as in the file. Any setting `a.b.c` can be
overridden by `HOLDFAST__A__B__C`.
"""


def page() -> str:
    """The whole reference as Markdown."""
    parts = [_INTRO]
    parts += _section("ledger", "Our own memory.", Settings.model_fields["ledger"].annotation)
    parts += _section("api", "Portals, webhooks and the console.", Settings.model_fields["api"].annotation)
    parts += _section("mail", "Mail to customers and operators. Leave it out to send none.", _bare(Settings, "mail"))
    parts += _section(
        "reconciliation", "Comparing both sides of every pair by the clock.", _bare(Settings, "reconciliation")
    )
    parts += _section("notices", "Where operators hear besides mail and log.", NoticeSettings)
    parts += _section("store_defaults", "What every store has unless it says otherwise: any setting of a store.", None)
    parts += _section("stores.<code>", "One shop, by its store code.", Store)
    own = {name: info for name, info in System.model_fields.items() if name != "settings"}
    parts += [*_heading("systems.<name>", "One connected system. All kinds have:"), *_table(own, "")]
    for kind, model in KINDS.items():
        roles = ", ".join(sorted(FILLS[kind]))
        parts += _section(f'systems.<name> with kind = "{kind}"', f"Fills: {roles}.", model)
    return "\n".join(parts) + "\n"


def _heading(title: str, text: str) -> list[str]:
    return [f"## `{title}`", "", text, ""]


def _section(title: str, text: str, model: Any) -> list[str]:
    return _heading(title, text) + (_table(model.model_fields, "") if model is not None else [])


def _table(fields: Mapping[str, FieldInfo], prefix: str) -> list[str]:
    rows = [f"| `{name}` | {default} | {text} |" for name, default, text in _rows(fields, prefix)]
    return ["| setting | default | meaning |", "|---|---|---|", *rows, ""]


def _rows(fields: Mapping[str, FieldInfo], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, info in fields.items():
        inner = _model_in(info.annotation)
        many = typing.get_origin(info.annotation) is tuple
        if inner is not None:
            yield from _rows(inner.model_fields, f"{prefix}{name}{'[]' if many else ''}.")
            continue
        text = (info.description or "").replace("|", "\\|")
        if SecretStr in _members(info.annotation):
            text += " **(secret)**"
        yield f"{prefix}{name}", _default(info), text


def _default(info: FieldInfo) -> str:
    if info.default_factory is not None:
        value = info.default_factory()  # type: ignore[call-arg]
    elif info.default is PydanticUndefined:
        return "required"
    else:
        value = info.default
    if value in (None, "", (), {}):
        return "empty"
    return f"`{_as_in_the_file(value).replace('|', chr(92) + '|')}`"


def _as_in_the_file(value: Any) -> str:
    """A value as TOML writes it, so that it can be copied."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_as_in_the_file(item)}" for key, item in value.items()) + " }"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_as_in_the_file(item) for item in value)}]"
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def _members(annotation: Any) -> tuple[Any, ...]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) in (typing.Union, tuple):
        return typing.get_args(annotation)
    return (annotation,)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            return member
    return None


def _bare(model: type[BaseModel], name: str) -> type[BaseModel]:
    found = _model_in(model.model_fields[name].annotation)
    if found is None:
        raise TypeError(f"{model.__name__}.{name} holds no model")
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
