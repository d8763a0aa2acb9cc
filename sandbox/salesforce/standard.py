"""The objects that every org has, and the rows without which nothing else works: organization, user, currencies."""

from sandbox.salesforce import ids
from sandbox.salesforce.org import CURRENCIES, CURRENCY, ORGANIZATION_ID, USER_ID, Org
from sandbox.salesforce.schema import Doc, Field, SObject

USERNAME = "integration@nordlicht.example"
RECORD_TYPE_PREFIX = "012"


def _address(prefix: str) -> tuple[Field, ...]:
    return (
        Field(f"{prefix}Street", "textarea", length=255, label=f"{prefix} Street"),
        Field(f"{prefix}City", "string", length=40, label=f"{prefix} City"),
        Field(f"{prefix}State", "string", length=80, label=f"{prefix} State/Province"),
        Field(f"{prefix}PostalCode", "string", length=20, label=f"{prefix} Zip/Postal Code"),
        Field(f"{prefix}Country", "string", length=80, label=f"{prefix} Country"),
    )


def _person_name(org: Org, row: Doc) -> str:
    return " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part)


def _lookup(name: str, target: str, **more: str) -> Field:
    return Field(name, "reference", reference_to=(target,), **more)  # type: ignore[arg-type]


OBJECTS = (
    SObject(
        "Organization",
        "Organization",
        ORGANIZATION_ID[:3],
        (
            Field("Name", "string", length=80, required=True, label="Name"),
            Field("InstanceName", "string", length=5, read_only=True, label="Instance Name"),
            Field("IsSandbox", "boolean", read_only=True, default=True, label="Is Sandbox"),
            Field("LanguageLocaleKey", "string", length=40, label="Locale"),
        ),
        owner=False,
        currency=False,
        creatable=False,
    ),
    SObject(
        "User",
        "User",
        USER_ID[:3],
        (
            Field("FirstName", "string", length=40, label="First Name"),
            Field("LastName", "string", length=80, required=True, label="Last Name"),
            Field("Name", "string", length=121, formula=_person_name, label="Full Name"),
            Field("Username", "string", length=80, required=True, unique=True),
            Field("Email", "email", length=128, required=True),
            Field("IsActive", "boolean", default=True, label="Active"),
            Field("TimeZoneSidKey", "picklist", default="Europe/Berlin", label="Time Zone"),
            Field("DefaultCurrencyIsoCode", "picklist", picklist=CURRENCIES, default=CURRENCY),
        ),
        owner=False,
        currency=False,
    ),
    SObject(
        "CurrencyType",
        "Currency Type",
        "01L",
        (
            Field("Name", formula=lambda org, row: row["IsoCode"], label="Name"),
            Field("IsoCode", "picklist", length=3, required=True, unique=True, label="Currency ISO Code"),
            Field("ConversionRate", "double", precision=18, scale=6, required=True, label="Conversion Rate"),
            Field("DecimalPlaces", "int", required=True, label="Decimal Places"),
            Field("IsActive", "boolean", default=True, label="Active"),
            Field("IsCorporate", "boolean", read_only=True, default=False, label="Corporate Currency"),
        ),
        owner=False,
        currency=False,
    ),
    SObject(
        "RecordType",
        "Record Type",
        RECORD_TYPE_PREFIX,
        (
            Field("Name", "string", length=80, required=True, label="Name"),
            Field("DeveloperName", "string", length=80, required=True, label="Record Type Name"),
            Field("SobjectType", "picklist", length=40, required=True, restricted=False, label="SObject Type Name"),
            Field("IsActive", "boolean", default=True, label="Active"),
        ),
        owner=False,
        currency=False,
        creatable=False,
    ),
    SObject(
        "Account",
        "Account",
        "001",
        (
            Field("Name", "string", length=255, required=True, label="Account Name"),
            Field("Type", "picklist", restricted=False, label="Account Type"),
            _lookup("ParentId", "Account", relationship="Parent", child_relationship="ChildAccounts"),
            _lookup("RecordTypeId", "RecordType", relationship="RecordType"),
            Field("AccountNumber", "string", length=40, label="Account Number"),
            Field("Phone", "phone", length=40, label="Account Phone"),
            Field("Website", "url", length=255),
            Field("Industry", "picklist", restricted=False),
            Field("Description", "textarea", length=32_000, label="Account Description"),
            *_address("Billing"),
            *_address("Shipping"),
        ),
    ),
    SObject(
        "Contact",
        "Contact",
        "003",
        (
            _lookup("AccountId", "Account", relationship="Account", child_relationship="Contacts"),
            Field("Salutation", "picklist", restricted=False),
            Field("FirstName", "string", length=40, label="First Name"),
            Field("LastName", "string", length=80, required=True, label="Last Name"),
            Field("Name", "string", length=121, formula=_person_name, label="Full Name"),
            Field("Email", "email", length=80),
            Field("Phone", "phone", length=40, label="Business Phone"),
            Field("Title", "string", length=128),
            *_address("Mailing"),
        ),
    ),
    SObject(
        "Product2",
        "Product",
        "01t",
        (
            Field("Name", "string", length=255, required=True, label="Product Name"),
            Field("ProductCode", "string", length=255, label="Product Code"),
            Field("StockKeepingUnit", "string", length=180, label="Product SKU"),
            Field("Description", "textarea", length=4000, label="Product Description"),
            Field("Family", "picklist", restricted=False, label="Product Family"),
            Field("IsActive", "boolean", default=False, label="Active"),
            Field("ExternalId", "string", length=255, label="External ID"),
        ),
        owner=False,
    ),
    SObject(
        "Pricebook2",
        "Price Book",
        "01s",
        (
            Field("Name", "string", length=255, required=True, label="Price Book Name"),
            Field("Description", "string", length=255),
            Field("IsActive", "boolean", default=False, label="Active"),
            Field("IsStandard", "boolean", read_only=True, default=False, label="Is Standard Price Book"),
        ),
        owner=False,
        currency=False,
    ),
    SObject(
        "PricebookEntry",
        "Price Book Entry",
        "01u",
        (
            Field("Name", formula=lambda org, row: _name_of(org, "Product2", row["Product2Id"]), label="Product Name"),
            _lookup("Pricebook2Id", "Pricebook2", relationship="Pricebook2", child_relationship="PricebookEntries"),
            _lookup("Product2Id", "Product2", relationship="Product2", child_relationship="PricebookEntries"),
            Field("UnitPrice", "currency", precision=18, scale=3, required=True, label="List Price"),
            Field("IsActive", "boolean", default=False, label="Active"),
        ),
        owner=False,
    ),
    SObject(
        "Opportunity",
        "Opportunity",
        "006",
        (
            Field("Name", "string", length=120, required=True, label="Opportunity Name"),
            _lookup("AccountId", "Account", relationship="Account", child_relationship="Opportunities"),
            Field("StageName", "picklist", required=True, restricted=False, label="Stage"),
            Field("CloseDate", "date", required=True, label="Close Date"),
            Field("Amount", "currency", precision=18, scale=2),
        ),
    ),
)


