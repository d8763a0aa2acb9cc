"""(e) What a year of orders costs the engine, on paper: measured use per order times a table of prices.

    python -m bench cost [--orders-per-year 1000000] [--measured var/bench/latest.json] [--prices bench/prices.toml]

Orders are spread evenly over twelve months for Temporal Cloud's tiers; machines are sized for the busiest hour.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

PRICES = Path(__file__).with_name("prices.toml")
LATEST = Path(__file__).resolve().parent.parent / "var" / "bench" / "latest.json"
YEARS = (1_000_000, 100_000_000)  # a small merchant's orders, and a very large one's
HOURS_A_MONTH = 744
MONTHS = 12
YEAR_SECONDS = 365 * 86_400
GB = Decimal(10**9)
MILLION = Decimal(1_000_000)
CENT = Decimal("0.01")


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tier(Part):
    """The price up to so many million actions a month; no limit: for all the rest."""

    price_per_million: Decimal
    up_to_million: int | None = None


class CloudPlan(Part):
    minimum: Decimal
    share_of_usage: Decimal
    included_actions: int
    included_active_gb: Decimal
    included_retained_gb: Decimal
    tiers: tuple[Tier, ...]


class Cloud(Part):
    active_gb_hour: Decimal
    retained_gb_hour: Decimal
    developer: CloudPlan
    business: CloudPlan


class Machines(Part):
    vcpu_month: Decimal
    disk_gb_month: Decimal
    busiest_to_average: Decimal
    load_at_busiest: Decimal
    least_worker_vcpus: int
    least_temporal_vcpus: int
    least_ledger_vcpus: int
    operator_hours_month_self_hosted: Decimal
    operator_hour: Decimal


class Orders(Part):
    hours_open: Decimal
    days_retained: Decimal
    retried_share: Decimal
    ledger_kilobytes: Decimal


class Standing(Part):
    watches: int
    watch_heartbeat_seconds: Decimal
    feeds: int
    feed_heartbeat_seconds: Decimal

    def actions_a_year(self) -> Decimal:
        return YEAR_SECONDS * (self.watches / self.watch_heartbeat_seconds + self.feeds / self.feed_heartbeat_seconds)


class Prices(Part):
    cloud: Cloud
    machines: Machines
    orders: Orders
    standing: Standing

    @classmethod
    def read(cls, path: Path = PRICES) -> "Prices":
        return cls.model_validate(tomllib.loads(path.read_text("utf-8")))


class Use(Part):
    """What one order uses, as measured: billable actions, steps among them, bytes of history, CPU seconds by part."""

    actions: Decimal
    activities: Decimal
    history_bytes: Decimal
    cpu_seconds: Mapping[Literal["worker", "temporal", "postgres"], Decimal]

    @classmethod
    def measured(cls, result: Mapping[str, Any]) -> "Use":
        """From `latest.json`. Raises KeyError for a result that lacks what is needed."""
        economy, parts = result["economy"], result["throughput"]["cpu_ms_per_order"]["holdfast"]
        return cls(
            actions=Decimal(str(economy["actions_per_order"])),
            activities=Decimal(str(economy["actions"]["activity"])),
            history_bytes=Decimal(str(economy["history_bytes_per_order"])),
            cpu_seconds={
                "worker": Decimal(parts["worker"] + parts["api"]) / 1000,
                "temporal": Decimal(parts["temporal"]) / 1000,
                "postgres": Decimal(parts["postgres"]) / 1000,
            },
        )


def in_tiers(actions: Decimal, tiers: tuple[Tier, ...]) -> Decimal:
    """The price of so many actions in one month, each tier at its own price."""
    cost, from_million = Decimal(0), Decimal(0)
    for tier in tiers:
        to = Decimal(tier.up_to_million) if tier.up_to_million is not None else actions / MILLION
        cost += max(min(actions / MILLION, to) - from_million, Decimal(0)) * tier.price_per_million
        from_million = to
    return cost


def cloud_month(plan: CloudPlan, cloud: Cloud, actions: Decimal, active_gb: Decimal, retained_gb: Decimal) -> Decimal:
    """One month on Temporal Cloud: usage beyond what is included, and the plan's own price."""
    usage = in_tiers(max(actions - plan.included_actions, Decimal(0)), plan.tiers)
    usage += max(active_gb - plan.included_active_gb, Decimal(0)) * HOURS_A_MONTH * cloud.active_gb_hour
    usage += max(retained_gb - plan.included_retained_gb, Decimal(0)) * HOURS_A_MONTH * cloud.retained_gb_hour
    return usage + max(plan.minimum, plan.share_of_usage * usage)


