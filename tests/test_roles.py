"""Whoever fills a role fills all of it, under the role's names, with its arguments and results, and is registered."""

import ast
import inspect
import typing
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity

from activities.carrier.activities import CarrierActivities
from activities.changes import Feeds
from activities.control import Control
from activities.feeds import FeedActivities
from activities.financialforce.activities import FinancialForce
from activities.financialforce.fulfillment import FinancialForceFulfillment
from activities.fulfillment import Carriers, ErpFulfillment, FulfillmentControl, GoodsNews, ShopFulfillment, ShopNotes
from activities.juston.activities import JustOnBilling, JustOnPayments
from activities.ledger.activities import LedgerActivities
from activities.ledger.database import engine_for
from activities.ledger.fulfillment import FulfillmentLedger
from activities.ledger.store import Ledger
from activities.magento.activities import MagentoActivities
from activities.magento.notes import MagentoNotes
from activities.magento.shipping import MagentoShipping
from activities.notify.activities import NotifyActivities
from activities.notify.goods import GoodsMail
from activities.roles import Billing, Erp, Notify, Payments, Storefront
from commerce.model import Model
from settings.load import load
from settings.model import FILLS, KINDS
from settings.systems import connect_systems
from tests.sandbox_process import Sandbox
from tests.settings.sample import sandbox_environment

ROOT = Path(__file__).resolve().parents[1]
ROLES: dict[str, tuple[type, ...]] = {
    "storefront": (Storefront, ShopFulfillment, ShopNotes),
    "erp": (Erp, ErpFulfillment),
    "payments": (Payments,),
    "billing": (Billing,),
    "carrier": (Carriers,),
}
# Roles whose steps have another prefix than the role's own name.
PREFIXES: dict[type, str] = {
    Feeds: "feed",
    ErpFulfillment: "erp",
    ShopFulfillment: "storefront",
    ShopNotes: "storefront",
    Carriers: "carrier",
    GoodsNews: "notify",
    FulfillmentControl: "fulfillment",
}
FILLERS: list[tuple[type, type]] = [
    (Storefront, MagentoActivities),
    (ShopFulfillment, MagentoShipping),
    (ShopNotes, MagentoNotes),
    (Carriers, CarrierActivities),
    (GoodsNews, GoodsMail),
    (FulfillmentControl, FulfillmentLedger),
    (Erp, FinancialForce),
    (ErpFulfillment, FinancialForceFulfillment),
    (Payments, JustOnPayments),
    (Billing, JustOnBilling),
    (Notify, NotifyActivities),
    (Control, LedgerActivities),
    (Feeds, FeedActivities),
]


def steps(owner: type) -> dict[str, Any]:
    """The activities that a class defines itself, by method name."""
    found = inspect.getmembers(owner, inspect.isfunction)
    return {name: method for name, method in found if _name(method)}


def _name(method: Any) -> str:
    """The activity's name; empty where the method is none."""
    definition = activity._Definition.from_callable(method)
    return (definition.name or "") if definition else ""


def _shape(method: Any) -> tuple[list[Any], Any]:
    """What the engine's converter sees: the types of the arguments and of the result."""
    hints = typing.get_type_hints(method)
    return [hints[name] for name in inspect.signature(method).parameters if name != "self"], hints["return"]


@pytest.mark.parametrize(("role", "filler"), FILLERS, ids=[filler.__name__ for _, filler in FILLERS])
def test_a_role_is_filled_whole_and_under_its_own_names(role: type, filler: type) -> None:
    for name, method in steps(role).items():
        assert name in vars(filler), f"{filler.__name__} leaves out {name}"
        filled = vars(filler)[name]
        assert _name(filled) == _name(method)
        assert _shape(filled) == _shape(method)
        definition = activity._Definition.must_from_callable(filled)
        assert (definition.arg_types, definition.ret_type) == _shape(method)
    assert {name for name in steps(filler) if name in vars(filler)} == set(steps(role))


# A feed is no step: the engine starts it anew for ever, and shows why.
@pytest.mark.parametrize(("role", "filler"), FILLERS[:-1], ids=[filler.__name__ for _, filler in FILLERS[:-1]])
def test_every_step_turns_failures_into_families(role: type, filler: type) -> None:
    bare = [name for name in steps(role) if not hasattr(vars(filler)[name], "__wrapped__")]
    assert bare == []


def test_activity_names_are_unique_and_say_their_role() -> None:
    names = [_name(method) for role, _ in FILLERS for method in steps(role).values()]
    assert len(names) == len(set(names))
    for role, _ in FILLERS:
        prefixes = {_name(method).partition(".")[0] for method in steps(role).values()}
        assert prefixes == {PREFIXES.get(role, role.__name__.lower())}


def test_every_argument_and_result_is_one_model() -> None:
    """One in, one out: a field can be added without breaking a history."""
    plain = {
        ("control.known_outcome", str),
        ("control.plan_for", str),
        ("feed.follow", int),
        ("fulfillment.take_up", str),
    }
    for role, _ in FILLERS:
        for method in steps(role).values():
            arguments, result = _shape(method)
            assert len(arguments) == 1
            for shape in (*arguments, result):
                model = isinstance(shape, type) and issubclass(shape, Model)
                assert model or shape is type(None) or (_name(method), shape) in plain, _name(method)


async def test_each_kind_of_system_registers_all_steps_of_its_roles(sandbox: Sandbox) -> None:
    settings = load(ROOT / "holdfast.toml", sandbox_environment(sandbox))
    engine = engine_for("postgresql://127.0.0.1:9/none")  # never asked
    connected = connect_systems(settings, Ledger(engine))
    for name, system in settings.systems.items():
        wanted = {
            _name(method) for role in FILLS[system.kind] for part in ROLES[role] for method in steps(part).values()
        }
        of_system = [e for e in connected.activities if connected.system_of.get(e, e) == name]
        registered = [_name(method) for endpoint in of_system for method in connected.activities[endpoint]]
        assert sorted(registered) == sorted(wanted), name
        assert set(of_system) <= set(connected.probes)
    await connected.close()
    await engine.dispose()
    assert set(KINDS) == set(FILLS) == {system.kind for system in settings.systems.values()}


@pytest.mark.parametrize(("variable", "role"), [("control", Control), ("notify", Notify), ("feeds", Feeds)])
def test_the_worker_registers_all_steps_of_our_own_rooms(variable: str, role: type) -> None:
    registered = set()
    for node in ast.walk(ast.parse((ROOT / "worker.py").read_text("utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "activities" and isinstance(node.value, ast.List):
            for item in node.value.elts:
                if isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name) and item.value.id == variable:
                    registered.add(item.attr)
    assert registered == set(steps(role))
