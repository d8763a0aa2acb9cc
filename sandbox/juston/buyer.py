"""What a buyer and the provider do to an entry: from the payment page with delays, from the control API at once."""

from decimal import Decimal, InvalidOperation

from sandbox.juston import links
from sandbox.kernel.store import Doc
from sandbox.kernel.world import ActError, World
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import cash_payments, cash_refunds
from sandbox.salesforce.packages.cash_money import rounded
from sandbox.salesforce.packages.cash_objects import COLLECTED, ENTRY, METHODS, NOTIFICATION, PAYMENT
from sandbox.salesforce.packages.cash_payments import CannotPay
from sandbox.salesforce.packages.cash_settings import configure, current

OUTCOME_JOB = "outcome"


def checked_amount(text: str, entry: Doc) -> Decimal:
    """The amount that somebody typed; empty means what is open. Raises CannotPay."""
    if not text.strip():
        return links.open_amount(entry)
    try:
        value = Decimal(text.strip().replace(",", "."))
    except InvalidOperation as err:
        raise CannotPay(f"amount: {text!r} is not a number") from err
    if not value.is_finite() or not 0 < value < Decimal(10) ** 15:
        raise CannotPay(f"amount: {text!r} is not positive")
    if value != rounded(value, entry["CurrencyIsoCode"]):
        raise CannotPay(f"amount: {text!r} has more decimals than {entry['CurrencyIsoCode']}")
    return value


def from_page(world: World, org: Org, link: Doc, amount: Decimal, method: str, *, succeeds: bool) -> None:
    """The buyer pressed a button: the payment begins now, the provider reports its outcome a little later.

    A second click while the first is on its way begins nothing.
    """
    if link["capturing"]:
        return
    links.reveal(org, link["entry"])
    entry = org.existing(org.schema(ENTRY), link["entry"])
    payment = cash_payments.begin(org, entry, amount, method)
    outcome = {"link": link["id"], "payment": payment, "event": cash_payments.event_number(org)}
    outcome["amount"] = str(amount) if succeeds else ""
    delay = current(world.store).payment_delay_ms / 1000
    links.change(world.store, link, capturing=payment)
    if delay:
        world.schedule(links.VENDOR, OUTCOME_JOB, delay, outcome)
    else:
        outcome_reported(org, outcome)


def outcome_reported(org: Org, outcome: Doc) -> None:
    """The provider's notification for a payment that began on the page."""
    link = links.links(org.store).get(outcome["link"])
    if link is not None:
        links.change(org.store, link, capturing=None)
    if outcome["amount"]:
        cash_payments.captured(org, outcome["payment"], outcome["event"], Decimal(outcome["amount"]))
    else:
        cash_payments.failed(org, outcome["payment"], outcome["event"], "declined by the issuer")


def act(world: World, org: Org, do: str, arguments: Doc) -> Doc:
    """The control API's acts. All take `key` (assignment key) or `link` (its id); `times` repeats the notification."""
    if do == "configure":
        return configure(world.store, arguments).__dict__
    step = ACTS.get(do)
    if step is None:
        allowed = sorted((*ACTS, "configure"))
        raise ActError(f"do: juston cannot {do!r}; it can {', '.join(allowed)}", allowed=allowed)
    entry = _entry(org, arguments)
    try:
        payment = step(org, entry, arguments)
    except CannotPay as err:
        raise ActError(str(err)) from err
    now = org.existing(org.schema(ENTRY), entry["Id"])
    row = org.get(PAYMENT, payment) if payment else None
    return {
        "entry": now["Name"],
        "entry_status": now["JPAY1__Status__c"],
        "payment": row["Name"] if row else None,
        "payment_status": row["JPAY1__Status__c"] if row else None,
    }


def _pay(org: Org, entry: Doc, arguments: Doc) -> str:
    if entry["JPAY1__Status__c"] != "Open":
        raise CannotPay(f"entry {entry['Name']} is {entry['JPAY1__Status__c']}; late-pay pays it nevertheless")
    return _collect(org, entry, arguments, None)


def _late_pay(org: Org, entry: Doc, arguments: Doc) -> str:
    """A payment that began earlier (or begins now) succeeds although the entry may be paid or canceled by then."""
    rows = cash_payments.payments_of(org, entry["Id"])
    pending = [row for row in rows if row["JPAY1__Status__c"] in ("Pending", "Failed")]
    return _collect(org, entry, arguments, pending[-1] if pending else None)


def _collect(org: Org, entry: Doc, arguments: Doc, payment: Doc | None) -> str:
    default = entry["JPAY1__Amount__c"] if entry["JPAY1__Status__c"] != "Open" else links.open_amount(entry)
    given = arguments.get("amount")
    amount = checked_amount(str(given), entry) if given is not None else Decimal(default)
    if payment is not None and given is None:
        amount = Decimal(payment["JPAY1__Amount__c"])
    method = str(arguments.get("method") or METHODS[0])
    payment_id = payment["Id"] if payment else cash_payments.begin(org, entry, amount, method)
    event = cash_payments.event_number(org)
    for _ in range(_times(arguments)):
        cash_payments.captured(org, payment_id, event, amount)
    return str(payment_id)


