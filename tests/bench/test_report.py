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
    "goods": {
        "open_orders": 2000,
        "feed_looks_every_seconds": 5.0,
        "idle": {"0": {"calls_per_minute": 12.0}, "2000": {"calls_per_minute": 11.9}},
        **{
            name: {
                "changes": 400,
                "seconds_of_changing": seconds,
                "erp_calls": {"sweep": 81, "a run reads its order": 400},
                "erp_calls_per_change": calls,
                "fewest_erp_calls_per_change": 0.4,
                "shown_p50_seconds": 4.4,
                "shown_p95_seconds": 6.6,
            }
            for name, seconds, calls in (("trickle", 400.0, 1.41), ("burst", 20.0, 1.02))
        },
        "shop_calls_per_shipment": {"write the shipment": 1.0},
        "run": {
            "waiting": {"events": 24.0, "actions": 6.0},
            "one shipment": {"events": 73.0, "actions": 16.0},
            "delivered": {"events": 112.0, "actions": 24.0},
        },
        "memory": [{"open_orders": 0, "now_mb": 170.7, "peak_mb": 171.7}],
    },
}


def test_the_report_begins_with_the_ratio_and_ends_with_the_machine() -> None:
    text = report(MEASURED | {"cost": years(MEASURED, Prices.read())})
    lines = text.splitlines()
    assert "0.97 by time, 0.98 by processor time (aim: 0.85)" in text
    assert text.index("0.97 by time") < text.index("190.1 ms") < text.index("99.9 s") < text.index("301.1 MB")
    assert lines[-1] == "cores 2, python 3.11.7"
    assert (
        text.index("301.1 MB")
        < text.index("12 with 0, 11.9 with 2000")
        < text.index("1.41 calls")
        < text.index("1.02 calls")
    )
    for told in (
        "12 probes and 0 others",
        "p95 6.6 s",
        "waiting 24 and 6, one shipment 73 and 16",
        "170.7 MB with 0",
        "14 billable actions",
        "1,000,000 orders",
        "100,000,000 orders",
        "84.4 s",
    ):
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
