"""What a person reads of a result: the ratios first."""

from collections.abc import Mapping
from typing import Any

from bench.throughput import HOLDFAST, SAME_ACTIVITIES

AIM = 0.85
QUIET = 0.1  # what other programs may use


def report(result: Mapping[str, Any]) -> str:
    lines: list[str] = []
    for name, tell in (
        ("throughput", _throughput),
        ("links", _links),
        ("economy", _economy),
        ("outage", _outage),
        ("open", _open),
        ("goods", _goods),
        ("cost", _cost),
    ):
        if name in result:
            lines += [*tell(result[name]), ""]
    disturbed = [f"{share:.0%} ({name})" for name, share in result.get("others_share", {}).items() if share > QUIET]
    if disturbed:
        lines.append(f"NOT A QUIET MACHINE: other programs used {', '.join(disturbed)} of its work; times say little.")
    return "\n".join([*lines, ", ".join(f"{name} {value}" for name, value in result["machine"].items())])


def _throughput(found: Mapping[str, Any]) -> list[str]:
    lines = [f"Checkouts per second, {found['orders_at_once']} at once, median of {found['rounds']} batches of each:"]
    for name, rate in found["per_second"].items():
        line = f"  {name}: {rate} ({sum(found['cpu_ms_per_order'][name].values())} ms of processor time each)"
        if name != HOLDFAST:
            line += f"; Holdfast / this: {found['ratio'][name]} by time, {found['cpu_ratio'][name]} by processor time"
        lines.append(line + (f" (aim: {AIM})" if name == SAME_ACTIVITIES else ""))
    return lines


def _links(found: Mapping[str, Any]) -> list[str]:
    ours, bare = found["holdfast"], found["bare update-with-start"]
    return [
        f"Portal call to payment link: p50 {ours['p50_ms']} ms, p95 {ours['p95_ms']} ms; bare update-with-start: "
        f"p50 {bare['p50_ms']} ms, p95 {bare['p95_ms']} ms; ratio {found['ratio_p50']} and {found['ratio_p95']}"
    ]


def _economy(found: Mapping[str, Any]) -> list[str]:
    kinds = ", ".join(f"{count:g} {name}" for name, count in found["actions"].items())
    return [
        f"One prepaid order: {found['events_per_order']:g} history events, {found['actions_per_order']:g} billable "
        f"actions ({kinds}), {found['history_bytes_per_order']} bytes of history"
    ]


def _outage(found: Mapping[str, Any]) -> list[str]:
    after = found["after_recovery"]
    return [
        f"ERP away for {found['outage_seconds']:g} s with {found['orders_held']} orders placed and paid meanwhile:",
        f"  calls that reached it: {_calls(found['calls_until_noticed'])} in the {found['noticed_after_seconds']:g} s "
        f"until it was noticed, {_calls(found['calls_while_down'])} after that; most tries of a step: "
        f"{found['most_tries_of_a_step']}",
        f"  after its return: first step at the ERP after {after['first_erp_step_seconds']:g} s, first order drained "
        f"after {after['first_order_drained_seconds']:g} s, last after {after['last_order_drained_seconds']:g} s",
        f"  the limit: {after['erp_steps']} steps at {after['pace_per_second']:g}/s with the slow start take "
        f"{after['ideal_seconds']:g} s; busiest second: {after['busiest_second']} steps",
    ]


def _calls(found: Mapping[str, int]) -> str:
    return f"{found['probes']} probes and {found['others']} others"


def _open(found: Mapping[str, Any]) -> list[str]:
    return ["Memory of the worker with open orders:"] + [
        f"  {step['open_orders']}: {step['now_mb']} MB, peak {step['peak_mb']} MB"
        + (f", opened in {step['seconds_to_open']} s" if "seconds_to_open" in step else "")
        for step in found["steps"]
    ]


def _goods(found: Mapping[str, Any]) -> list[str]:
    idle = ", ".join(f"{each['calls_per_minute']:g} with {count}" for count, each in found["idle"].items())
    lines = [
        f"Goods of {found['open_orders']} open orders, one feed, every {found['feed_looks_every_seconds']:g} s:",
        f"  calls to the ERP a minute while nothing changes, by open orders: {idle}",
    ]
    for name in ("trickle", "burst"):
        each = found[name]
        lines.append(
            f"  {each['changes']} shipments in {each['seconds_of_changing']:g} s ({name}): "
            f"{each['erp_calls_per_change']:g} calls to the ERP each (fewest: {each['fewest_erp_calls_per_change']:g}; "
            f"{_kinds(each['erp_calls'])}), in the shop after p50 {each['shown_p50_seconds']:g} s, "
            f"p95 {each['shown_p95_seconds']:g} s"
        )
    lines.append(f"  calls to the shop for each shipment: {_kinds(found['shop_calls_per_shipment'])}")
    use = ", ".join(
        f"{name} {found['run'][name]['events']:g} and {found['run'][name]['actions']:g}"
        for name in ("waiting", "one shipment", "delivered")
    )
    lines.append(f"  history events and billable actions of an order's goods so far: {use}")
    steps = ", ".join(f"{step['now_mb']} MB with {step['open_orders']}" for step in found["memory"])
    return [*lines, f"  memory of the worker, by open orders: {steps}"]


def _kinds(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{count:g} {kind}" for kind, count in counts.items())


def _cost(found: list[Mapping[str, Any]]) -> list[str]:
    lines = ["On paper, US dollars a year (prices and assumptions: bench/prices.toml):"]
    for year in found:
        lines.append(
            f"  {year['orders_a_year']:,} orders: Temporal Cloud {year['total_cloud_usd']} "
            f"({year['us_cents_per_order_cloud']} cents each), self-hosted {year['total_self_hosted_usd']} "
            f"({year['us_cents_per_order_self_hosted']} cents each), {year['holdfast_machines_usd']} of either for "
            "Holdfast's own machines"
        )
    return lines
