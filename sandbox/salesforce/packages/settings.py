"""Switches of a package that people in the org may turn, kept with the org and forgotten at a reset."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.kernel.world import ActError
from sandbox.salesforce.org import Org
from sandbox.salesforce.schema import Doc


@dataclass(frozen=True)
class Settings:
    """One package's switches: name and standard value. A switch keeps the type of its standard value."""

    package: str
    standard: Doc

    def get(self, org: Org, name: str) -> Any:
        kept = org.store.table("salesforce.settings").get(self.package) or {}
        return kept.get(name, self.standard[name])

    def change(self, org: Org, arguments: Doc) -> Doc:
        """Set the switches in `arguments` and answer all of them; raises ActError for an unknown name or type."""
        table = org.store.table("salesforce.settings")
        kept = dict(table.get(self.package) or {})
        for name, value in arguments.items():
            if name not in self.standard:
                raise ActError(f"{name}: unknown; allowed are {', '.join(sorted(self.standard))}")
            wanted = type(self.standard[name])
            numeric = wanted is float and isinstance(value, int | float | Decimal) and not isinstance(value, bool)
            if not numeric and not isinstance(value, wanted):
                raise ActError(f"{name}: {value!r} is not of type {wanted.__name__}")
            kept[name] = float(value) if numeric else value
        table.put(self.package, kept)
        return self.standard | kept
