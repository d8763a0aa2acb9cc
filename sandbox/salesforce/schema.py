"""What an org's objects look like: fields, types, keys. Data only; the rules that use it are in `values` and `org`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from sandbox.salesforce.org import Org

Doc = dict[str, Any]

FieldType = Literal[
    "string",
    "textarea",
    "picklist",
    "multipicklist",
    "reference",
    "double",
    "currency",
    "percent",
    "int",
    "boolean",
    "date",
    "datetime",
    "email",
    "phone",
    "url",
    "id",
]

NUMBERS = frozenset({"double", "currency", "percent"})
TEXTS = frozenset({"string", "textarea", "email", "phone", "url"})

DEFAULT_LENGTH = {"string": 255, "textarea": 32_768, "email": 80, "phone": 40, "url": 255, "picklist": 255}


@dataclass(frozen=True)
class Field:
    """One column.

    `precision` counts all digits (0 means 18), `scale` those after the point: "N(12,6)" is precision=18, scale=6.
    `default` is a value or a function of the org. `formula` is computed on read from the org and
    the row; it may use formulas that stand before it in the object. `auto_number` is a format such as "SIN{0:06d}".
    """

    name: str
    type: FieldType = "string"
    length: int = 0
    precision: int = 0
    scale: int = 0
    required: bool = False
    unique: bool = False
    external_id: bool = False
    case_sensitive: bool = False
    default: Any = None
    formula: Callable[["Org", Doc], Any] | None = None
    read_only: bool = False
    reference_to: tuple[str, ...] = ()
    relationship: str | None = None
    master_detail: bool = False
    child_relationship: str | None = None
    picklist: tuple[str, ...] = ()
    restricted: bool = True
    auto_number: str | None = None
    label: str = ""

    @property
    def title(self) -> str:
        """The label, derived from the name where none is given: `c2g__InvoiceDate__c` -> `InvoiceDate`."""
        if self.label:
            return self.label
        parts = self.name.removesuffix("__c").split("__")
        return parts[-1].replace("_", " ")

    @property
    def relationship_name(self) -> str | None:
        """The name under which SOQL and nested bodies reach the parent row."""
        if self.type != "reference":
            return None
        if self.relationship:
            return self.relationship
        if self.name.endswith("__c"):
            return self.name[:-1] + "r"
        return self.name.removesuffix("Id")

    @property
    def max_length(self) -> int:
        return self.length or DEFAULT_LENGTH.get(self.type, 0)

    @property
    def writable(self) -> bool:
        """May the API write it? Auto-numbers, formulas and system-written fields refuse."""
        return not (self.read_only or self.formula or self.auto_number or self.type == "id")

    @property
    def indexed_folded(self) -> bool:
        """Kept a second time in lower case, so that the key matches whatever the case (contract 5.1)."""
        keyed = self.external_id or self.unique or self.name == "Name"  # rows are looked up by name all the time
        return keyed and self.type in TEXTS and not self.case_sensitive and self.formula is None


@dataclass(frozen=True)
class SObject:
    """One object. Id, audit fields, Name, OwnerId and CurrencyIsoCode are added unless `fields` brings its own.

    A field called "Name" in `fields` replaces the standard one (for an auto-number or another length).
    """

    name: str
    label: str
    prefix: str
    fields: tuple[Field, ...]
    owner: bool = True
    currency: bool = True
    creatable: bool = True


AUDIT = (
    Field("IsDeleted", "boolean", read_only=True, default=False, label="Deleted"),
    Field("CreatedDate", "datetime", read_only=True, label="Created Date"),
    Field(
        "CreatedById",
        "reference",
        read_only=True,
        reference_to=("User",),
        relationship="CreatedBy",
        label="Created By ID",
    ),
    Field("LastModifiedDate", "datetime", read_only=True, label="Last Modified Date"),
    Field(
        "LastModifiedById",
        "reference",
        read_only=True,
        reference_to=("User",),
        relationship="LastModifiedBy",
        label="Last Modified By ID",
    ),
    Field("SystemModstamp", "datetime", read_only=True, label="System Modstamp"),
)


@dataclass(frozen=True)
class Described:
    """An object as the org knows it: its own fields, the automatic ones and those that other packages added."""

    sobject: SObject
    fields: tuple[Field, ...] = field(default=())

    @property
    def name(self) -> str:
        return self.sobject.name

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """Fields by lower-case name: the API does not mind the case."""
        return {column.name.lower(): column for column in self.fields}

    @cached_property
    def by_relationship(self) -> dict[str, Field]:
        return {column.relationship_name.lower(): column for column in self.fields if column.relationship_name}

    @cached_property
    def formulas(self) -> tuple[Field, ...]:
        return tuple(column for column in self.fields if column.formula)

    @cached_property
    def unique_fields(self) -> tuple[Field, ...]:
        return tuple(column for column in self.fields if column.unique)

    @cached_property
    def master(self) -> Field | None:
        """The reference to the master row, when this is the detail side."""
        return next((column for column in self.fields if column.master_detail), None)

    def field(self, name: str) -> Field | None:
        return self.by_name.get(name.lower())


def describe(sobject: SObject, added: tuple[Field, ...], currencies: tuple[str, ...], currency: str) -> Described:
    """Put an object together; raises ValueError for a field that is defined twice."""
    own = {column.name for column in sobject.fields}
    master = any(column.master_detail for column in sobject.fields)
    columns: list[Field] = [Field("Id", "id", length=18, read_only=True, label="Record ID")]
    if "Name" not in own:
        columns.append(Field("Name", "string", length=80, label="Name"))
    if sobject.owner and not master and "OwnerId" not in own:
        columns.append(
            Field("OwnerId", "reference", reference_to=("User",), relationship="Owner", label="Owner ID", required=True)
        )
    if sobject.currency and "CurrencyIsoCode" not in own:
        columns.append(
            Field("CurrencyIsoCode", "picklist", length=3, picklist=currencies, default=currency, label="Currency")
        )
    columns += [column for column in AUDIT if column.name not in own]
    columns += [*sobject.fields, *added]
    seen: set[str] = set()
    for column in columns:
        if column.name.lower() in seen:
            raise ValueError(f"{sobject.name}.{column.name} is defined twice")
        seen.add(column.name.lower())
    return Described(sobject, tuple(columns))
