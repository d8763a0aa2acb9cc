"""Values and conditions of a query: what a dotted path means, and whether a row fits."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.salesforce import ids, values
from sandbox.salesforce.describe import filterable
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.schema import NUMBERS, TEXTS, Described, Doc, Field
from sandbox.salesforce.soql_parse import Compare, Literal, Logic, Path, Query

EXPECTED = {"boolean": ("boolean",), "int": ("number",), "date": ("date", "relative"), "datetime": ("datetime",)}


def no_column(path: str, described: Described) -> SalesforceError:
    return SalesforceError(
        "INVALID_FIELD",
        f"No such column '{path}' on entity '{described.name}'. If you are attempting to use a custom field, be sure "
        "to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the "
        "appropriate names.",
    )


class View:
    """A stored row that decodes a field when it is asked for; formulas cost a whole row, and most queries need none."""

    def __init__(self, org: Org, described: Described, stored: Doc) -> None:
        self._org, self._object, self._stored = org, described, stored
        self._full: Doc | None = None

    def __getitem__(self, name: str) -> Any:
        column = self._object.by_name[name.lower()]
        if column.formula is None:
            return values.from_store(column, self._stored.get(column.name))
        return self.row()[column.name]

    def row(self) -> Doc:
        """The whole row, formulas included."""
        if self._full is None:
            self._full = self._org.row(self._object, self._stored)
        return self._full


class Step:
    """A resolved path: the references to follow, then the field."""

    def __init__(self, org: Org, described: Described, path: str, alias: str) -> None:
        parts = path.split(".")
        if len(parts) > 1 and parts[0].lower() in (alias.lower(), described.name.lower()):
            parts = parts[1:]
        if len(parts) > 6:
            raise SalesforceError("INVALID_FIELD", f"a relationship may not go further than 5 levels: {path}")
        self._org = org
        self.parents: list[tuple[Field, Described]] = []
        here = described
        for part in parts[:-1]:
            column = here.by_relationship.get(part.lower())
            target = next((t for t in map(org.described, column.reference_to) if t), None) if column else None
            if column is None or target is None:
                raise SalesforceError(
                    "INVALID_FIELD",
                    f"Didn't understand relationship '{part}' in field path. If you are attempting to use a custom "
                    "relationship, be sure to append the '__r' after the custom relationship name.",
                )
            self.parents.append((column, target))
            here = target
        last = here.field(parts[-1])
        if last is None:
            raise no_column(parts[-1], here)
        self.column = last
        self.object = here

    @property
    def names(self) -> tuple[str, ...]:
        return (*(str(column.relationship_name) for column, _ in self.parents), self.column.name)

    def value(self, row: View) -> Any:
        """The value seen from a row; None behind an empty reference."""
        for column, target in self.parents:
            stored = self._org.table(target.name).get(row[column.name] or "")
            if stored is None:
                return None
            row = View(self._org, target, stored)
        return row[self.column.name]


def condition(
    org: Org, described: Described, alias: str, tree: Any, inner: Callable[[Query], list[Any]]
) -> Callable[[View], bool]:
    """The test of a WHERE clause over rows; raises for unknown fields and for literals of the wrong kind."""
    if isinstance(tree, Logic):
        tests = [condition(org, described, alias, part, inner) for part in tree.parts]
        if tree.operator == "NOT":
            return lambda row: not tests[0](row)
        return (
            (lambda row: all(t(row) for t in tests))
            if tree.operator == "AND"
            else (lambda row: any(t(row) for t in tests))
        )
    if not isinstance(tree, Compare) or not isinstance(tree.left, Path):
        raise SalesforceError("MALFORMED_QUERY", "aggregates belong into HAVING")
    step = Step(org, described, tree.left.name, alias)
    if not filterable(step.column):
        raise SalesforceError("INVALID_FIELD", f"field '{step.column.name}' can not be filtered in a query call")
    right = inner(tree.right) if isinstance(tree.right, Query) else tree.right
    test = comparison(org, step.column, tree.operator, right)
    return lambda row: test(step.value(row))


def comparison(org: Org, column: Field, operator: str, right: Any) -> Callable[[Any], bool]:
    """The test of one value against a literal, a tuple of literals, or a list of values from an inner query."""
    if operator in ("INCLUDES", "EXCLUDES"):
        if column.type != "multipicklist":
            raise SalesforceError("INVALID_FIELD", f"{operator} needs a multi-select picklist: {column.name}")
        wanted = [set(str(literal.value).split(";")) for literal in right]
        return lambda value: any(w <= set((value or "").split(";")) for w in wanted) == (operator == "INCLUDES")
    if operator in ("IN", "NOT IN"):
        if isinstance(right, list):
            keys = {_folded(column, value) for value in right}
        else:
            keys = {_folded(column, _constant(column, literal)) for literal in right}
        return lambda value: (_folded(column, value) in keys) == (operator == "IN")
    if operator == "LIKE":
        if right.kind != "string" or column.type not in TEXTS | {"picklist", "id", "reference"}:
            raise SalesforceError("INVALID_FIELD", f"LIKE needs a text field and a string: {column.name}")
        pattern = _like(right.value)
        return lambda value: value is not None and pattern.fullmatch(value) is not None
    if right.kind == "relative":
        return _relative(org, column, operator, right.value)
    known = _folded(column, _constant(column, right))
    if operator in ("=", "!="):
        return lambda value: (_folded(column, value) == known) == (operator == "=")
    if known is None or column.type == "boolean":
        raise SalesforceError("INVALID_FIELD", f"operator {operator} is not allowed for field '{column.name}' here")

    def ordered(value: Any) -> bool:
        if value is None:
            return False
        folded = _folded(column, value)
        if operator == "<":
            return bool(folded < known)
        if operator == "<=":
            return bool(folded <= known)
        return bool(folded > known) if operator == ">" else bool(folded >= known)

    return ordered


def _folded(column: Field, value: Any) -> Any:
    """Text compares without case; ids keep theirs."""
    if isinstance(value, str) and column.type not in ("id", "reference", "date", "datetime"):
        return value if column.case_sensitive else value.lower()
    return value


def _constant(column: Field, literal: Literal) -> Any:
    """The row value of a literal; raises INVALID_FIELD where the kinds do not meet."""
    if literal.kind == "null":
        return False if column.type == "boolean" else None
    wanted = ("number",) if column.type in NUMBERS else EXPECTED.get(column.type, ("string",))
    if literal.kind not in wanted:
        quotes = "should be enclosed in quotes" if wanted == ("string",) else "should not be enclosed in quotes"
        raise SalesforceError(
            "INVALID_FIELD",
            f"value of filter criterion for field '{column.name}' must be of type {column.type} and {quotes}",
        )
    if column.type in ("id", "reference"):
        if literal.value == "":
            return None
        known = ids.normal(literal.value)
        if known is None:
            raise SalesforceError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {literal.value}")
        return known
    if literal.kind == "datetime":
        return _exact(literal.value)
    if literal.kind == "date":
        try:
            return date.fromisoformat(literal.value).isoformat()
        except ValueError as err:
            raise SalesforceError("MALFORMED_QUERY", f"Invalid date: {literal.value}") from err
    if literal.kind == "string" and literal.value == "":
        return None
    return literal.value


def _exact(text: str) -> str:
    """A datetime literal, comparable with stored ones, with its fraction of a second kept."""
    try:
        point = values.moment(text)
    except ValueError as err:
        raise SalesforceError("MALFORMED_QUERY", f"Invalid datetime: {text}") from err
    return point.strftime("%Y-%m-%dT%H:%M:%S.") + f"{point.microsecond // 1000:03d}+0000"


def _like(pattern: str) -> re.Pattern[str]:
    text = ""
    place = 0
    while place < len(pattern):
        char = pattern[place]
        if char == "\\" and pattern[place + 1 : place + 2] in ("%", "_"):
            place += 1
            text += re.escape(pattern[place])
        else:
            text += ".*" if char == "%" else "." if char == "_" else re.escape(char)
        place += 1
    return re.compile(text, re.IGNORECASE | re.DOTALL)


def _relative(org: Org, column: Field, operator: str, word: str) -> Callable[[Any], bool]:
    if column.type not in ("date", "datetime"):
        raise SalesforceError("INVALID_FIELD", f"{word} needs a date or datetime field: {column.name}")
    first, after = span(org.now(), word)
    low, high = first.isoformat(), after.isoformat()  # a date is the start of every datetime of that day

    def test(value: Any) -> bool:
        if value is None:
            return operator == "!="
        inside = low <= value[:10] < high
        if operator == "<":
            return bool(value[:10] < low)
        if operator == ">":
            return bool(value[:10] >= high)
        if operator in ("=", "!="):
            return bool(inside == (operator == "="))
        return bool(value[:10] < high) if operator == "<=" else bool(value[:10] >= low)

    return test


def span(now: datetime, word: str) -> tuple[date, date]:
    """First day of a relative date literal, and the day after its last."""
    today = now.astimezone(UTC).date()
    name, _, count = word.partition(":")
    day = timedelta(days=1)
    if name == "LAST_N_DAYS":
        return today - int(count) * day, today + day
    if name == "NEXT_N_DAYS":
        return today + day, today + (int(count) + 1) * day
    shift = {"TODAY": 0, "YESTERDAY": -1, "TOMORROW": 1, "N_DAYS_AGO": -int(count or 0)}
    if name in shift:
        first = today + shift[name] * day
        return first, first + day
    if name == "THIS_WEEK":  # weeks begin on Sunday in the platform's default locale
        first = today - (today.weekday() + 1) % 7 * day
        return first, first + 7 * day
    if name in ("THIS_YEAR", "LAST_YEAR"):
        year = today.year - (name == "LAST_YEAR")
        return date(year, 1, 1), date(year + 1, 1, 1)
    first = today.replace(day=1)
    if name == "LAST_MONTH":
        return (first - day).replace(day=1), first
    return first, (first + 31 * day).replace(day=1)


def aggregate(function: str, column: Field | None, found: list[Any]) -> Any:
    """COUNT, SUM and so on over the values of a group, empty ones left out."""
    if function == "COUNT":
        return len(found) if column is None else sum(value is not None for value in found)
    known = [value for value in found if value is not None]
    if function == "COUNT_DISTINCT":
        return len({_folded(column, value) if column else value for value in known})
    if function in ("SUM", "AVG"):
        if column is None or column.type not in NUMBERS | {"int"}:
            raise SalesforceError("INVALID_FIELD", f"field does not support aggregate operator {function}")
        if not known:
            return None
        total = sum(known, Decimal(0))
        return total if function == "SUM" else total / len(known)
    return (min(known) if function == "MIN" else max(known)) if known else None


def indexed(org: Org, described: Described, tree: Any, alias: str) -> list[Doc] | None:
    """The stored rows that can match, where an index of the store finds them; None: look at every row."""
    if isinstance(tree, Logic) and tree.operator == "AND":
        found = (indexed(org, described, part, alias) for part in tree.parts)
        return next((rows for rows in found if rows is not None), None)
    if not isinstance(tree, Compare) or not isinstance(tree.left, Path) or isinstance(tree.right, Query):
        return None
    step = Step(org, described, tree.left.name, alias)
    usable = step.column.type in ("id", "reference") or step.column.indexed_folded
    if not usable or step.column.formula or tree.operator not in ("=", "IN"):
        return None
    keys = [literal.value for literal in (tree.right if tree.operator == "IN" else (tree.right,))]
    if not all(isinstance(key, str) and key.strip() for key in keys):
        return None
    rows = _found(org, step.object, step.column, keys)
    for n in range(len(step.parents) - 1, -1, -1):  # from the parents that have the key back to their children
        child = step.parents[n - 1][1] if n else described
        rows = _found(org, child, step.parents[n][0], [row["Id"] for row in rows])
    return rows


def _found(org: Org, described: Described, column: Field, keys: list[Any]) -> list[Doc]:
    found = {row["Id"]: row for key in keys for row in org.find_stored(described, column.name, key)}
    return [found[record_id] for record_id in sorted(found)]  # oldest first, like a walk over the table
