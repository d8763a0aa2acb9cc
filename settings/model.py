"""What can be configured. Every field says what it is; docs/settings.md and docs/example-live.toml show the whole."""

from collections.abc import Mapping
from datetime import time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator, model_validator

from activities.carrier.settings import CarrierSettings
from activities.control import Plan
from activities.financialforce.settings import FinancialForceSettings
from activities.fulfillment import FulfillmentPlan
from activities.juston.settings import JustOnSettings
from activities.magento.settings import MagentoSettings
from activities.notify.settings import MailSettings, NoticeSettings, PortalSettings
from commerce.order import StoreCode
from commerce.windows import read_window

Kind = Literal["magento", "financialforce", "juston", "carrier"]
KINDS: dict[str, type[BaseModel]] = {
    "magento": MagentoSettings,
    "financialforce": FinancialForceSettings,
    "juston": JustOnSettings,
    "carrier": CarrierSettings,
}
# Which role each kind can fill.
FILLS: dict[str, frozenset[str]] = {
    "magento": frozenset({"storefront"}),
    "financialforce": frozenset({"erp"}),
    "juston": frozenset({"payments", "billing"}),
    "carrier": frozenset({"carrier"}),
}


def records_endpoint(name: str, kind: str) -> str:
    """The endpoint that keeps a system's records: JustOn's stand in the org, apart from its hosted payment service."""
    return f"{name}-org" if kind == "juston" else name


# The carriers' own public tracking pages.
TRACKING_LINKS = {
    "dhl": "https://www.dhl.com/global-en/home/tracking.html?tracking-id={number}",
    "ups": "https://www.ups.com/track?tracknum={number}",
    "fedex": "https://www.fedex.com/fedextrack/?trknbr={number}",
    "usps": "https://tools.usps.com/go/TrackConfirmAction?tLabels={number}",
}

