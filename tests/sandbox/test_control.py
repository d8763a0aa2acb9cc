"""The control API drives the sandbox, refuses what it does not understand, and forgets nothing over a kill -9."""

import asyncio
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sandbox.__main__ import parser
from sandbox.kernel.store import Store
from sandbox.kernel.world import World
from tests.sandbox.conftest import TinySandbox
from tests.sandbox.tiny import Tiny, until
from tests.sandbox_process import ROOT, Sandbox, running_sandbox

NAMES = ["magento", "salesforce", "juston", "sage-x3", "sage-100", "mail", "carrier"]


async def test_a_reset_loads_the_data_set_and_drops_everything_else(tiny_sandbox: TinySandbox, tiny: Tiny) -> None:
    control = tiny_sandbox.control
    await tiny_sandbox.faults("tiny", {"kind": "html"})
    await control.put("/systems/tiny/notify", json={"url": "http://127.0.0.1:9/"})
    await control.post("/systems/tiny/act", json={"do": "write", "amount": 1})
    assert (await control.post("/reset", json={"seed": "demo"})).json() == {"seed": "demo"}
    assert tiny.texts() == ["seed"]
    assert (await control.get("/systems/tiny/faults")).json() == []
    assert (await control.get("/systems/tiny/requests")).json() == []
    kept = {"url": "http://127.0.0.1:9/", "secret": "sandbox-notifications", "topics": {}}
    assert (await control.get("/systems/tiny/notify")).json() == kept


async def test_an_act_that_is_refused_changes_nothing(tiny_sandbox: TinySandbox, tiny: Tiny) -> None:
    reply = await tiny_sandbox.control.post("/systems/tiny/act", json={"do": "write"})
    assert reply.status_code == 400
    assert reply.json() == {"error": "amount: is missing", "field": "amount", "allowed": "a number"}
    assert tiny.texts() == []


async def test_an_amount_in_an_act_does_not_pass_through_a_float(tiny_sandbox: TinySandbox, tiny: Tiny) -> None:
    body = '{"do": "write", "amount": 0.10000000000000000001}'
    reply = await tiny_sandbox.control.post("/systems/tiny/act", content=body)
    assert reply.json() == {"amount": "0.10000000000000000001"}


async def test_the_request_log_is_read_on_from_the_last_id(tiny_sandbox: TinySandbox, http: httpx2.AsyncClient) -> None:
    for text in ("a", "b"):
        await http.post("/notes?x=1", json={"text": text})
    control = tiny_sandbox.control
    first, second = (await control.get("/systems/tiny/requests")).json()
    assert {name: first[name] for name in ("method", "path", "status", "key")} == {
        "method": "POST",
        "path": "/notes?x=1",
        "status": 201,
        "key": "a",
    }
    assert "body" not in first
    [later] = (await control.get("/systems/tiny/requests", params={"since": first["id"], "bodies": 1})).json()
    assert later == second | {"body": '{"text":"b"}'}


async def test_fault_rules_show_what_they_met_and_did(tiny_sandbox: TinySandbox, http: httpx2.AsyncClient) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "html", "times": 1, "match": {"method": "post"}})
    for _ in range(2):
        await http.post("/notes", json={"text": "a"})
    [rule] = (await tiny_sandbox.control.get("/systems/tiny/faults")).json()
    assert (rule["kind"], rule["match"], rule["seen"], rule["fired"]) == ("html", {"method": "POST"}, 2, 1)
    assert (await tiny_sandbox.control.delete("/systems/tiny/faults")).json() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("GET", "/systems/sap/books", None, 404, "name"),
        ("PUT", "/systems/sap/faults", [], 404, "name"),
        ("POST", "/reset", {"seed": "holiday"}, 400, "seed"),
        ("POST", "/reset", {"sed": "demo"}, 400, "sed"),
        ("POST", "/reset", [], 400, None),
        ("PUT", "/systems/tiny/faults", {"kind": "down"}, 400, "rules"),
        ("PUT", "/systems/tiny/faults", [{"kind": "explode"}], 400, "kind"),
        ("PUT", "/systems/tiny/notify", {"url": "ftp://x"}, 400, "url"),
        ("PUT", "/systems/tiny/notify", {"url": "http://x", "secret": ""}, 400, "secret"),
        ("PUT", "/systems/tiny/notify", {"url": "http://x", "topics": {"goods": "http://x"}}, 400, "topics"),
        ("GET", "/systems/tiny/requests?since=yesterday", None, 400, "since"),
        ("POST", "/systems/tiny/act", {"who": "me"}, 400, "do"),
        ("POST", "/systems/tiny/act", {"do": "dance"}, 400, "do"),
        ("PUT", "/clock", {"speed": 0}, 400, "speed"),
        ("PUT", "/clock", {"auto": "yes"}, 400, "auto"),
    ],
)
async def test_wrong_input_is_refused_with_the_field_at_fault(
    tiny_sandbox: TinySandbox, method: str, path: str, body: Any, status: int, field: str | None
) -> None:
    reply = await tiny_sandbox.control.request(method, path, json=body)
    assert reply.status_code == status
    assert reply.json()["field"] == field
    assert reply.json()["error"]


async def test_a_body_that_is_not_json_is_refused(tiny_sandbox: TinySandbox) -> None:
    for method, path in (("POST", "/reset"), ("PUT", "/systems/tiny/faults"), ("PUT", "/clock")):
        assert (await tiny_sandbox.control.request(method, path, content="{")).status_code == 400


