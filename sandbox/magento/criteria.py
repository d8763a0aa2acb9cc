"""Search criteria: groups are AND-ed, filters in a group OR-ed; sorting, paging, the optional input limits."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cmp_to_key
from typing import Any

from sandbox.kernel.store import Table
from sandbox.magento.contract import snake
from sandbox.magento.errors import internal_error, refused
from sandbox.magento.shop import Shop

CONDITIONS = frozenset("eq neq gt gteq lt lteq moreq from to in nin like nlike finset nfinset null notnull".split())
LIMIT_PAGE_SIZE = 300
LIMIT_DEFAULT_PAGE_SIZE = 20

Value = Callable[[dict[str, Any], str], Any]


@dataclass
class Criteria:
    groups: list[list[dict[str, Any]]] = field(default_factory=list)
    sort: list[tuple[str, str]] = field(default_factory=list)
    page_size: int | None = None
    current_page: int | None = None

    def described(self) -> dict[str, Any]:
        """The criteria as the answer repeats them."""
        result: dict[str, Any] = {"filter_groups": [{"filters": group} for group in self.groups]}
        if self.sort:
            result["sort_orders"] = [{"field": name, "direction": direction} for name, direction in self.sort]
        if self.page_size is not None:
            result["page_size"] = self.page_size
        if self.current_page is not None:
            result["current_page"] = self.current_page
        return result


def nested(query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """`a[b][0]=x` pairs as nested dictionaries, the way PHP reads a query; `a[]` appends."""
    result: dict[str, Any] = {}
    for name, value in query:
        head, *rest = [name.split("[", 1)[0], *re.findall(r"\[([^\]]*)\]", name)]
        target = result
        for part, following in zip([head, *rest], [*rest, None], strict=True):
            key = part or str(len(target))
            if following is None:
                target[key] = value
            else:
                target = target.setdefault(key, {})
                if not isinstance(target, dict):
                    break
    return result


def _ordered(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []


def read_criteria(shop: Shop, query: dict[str, Any], name: str = "searchCriteria") -> Criteria:
    """The criteria of a request. Raises 400 when absent, for an unknown condition or beyond an input limit."""
    raw = query.get(name, query.get(snake(name)))
    if raw is None:
        raise refused_missing(name)
    raw = {snake(key): value for key, value in raw.items()} if isinstance(raw, dict) else {}
    criteria = Criteria()
    for group in _ordered(raw.get("filter_groups")):
        filters = []
        for each in _ordered(group.get("filters") if isinstance(group, dict) else None):
            each = {snake(key): value for key, value in each.items()}
            condition = each.get("condition_type", "eq")
            if condition not in CONDITIONS or "field" not in each:
                raise internal_error()
            filters.append({"field": each["field"], "value": each.get("value"), "condition_type": condition})
        if filters:
            criteria.groups.append(filters)
    for each in _ordered(raw.get("sort_orders")):
        direction = str(each.get("direction", "DESC")).upper()
        if direction not in ("ASC", "DESC"):
            raise refused("Sort order has to be ASC or DESC, other values are invalid")
        criteria.sort.append((each.get("field", ""), direction))
    criteria.page_size = _whole(raw.get("page_size"))
    criteria.current_page = _whole(raw.get("current_page"))
    if shop.settings["input_limits"]:
        if criteria.page_size is None:
            criteria.page_size = LIMIT_DEFAULT_PAGE_SIZE
        if criteria.page_size > LIMIT_PAGE_SIZE:
            error = refused("Maximum SearchCriteria pageSize is %max")
            error.parameters = {"max": LIMIT_PAGE_SIZE}
            raise error
    return criteria


def refused_missing(name: str) -> Exception:
    error = refused('"%fieldName" is required. Enter and try again.')
    error.parameters = {"fieldName": name}
    return error


def _whole(value: Any) -> int | None:
    if value in (None, ""):
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise internal_error() from None


INDEXED = frozenset({"entity_id", "increment_id", "order_id", "sku", "source_code"})


def candidates(table: Table, criteria: Criteria) -> list[dict[str, Any]]:
    """The documents worth looking at: those an index gives for a lone `eq` filter, else all."""
    for group in criteria.groups:
        wanted = group[0]
        if len(group) == 1 and wanted["field"] in INDEXED and wanted["condition_type"] == "eq":
            value = str(wanted["value"])
            found = table.where(wanted["field"], value)
            return found or (table.where(wanted["field"], int(value)) if value.isdigit() else table.values())
    return table.values()


def search(
    shop: Shop,
    documents: Iterable[dict[str, Any]],
    criteria: Criteria,
    known: Iterable[str],
    value_of: Value = dict.get,
) -> dict[str, Any]:
    """`{"items", "search_criteria", "total_count"}`. A field that is not `known` is an error inside the vendor."""
    columns = set(known)
    for group in criteria.groups:
        if any(each["field"] not in columns for each in group):
            raise internal_error()
    if any(name not in columns for name, _ in criteria.sort):
        raise internal_error()
    found = [
        doc
        for doc in documents
        if all(any(_fits(value_of(doc, each["field"]), each) for each in group) for group in criteria.groups)
    ]
    for name, direction in reversed(criteria.sort):
        found.sort(
            key=cmp_to_key(lambda a, b, name=name: _compare(value_of(a, name), value_of(b, name))),  # type: ignore[misc]
            reverse=direction == "DESC",
        )
    total = len(found)
    if criteria.page_size:
        page = max(criteria.current_page or 1, 1)
        if shop.settings["version_profile"] == "2.3":  # older releases repeat the last page for ever
            page = min(page, max((total + criteria.page_size - 1) // criteria.page_size, 1))
        found = found[(page - 1) * criteria.page_size : page * criteria.page_size]
    return {"items": found, "search_criteria": criteria.described(), "total_count": total}


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return Decimal(int(value))
    if isinstance(value, str) and (":" in value or value[:1] not in "+-.0123456789"):  # most text, told apart cheaply
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _compare(left: Any, right: Any) -> int:
    """Database order: nulls first, numbers by value, text without regard to case."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if isinstance(left, int) and isinstance(right, int):
        return (left > right) - (left < right)
    a, b = _number(left), _number(right)
    if a is not None and b is not None and not _is_code(left):
        return (a > b) - (a < b)
    x, y = str(left).casefold(), str(right).casefold()
    return (x > y) - (x < y)


