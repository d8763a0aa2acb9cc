"""What goes wrong in a chaos run, drawn from its seed alone: faults, outages, kills and odd notifications."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROCESSES = ("worker", "worker-2", "api", "temporal", "postgres")
SYSTEMS = ("magento", "salesforce", "juston", "mail")
NOTES = ("forged", "not JSON", "without an id", "about nobody", "told twice")


@dataclass(frozen=True)
class Trouble:
    """`when` so many orders were begun, and `wait` seconds later."""

    when: int
    wait: float


@dataclass(frozen=True)
class Fault(Trouble):
    """A rule of the sandbox that strikes once. `kind` is how it is counted."""

    system: str
    kind: str
    rule: Mapping[str, Any]


@dataclass(frozen=True)
class Outage(Trouble):
    """A system is off the network for `seconds`."""

    system: str
    seconds: float


@dataclass(frozen=True)
class Kill(Trouble):
    process: str


@dataclass(frozen=True)
class Note(Trouble):
    """A notification that we send to the API ourselves; `kind` is one of NOTES, `text` makes it unlike the others."""

    kind: str
    text: str


@dataclass(frozen=True)
class _Place:
    """Requests that a fault may strike. `often`: every run has some."""

    method: str
    path: str
    often: bool = False


@dataclass(frozen=True)
class _Kind:
    """A kind of fault at one system. `options` are drawn: a range of seconds or a choice."""

    name: str
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


# The buyers' payment pages are left alone: a person tries again, and that is no promise of ours.
PLACES: Mapping[str, tuple[_Place, ...]] = {
    "juston": (_Place("POST", r"/entry-link$", often=True),),
    "salesforce": (
        _Place("POST", r"/composite/graph$", often=True),
        _Place("POST", r"/composite$", often=True),
        _Place("PATCH", r"/sobjects/"),
        _Place("POST", r"/actions/|/apexrest/|Cancellation"),
        _Place("GET", r"/query", often=True),
        _Place("GET", r"/sobjects/", often=False),
        _Place("POST", r"/oauth2/token$"),
    ),
    "magento": (
        _Place("GET", r"/V1/orders", often=True),
        _Place("POST", r"/orders/\d+/comments$", often=True),
        _Place("POST", r"/order/\d+/invoice$", often=True),
        _Place("POST", r"/V1/orders$", often=True),
        _Place("POST", r"/orders/\d+/cancel$"),
    ),
}


def _common(*slow: float) -> tuple[_Kind, ...]:
    """What every system and every network does. `slow`: seconds that an answer may take; some outlast our patience."""
    return (
        _Kind("lose-reply"),
        _Kind("cut-request"),
        _Kind("reset"),
        _Kind("garble"),
        _Kind("slow", {"seconds": slow}),
        _Kind("status", {"status": (500, 503, 504), "retry_after": (1, 2)}),
        _Kind("html", {"status": (502,)}),
    )


# The rest are answers that a vendor gives in its own words; what it never says is left out.
KINDS: Mapping[str, tuple[_Kind, ...]] = {
    "juston": (*_common(0.5, 1.5, 4.0), _Kind("limit", {"retry_after": (1, 2)})),
    "salesforce": (*_common(0.5, 1.5, 6.5), _Kind("lock"), _Kind("expire-auth")),
    "magento": (*_common(0.5, 1.5, 6.5), _Kind("limit", {"retry_after": (1, 2)}), _Kind("lock")),
}
NOTIFYING = ("magento", "salesforce")
NOTIFICATION_KINDS = (
    _Kind("drop"),
    _Kind("duplicate"),
    _Kind("delay", {"seconds": (1, 3, 6)}),
    _Kind("reorder"),
    _Kind("garble"),
)


def draw_trouble(chance: random.Random, orders: int) -> tuple[Trouble, ...]:
    """Every kind of fault, kill, outage and note at least once, and more of all with more orders; by `when`."""
    last = max(1, orders * 4 // 5)

    def moment(latest: int = last) -> dict[str, Any]:
        return {"when": chance.randint(1, max(1, latest)), "wait": round(chance.uniform(0, 1.5), 2)}

    early = max(1, orders // 2)
    found: list[Trouble] = []
    for system, kinds in KINDS.items():
        found += [_fault(chance, system, kind, moment(early), often=True) for kind in kinds]
    found += [_notification(chance, system, kind, moment(early)) for system in NOTIFYING for kind in NOTIFICATION_KINDS]
    for _ in range(orders * 3 // 5):
        system = chance.choice(tuple(KINDS))
        found.append(_fault(chance, system, chance.choice(KINDS[system]), moment(), often=False))
    for _ in range(orders // 8):
        found.append(_notification(chance, chance.choice(NOTIFYING), chance.choice(NOTIFICATION_KINDS), moment()))
    outages = [*SYSTEMS, *chance.choices(SYSTEMS, (3, 3, 3, 1), k=orders // 60)]
    found += [Outage(**moment(), system=one, seconds=round(chance.uniform(2, 5), 1)) for one in outages]
    kills = [*PROCESSES, *chance.choices(PROCESSES, k=orders // 40)]
    found += [Kill(**moment(), process=one) for one in kills]
    notes = [*NOTES, *chance.choices(NOTES, k=orders // 20)]
    found += [Note(**moment(), kind=one, text=f"{i}-{chance.randrange(10**9)}") for i, one in enumerate(notes)]
    return tuple(sorted(found, key=lambda trouble: (trouble.when, trouble.wait)))


def _fault(chance: random.Random, system: str, kind: _Kind, moment: dict[str, Any], *, often: bool) -> Fault:
    places = [place for place in PLACES[system] if place.often or not often]
    place = chance.choice(places)
    rule = {
        # One request that is down is a connection that is reset.
        "kind": "down" if kind.name == "reset" else kind.name,
        "match": {"method": place.method, "path": place.path},
        "times": 1,
        **{name: chance.choice(values) for name, values in kind.options.items()},
    }
    return Fault(**moment, system=system, kind=kind.name, rule=rule)


def _notification(chance: random.Random, system: str, kind: _Kind, moment: dict[str, Any]) -> Fault:
    options = {name: chance.choice(values) for name, values in kind.options.items()}
    rule = {"kind": kind.name, "on": "notification", "times": 1, **options}
    return Fault(**moment, system=system, kind=f"notification {kind.name}", rule=rule)
