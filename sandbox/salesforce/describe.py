"""`describe`: the org's schema the way the API tells it (contract 5.3)."""

from typing import Any

from sandbox.salesforce.org import Org
from sandbox.salesforce.schema import NUMBERS, TEXTS, Described, Field, SObject
from sandbox.salesforce.standard import RECORD_TYPE_PREFIX

MASTER_RECORD_TYPE = f"{RECORD_TYPE_PREFIX}000000000000AAA"


def summary(obj: SObject, root: str) -> dict[str, Any]:
    """The object's entry in `GET /sobjects`."""
    url = f"{root}/sobjects/{obj.name}"
    return {
        "name": obj.name,
        "label": obj.label,
        "labelPlural": f"{obj.label}s",
        "keyPrefix": obj.prefix,
        "custom": obj.name.endswith("__c"),
        "createable": obj.creatable,
        "updateable": True,
        "deletable": obj.creatable,
        "queryable": True,
        "retrieveable": True,
        "replicateable": True,
        "urls": {"sobject": url, "describe": f"{url}/describe", "rowTemplate": f"{url}/{{ID}}"},
    }


def full(org: Org, described: Described, root: str) -> dict[str, Any]:
    children = [
        {
            "childSObject": child.name,
            "field": column.name,
            "relationshipName": column.child_relationship,
            "cascadeDelete": column.master_detail,
        }
        for child, column in org.references_to(described.name)
    ]
    return summary(described.sobject, root) | {
        "fields": [_field(described, column) for column in described.fields],
        "childRelationships": children,
        "recordTypeInfos": [_master_record_type(), *_record_types(org, described)],
    }


def _record_types(org: Org, described: Described) -> list[dict[str, Any]]:
    return [
        _master_record_type()
        | {
            "recordTypeId": row["Id"],
            "name": row["Name"],
            "developerName": row["DeveloperName"],
            "active": row["IsActive"],
            "master": False,
            "defaultRecordTypeMapping": False,
        }
        for row in org.find("RecordType", "SobjectType", described.name)
    ]


def _master_record_type() -> dict[str, Any]:
    return {
        "recordTypeId": MASTER_RECORD_TYPE,
        "name": "Master",
        "developerName": "Master",
        "active": True,
        "available": True,
        "master": True,
        "defaultRecordTypeMapping": True,
    }


def _field(described: Described, column: Field) -> dict[str, Any]:
    is_number = column.type in NUMBERS
    is_key = column.type in ("reference", "id")
    constant = None if callable(column.default) else column.default
    writable = column.writable and described.sobject.creatable
    return {
        "name": column.name,
        "label": column.title,
        "type": column.type,
        "length": 18 if is_key else column.max_length if column.type in TEXTS or "picklist" in column.type else 0,
        "precision": (column.precision or 18) if is_number else 0,
        "scale": column.scale if is_number else 0,
        "digits": 8 if column.type == "int" else 0,
        "nillable": not column.required and column.type not in ("boolean", "id"),
        "createable": writable,
        "updateable": writable and not column.master_detail,
        "calculated": column.formula is not None,
        "autoNumber": column.auto_number is not None,
        "unique": column.unique,
        "externalId": column.external_id,
        "idLookup": column.external_id or column.type == "id",
        "caseSensitive": column.case_sensitive,
        "custom": column.name.endswith("__c"),
        "filterable": filterable(column),
        "sortable": filterable(column),
        "groupable": filterable(column) and not is_number,
        "defaultedOnCreate": column.default is not None or column.type == "boolean" or column.name == "OwnerId",
        "defaultValue": constant,
        "referenceTo": list(column.reference_to),
        "relationshipName": column.relationship_name,
        "cascadeDelete": column.master_detail,
        "restrictedPicklist": "picklist" in column.type and column.restricted and bool(column.picklist),
        "picklistValues": [
            {"value": value, "label": value, "active": True, "defaultValue": value == column.default}
            for value in column.picklist
        ],
    }


def filterable(column: Field) -> bool:
    """Long text cannot be filtered, sorted or grouped."""
    return not (column.type == "textarea" and column.max_length > 255)
