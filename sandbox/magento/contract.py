"""The vendor's operations and shapes (contract.txt): what a request may carry and how an answer is written.

`read_arguments` refuses what the vendor refuses: a missing argument (400), a wrong scalar type (400), an unknown nested
key (500 with a report id). `render` turns a stored document into the answer: known keys, numbers as JSON numbers,
nulls left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from json import dumps as _scalar_text
from typing import Any

from sandbox.magento.errors import MagentoError, internal_error, invalid_type, missing

PHP_NAMES = {"int": "int", "num": "float", "str": "string", "bool": "boolean"}


@dataclass(frozen=True)
class Operation:
    """One REST operation. `arguments`: body argument to (type, required); `path_types`: path variable to type."""

    method: str
    path: str
    path_types: dict[str, str]
    arguments: dict[str, tuple[str, bool]]
    response: str

    @property
    def variables(self) -> int:
        return self.path.count("{")


@dataclass(frozen=True)
class Contract:
    operations: tuple[Operation, ...]
    shapes: dict[str, dict[str, str]]
    _routes: dict[tuple[str, int], list[tuple[list[str], Operation]]] = field(default_factory=dict)

    def match(self, method: str, segments: list[str]) -> tuple[Operation, dict[str, str]] | None:
        """The operation for a path, literal segments before variables, with the raw path variables."""
        if not self._routes:
            for operation in sorted(self.operations, key=lambda each: each.variables):
                parts = operation.path.strip("/").split("/")
                self._routes.setdefault((operation.method, len(parts)), []).append((parts, operation))
        for parts, operation in self._routes.get((method, len(segments)), []):
            found: dict[str, str] = {}
            for part, segment in zip(parts, segments, strict=True):
                if part.startswith("{"):
                    found[part[1:-1]] = segment
                elif part != segment:
                    break
            else:
                return operation, found
        return None

    def scalar_fields(self, shape: str) -> dict[str, str]:
        """Name and type of the scalar keys of a shape: the columns that can be searched."""
        return {name: kind for name, kind in self.shapes[shape].items() if kind in PHP_NAMES}


def _parse(text: str) -> Contract:
    operations: list[Operation] = []
    shapes: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "op":
            head, _, response = rest.partition("-> ")
            method, path, *arguments = head.split()
            path_types: dict[str, str] = {}
            body: dict[str, tuple[str, bool]] = {}
            for argument in arguments:
                name, _, type_name = argument.partition(":")
                if name.startswith("/"):
                    path_types[name[1:]] = type_name
                else:
                    body[name.rstrip("?")] = (type_name, not name.endswith("?"))
            operations.append(Operation(method, path, path_types, body, response))
        elif kind == "shape":
            name, *fields = rest.split()
            shapes[name] = dict(each.split(":", 1) for each in fields)
    return Contract(tuple(operations), shapes)


CONTRACT = _parse(files("sandbox.magento").joinpath("contract.txt").read_text("utf-8"))


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name)


def read_arguments(operation: Operation, body: Any) -> dict[str, Any]:
    """The body's arguments under snake_case names. Raises MagentoError as the vendor refuses them."""
    given = {snake(name): value for name, value in body.items()} if isinstance(body, dict) else {}
    result: dict[str, Any] = {}
    absent: list[str] = []
    for name, (kind, required) in operation.arguments.items():
        value = given.get(snake(name))
        if value is None:
            if required:
                absent.append(name)
            continue
        result[snake(name)] = _read(kind, value)
    if absent:
        raise missing(absent)
    return result


def read_path(operation: Operation, raw: dict[str, str]) -> dict[str, Any]:
    return {snake(name): _read(operation.path_types.get(name, "str"), value) for name, value in raw.items()}


def _read(kind: str, value: Any) -> Any:
    if value is None or kind == "any":
        return value
    if kind.startswith("["):
        if isinstance(value, dict) and kind[1:-1] in CONTRACT.shapes:
            value = [value]  # the vendor wraps a single object where it expects a list
        if not isinstance(value, list):
            raise invalid_type(str(value), f"{PHP_NAMES.get(kind[1:-1], 'object')}[]")
        return [_read(kind[1:-1], each) for each in value]
    if kind in PHP_NAMES:
        return _scalar(kind, value)
    if value == []:
        return {}
    if not isinstance(value, dict):
        raise internal_error()
    fields = CONTRACT.shapes[kind]
    result = {}
    for name, each in value.items():
        if name not in fields:
            raise internal_error()  # "property has no accessor" in the vendor's log
        if name == "custom_attributes":
            result[name] = _custom_attributes(each)
        else:
            result[name] = _read(fields[name], each)
    return result


def _custom_attributes(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):  # the vendor also takes {code: value}
        value = [{"attribute_code": code, "value": each} for code, each in value.items()]
    if not isinstance(value, list):
        raise internal_error()
    result = []
    for entry in value:
        if not isinstance(entry, dict) or "attribute_code" not in entry:
            raise MagentoError(400, "There is an empty attribute code.")
        if "value" not in entry:
            raise MagentoError(
                400, f'Value is not set for attribute code "{entry["attribute_code"]}"', [entry["attribute_code"]]
            )
        result.append({"attribute_code": entry["attribute_code"], "value": entry["value"]})
    return result


def _scalar(kind: str, value: Any) -> Any:
    if isinstance(value, dict | list):
        raise invalid_type(str(value), PHP_NAMES[kind])
    if kind == "str":
        return ("1" if value else "") if isinstance(value, bool) else str(value)
    if kind == "bool":
        if isinstance(value, str):
            return value not in ("", "0", "false")
        return bool(value)
    if isinstance(value, bool):
        return int(value) if kind == "int" else Decimal(int(value))
    if value == "":
        raise invalid_type(value, PHP_NAMES[kind])
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise invalid_type(value, PHP_NAMES[kind]) from None
    if not number.is_finite():
        raise invalid_type(value, PHP_NAMES[kind])
    return int(number) if kind == "int" else number


def render(kind: str, value: Any) -> Any:
    """An answer in the shape `kind`. A key that the shape lacks is a defect of the stand-in, unless `_private`."""
    if value is None or kind == "any":
        return value
    if kind.startswith("["):
        return [render(kind[1:-1], each) for each in value]
    if kind == "num":
        return Decimal(value) if value != "" else None
    if kind in PHP_NAMES or not isinstance(value, dict):
        return value
    fields = CONTRACT.shapes[kind]
    result = {}
    for name, each in value.items():
        if name.startswith("_") or each is None:
            continue
        if name not in fields:
            raise KeyError(f"{kind} has no {name}")
        result[name] = render(fields[name], each)
    return result


def json_text(value: Any) -> str:
    """JSON with Decimals as number tokens."""
    return "".join(_pieces(value))


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, Decimal):
        text = format(value, "f")
        yield (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
    elif isinstance(value, dict):
        yield "{"
        for index, (name, each) in enumerate(value.items()):
            yield ("," if index else "") + _scalar_text(str(name)) + ":"
            yield from _pieces(each)
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for index, each in enumerate(value):
            if index:
                yield ","
            yield from _pieces(each)
        yield "]"
    else:
        yield _scalar_text(value)


def plain(value: Any) -> Any:
    """A value as the store keeps it: Decimals as text."""
    if isinstance(value, Decimal):
        text = format(value, "f")
        return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value
