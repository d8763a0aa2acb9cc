"""Certinia Accounting (`c2g__`): ledger set-up, sales invoices, credit notes, cash entries, posting and matching.

What the contract does not verify is kept strict and switchable: act `configure-accounting` with `trigger_posting`
(the feature is enabled), `posting_delay` (seconds) and `posting_stuck` (asynchronous postings wait for the act
`post-pending`).
"""

from sandbox.kernel.world import ActError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import (
    accounting_books,
    accounting_documents,
    accounting_matching,
    accounting_objects,
    accounting_posting,
    accounting_rules,
    accounting_seed,
)
from sandbox.salesforce.packages.accounting_objects import PERIOD
from sandbox.salesforce.packages.accounting_rules import SETTINGS
from sandbox.salesforce.schema import Doc

LEDGERS = {"AR": "c2g__AR__c", "AP": "c2g__AP__c", "Cash": "c2g__Cash__c", "all": "c2g__Closed__c"}


def install(org: Org) -> None:
    for obj in accounting_objects.OBJECTS + accounting_documents.OBJECTS:
        org.define(obj)
    org.extend("Account", *accounting_objects.ACCOUNT_FIELDS)
    org.extend("Product2", *accounting_objects.PRODUCT_FIELDS)
    accounting_rules.install(org)
    accounting_posting.install(org)
    org.on_seed(accounting_seed.seed)
    org.on_books(accounting_books.books)
    org.on_act("configure-accounting", SETTINGS.change)
    org.on_act("post-pending", lambda org, arguments: {"tried": accounting_posting.post_pending(org)})
    org.on_act("match", accounting_matching.match)
    org.on_act("close-period", close_period)


def close_period(org: Org, arguments: Doc) -> Doc:
    """`close-period {"period"?: "2026/011" (today's), "ledger"?: "all" | "AR" | "AP" | "Cash", "open"?: true}`."""
    ledger = arguments.get("ledger", "all")
    if ledger not in LEDGERS:
        raise ActError(f"ledger: {ledger!r} is not one of {', '.join(LEDGERS)}")
    name = arguments.get("period", f"{org.now():%Y}/{org.now().month:03d}")
    found = org.find(PERIOD, "Name", name)
    if not found:
        raise ActError(f"period: there is no {name!r}; they are written like 2026/011")
    closed = not arguments.get("open", False)
    for row in found:
        org.update(PERIOD, row["Id"], {LEDGERS[ledger]: closed}, system=True)
    return {"period": name, "ledger": ledger, "closed": closed}
