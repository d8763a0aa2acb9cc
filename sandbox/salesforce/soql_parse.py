"""SOQL text to a tree. Knows the grammar of contract section 6 and nothing of the org."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.salesforce.errors import SalesforceError

TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:\\.|[^'\\])*')
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?![\w.]))
    | (?P<relative>(?:LAST|NEXT)_N_DAYS:\d+|N_DAYS_AGO:\d+)
    | (?P<name>[A-Za-z_][\w.]*)
    | (?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "'": "'", '"': '"', "\\": "\\"}
RELATIVE = frozenset("TODAY YESTERDAY TOMORROW THIS_MONTH LAST_MONTH THIS_YEAR LAST_YEAR THIS_WEEK".split())
AGGREGATES = frozenset("COUNT COUNT_DISTINCT SUM MIN MAX AVG".split())
KEYWORDS = frozenset("FROM WHERE GROUP HAVING ORDER LIMIT OFFSET FOR ALL AND OR NOT IN LIKE WITH USING".split())


@dataclass(frozen=True)
class Literal:
    """A constant: `kind` is string, number, date, datetime, boolean, null or relative."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Aggregate:
    function: str
    path: str  # empty for COUNT()
    alias: str = ""


@dataclass(frozen=True)
class Path:
    name: str
    alias: str = ""


@dataclass(frozen=True)
class FieldSet:
    """`FIELDS(ALL|STANDARD|CUSTOM)`."""

    kind: str


@dataclass(frozen=True)
class Compare:
    left: Path | Aggregate
    operator: str
    right: Any  # a Literal, a tuple of Literals, or a Query


@dataclass(frozen=True)
class Logic:
    operator: str  # AND, OR, NOT
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Order:
    by: Path | Aggregate
    descending: bool
    nulls_last: bool


@dataclass(frozen=True)
class Query:
    text: str
    items: tuple[Any, ...]  # Path, Aggregate, FieldSet or Query (child rows)
    source: str
    alias: str = ""
    where: Compare | Logic | None = None
    group: tuple[str, ...] = ()
    having: Compare | Logic | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    all_rows: bool = field(default=False)


def malformed(text: str) -> SalesforceError:
    return SalesforceError("MALFORMED_QUERY", text)


