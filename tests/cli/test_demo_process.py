"""The demo as anybody runs it: real processes, real pages, an outage, goods at the door, a verdict from every book."""

import json
from pathlib import Path

from tests.cli.process import data_folder, said, starter

WITHIN_SECONDS = 300


def test_the_demo_ends_with_a_good_verdict(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with data_folder() as data, starter("demo", "--orders", "12", "--seed", "4", "--data", str(data), out=out) as demo:
        code = demo.wait(WITHIN_SECONDS)
        verdict = json.loads((data / "verdict.json").read_text("utf-8"))
        assert verdict["problems"] == []
        assert (verdict["ok"], verdict["duplicates"], verdict["missing"], code) == (True, 0, 0, 0), said(out)
        assert verdict["orders"] == {
            "placed": 12,
            "paid": 8,
            "booked": 10,
            "invoiced": 10,
            "written_back": 4,
            "shipped": 10,
            "delivered": 10,
            "parked": 1,
            "cancelled": 1,
        }
        assert verdict["goods"] == {"shipments": 13, "shop_shipments": 6, "parcels": 15}
        assert [case["expected"] for case in verdict["parked"]] == [True]
        assert set(verdict["money"]) == {"CHF", "EUR", "JPY", "KWD", "USD"}
        assert verdict["outage"]["linked"] == verdict["outage"]["placed"] == 2
        assert verdict["outage"]["seconds"] >= 15
