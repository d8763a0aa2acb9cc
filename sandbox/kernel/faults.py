"""Fault rules: which request or notification goes wrong, how, and how often. Seeded, so that a run can be repeated."""

import random
import re
from dataclasses import dataclass, field
from typing import Any

REQUEST_KINDS = frozenset("down slow status lose-reply cut-request partial garble expire-auth lock limit html".split())
NOTIFICATION_KINDS = frozenset("drop duplicate delay reorder garble".split())

# What a rule of a kind may carry besides the common fields. The kinds that are missing here are the vendor's own
# answers: what they take is the vendor's business.
OPTIONS: dict[str, frozenset[str]] = {
    "down": frozenset(),
    "slow": frozenset({"seconds"}),
    "status": frozenset({"status", "body", "retry_after"}),
    "lose-reply": frozenset(),
    "cut-request": frozenset(),
    "garble": frozenset(),
    "html": frozenset({"status"}),
    "drop": frozenset(),
    "duplicate": frozenset(),
    "delay": frozenset({"seconds"}),
    "reorder": frozenset(),
}
# Lowest and highest value of an option that is a number; a status is a whole number that ends a request.
NUMBERS: dict[str, tuple[float, float]] = {"seconds": (0, 3600), "status": (200, 599), "retry_after": (0, 86_400)}
COMMON = ("kind", "on", "match", "times", "probability", "after")


class BadRule(ValueError):
    """A fault rule that cannot be understood: `field` says where, `allowed` what may stand there."""

    def __init__(self, field: str, value: Any, allowed: Any) -> None:
        self.field = field
        self.allowed = allowed
        super().__init__(f"{field}: {value!r} is not allowed here")


@dataclass
class Rule:
    """One fault rule as the control API takes it; `seen` and `fired` count what it met and did."""

    kind: str
    on: str = "request"
    method: str | None = None
    path: re.Pattern[str] | None = None
    body: re.Pattern[str] | None = None
    times: int | None = None
    probability: float = 1.0
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    fired: int = 0

    @classmethod
    def parse(cls, raw: Any) -> "Rule":
        """A rule from its JSON. Raises BadRule."""
        if not isinstance(raw, dict):
            raise BadRule("rule", raw, "an object")
        rest = dict(raw)
        kind = rest.pop("kind", None)
        on = rest.pop("on", "notification" if kind in NOTIFICATION_KINDS - REQUEST_KINDS else "request")
        if on not in ("request", "notification"):
            raise BadRule("on", on, ["request", "notification"])
        kinds = NOTIFICATION_KINDS if on == "notification" else REQUEST_KINDS
        if kind not in kinds:
            raise BadRule("kind", kind, sorted(kinds))
        method, path, body = _match(rest.pop("match", None))
        times = rest.pop("times", None)
        rule = cls(
            kind=kind,
            on=on,
            method=method,
            path=path,
            body=body,
            times=None if times is None else int(_number("times", times, 0, 1_000_000_000, whole=True)),
            probability=_number("probability", rest.pop("probability", 1), 0, 1),
            after=int(_number("after", rest.pop("after", 0), 0, 1_000_000_000, whole=True)),
            options=rest,
        )
        known = OPTIONS.get(kind)
        for name, value in rest.items():
            if known is not None and name not in known:
                raise BadRule(name, value, [*COMMON, *sorted(known)])
            if name in NUMBERS:
                _number(name, value, *NUMBERS[name], whole=name == "status")
        return rule

    def covers(self, method: str, path: str, body: str) -> bool:
        return (
            (self.method is None or self.method == method.upper())
            and (self.path is None or self.path.search(path) is not None)
            and (self.body is None or self.body.search(body) is not None)
        )

    @property
    def shuts(self) -> bool:
        """Whether this rule takes the whole vendor off the network, from now on and without an end."""
        always = self.times is None and self.probability == 1 and self.seen >= self.after
        return self.kind == "down" and always and not (self.method or self.path or self.body)

    def shown(self) -> dict[str, Any]:
        """The rule as it was given, with what it met and did so far."""
        match = {
            "method": self.method,
            "path": self.path.pattern if self.path else None,
            "body": self.body.pattern if self.body else None,
        }
        common = {"kind": self.kind, "on": self.on, "match": {k: v for k, v in match.items() if v is not None}}
        counts = {"times": self.times, "probability": self.probability, "after": self.after}
        return common | counts | self.options | {"seen": self.seen, "fired": self.fired}


def _match(raw: Any) -> tuple[str | None, re.Pattern[str] | None, re.Pattern[str] | None]:
    if raw is None:
        return None, None, None
    if not isinstance(raw, dict) or set(raw) - {"method", "path", "body"}:
        allowed = {"method": "an HTTP method", "path": "a regular expression", "body": "a regular expression"}
        raise BadRule("match", raw, allowed)
    method = raw.get("method")
    if method is not None and not isinstance(method, str):
        raise BadRule("match.method", method, "an HTTP method")
    return (method or "").upper() or None, _pattern(raw, "path"), _pattern(raw, "body")


def _pattern(raw: dict[str, Any], name: str) -> re.Pattern[str] | None:
    given = raw.get(name)
    if given is not None and not isinstance(given, str):
        raise BadRule(f"match.{name}", given, "a regular expression")
    try:
        return re.compile(given) if given else None
    except re.error as err:
        raise BadRule(f"match.{name}", given, f"a regular expression ({err})") from err


def _number(name: str, value: Any, low: float, high: float, *, whole: bool = False) -> float:
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise BadRule(name, value, f"a {'whole ' if whole else ''}number from {low:g} to {high:g}")
    return value


class Faults:
    """The rules of one vendor. The first rule that covers a request and fires decides."""

    def __init__(self, seed: int) -> None:
        self.rules: list[Rule] = []
        self._seed = seed
        self._random = random.Random(seed)

    def replace(self, raw: Any) -> None:
        """Take new rules, all or none, and start the generator anew. Raises BadRule."""
        if not isinstance(raw, list):
            raise BadRule("rules", raw, "a list of rules")
        self.rules = [Rule.parse(rule) for rule in raw]
        self._random = random.Random(self._seed)

    def pick(self, on: str, method: str, path: str, body: bytes = b"") -> Rule | None:
        text = body.decode("utf-8", "replace") if self.rules else ""
        for rule in self.rules:
            if rule.on != on or not rule.covers(method, path, text):
                continue
            rule.seen += 1
            if rule.seen <= rule.after or (rule.times is not None and rule.fired >= rule.times):
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            rule.fired += 1
            return rule
        return None

    @property
    def down(self) -> bool:
        """Whether the vendor is off the network."""
        return any(rule.shuts for rule in self.rules)