def _is_code(value: Any) -> bool:
    """Zero-padded numbers (increment ids, postcodes) are text columns."""
    return isinstance(value, str) and len(value) > 1 and value.startswith("0") and value.isdigit()


def _like(pattern: str, text: str) -> bool:
    parts = re.split(r"([%_])", pattern)
    regex = "".join(".*" if part == "%" else "." if part == "_" else re.escape(part) for part in parts)
    return re.fullmatch(regex, text, re.IGNORECASE | re.DOTALL) is not None


def _fits(value: Any, wanted: dict[str, Any]) -> bool:
    condition, given = wanted["condition_type"], wanted["value"]
    if condition == "null":
        return value is None
    if condition == "notnull":
        return value is not None
    values = value if isinstance(value, list) else [value]
    if condition in ("neq", "nin", "nlike", "nfinset"):
        positive = {"neq": "eq", "nin": "in", "nlike": "like", "nfinset": "finset"}[condition]
        return value is not None and not _fits(value, wanted | {"condition_type": positive})
    options = _ordered(given) if isinstance(given, dict) else str(given if given is not None else "").split(",")
    if condition in ("in", "finset"):
        if condition == "finset":
            values = [part for each in values for part in str(each).split(",")]
            options = [str(given)]
        return any(each is not None and _compare(each, option.strip()) == 0 for each in values for option in options)
    for each in values:
        if each is None:
            continue
        order = _compare(each, given)
        if (
            (condition == "eq" and order == 0)
            or (condition == "like" and _like(str(given), str(each)))
            or (condition == "gt" and order > 0)
            or (condition in ("gteq", "moreq", "from") and order >= 0)
            or (condition == "lt" and order < 0)
            or (condition in ("lteq", "to") and order <= 0)
        ):
            return True
    return False


def trim(value: Any, wanted: str) -> Any:
    """The `fields=` filter over an answer; a list is trimmed item by item, a malformed filter leaves nothing."""
    tree = parse_fields(wanted)
    if not isinstance(value, dict | list):
        return value
    return [] if tree is None else _pick(value, tree)


def _pick(value: Any, tree: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_pick(each, tree) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _pick(each, tree[name]) if tree[name] else each for name, each in value.items() if name in tree}


def parse_fields(text: str) -> dict[str, Any] | None:
    """`a,b[c,d[e]]` as nested dictionaries; None when it does not parse."""
    root: dict[str, Any] = {}
    stack = [root]
    last: str | None = None
    for token in re.findall(r"[^\[\],]+|[\[\],]", text):
        if token == "[":
            if last is None:
                return None
            stack.append(stack[-1][last])
            last = None
        elif token == "]":
            if len(stack) == 1:
                return None
            stack.pop()
            last = None
        elif token == ",":
            last = None
        else:
            last = token
            stack[-1][last] = {}
    return root if len(stack) == 1 and root else None
