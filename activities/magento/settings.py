"""How to reach and enter one Magento or Adobe Commerce shop, and how its orders are read."""

from datetime import UTC, datetime
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from commerce.model import UtcDatetime


class ExtraTotal(BaseModel):
    """A total that the shop's own extension adds to or takes off an order.

    `field` is a dotted path in the order, such as `extension_attributes.deposit_amount`; its number is in the order
    currency. `tax_field` is the path of the tax on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str = Field(min_length=1, description="Dotted path of the amount in the order, without tax")
    kind: Literal["fee", "duty", "gift_card"] = Field(default="fee", description="What the amount is")
    code: str = Field(default="other", min_length=1, description="Code of the fee, duty or gift card")
    title: str = Field(default="", description="What people read; empty: none")
    tax_field: str = Field(default="", description="Dotted path of the tax on a fee; empty: no tax")


class MagentoSettings(BaseModel):
    """One shop. Secrets come from the environment or from files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        pattern=r"^https?://[^\s?#]+$",
        description="Address of the shop without /rest, such as https://shop.example.com",
    )
    auth: Literal["oauth1", "admin", "bearer"] = Field(
        default="oauth1",
        description="How to sign in: oauth1 (integration, four secrets), admin (user and password, no second factor) "
        "or bearer (an integration's access token, where the shop allows it)",
    )
    consumer_key: str = Field(default="", description="Integration: consumer key; for oauth1")
    consumer_secret: SecretStr | None = Field(default=None, description="Integration: consumer secret; for oauth1")
    access_token: SecretStr | None = Field(default=None, description="Integration: access token; for oauth1, bearer")
    access_token_secret: SecretStr | None = Field(default=None, description="Integration: token secret; for oauth1")
    username: str = Field(default="", description="Admin user; for admin")
    password: SecretStr | None = Field(default=None, description="Admin password; for admin")
    token_lifetime_seconds: int = Field(
        default=4 * 3600, ge=60, description="Lifetime of an admin token as the shop is configured; for admin"
    )
    timeout_seconds: float = Field(default=60, gt=0, le=600, description="Longest wait for an answer")
    settled_after_seconds: float = Field(
        default=120,
        gt=0,
        description="A write has been carried out this long after it was sent, or never will be: after a lost answer "
        "it is looked for so long before it is repeated. Longer than the shop's PHP and proxies let a request run",
    )
    page_size: int = Field(default=100, ge=1, le=300, description="Rows of one search page")

    orders_since: UtcDatetime = Field(
        default=datetime(2000, 1, 1, tzinfo=UTC),
        description="Orders placed before this moment are left alone; set it to the go-live",
    )
    order_states: tuple[str, ...] = Field(
        default=("new", "pending_payment", "processing"),
        min_length=1,
        description="Order states that are taken in; canceled is always heard",
    )
    stores: tuple[str, ...] = Field(default=(), description="Store view codes that are taken in; empty: all")
    overlap_seconds: int = Field(
        default=600, ge=60, description="How far a sweep reads back: a change shows up after its own time stamp"
    )
    payment_methods: dict[str, Literal["due", "captured", "on_account"]] = Field(
        default={"juston": "due", "purchaseorder": "on_account", "companycredit": "on_account", "free": "captured"},
        description="What a payment method code means: due (paid by our link), captured (taken by the shop's gateway) "
        "or on_account. A method that is not named counts as captured once the shop shows money and a transaction id",
    )
    split_payments_key: str = Field(
        default="split_payments",
        description="Key in payment_additional_info whose value is a JSON list of payments {method, amount, "
        "transaction_id}, where a gateway takes an order's money in several parts",
    )
    extra_totals: tuple[ExtraTotal, ...] = Field(default=(), description="Totals of the shop's own extensions")
    attributes: dict[str, str] = Field(
        default_factory=dict, description="Order attributes to carry over: our name = dotted path in the order"
    )

    statuses: dict[str, tuple[str, ...]] = Field(
        default_factory=lambda: {
            "new": ("pending",),
            "pending_payment": ("pending_payment",),
            "processing": ("processing", "fraud"),
            "payment_review": ("payment_review", "fraud"),
            "complete": ("complete",),
            "closed": ("closed",),
            "canceled": ("canceled",),
            "holded": ("holded",),
        },
        description="Statuses that belong to each order state; name the shop's own here",
    )
    pending_status: str = Field(
        default="pending_payment",
        description="Status of an order that waits for payment; set only where it belongs to the order's state",
    )
    announce_text: str = Field(
        default="Please pay {amount} here: {link}", description="Comment with the payment link; must hold {link}"
    )
    announce_mail: bool = Field(default=False, description="Whether the shop marks that comment as told to the buyer")
    invoice_prefix: str = Field(
        default="Invoice ", max_length=40, description="Text before the invoice number in a shop invoice's comment"
    )
    references_text: str = Field(
        default="ERP order {erp_number}, invoice {invoice_number}",
        description="Comment with the ERP's and the billing system's numbers; must hold both",
    )
    shipment_prefix: str = Field(
        default="Delivery ", max_length=40, description="Text before the ERP's shipment number in a shipment's comment"
    )
    services_prefix: str = Field(
        default="Services and downloads ",
        max_length=40,
        description="Text before the ERP's order number in the comment of an invoice over what is never shipped",
    )
    sources: dict[str, str] = Field(
        default_factory=dict,
        description="The shop's source code of each of the ERP's warehouses, by the ERP's name; empty: one source",
    )
    carrier_codes: dict[str, str] = Field(
        default_factory=lambda: {"dhl": "dhl", "ups": "ups", "fedex": "fedex", "usps": "usps"},
        description="The shop's carrier code by the ERP's carrier in lower case; others are custom",
    )
    bundles_ship: Literal["as-set", "separately", "together"] = Field(
        default="as-set",
        description="How the shop's bundles leave. as-set: the shop is asked for each bundle's own setting "
        "(shipment_type, with the permission to read products); else all of them part by part, or as a whole",
    )
    webhook_public_key: str = Field(default="", description="Public key (PEM) of the shop's webhook signatures")

    @field_validator("url")
    @classmethod
    def _bare(cls, value: str) -> str:
        return value.rstrip("/").removesuffix("/rest")

    @field_validator("announce_text")
    @classmethod
    def _holds_link(cls, value: str) -> str:
        _try_text(value, {"amount", "link"}, {"link"})
        return value

    @field_validator("references_text")
    @classmethod
    def _holds_numbers(cls, value: str) -> str:
        _try_text(value, {"erp_number", "invoice_number"}, {"erp_number", "invoice_number"})
        return value

    @field_validator("webhook_public_key")
    @classmethod
    def _is_key(cls, value: str) -> str:
        if value:
            public_key(value)
        return value

    @model_validator(mode="after")
    def _complete(self) -> "MagentoSettings":
        if self.settled_after_seconds <= self.timeout_seconds:
            raise ValueError(
                "settled_after_seconds must be longer than timeout_seconds: a request that timed out may still be "
                "carried out, and is looked for before it is repeated"
            )
        needed: dict[str, dict[str, object]] = {
            "oauth1": {
                "consumer_key": self.consumer_key,
                "consumer_secret": self.consumer_secret,
                "access_token": self.access_token,
                "access_token_secret": self.access_token_secret,
            },
            "admin": {"username": self.username, "password": self.password},
            "bearer": {"access_token": self.access_token},
        }
        missing = [name for name, value in needed[self.auth].items() if not value]
        if missing:
            raise ValueError(f"{', '.join(missing)} is missing: auth {self.auth} needs it")
        return self


def public_key(pem: str) -> RSAPublicKey:
    """The RSA public key in PEM text. Raises ValueError for anything else."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as err:
        raise ValueError("webhook_public_key is not a public key in PEM text (-----BEGIN PUBLIC KEY-----)") from err
    if not isinstance(key, RSAPublicKey):
        raise ValueError("webhook_public_key is not an RSA key")
    return key


def _try_text(text: str, known: set[str], needed: set[str]) -> None:
    try:
        text.format(**dict.fromkeys(known, ""))
    except (KeyError, IndexError, ValueError) as err:
        raise ValueError(f"{text!r} may hold {_braced(known)} and nothing else") from err
    if any("{" + name + "}" not in text for name in needed):
        raise ValueError(f"{text!r} must hold {_braced(needed)}")


def _braced(names: set[str]) -> str:
    return ", ".join("{" + name + "}" for name in sorted(names))
