"""What stands between input and a saved row: fields that may be written, parents by key, required, unique."""

from typing import TYPE_CHECKING, Any

from sandbox.salesforce import ids, values
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.schema import Described, Doc, Field

if TYPE_CHECKING:
    from sandbox.salesforce.org import Org


def accepted(org: "Org", described: Described, given: Doc, old: Doc | None, system: bool) -> Doc:
    """Input values as row values, each checked against its field."""
    new: Doc = {}
    refused: list[str] = []
    for name, value in given.items():
        if name == "attributes":
            continue
        column = described.field(name)
        if column is None and isinstance(value, dict) and name.lower() in described.by_relationship:
            column = described.by_relationship[name.lower()]
            value = _parent_by_key(org, column, value)
        if column is None:
            raise SalesforceError("INVALID_FIELD", f"No such column '{name}' on sobject of type {described.name}")
        fixed = column.master_detail and old is not None and values.accept(column, value) != old[column.name]
        if (not column.writable and not (system and not column.formula)) or (fixed and not system):
            refused.append(column.name)
            continue
        new[column.name] = values.accept(column, value)
    if refused:
        raise SalesforceError(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {', '.join(refused)}. Please check the security settings of this "
            "field and verify that it is read/write for your profile or permission set.",
            tuple(refused),
        )
    return new


def _parent_by_key(org: "Org", column: Field, keys: Doc) -> str:
    """The id of the parent that a nested body names by one external id (contract 5.1)."""
    pairs = [(name, value) for name, value in keys.items() if name != "attributes"]
    kinds = [keys["attributes"].get("type")] if isinstance(keys.get("attributes"), dict) else column.reference_to
    if len(pairs) != 1:
        raise SalesforceError("INVALID_FIELD", f"Relationship {column.relationship_name} needs one external id")
    name, value = pairs[0]
    for kind in kinds:
        parent = org.described(str(kind))
        key = parent.field(name) if parent else None
        if parent is None or key is None:
            continue
        if not (key.external_id or key.type == "id"):
            break
        found = org.find_stored(parent, key.name, value)
        if len(found) == 1:
            return str(found[0]["Id"])
        raise SalesforceError(
            "INVALID_FIELD",
            f"Foreign key external ID: {str(value).lower()} not found for field {key.name} in entity {parent.name}"
            if not found
            else f"More than one record found for external id field: {key.name}",
        )
    raise SalesforceError(
        "INVALID_FIELD", f"Field name provided, {name} is not an External ID for {column.relationship_name}"
    )


def check(org: "Org", described: Described, new: Doc, old: Doc | None) -> None:
    """Required fields, then references, then unique keys."""
    missing = tuple(c.name for c in described.fields if c.required and new.get(c.name) is None)
    if missing:
        raise SalesforceError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
    for column in described.fields:
        value = new.get(column.name)
        if column.formula or value is None or (old is not None and old.get(column.name) == value):
            continue
        if column.type == "reference" and not (value == ids.USER_ID and "User" in column.reference_to):
            _check_reference(org, column, value)
        if column.unique:
            _check_unique(org, described, column, new, value)


def _check_reference(org: "Org", column: Field, value: str) -> None:
    targets = [target for target in map(org.described, column.reference_to) if target is not None]
    if len(targets) < len(column.reference_to) or not targets:
        return  # points to an object that this org does not have: any id will do
    for target in targets:
        if value.startswith(target.sobject.prefix):
            if value in org.table(target.name):
                return
            code = "ENTITY_IS_DELETED" if value in org.deleted_table(target.name) else ""
            raise SalesforceError(
                code or "INVALID_CROSS_REFERENCE_KEY",
                "entity is deleted" if code else "invalid cross reference id",
            )
    raise SalesforceError(
        "FIELD_INTEGRITY_EXCEPTION",
        f"{column.title}: id value of incorrect type: {value}",
        (column.name,),
    )


def _check_unique(org: "Org", described: Described, column: Field, new: Doc, value: Any) -> None:
    for other in org.find_stored(described, column.name, value):
        if other["Id"] != new["Id"]:
            raise SalesforceError(
                "DUPLICATE_VALUE",
                f"duplicate value found: {column.name} duplicates value on record with id: {other['Id']}",
            )
