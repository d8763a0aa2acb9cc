"""Fault rules: which request or notification goes wrong, how, and how often. Seeded, so that a run can be repeated."""

import random
import re
from dataclasses import dataclass, field
from typing import Any

REQUEST_KINDS = frozenset("down slow status lose-reply cut-request partial garble expire-auth lock limit html".split())
NOTIFICATION_KINDS = frozenset("drop duplicate delay reorder garble".split())


class BadRule(ValueError):
    """A fault rule that cannot be understood; the message names the field, the value and what is allowed."""


@dataclass
class Rule:
    """One fault rule as the control API takes it; `seen` and `fired` count what it met and did."""

    kind: str
    on: str = "request"
    method: str | None = None
    path: re.Pattern[str] | None = None
    times: int | None = None
    probability: float = 1.0
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    fired: int = 0

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> "Rule":
        rest = dict(raw)
        kind = rest.pop("kind", None)
        on = rest.pop("on", "notification" if kind in NOTIFICATION_KINDS - REQUEST_KINDS else "request")
        allowed = NOTIFICATION_KINDS if on == "notification" else REQUEST_KINDS
        if on not in ("request", "notification"):
            raise BadRule(f"on: {on!r} is not one of request, notification")
        if kind not in allowed:
            raise BadRule(f"kind: {kind!r} is not one of {', '.join(sorted(allowed))} (on={on})")
        match = rest.pop("match", {}) or {}
        unknown = set(match) - {"method", "path"}
        if unknown:
            raise BadRule(f"match: unknown {', '.join(sorted(unknown))}; allowed are method, path")
        probability = float(rest.pop("probability", 1.0))
        if not 0 <= probability <= 1:
            raise BadRule(f"probability: {probability} is not between 0 and 1")
        try:
            path = re.compile(match["path"]) if match.get("path") else None
        except re.error as err:
            raise BadRule(f"match.path: {match['path']!r} is not a regular expression: {err}") from err
        return cls(
            kind=kind,
            on=on,
            method=(match.get("method") or "").upper() or None,
            path=path,
            times=rest.pop("times", None),
            probability=probability,
            after=int(rest.pop("after", 0)),
            options=rest,
        )

    def covers(self, method: str, path: str) -> bool:
        return (self.method is None or self.method == method.upper()) and (
            self.path is None or self.path.search(path) is not None
        )


class Faults:
    """The rules of one vendor. The first rule that covers a request and fires decides."""

    def __init__(self, seed: int) -> None:
        self.rules: list[Rule] = []
        self._random = random.Random(seed)

    def replace(self, raw: list[dict[str, Any]]) -> None:
        self.rules = [Rule.parse(rule) for rule in raw]

    def pick(self, on: str, method: str, path: str) -> Rule | None:
        for rule in self.rules:
            if rule.on != on or not rule.covers(method, path):
                continue
            rule.seen += 1
            if rule.seen <= rule.after or (rule.times is not None and rule.fired >= rule.times):
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            rule.fired += 1
            return rule
        return None