def year(orders: int, use: Use, prices: Prices) -> dict[str, Any]:
    """US dollars a year for so many orders, on Temporal Cloud and self-hosted, with what they follow from."""
    per_order = use.actions + use.activities * prices.orders.retried_share
    actions = orders * per_order + prices.standing.actions_a_year()
    history_gb = orders * use.history_bytes / GB
    active_gb = history_gb * prices.orders.hours_open / (365 * 24)
    retained_gb = history_gb * prices.orders.days_retained / 365
    ledger_gb = orders * prices.orders.ledger_kilobytes * 1000 / GB
    plans = {
        name: MONTHS * cloud_month(plan, prices.cloud, actions / MONTHS, active_gb, retained_gb)
        for name, plan in (("developer", prices.cloud.developer), ("business", prices.cloud.business))
    }
    cheapest = min(plans, key=lambda name: plans[name])
    rate = Decimal(orders) / YEAR_SECONDS * prices.machines.busiest_to_average
    least = {
        "worker": prices.machines.least_worker_vcpus,
        "temporal": prices.machines.least_temporal_vcpus,
        "postgres": prices.machines.least_ledger_vcpus,
    }
    cores = {part: _vcpus(rate, s, least[part], prices.machines) for part, s in use.cpu_seconds.items()}
    ours = MONTHS * (
        (cores["worker"] + cores["postgres"]) * prices.machines.vcpu_month + ledger_gb * prices.machines.disk_gb_month
    )
    engine = MONTHS * (
        cores["temporal"] * prices.machines.vcpu_month
        + (active_gb + retained_gb) * prices.machines.disk_gb_month
        + prices.machines.operator_hours_month_self_hosted * prices.machines.operator_hour
    )
    return {
        "orders_a_year": orders,
        "million_actions_a_year": _short(actions / MILLION),
        "orders_per_second_at_busiest": _short(rate),
        "vcpus": cores,
        "active_gb": _short(active_gb),
        "retained_gb": _short(retained_gb),
        "holdfast_machines_usd": _short(ours),
        "temporal_cloud_usd": {"plan": cheapest, **{name: _short(cost) for name, cost in plans.items()}},
        "temporal_self_hosted_usd": _short(engine),
        "total_cloud_usd": _short(ours + plans[cheapest]),
        "total_self_hosted_usd": _short(ours + engine),
        "us_cents_per_order_cloud": _short((ours + plans[cheapest]) * 100 / orders),
        "us_cents_per_order_self_hosted": _short((ours + engine) * 100 / orders),
    }


def _vcpus(rate: Decimal, seconds: Decimal, least: int, machines: Machines) -> int:
    """Whole processors for so many orders per second, each of which takes so many processor seconds."""
    wanted = (rate * seconds / machines.load_at_busiest).to_integral_value(ROUND_CEILING)
    return max(int(wanted), least)


def _short(amount: Decimal) -> str:
    return f"{amount.quantize(CENT):,}"


def years(result: Mapping[str, Any], prices: Prices) -> list[dict[str, Any]]:
    return [year(orders, Use.measured(result), prices) for orders in YEARS]


def main(arguments: Sequence[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m bench cost", description=__doc__)
    options.add_argument("--orders-per-year", type=int, action="append", help="may be repeated; else 1 and 100 million")
    options.add_argument("--measured", type=Path, default=LATEST, help="a result of `python -m bench`")
    options.add_argument("--prices", type=Path, default=PRICES, help="another table of prices and assumptions")
    chosen = options.parse_args(arguments)
    try:
        result = json.loads(chosen.measured.read_text("utf-8"))
        use, prices = Use.measured(result), Prices.read(chosen.prices)
    except OSError as err:
        print(f"{err.filename}: {err.strerror}; `make bench` measures first", file=sys.stderr)
        return 2
    except (KeyError, ValueError) as err:
        print(f"{err}; give a whole result with --measured, and a table like {PRICES} with --prices", file=sys.stderr)
        return 2
    print(json.dumps([year(orders, use, prices) for orders in chosen.orders_per_year or YEARS], indent=2))
    return 0
