"""A year's cost follows from what one order uses and from the table of prices, tier by tier."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bench.cost import PRICES, Prices, Use, cloud_month, in_tiers, main, year
from bench.outage import ideal_drain
from settings.model import System

MILLION = Decimal(1_000_000)
MEASURED: dict[str, Any] = {
    "economy": {"actions_per_order": 20.0, "history_bytes_per_order": 30_000, "actions": {"activity": 10.0}},
    "throughput": {"cpu_ms_per_order": {"holdfast": {"worker": 600, "api": 100, "temporal": 500, "postgres": 80}}},
}


@pytest.fixture
def prices() -> Prices:
    return Prices.read()


def test_each_tier_is_paid_at_its_own_price(prices: Prices) -> None:
    # The example of the published price list: 11.25 million actions cost 250 + 225 + 50 dollars.
    assert in_tiers(Decimal("11.25") * MILLION, prices.cloud.business.tiers) == Decimal(525)
    assert in_tiers(Decimal(0), prices.cloud.business.tiers) == 0
    assert in_tiers(Decimal(300) * MILLION, prices.cloud.business.tiers) == Decimal(5925 + 100 * 25)


def test_a_plan_costs_its_minimum_or_its_share_of_usage_whichever_is_more(prices: Prices) -> None:
    business, developer = prices.cloud.business, prices.cloud.developer
    none = Decimal(0)
    assert cloud_month(business, prices.cloud, none, none, none) == 500
    assert cloud_month(developer, prices.cloud, MILLION, none, none) == 55
    busy = in_tiers(Decimal("197.5") * MILLION, business.tiers)
    assert cloud_month(business, prices.cloud, 200 * MILLION, none, none) == busy * Decimal("1.1")


def test_storage_beyond_what_is_included_is_paid_by_the_gigabyte_hour(prices: Prices) -> None:
    # 720 GBh of active and 3,600 GBh of retained storage: 34.02 dollars, as in the published example.
    active = prices.cloud.business.included_active_gb + Decimal(720) / 744
    retained = prices.cloud.business.included_retained_gb + Decimal(3600) / 744
    found = cloud_month(prices.cloud.business, prices.cloud, Decimal(0), active, retained)
    assert found - 500 == pytest.approx(Decimal("34.02"), abs=Decimal("0.0001"))


def test_heartbeats_of_what_runs_for_ever_are_paid_too(prices: Prices) -> None:
    assert prices.standing.actions_a_year() == 365 * 86_400 * (Decimal(4) / 36 + Decimal(3) / 24)


def test_a_hundred_times_the_orders_costs_less_than_a_hundred_times_as_much(prices: Prices) -> None:
    use = Use.measured(MEASURED)
    small, large = year(1_000_000, use, prices), year(100_000_000, use, prices)
    for name in ("us_cents_per_order_cloud", "us_cents_per_order_self_hosted"):
        assert 0 < Decimal(large[name]) < Decimal(small[name])
    # 100 million orders: 31.7 a second in the busiest hour, 0.5 s each on a half-loaded processor.
    assert large["vcpus"]["temporal"] == 32
    assert small["vcpus"]["temporal"] == prices.machines.least_temporal_vcpus


def test_the_totals_are_the_sums_of_their_parts(prices: Prices) -> None:
    found = year(1_000_000, Use.measured(MEASURED), prices)

    def usd(text: str) -> Decimal:
        return Decimal(text.replace(",", ""))

    cloud = usd(found["temporal_cloud_usd"][found["temporal_cloud_usd"]["plan"]])
    assert usd(found["total_cloud_usd"]) == usd(found["holdfast_machines_usd"]) + cloud
    assert cloud == min(usd(found["temporal_cloud_usd"][plan]) for plan in ("developer", "business"))


def test_prices_can_be_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "prices.toml"
    table.write_text(PRICES.read_text("utf-8").replace("vcpu_month = 35", "vcpu_month = 70"), encoding="utf-8")
    measured = tmp_path / "latest.json"
    measured.write_text(json.dumps(MEASURED), encoding="utf-8")
    totals = []
    for prices in (PRICES, table):
        assert main(["--orders-per-year", "1000000", "--measured", str(measured), "--prices", str(prices)]) == 0
        totals.append(Decimal(json.loads(capsys.readouterr().out)[0]["holdfast_machines_usd"].replace(",", "")))
    assert totals[0] < totals[1]


def test_without_a_measurement_the_command_says_what_comes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--measured", str(tmp_path / "none.json")]) == 2
    assert "make bench" in capsys.readouterr().err
    half = tmp_path / "half.json"
    half.write_text("{}", encoding="utf-8")
    assert main(["--measured", str(half)]) == 2


def test_a_backlog_drains_no_faster_than_the_slow_start_and_the_pace_allow() -> None:
    erp = System(kind="financialforce", per_second=10, recovery_steps=(1, 2, 5), recovery_step_seconds=2, settings=None)
    assert ideal_drain(1, erp) == 1
    assert ideal_drain(4, erp) == 3
    assert ideal_drain(16, erp) == 6
    assert ideal_drain(116, erp) == 16
    assert ideal_drain(116, erp.model_copy(update={"per_second": None})) == 6