def _fail(org: Org, entry: Doc, arguments: Doc) -> str:
    """The newest payment fails, also late, after it was collected; without one, a new attempt fails."""
    rows = [
        row
        for row in cash_payments.payments_of(org, entry["Id"])
        if row["JPAY1__Status__c"] in COLLECTED or row["JPAY1__Status__c"] == "Pending"
    ]
    if rows:
        payment_id = rows[-1]["Id"]
    else:
        payment_id = cash_payments.begin(
            org, entry, links.open_amount(entry), str(arguments.get("method") or METHODS[0])
        )
    event = cash_payments.event_number(org)
    for _ in range(_times(arguments)):
        cash_payments.failed(org, payment_id, event, str(arguments.get("message") or "declined by the issuer"))
    return str(payment_id)


def _cancel(org: Org, entry: Doc, _arguments: Doc) -> str | None:
    """The buyer leaves. A payment that had begun is reported as not captured; otherwise nothing is written."""
    rows = [row for row in cash_payments.payments_of(org, entry["Id"]) if row["JPAY1__Status__c"] == "Pending"]
    for row in rows:
        cash_payments.failed(org, row["Id"], cash_payments.event_number(org), "canceled by the buyer")
    return str(rows[-1]["Id"]) if rows else None


def _chargeback(org: Org, entry: Doc, arguments: Doc) -> str:
    payment_id = str(_collected(org, entry)["Id"])
    event = cash_payments.event_number(org)
    for _ in range(_times(arguments)):
        cash_payments.charged_back(org, payment_id, event, "charge-back by the issuer")
    return payment_id


def _finish(org: Org, entry: Doc, _arguments: Doc) -> str:
    """The provider's bank transfer has arrived: Collected becomes Final."""
    payment_id = str(_collected(org, entry)["Id"])
    org.update(PAYMENT, payment_id, {"JPAY1__Status__c": "Final"}, system=True)
    return payment_id


def _repeat(org: Org, entry: Doc, arguments: Doc) -> str:
    """The provider delivers its last capture notification again."""
    payment_id = str(_collected(org, entry)["Id"])
    notes = [
        row for row in org.find(NOTIFICATION, "JPAY1__Payment__c", payment_id) if row["JPAY1__Type__c"] == "Capture"
    ]
    for _ in range(_times(arguments)):
        cash_payments.captured(org, payment_id, notes[-1]["JPAY1__ExternalId__c"], notes[-1]["JPAY1__Amount__c"])
    return payment_id


def _expire(org: Org, entry: Doc, _arguments: Doc) -> None:
    for link in links.links(org.store).where("entry", entry["Id"]):
        links.change(org.store, link, expires=org.now().isoformat())


def _refund(org: Org, entry: Doc, _arguments: Doc) -> str:
    """Somebody at the merchant pays back all that is left, also of an entry that is canceled."""
    payment_id = str(_collected(org, entry)["Id"])
    refund = cash_refunds.prepare(org, entry, cash_refunds.refundable(org, entry["Id"]), "paid back by hand")
    cash_refunds.approve(org, refund)
    return payment_id


ACTS = {
    "pay": _pay,
    "late-pay": _late_pay,
    "fail": _fail,
    "cancel": _cancel,
    "chargeback": _chargeback,
    "refund": _refund,
    "settle": _finish,
    "repeat-notification": _repeat,
    "expire": _expire,
}


def _collected(org: Org, entry: Doc) -> Doc:
    rows = [row for row in cash_payments.payments_of(org, entry["Id"]) if row["JPAY1__Status__c"] in COLLECTED]
    if not rows:
        raise CannotPay(f"entry {entry['Name']} has no collected payment")
    return rows[-1]


def _entry(org: Org, arguments: Doc) -> Doc:
    """The entry that an act means; one that is promised only is written into the org first."""
    key, link_id = arguments.get("key"), arguments.get("link")
    found = [link for link in (links.links(org.store).get(link_id),) if link] if isinstance(link_id, str) else []
    if isinstance(key, str) and key:
        found = links.links(org.store).where("key", key)
    for link in found:
        links.reveal(org, link["entry"])
    ids = {link["entry"] for link in found}
    rows = [row for row in (org.get(ENTRY, one) for one in sorted(ids)) if row is not None]
    if isinstance(key, str) and key:
        rows += [row for row in org.find(ENTRY, "JPAY1__AssignmentKey__c", key) if row["Id"] not in ids]
    if not rows:
        raise ActError("key: there is no entry with that assignment key or link", field="key")
    still_open = [row for row in rows if row["JPAY1__Status__c"] == "Open"]
    return (still_open or rows)[-1]


def _times(arguments: Doc) -> int:
    times = arguments.get("times", 1)
    if not isinstance(times, int) or isinstance(times, bool) or not 1 <= times <= 20:
        raise ActError(f"times: {times!r} is not a number from 1 to 20")
    return times
