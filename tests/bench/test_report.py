"""A person reads the ratio first, and every number that was measured."""

from typing import Any

from bench.cost import Prices, years
from bench.report import report

PARTS = {"worker": 600, "api": 100, "temporal": 500, "postgres": 80, "sandbox": 200}
MEASURED: dict[str, Any] = {
    "machine": {"cores": 2, "python": "3.11.7"},
    "throughput": {
        "ratio": {"bare, the same activities": 0.97, "bare, no work": 0.5},
        "cpu_ratio": {"bare, the same activities": 0.98, "bare, no work": 0.4},
        "per_second": {"holdfast": 4.1, "bare, the same activities": 4.2, "bare, no work": 8.2},
        "cpu_ms_per_order": dict.fromkeys(["holdfast", "bare, the same activities", "bare, no work"], PARTS),
        "orders_at_once": 24,
        "rounds": 3,
    },
    "links": {
        "holdfast": {"p50_ms": 190.1, "p95_ms": 230.2},
        "bare update-with-start": {"p50_ms": 20.3, "p95_ms": 30.4},
        "ratio_p50": 9.4,
        "ratio_p95": 7.6,
    },
    "economy": {
        "events_per_order": 60.0,
        "actions_per_order": 14.0,
        "history_bytes_per_order": 30_000,
        "actions": {"activity": 9.0, "start": 1.0},
    },
    "outage": {
        "orders_held": 200,
        "outage_seconds": 33.3,
        "noticed_after_seconds": 3.9,
        "calls_until_noticed": {"probes": 4, "others": 2},
        "calls_while_down": {"probes": 12, "others": 0},
        "most_tries_of_a_step": 1,
        "after_recovery": {
            "first_erp_step_seconds": 4.4,
            "first_order_drained_seconds": 22.7,
            "last_order_drained_seconds": 99.9,
            "erp_steps": 800,
            "pace_per_second": 10,
            "ideal_seconds": 84.4,
            "busiest_second": 11,
        },
    },
    "open": {
        "steps": [
            {"open_orders": 0, "now_mb": 120.1, "peak_mb": 121.1},
            {"open_orders": 1000, "now_mb": 300.1, "peak_mb": 301.1, "seconds_to_open": 150},
        ]
    },
}


def test_the_report_begins_with_the_ratio_and_ends_with_the_machine() -> None:
    text = report(MEASURED | {"cost": years(MEASURED, Prices.read())})
    lines = text.splitlines()
    assert "0.97 by time, 0.98 by processor time (aim: 0.85)" in text
    assert text.index("0.97 by time") < text.index("190.1 ms") < text.index("99.9 s") < text.index("301.1 MB")
    assert lines[-1] == "cores 2, python 3.11.7"
    for told in ("12 probes and 0 others", "14 billable actions", "1,000,000 orders", "100,000,000 orders", "84.4 s"):
        assert told in text


def test_a_claim_that_was_not_measured_is_left_out() -> None:
    text = report({"machine": MEASURED["machine"], "links": MEASURED["links"]})
    assert "payment link" in text
    assert "Memory" not in text


def test_a_machine_that_did_other_work_meanwhile_is_not_trusted() -> None:
    quiet = MEASURED | {"others_share": {"throughput": 0.04}}
    busy = MEASURED | {"others_share": {"throughput": 0.72, "links": 0.02}}
    assert "NOT A QUIET MACHINE" not in report(quiet)
    assert "72% (throughput) of its work" in report(busy)
