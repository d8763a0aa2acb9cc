"""The tables of the ledger. Migrations in `migrations/` bring a database to exactly this; a test compares the two."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    TypeDecorator,
    func,
    text,
)
from sqlalchemy import Text as PlainText
from sqlalchemy.dialects.postgresql import JSONB as PlainJson


class Text(TypeDecorator[str]):
    """Text with the one character that PostgreSQL cannot hold replaced: what a vendor sent is kept all the same."""

    impl = PlainText
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value.replace("\x00", "\ufffd") if value is not None else None


class JSONB(TypeDecorator[Any]):
    """Like Text, for whole documents."""

    impl = PlainJson
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return _without_nul(value)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list) else value


metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s"}
)


def _at(name: str = "at", *, nullable: bool = False, now: bool = True) -> "Column[object]":
    default = func.now() if now and not nullable else None
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


orders = Table(
    "orders",
    metadata,
    Column("key", Text, primary_key=True, comment="{store}:{number}"),
    Column("store", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("shop_id", Text, nullable=False),
    Column("workflow_id", Text, nullable=False),
    Column("digest", Text, nullable=False, comment="fingerprint of the content"),
    Column("content", JSONB, nullable=False, comment="the order as it came in"),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("stage", Text, nullable=False, comment="the stage it ended in; empty while the run is open"),
    Column("view", JSONB, nullable=True, comment="last view of the run, with its timeline"),
    Column("result", JSONB, nullable=True),
    _at("received_at"),
    _at("closed_at", nullable=True),
    Column("replaces", Text, nullable=False, server_default="", comment="the order before an edit"),
    Index("ix_orders_replaces", "store", "replaces", postgresql_where=text("replaces <> ''")),
    Index(None, "number"),
    Index(None, "received_at"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("order_key", Text, ForeignKey("orders.key"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("document_id", Text, nullable=False, comment="the id there"),
    Column("number", Text, nullable=False),
    Column("key", Text, nullable=False, comment="our business key there"),
    Column("amount_minor", BigInteger, nullable=True),
    Column("currency", Text, nullable=True),
    Column("status", Text, nullable=False),
    _at(),
    Index("uq_documents_place", "system", "kind", "document_id", "order_key", unique=True),
    Index(None, "order_key"),
    Index(None, "number"),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("order_key", Text, nullable=False),
    Column("workflow_id", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("decision", JSONB, nullable=True, comment="who, what, why; null when the process ended it itself"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("changes", JSONB, nullable=False, server_default="[]", comment="what a correction changed: before, after"),
    _at("opened_at"),
    _at("closed_at", nullable=True),
    Index(None, "order_key"),
    Index("ix_cases_open", "opened_at", postgresql_where=text("closed_at IS NULL")),
)

case_notes = Table(
    "case_notes",
    metadata,
    Column("case_id", Text, ForeignKey("cases.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("event", JSONB, nullable=False, comment="who, when, what, why: escalations, expiry, reassignments"),
    _at(),
)

handovers = Table(
    "handovers",
    metadata,
    Column("order_key", Text, ForeignKey("orders.key"), primary_key=True),
    Column("result", JSONB, nullable=False),
    _at(),
    _at("taken_at", nullable=True),
)

shop_lines = Table(
    "shop_lines",
    metadata,
    Column("order_key", Text, primary_key=True, comment="orders of which quantities were cancelled in the shop"),
    _at(),
)

fulfillments = Table(
    "fulfillments",
    metadata,
    Column("order_key", Text, ForeignKey("orders.key"), primary_key=True),
    Column("state", Text, nullable=False),
    Column("waiting_on", Text, nullable=False),
    Column("view", JSONB, nullable=False),
    Column("promised_on", Date, nullable=True, comment="the earliest day that an open line is promised for"),
    _at("unwritten_since", nullable=True),
    _at("undelivered_since", nullable=True),
    _at("ended_at", nullable=True),
    _at("at"),
    Index("ix_fulfillments_promised", "promised_on", postgresql_where=text("ended_at IS NULL")),
)

parcels = Table(
    "parcels",
    metadata,
    Column("tracking", Text, primary_key=True, comment="the carrier's number"),
    Column("order_key", Text, ForeignKey("orders.key"), nullable=False),
    _at(),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("system", Text, nullable=False),
    Column("sender_id", Text, nullable=True, comment="the sender's message id"),
    Column("source", Text, nullable=False, comment="the change source that reads the reference again"),
    Column("reference", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, comment="waiting, done, quarantined, dropped"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("tries", Integer, nullable=False, server_default="0"),
    _at("received_at"),
    _at("due_at"),
    _at("done_at", nullable=True),
    _at("told_at", nullable=True),
    Column("releases", JSONB, nullable=False, server_default="[]", comment="who released or dropped it, when, why"),
    Index("uq_notifications_sender", "system", "sender_id", unique=True),
    Index("ix_notifications_waiting", "system", "due_at", postgresql_where=text("state = 'waiting'")),
    Index("ix_notifications_quarantined", "received_at", postgresql_where=text("state = 'quarantined'")),
)

feeds = Table(
    "feeds",
    metadata,
    Column("source", Text, primary_key=True),
    Column("cursor", Text, nullable=False),
    _at("at"),
)

seen = Table(
    "seen",
    metadata,
    Column("source", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    _at("at"),
)

intents = Table(
    "intents",
    metadata,
    Column("key", Text, primary_key=True),
    _at("begun_at"),
)

links = Table(
    "links",
    metadata,
    Column("key", Text, primary_key=True, comment="the assignment key"),
    Column("link", Text, nullable=False),
    Column("link_id", Text, nullable=False),
    Column("entry_id", Text, nullable=False),
    _at(),
)

messages = Table(
    "messages",
    metadata,
    Column("key", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("order_key", Text, nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("reference", Text, nullable=False, server_default=""),
    _at(),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("state", Text, nullable=False, comment="how it stands, as activities/watch.py names it"),
    Column("reason", Text, nullable=False),
    Column("note", JSONB, nullable=False),
    _at("since"),
    _at("at"),
)

endpoint_notes = Table(
    "endpoint_notes",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("note", JSONB, nullable=False),
    _at(),
    Index(None, "endpoint", "at"),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ask", JSONB, nullable=False, comment="what is compared, and who asked"),
    Column("scheduled", Boolean, nullable=False),
    Column("state", Text, nullable=False, comment="running, done, failed"),
    Column("reason", Text, nullable=False, server_default="", comment="why it failed"),
    Column("report", JSONB, nullable=True),
    Column("unexplained", Integer, nullable=True),
    _at("began_at"),
    _at("ended_at", nullable=True),
    Index(None, "began_at"),
)

reconciled_orders = Table(
    "reconciled_orders",
    metadata,
    Column("reconciliation", Text, ForeignKey("reconciliations.id", ondelete="CASCADE"), primary_key=True),
    Column("order_key", Text, primary_key=True),
    Column("again", Boolean, nullable=False, comment="was not in step at the first look"),
)

statements = Table(
    "statements",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("reconciliation", Text, ForeignKey("reconciliations.id", ondelete="CASCADE"), nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("order_key", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Index("ix_statements_order", "reconciliation", "order_key"),
)

differences = Table(
    "differences",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("reconciliation", Text, ForeignKey("reconciliations.id", ondelete="CASCADE"), nullable=False),
    Column("order_key", Text, nullable=False),
    Column("explained", Boolean, nullable=False),
    Column("body", JSONB, nullable=False),
    Index("ix_differences_place", "reconciliation", "explained", "id"),
)

notices = Table(
    "notices",
    metadata,
    Column("key", Text, primary_key=True),
    Column("channel", Text, primary_key=True, comment="log, mail, or a chat room by service and digest"),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("order_key", Text, nullable=False, server_default=""),
    Column("receivers", JSONB, nullable=False, server_default="[]"),
    Column("state", Text, nullable=False, comment="waiting, sent, given-up"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False, server_default="", comment="why the last try failed"),
    _at("due_at"),
    _at("sent_at", nullable=True),
    _at(),
    Index("ix_notices_due", "channel", "due_at", postgresql_where=text("state = 'waiting'")),
    Index(None, "at"),
)

call_counts = Table(
    "call_counts",
    metadata,
    Column("allowance", Text, primary_key=True, comment="an endpoint, or the org that several share"),
    Column("hour", DateTime(timezone=True), primary_key=True),
    Column("calls", BigInteger, nullable=False),
)

call_limits = Table(
    "call_limits",
    metadata,
    Column("allowance", Text, primary_key=True),
    Column("used", BigInteger, nullable=False, comment="what the vendor said last"),
    Column("allowed", BigInteger, nullable=False),
    _at("said_at"),
)

slow_downs = Table(
    "slow_downs",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    _at("until"),
)

probes = Table(
    "probes",
    metadata,
    Column("shared", Text, primary_key=True, comment="what several endpoints share: one org and one user"),
    Column("up", Boolean, nullable=True),
    Column("reason", Text, nullable=False, server_default=""),
    _at("begun_at"),
    _at("answered_at", nullable=True),
)

stuck_runs = Table(
    "stuck_runs",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("workflow_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("process", Text, nullable=False, comment="the engine's name of its kind"),
    Column("kind", Text, nullable=False, comment="failing, ended, feed"),
    Column("reason", Text, nullable=False),
    _at("since"),
    _at("told_at", nullable=True),
    _at("over_at", nullable=True),
    Column("outcome", Text, nullable=False, server_default="", comment="how it came to be over"),
    _at("over_told_at", nullable=True),
    Column("remedy", Text, nullable=False, server_default="", comment="what mends a feed"),
    Column("settled", JSONB, nullable=True, comment="who decided what, when, why"),
    Index("ix_stuck_runs_open", "run_id", "kind", unique=True, postgresql_where=text("over_at IS NULL")),
)
