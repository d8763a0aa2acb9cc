"""One chaos run from its seed to its verdict: the plan, the stage, the drive, and the evidence for the judge."""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from temporalio.client import Client

from cli.demo.books import Books
from commerce.documents import Stage
from commerce.money import rounded
from commerce.order import PaymentState
from engine.stack import Stack
from tests.chaos import plan as plans
from tests.chaos.drive import Course, Drive
from tests.chaos.evidence import FOREVER, GOODS, SHOP_ORDER, SHOP_PAYMENT, Evidence, Finding, Kept, Run, Wanted
from tests.chaos.judge import judge, money
from tests.chaos.orders import After, End
from tests.chaos.portal import Api, Buyers
from tests.chaos.stage import Killer, standing
from tests.chaos.systems import Systems

STALLED_SECONDS = 180.0  # without an order that begins or ends: the run is over
AT_ONCE = 24
REST_SECONDS, REST_WITHIN = 2.0, 60.0
TELL_EVERY = 5.0


@dataclass(frozen=True)
class Verdict:
    """What stands in verdict.json. Money is in minor units."""

    ok: bool
    orders: int
    seed: int
    faults: Mapping[str, int]
    kills: Mapping[str, int]
    lost: int
    doubled: int
    unexplained: int
    seconds: float
    findings: Sequence[Mapping[str, str]]
    ended: Mapping[str, int]
    behaved: Mapping[str, int]
    parked: Mapping[str, int]
    unforeseen: Sequence[Mapping[str, str]]
    answers: Mapping[str, int]
    mails_repeated: int
    money: Mapping[str, Mapping[str, Mapping[str, int]]]
    repeat: str
    data: str

    @property
    def line(self) -> str:
        said = "all as it was asked" if self.ok else "NOT as it was asked"
        return (
            f"{said}: {self.orders} orders, {sum(self.faults.values())} faults, {sum(self.kills.values())} kills, "
            f"{self.lost} lost, {self.doubled} doubled, {self.unexplained} unexplained ({self.seconds:.0f} s)"
        )


def again(orders: int, seed: int) -> str:
    """The command that repeats a run."""
    return f"make chaos ORDERS={orders} SEED={seed}"


def new_folder(seed: int) -> Path:
    """For the data of a run. PostgreSQL's own account must be able to enter it when this runs as root."""
    folder = Path(tempfile.mkdtemp(prefix=f"holdfast-chaos-{seed}-"))
    folder.chmod(0o755)
    return folder


async def play(
    orders: int, seed: int, folder: Path, *, at_once: int = AT_ONCE, tell: Callable[[str], None] = lambda _: None
) -> Verdict:
    """Everything, in `folder`, which keeps data, logs and the verdict. `tell` hears of the progress."""
    began = time.monotonic()
    plan = plans.draw(orders, seed, datetime.now(UTC))
    async with standing(folder) as stack, _people(stack) as (api, buyers, systems):
        before = await systems.books()
        killer = Killer(stack)
        drive = Drive(plan, api, buyers, systems, killer, stack.env["SANDBOX_NOTIFY_SECRET"], at_once)
        telling = asyncio.create_task(_progress(drive, systems, killer, tell, began))
        try:
            await drive.run(STALLED_SECONDS)
        finally:
            telling.cancel()
        tell("reading the books")
        deciding = asyncio.create_task(drive.operator.run())  # the last orders' money may still need a person
        try:
            evidence = await _evidence(stack, drive, systems, api, before)
        finally:
            deciding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await deciding
    findings = judge(evidence)
    verdict = _verdict(plan, drive, systems, killer, api, evidence, findings, folder, time.monotonic() - began)
    text = json.dumps(asdict(verdict), ensure_ascii=False, indent=1)
    (folder / "verdict.json").write_text(text + "\n", "utf-8")
    return verdict


@contextlib.asynccontextmanager
async def _people(stack: Stack) -> AsyncIterator[tuple[Api, Buyers, Systems]]:
    addresses = stack.addresses
    api, buyers = Api(addresses), Buyers()
    systems = Systems(addresses.sandbox["control"], addresses.sandbox["mail"])
    try:
        yield api, buyers, systems
    finally:
        for one in (api, buyers, systems):
            await one.close()


async def _progress(drive: Drive, systems: Systems, killer: Killer, tell: Callable[[str], None], began: float) -> None:
    count = len(drive.courses)
    while True:
        await systems.count()
        seconds = time.monotonic() - began
        tell(
            f"{seconds:5.0f} s  {drive.begun} of {count} orders begun, {drive.ended} ended "
            f"({100 * drive.ended // count} %, {drive.ended / seconds:.2f}/s), {sum(systems.struck.values())} faults, "
            f"{killer.kills.total()} kills, {len(drive.operator.open)} parked"
        )
        await asyncio.sleep(TELL_EVERY)


# ---- evidence --------------------------------------------------------------------------------------------------------


async def _evidence(stack: Stack, drive: Drive, systems: Systems, api: Api, before: Books) -> Evidence:
    books = (await _at_rest(stack, systems)).since(before)
    shop = {row["key"]: row for row in books.of(*SHOP_ORDER)}
    wanted = []
    nowhere = []
    for course in drive.courses:
        if course.key in shop or course.asked.order is not None:
            wanted.append(_wanted(course, shop, books))
        else:
            nowhere.append(f"{course.asked.title}: {'; '.join(course.oddities) or 'was never placed'}")
    return Evidence(
        wanted=wanted,
        books=books,
        mails=await systems.mails(),
        runs=await _runs(stack),
        kept=await _kept(stack),
        unreadable=drive.unreadable,
        oddities=(*nowhere, *drive.oddities, *api.bugs),
    )