def parse(text: str) -> Query:
    """The tree of a query; raises MALFORMED_QUERY."""
    parser = _Parser(text)
    query = parser.query()
    parser.end()
    return query


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        place = 0
        while text[place:].strip():
            match = TOKEN.match(text, place)
            if match is None or match.lastgroup is None:
                raise malformed(f"unexpected token: '{text[place:].strip()[:20]}'")
            self._tokens.append((match.lastgroup, match.group(match.lastgroup)))
            place = match.end()

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self._at + ahead
        return self._tokens[place] if place < len(self._tokens) else ("end", "<EOF>")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _is(self, *words: str) -> bool:
        """Do these words come next? Then step over them."""
        for ahead, word in enumerate(words):
            if self._peek(ahead)[1].upper() != word or self._peek(ahead)[0] == "string":
                return False
        self._at += len(words)
        return True

    def _need(self, word: str) -> None:
        if not self._is(word):
            raise malformed(f"unexpected token: '{self._peek()[1]}' (expecting '{word}')")

    def _name(self) -> str:
        kind, text = self._next()
        if kind != "name":
            raise malformed(f"unexpected token: '{text}'")
        return text

    def _whole(self) -> int:
        kind, text = self._next()
        if kind != "number" or not text.isdigit():
            raise malformed(f"unexpected token: '{text}'")
        return int(text)

    def end(self) -> None:
        if self._peek()[0] != "end":
            raise malformed(f"unexpected token: '{self._peek()[1]}'")

    def query(self) -> Query:
        self._need("SELECT")
        items = [self._item()]
        while self._is(","):
            items.append(self._item())
        self._need("FROM")
        source = self._name()
        alias = self._name() if self._peek()[0] == "name" and self._peek()[1].upper() not in KEYWORDS else ""
        if self._is("USING"):
            self._need("SCOPE")
            self._name()
        where = self._or() if self._is("WHERE") else None
        if self._is("WITH"):
            self._name()
        group: tuple[str, ...] = ()
        having = None
        if self._is("GROUP", "BY"):
            names = [self._name()]
            while self._is(","):
                names.append(self._name())
            group = tuple(names)
            having = self._or() if self._is("HAVING") else None
        order: list[Order] = []
        if self._is("ORDER", "BY"):
            order.append(self._order())
            while self._is(","):
                order.append(self._order())
        limit = self._whole() if self._is("LIMIT") else None
        offset = self._whole() if self._is("OFFSET") else 0
        if self._is("FOR"):
            self._name()
        all_rows = self._is("ALL", "ROWS")
        return Query(
            self._text, tuple(items), source, alias, where, group, having, tuple(order), limit, offset, all_rows
        )

    def _item(self) -> Any:
        if self._is("("):
            inner = self.query()
            self._need(")")
            return inner
        operand = self._operand()
        if isinstance(operand, FieldSet):
            return operand
        if self._peek()[0] == "name" and self._peek()[1].upper() not in KEYWORDS:
            alias = self._name()
            if isinstance(operand, Aggregate):
                return Aggregate(operand.function, operand.path, alias)
            return Path(operand.name, alias)
        return operand

    def _operand(self) -> Path | Aggregate | FieldSet:
        name = self._name()
        if self._peek()[1] != "(":
            return Path(name)
        self._next()
        function = name.upper()
        if function == "FIELDS":
            kind = self._name().upper()
            self._need(")")
            if kind not in ("ALL", "STANDARD", "CUSTOM"):
                raise malformed(f"unexpected token: '{kind}'")
            return FieldSet(kind)
        if function not in AGGREGATES:
            raise malformed(f"unexpected token: '{name}'")
        if function == "COUNT" and self._is(")"):
            return Aggregate(function, "")
        path = self._name()
        self._need(")")
        return Aggregate(function, path)

    def _column(self) -> Path | Aggregate:
        operand = self._operand()
        if isinstance(operand, FieldSet):
            raise malformed("unexpected token: 'FIELDS'")
        return operand

    def _order(self) -> Order:
        by = self._column()
        descending = self._is("DESC")
        if not descending:
            self._is("ASC")
        nulls_last = self._is("NULLS", "LAST")
        if not nulls_last:
            self._is("NULLS", "FIRST")
        return Order(by, descending, nulls_last)

    def _or(self) -> Compare | Logic:
        parts = [self._and()]
        kinds = set()
        while self._peek()[1].upper() in ("OR", "AND") and self._peek()[0] == "name":
            kinds.add(self._next()[1].upper())
            parts.append(self._and())
        if len(kinds) > 1:  # the vendor wants parentheses where AND and OR meet
            raise malformed("unexpected token: 'OR': AND and OR need parentheses")
        return Logic(kinds.pop(), tuple(parts)) if kinds else parts[0]

    def _and(self) -> Compare | Logic:
        if self._is("NOT"):
            return Logic("NOT", (self._and(),))
        if self._is("("):
            inner = self._or()
            self._need(")")
            return inner
        return self._compare()

    def _compare(self) -> Compare:
        left = self._column()
        kind, sign = self._next()
        operator = sign.upper()
        if operator == "NOT" and self._is("IN"):
            operator = "NOT IN"
        if kind == "sign" and operator in ("=", "!=", "<>", "<", "<=", ">", ">="):
            return Compare(left, "!=" if operator == "<>" else operator, self._literal())
        if operator == "LIKE":
            return Compare(left, operator, self._literal())
        if operator in ("IN", "NOT IN", "INCLUDES", "EXCLUDES"):
            return Compare(left, operator, self._list())
        raise malformed(f"unexpected token: '{sign}'")

    def _list(self) -> Any:
        self._need("(")
        if self._peek()[1].upper() == "SELECT":
            inner = self.query()
            self._need(")")
            return inner
        literals = [self._literal()]
        while self._is(","):
            literals.append(self._literal())
        self._need(")")
        return tuple(literals)

    def _literal(self) -> Literal:
        kind, text = self._next()
        if kind == "string":
            return Literal("string", re.sub(r"\\(.)", _unescape, text[1:-1], flags=re.DOTALL))
        if kind == "number":
            return Literal("number", Decimal(text))
        if kind in ("date", "datetime"):
            return Literal(kind, text)
        if kind == "relative" or text.upper() in RELATIVE:
            return Literal("relative", text.upper())
        if kind == "name" and text.lower() in ("true", "false"):
            return Literal("boolean", text.lower() == "true")
        if kind == "name" and text.lower() == "null":
            return Literal("null", None)
        raise malformed(f"unexpected token: '{text}'")


def _unescape(match: re.Match[str]) -> str:
    known = ESCAPES.get(match.group(1).lower() if match.group(1).isalpha() else match.group(1))
    # In a LIKE pattern an escaped wildcard stays escaped until the pattern is built.
    if match.group(1) in "%_":
        return match.group(0)
    if known is None:
        raise malformed(f"Invalid string literal: illegal escape '{match.group(0)}'")
    return known