def _name_of(org: Org, object_name: str, record_id: str | None) -> str | None:
    row = org.get(object_name, record_id) if record_id else None
    return row["Name"] if row else None


def install(org: Org) -> None:
    for obj in OBJECTS:
        org.define(obj)
    org.on_seed(_seed)


# Units of each currency for one euro, and its decimals by ISO 4217.
RATES = {"EUR": ("1", 2), "USD": ("1.08", 2), "JPY": ("162.5", 0), "KWD": ("0.332", 3), "CHF": ("0.94", 2)}


def _seed(org: Org, data_set: str) -> None:
    """Rows that also an `empty` org has. The first user and organization get the ids that the rest relies on."""
    user = org.create(
        "User",
        {
            "FirstName": "Integration",
            "LastName": "User",
            "Username": USERNAME,
            "Email": USERNAME,
        },
        system=True,
    )
    organization = org.create(
        "Organization",
        {"Name": "Nordlicht Trading GmbH", "InstanceName": "EUX1", "LanguageLocaleKey": "en_US"},
        system=True,
    )
    if (user, organization) != (USER_ID, ORGANIZATION_ID):
        raise RuntimeError(f"the org was seeded twice without a wipe: {ids.make('005', 1)} is taken")
    for code, (rate, decimals) in RATES.items():
        values = {"IsoCode": code, "ConversionRate": rate, "DecimalPlaces": decimals, "IsCorporate": code == CURRENCY}
        org.create("CurrencyType", values, system=True)
    org.create("Pricebook2", {"Name": "Standard Price Book", "IsActive": True, "IsStandard": True}, system=True)