async def _at_rest(stack: Stack, systems: Systems) -> Books:
    """The books, once no checkout is open, no hand-over or notification waits, and nothing is written any more."""
    clock = asyncio.get_running_loop().time
    until = clock() + REST_WITHIN
    books = await systems.books()
    while clock() < until:
        await asyncio.sleep(REST_SECONDS)
        later = await systems.books()
        waits = any(one.state == "waiting" for one in await _kept(stack))
        works = any(run.status == "RUNNING" and run.kind not in (*FOREVER, GOODS) for run in await _runs(stack))
        if later == books and not waits and not works and not await _handed_over(stack):
            return later
        books = later
    return books


def _wanted(course: Course, shop: Mapping[str, Mapping[str, Any]], books: Books) -> Wanted:
    asked, key = course.asked, course.key
    completed = asked.end is End.COMPLETED or (
        asked.end is End.AS_CANCELLED and not course.cancel_accepted and course.stage != Stage.CANCELLED.value
    )
    # A cancellation, or the end of a link, may come before the buyer's money.
    pays = len(asked.parts) if completed or asked.end is not End.UNDONE else None
    if not asked.parts:
        pays = int(asked.after is After.PAID_LATE)
    if asked.order is not None:
        order = asked.order
        due = sum(one.amount.minor for one in order.payments if one.state is PaymentState.DUE)
        spent = sum(card.amount.minor for card in order.gift_cards) + (
            order.store_credit.minor if order.store_credit else 0
        )
        return Wanted(
            key=key,
            currency=order.currency,
            total=order.total.minor,
            gross=order.total.minor + spent,
            completed=completed,
            due=due,
            pays=pays,
            captured=tuple(
                (one.transaction_id, one.amount.minor)
                for one in order.payments
                if one.state is PaymentState.CAPTURED and one.amount.minor
            ),
            on_account=any(one.state is PaymentState.ON_ACCOUNT for one in order.payments),
            taken_back=asked.after in (After.CHARGED_BACK, After.FAILED),
            stage=course.stage,
            oddities=tuple(course.oddities),
        )
    assert asked.shop_order is not None
    row = shop[key]
    total, currency = int(row["total_minor"]), str(row["currency"])
    card = rounded(Decimal(asked.shop_order.get("gift_card", 0)), currency).minor
    return Wanted(
        key=key,
        currency=currency,
        total=total,
        gross=total + card,
        completed=completed,
        due=total if asked.by_link else 0,
        pays=pays,
        captured=tuple((str(p["number"]), int(p["total_minor"])) for p in books.of(*SHOP_PAYMENT) if p["key"] == key),
        on_account=asked.shop_order["payment_method"] == "companycredit",
        in_shop=True,
        stage=course.stage,
        oddities=tuple(course.oddities),
    )


async def _runs(stack: Stack) -> list[Run]:
    client = await Client.connect(stack.addresses.temporal)
    return [
        Run(run.id, run.workflow_type, run.status.name if run.status else "UNKNOWN")
        async for run in client.list_workflows()
    ]


async def _kept(stack: Stack) -> list[Kept]:
    async with await psycopg.AsyncConnection.connect(stack.addresses.ledger, connect_timeout=10) as connection:
        rows = await connection.execute("SELECT sender_id, state, reason FROM notifications")
        return [Kept(str(sender), state, reason) for sender, state, reason in await rows.fetchall()]


async def _handed_over(stack: Stack) -> bool:
    """Whether an order waits to be taken up."""
    async with await psycopg.AsyncConnection.connect(stack.addresses.ledger, connect_timeout=10) as connection:
        rows = await connection.execute("SELECT 1 FROM handovers WHERE taken_at IS NULL LIMIT 1")
        return await rows.fetchone() is not None


# ---- verdict ---------------------------------------------------------------------------------------------------------


def _verdict(
    plan: plans.Plan,
    drive: Drive,
    systems: Systems,
    killer: Killer,
    api: Api,
    evidence: Evidence,
    findings: Sequence[Finding],
    folder: Path,
    seconds: float,
) -> Verdict:
    def of(kind: str) -> int:
        return sum(finding.kind == kind for finding in findings)

    ids = [str(mail["headers"].get("Message-ID")) for mail in evidence.mails]
    stages = [course.stage or "not known" for course in drive.courses]
    return Verdict(
        ok=not findings,
        orders=len(plan.asked),
        seed=plan.seed,
        faults=dict(sorted(systems.struck.items())),
        kills=dict(sorted(killer.kills.items())),
        lost=of("lost"),
        doubled=of("doubled"),
        unexplained=of("unexplained"),
        seconds=round(seconds, 1),
        findings=[asdict(finding) for finding in findings],
        ended={stage: stages.count(stage) for stage in sorted(set(stages))},
        behaved=dict(sorted(drive.behaved.items())),
        parked=dict(sorted(drive.operator.foreseen.items())),
        unforeseen=drive.operator.unforeseen,
        answers=dict(sorted(api.answers.items())),
        mails_repeated=len(ids) - len(set(ids)),
        money={currency: {"held": held, "asked": asked} for currency, (held, asked) in money(evidence).items()},
        repeat=again(len(plan.asked), plan.seed),
        data=str(folder),
    )