async def test_the_automatic_clock_lets_the_vendors_jobs_run_and_stops_again(
    tiny_sandbox: TinySandbox, tiny: Tiny
) -> None:
    control = tiny_sandbox.control
    assert (await control.put("/clock", json={"auto": True, "speed": 2.5})).json()["speed"] == 2.5
    await until(lambda: len(tiny.texts()) > 1)
    assert set(tiny.texts()) == {"tick"}
    assert (await control.put("/clock", json={"auto": False})).json()["auto"] is False
    seen = len(tiny.texts())
    await asyncio.sleep(0.6)  # two rounds of the clock, in which nothing may happen
    assert len(tiny.texts()) == seen


async def test_clock_and_targets_are_kept_for_the_next_start(tmp_path: Path) -> None:
    world = World(Store(tmp_path / "x.db"))
    async with world.unit():
        world.set_clock(auto=True, speed=3)
        world.store.table("kernel.notify").put("magento", {"url": "http://x/", "secret": "s"})
    world.store.close()
    again = World(Store(tmp_path / "x.db"))
    assert (again.clock_auto, again.clock_speed) == (True, 3)
    assert again.notify_target("magento") == {"url": "http://x/", "secret": "s"}


async def test_the_pages_list_vendors_and_books_and_escape_what_came_from_outside(
    tiny_sandbox: TinySandbox, http: httpx2.AsyncClient
) -> None:
    await http.post("/notes", json={"text": "<b>bold</b>"})
    index = (await tiny_sandbox.control.get("/")).text
    assert tiny_sandbox.url("tiny") in index
    assert "orders&nbsp;1" in index
    page = (await tiny_sandbox.control.get("/pages/tiny")).text
    assert "<b>bold</b>" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert (await tiny_sandbox.control.get("/pages/sap")).status_code == 404


def send_mail(sandbox: Sandbox, subject: str) -> None:
    host, port = sandbox.url("mail-smtp").split(":")
    with smtplib.SMTP(host, int(port), timeout=5) as smtp:
        smtp.sendmail("a@x.example", ["b@x.example"], f"Subject: {subject}\r\n\r\nHello")


def subjects(sandbox: Sandbox) -> list[str]:
    found = httpx2.get(f"{sandbox.url('mail')}/messages", trust_env=False).json()
    return [message["subject"] for message in found]


def test_the_whole_sandbox_names_every_system_and_its_address(fresh: Sandbox) -> None:
    systems = fresh.systems()
    assert list(systems) == NAMES
    assert {name: system["url"] for name, system in systems.items()} == {name: fresh.url(name) for name in NAMES}
    assert {system["state"] for system in systems.values()} == {"up"}
    assert systems["mail"]["credentials"]["smtp"] == fresh.url("mail-smtp")


def test_a_system_that_is_not_built_says_so(fresh: Sandbox) -> None:
    reply = httpx2.post(f"{fresh.url('sage-x3')}/api1/x3", json={}, trust_env=False)
    assert reply.status_code == 501
    assert "sage-x3" in reply.json()["message"]


def test_a_restart_after_kill_9_has_the_state_and_not_the_seed_again(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--notify-magento", "http://127.0.0.1:9/hook") as first:
        send_mail(first, "before")
        books = {name: first.books(name) for name in NAMES}
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
    (tmp_path / "ports.json").unlink()
    with running_sandbox(tmp_path, "--seed", "empty") as second:
        assert subjects(second) == ["before"]
        assert {name: second.books(name) for name in NAMES} == books
        assert second.systems()["magento"]["notify"]["url"] == "http://127.0.0.1:9/hook"


def test_an_order_whose_reply_was_lost_is_there_after_kill_9_and_only_once(tmp_path: Path) -> None:
    def entry_link(sandbox: Sandbox) -> httpx2.Response:
        credentials = sandbox.credentials("juston")
        return httpx2.post(
            f"{sandbox.url('juston')}/public/payment-provider/v1/tenant/{credentials['tenant']}/entry-link",
            headers={"authorization": f"Bearer {credentials['token']}"},
            json={
                "amount": 12.5,
                "currency": "EUR",
                "title": "Order",
                "paymentReference": "000000123",
                "assignmentKey": "de:000000123",
            },
            trust_env=False,
        )

    def keys(sandbox: Sandbox) -> list[str]:
        return [entry["key"] for entry in sandbox.books("juston")["entries"]]

    with running_sandbox(tmp_path) as first:
        first.faults("juston", {"kind": "lose-reply"})
        with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):
            entry_link(first)
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
    (tmp_path / "ports.json").unlink()
    with running_sandbox(tmp_path) as second:
        assert entry_link(second).status_code == 409
        deadline = time.monotonic() + 5
        while not keys(second) and time.monotonic() < deadline:  # the entry comes into the org a little later
            time.sleep(0.02)
        assert keys(second) == ["de:000000123"]


def test_a_stop_by_signal_is_clean(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as running:
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) == 0
    assert "Traceback" not in (tmp_path / "sandbox.log").read_text()


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize(
    "wrong",
    [["--base-port", "70000"], ["--seed", "x"], ["--notify-magento", "nowhere"]],
)
def test_wrong_use_ends_with_2_and_says_what_was_wrong(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(wrong)
    assert ended.value.code == 2
    assert wrong[1] in capsys.readouterr().err


def test_goods_are_told_only_where_the_rest_of_the_org_is_told_too() -> None:
    ended = run("--notify-goods", "http://127.0.0.1:9/")
    assert (ended.returncode, "needs --notify-salesforce" in ended.stderr) == (2, True)


def test_a_taken_port_or_directory_is_named_with_the_remedy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("--data", str(tmp_path), "--base-port", port)
    assert ended.returncode == 1
    assert port in ended.stderr
    assert "--base-port" in ended.stderr
    Store(tmp_path / "sandbox.db", exclusive=True)
    ended = run("--data", str(tmp_path), "--base-port", "0")
    assert ended.returncode == 1
    assert "--data" in ended.stderr