SystemName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
ApiRole = Literal["portal", "operator", "approver"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class System(Part):
    """One connected system: what all kinds have in common. The kind's own settings stand beside these in the file."""

    kind: Kind = Field(description="What it is")
    max_concurrent: int = Field(default=8, ge=1, le=200, description="Calls at the same time from one worker process")
    per_second: float | None = Field(
        default=None, gt=0, description="Calls per second over all workers; empty: no limit (kept by the engine)"
    )
    follow_every_seconds: float = Field(
        default=5, ge=0.1, le=3600, description="How often the change feeds look for what notifications did not tell"
    )
    watch: bool = Field(default=True, description="Whether its health is watched, and its queue held while it is away")
    probe_every_seconds: float = Field(
        default=15, ge=0.1, le=3600, description="How often its health is asked, by one worker for all"
    )
    recovery_steps: tuple[float, ...] = Field(
        default=(1, 2, 5, 10), description="Calls per second after an outage, step by step, before the usual pace"
    )
    recovery_step_seconds: float = Field(default=10, gt=0, le=3600, description="How long each of those steps lasts")
    standstill_seconds: float = Field(
        default=30,
        ge=1,
        le=3600,
        description="Once it is up and no step of its queue was taken up for so long, its queue is freed again",
    )
    daily_calls: int | None = Field(
        default=None,
        gt=0,
        description="Calls that it may get in 24 hours; the vendor's own count goes before ours; empty: what the "
        "vendor says, if it says so",
    )
    warn_at: float = Field(default=0.8, gt=0, le=1, description="Share of these calls at which operators are told")
    reserve_for_money: float = Field(
        default=0.1, ge=0, lt=1, description="Share of these calls that is kept for orders, payments and invoices"
    )
    write_windows: tuple[str, ...] = Field(
        default=(),
        description="When it takes writes, such as Mon-Fri 20:00-06:00; outside nothing is written to it and its queue "
        "waits; empty: always",
    )
    write_windows_zone: str = Field(default="UTC", description="Time zone of these windows, such as Europe/Berlin")
    settings: Any = Field(description="The kind's own settings")

    @field_validator("write_windows")
    @classmethod
    def _windows(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            read_window(text)
        return value

    @field_validator("write_windows_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone; use a name such as Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _windows_need_a_watch(self) -> "System":
        if self.write_windows and not self.watch:
            raise ValueError("write_windows need watch = true: the watch opens and closes the queue")
        return self


class Store(Part):
    """One shop: which systems serve it, and its pace. Empty fields come from [store_defaults]."""

    storefront: SystemName | None = Field(default=None, description="System that shows the shop; empty: portals only")
    erp: SystemName = Field(description="System that books its orders")
    payments: SystemName = Field(description="System that takes its payments")
    billing: SystemName = Field(description="System that invoices its orders")
    web_customer: str = Field(
        default="", description="Account of consumers and guests in the ERP, by its shop key; empty: {store}:web"
    )
    return_url: str = Field(
        default="",
        description="Where buyers are led after paying; empty: Holdfast's own page. They pass by the API first",
    )
    payment_hours: float = Field(default=24, gt=0, le=24 * 90, description="How long a payment link may be used")
    erp_check_seconds: int = Field(
        default=5, ge=0, le=60, description="How long a buyer waits for the ERP's check before the link comes anyway"
    )
    invoice_poll_seconds: int = Field(
        default=900,
        ge=1,
        description="How often an incomplete invoice is looked at by timer. A new one is told by the feed; one that "
        "was not told is found when the payment link ends, and at this pace afterwards",
    )
    invoice_patience_hours: float = Field(default=24, gt=0, description="After that a missing invoice parks the order")
    retry_longest_seconds: int = Field(default=60, ge=1, le=3600, description="Longest pause between two tries")
    say_waiting_seconds: int = Field(
        default=10, ge=1, le=120, description="How long a step may stand in a queue before its order is said to wait"
    )
    give_up_days: float = Field(default=21, gt=0, le=90, description="A step without success for so long parks")
    case_owner: str = Field(
        default="operators",
        min_length=1,
        max_length=200,
        description="Whose move a parked order is at first: a role, a name, or a mail address, which is then told too",
    )
    remind_hours: float = Field(default=24, gt=0, description="How often operators are reminded of a parked order")
    escalate_hours: float = Field(
        default=72, gt=0, description="After that an undecided order is escalated: louder, and to mail.escalation too"
    )
    expire_hours: float | None = Field(
        default=None, gt=0, description="Last moment for a decision on a parked order; empty: it waits for ever"
    )
    at_expiry: Literal["escalate", "give-up"] = Field(
        default="escalate",
        description="What happens then. give-up: the order is undone, unless money was taken for it; else, and with "
        "escalate, people are told and it stays open",
    )
    customer_mail: bool = Field(default=True, description="Whether Holdfast mails the buyer")
    accept_on_account: bool = Field(default=True, description="Whether company buyers with terms may buy on account")
    portal: PortalSettings | None = Field(default=None, description="Where the store's portal hears of its orders")
    carrier: SystemName | None = Field(
        default=None,
        description="System that tells how parcels get on; empty: an order ends some days after its dispatch",
    )
    goods_mail: bool = Field(
        default=True, description="Whether Holdfast mails the buyer on dispatch, delay and delivery; off for backfills"
    )
    shop_mail: bool = Field(
        default=False, description="Whether the shop mails the buyer itself when a shipment is written to it"
    )
    shop_notes: Literal["off", "internal", "visible", "mailed"] = Field(
        default="off",
        description="Comments on the shop's order about its goods: dispatched, delayed, delivered, cancelled in part. "
        "internal: for the shop's staff; visible: the buyer sees them in the account; mailed: the shop mails them too. "
        "They repeat what goods_mail and shop_mail tell the buyer; off for backfills",
    )
    delivery_days: float = Field(
        default=14,
        gt=0,
        le=365,
        description="Days after the last dispatch until an order ends without news of delivery",
    )
    look_again_days: float = Field(
        default=7,
        gt=0,
        le=90,
        description="Days of silence after which an order's goods are looked at without being told",
    )

    def plan(self, code: str, api_url: str, systems: Mapping[str, "System"], *, mail: bool) -> Plan:
        def records(name: str) -> str:
            return records_endpoint(name, systems[name].kind)

        return Plan(
            storefront=self.storefront or "",
            erp=self.erp,
            payments=self.payments,
            payment_records=records(self.payments),
            billing=records(self.billing),
            web_customer_key=self.web_customer or f"{code}:web",
            return_url=f"{api_url}/v1/return/{code}",
            entry_lifetime=_seconds(self.payment_hours, 3600),
            erp_check_wait=self.erp_check_seconds,
            invoice_poll=self.invoice_poll_seconds,
            invoice_patience=_seconds(self.invoice_patience_hours, 3600),
            retry_longest=self.retry_longest_seconds,
            give_up_after=_seconds(self.give_up_days, 86_400),
            remind_every=_seconds(self.remind_hours, 3600),
            escalate_after=_seconds(self.escalate_hours, 3600),
            expire_after=_seconds(self.expire_hours, 3600) if self.expire_hours is not None else None,
            at_expiry=self.at_expiry,
            case_owner=self.case_owner,
            say_waiting_after=self.say_waiting_seconds,
            customer_mail=self.customer_mail and mail,
            portal_messages=self.portal is not None,
            accept_on_account=self.accept_on_account,
        )

    def goods_plan(self, links: Mapping[str, str]) -> FulfillmentPlan:
        return FulfillmentPlan(
            carrier=self.carrier or "",
            links=dict(links),
            shop_mail=self.shop_mail,
            shop_notes=self.shop_notes,
            customer_mail=self.goods_mail,
            delivery_days=self.delivery_days,
            look_again_days=self.look_again_days,
        )


def _seconds(amount: float, unit: int) -> int:
    """Whole seconds, at least one: a plan of zero would end before it began."""
    return max(1, round(amount * unit))


class LedgerSettings(Part):
    url: SecretStr = Field(description="PostgreSQL: postgresql://user:password@host:port/database")

    @field_validator("url")
    @classmethod
    def _postgres(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("postgresql://", "postgresql+psycopg://")):
            raise ValueError("must begin with postgresql://; no other database is supported")
        return value


class Token(Part):
    name: str = Field(min_length=1, description="Who uses it; shown as the author of decisions")
    role: ApiRole = Field(
        description="portal: place, see and cancel orders; operator: also the console and what is parked; "
        "approver: also decide and pause"
    )
    token: SecretStr = Field(description="The bearer token, at least 24 characters")
    stores: tuple[StoreCode, ...] = Field(default=(), description="Stores that it may see; empty: all")

    @field_validator("token")
    @classmethod
    def _long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 24:
            raise ValueError("must have at least 24 characters")
        return value


class ApiSettings(Part):
    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(default=8080, ge=1, le=65535, description="Port to listen on")
    public_url: str = Field(default="", description="How browsers and vendors reach the API; empty: host and port")
    temporal_ui: str = Field(default="", description="Address of the Temporal UI, for links")
    answer_within_seconds: float = Field(
        default=15,
        gt=0,
        le=120,
        description="How long a portal waits for a link before it is told to ask again",
    )
    tokens: tuple[Token, ...] = Field(min_length=1, description="Who may use the API")

    @field_validator("tokens")
    @classmethod
    def _told_apart(cls, value: tuple[Token, ...]) -> tuple[Token, ...]:
        for i, token in enumerate(value):
            for earlier in value[:i]:
                if earlier.name == token.name:
                    raise ValueError(
                        f"{token.name!r} is the name of two tokens; decisions would not say whose they are"
                    )
                if earlier.token.get_secret_value() == token.token.get_secret_value():
                    raise ValueError(f"{earlier.name!r} and {token.name!r} have the same token; give each its own")
        return value

    @property
    def address(self) -> str:
        """How browsers and vendors reach the API."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"


class ReconciliationSettings(Part):
    enabled: bool = Field(default=True, description="Whether both sides of every pair are compared by the clock")
    at: str = Field(default="02:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="Time of day, as HH:MM")
    time_zone: str = Field(default="UTC", description="Zone of that time, such as Europe/Berlin")
    days: float = Field(default=2, gt=0, le=366, description="How far back changes are compared, in days")
    overlap_minutes: float = Field(
        default=60, ge=0, description="Every comparison begins so much earlier: a change shows after its time stamp"
    )
    keep_days: float = Field(default=90, gt=0, description="How long reports are kept")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"time_zone {value!r} is not known; use a name such as Europe/Berlin") from None
        return value

    @property
    def time(self) -> time | None:
        """When it runs; None: never by itself."""
        return time.fromisoformat(self.at) if self.enabled else None


class Settings(Part):
    """The whole configuration."""

    ledger: LedgerSettings
    api: ApiSettings
    mail: MailSettings | None = None
    reconciliation: ReconciliationSettings = ReconciliationSettings()
    notices: NoticeSettings = NoticeSettings()
    systems: dict[SystemName, System] = Field(min_length=1, description="The connected systems by name")
    stores: dict[StoreCode, Store] = Field(min_length=1, description="The shops by store code")
    tracking_links: dict[str, str] = Field(
        default_factory=lambda: dict(TRACKING_LINKS),
        description="Tracking pages by the carrier's name in lower case, with {number}; the empty name is for others",
    )

    @model_validator(mode="after")
    def _roles_can_be_filled(self) -> "Settings":
        for code, store in self.stores.items():
            for role in ("storefront", "erp", "payments", "billing", "carrier"):
                name = getattr(store, role)
                if name is None:
                    continue
                if name not in self.systems:
                    known = ", ".join(sorted(self.systems))
                    raise ValueError(f"stores.{code}.{role}: {name!r} is not a configured system; allowed: {known}")
                if role not in FILLS[self.systems[name].kind]:
                    fit = ", ".join(n for n, s in sorted(self.systems.items()) if role in FILLS[s.kind]) or "none yet"
                    raise ValueError(
                        f"stores.{code}.{role}: {name!r} is a {self.systems[name].kind} and cannot fill this role; "
                        f"allowed: {fit}"
                    )
        return self

    def serves(self, system: str, store: str) -> bool:
        """Whether orders of the store can be in the system. One that is not configured can be anywhere."""
        known = self.stores.get(store)
        return known is None or system in (known.storefront, known.erp, known.payments, known.billing)

    @model_validator(mode="after")
    def _tokens_see_known_stores(self) -> "Settings":
        for i, token in enumerate(self.api.tokens):
            for code in token.stores:
                if code not in self.stores:
                    known = ", ".join(sorted(self.stores))
                    raise ValueError(f"api.tokens.{i}.stores: {code!r} is not a configured store; allowed: {known}")
        return self

    def erp_zone(self, store: str) -> str:
        """The zone in which the store's ERP counts days. Raises KeyError for a store that is not configured."""
        zone: str = self.systems[self.stores[store].erp].settings.time_zone
        return zone

    def goods_plans(self) -> dict[str, FulfillmentPlan]:
        """What holds for the goods of each store's orders."""
        return {code: store.goods_plan(self.tracking_links) for code, store in self.stores.items()}

    def plans(self) -> dict[str, Plan]:
        """The plan of each store. Buyers return to the API, which makes the run look at the entry at once."""
        return {
            code: store.plan(code, self.api.address, self.systems, mail=self.mail is not None)
            for code, store in self.stores.items()
        }
