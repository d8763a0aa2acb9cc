"""Every fault does what it says, over real connections, and what a vendor acknowledged survives."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sandbox.kernel.faults import BadRule, Faults
from sandbox.kernel.store import Store
from sandbox.kernel.world import Notification, World
from tests.sandbox.conftest import TinySandbox
from tests.sandbox.tiny import Receiver, Tiny, until

CUT = (httpx2.ReadError, httpx2.RemoteProtocolError)


async def post(http: httpx2.AsyncClient, text: str, **more: Any) -> httpx2.Response:
    return await http.post("/notes", json={"text": text} | more)


async def test_down_refuses_connections_and_ends_open_ones_until_the_rule_goes(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient
) -> None:
    await post(http, "before")
    await tiny_sandbox.faults("tiny", {"kind": "down"})
    for _ in range(3):
        with pytest.raises(httpx2.ConnectError):
            await post(http, "lost")
    assert (await tiny_sandbox.control.get("/systems")).json()["tiny"]["state"] == "down"
    await tiny_sandbox.faults("tiny")
    assert (await tiny_sandbox.control.get("/systems")).json()["tiny"]["state"] == "up"
    assert (await post(http, "after")).status_code == 201
    assert tiny.texts() == ["before", "after"]


async def test_down_while_a_request_waits_resets_it_and_does_not_carry_it_out(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient
) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "slow", "seconds": 0.2})
    waiting = asyncio.create_task(post(http, "slow"))
    await until(lambda: tiny_sandbox.world.faults["tiny"].rules[0].fired == 1)
    await tiny_sandbox.faults("tiny", {"kind": "down"})
    with pytest.raises(CUT):
        await waiting
    await until(lambda: len(tiny_sandbox.world.requests["tiny"]) == 1)
    assert tiny.texts() == []


async def test_a_vendor_that_comes_back_while_requests_are_cut_opens_its_door_once(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient
) -> None:
    for _ in range(5):
        await tiny_sandbox.faults("tiny", {"kind": "down"})
        back = (tiny_sandbox.control.put("/systems/tiny/faults", json=[]) for _ in range(8))
        assert [reply.status_code for reply in await asyncio.gather(*back)] == [200] * 8
    assert (await post(http, "after")).status_code == 201


async def test_a_slow_request_does_not_reach_into_the_world_after_a_reset(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient
) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "slow", "seconds": 0.2})
    waiting = asyncio.create_task(post(http, "slow"))
    await until(lambda: tiny_sandbox.world.faults["tiny"].rules[0].fired == 1)
    await tiny_sandbox.reset("empty")
    with pytest.raises(CUT):
        await waiting
    assert tiny.texts() == []


async def test_down_for_some_requests_resets_them_and_lets_others_through(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient
) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "down", "times": 1, "match": {"method": "POST", "path": "^/notes$"}})
    assert (await http.get("/notes")).status_code == 200
    with pytest.raises(CUT):
        await post(http, "lost")
    assert (await post(http, "kept")).status_code == 201
    assert tiny.texts() == ["kept"]


async def test_a_rule_may_look_into_the_body(tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "down", "match": {"method": "POST", "body": "lo.t"}})
    with pytest.raises(CUT):
        await post(http, "lost")
    assert (await post(http, "kept")).status_code == 201
    assert tiny.texts() == ["kept"]


async def test_down_after_some_requests_takes_the_vendor_off_the_network(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient
) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "down", "after": 2})
    assert [(await post(http, text)).status_code for text in "ab"] == [201, 201]
    with pytest.raises((*CUT, httpx2.ConnectError)):
        await post(http, "c")
    with pytest.raises(httpx2.ConnectError):
        await post(http, "d")
    assert tiny.texts() == ["a", "b"]


async def test_lose_reply_keeps_the_document(tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "lose-reply", "times": 1})
    with pytest.raises(CUT):
        await post(http, "kept")
    assert tiny.texts() == ["kept"]
    log = (await tiny_sandbox.control.get("/systems/tiny/requests")).json()
    assert [(entry["method"], entry["status"], entry["key"]) for entry in log] == [("POST", None, "kept")]


async def test_cut_request_leaves_nothing_behind(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient
) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "cut-request", "times": 1})
    with pytest.raises(CUT):
        await post(http, "lost")
    assert tiny.texts() == []


async def test_slow_answers_late_and_carries_the_request_out_even_when_nobody_waits(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient
) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "slow", "seconds": 0.2})
    with pytest.raises(httpx2.ReadTimeout):
        await http.post("/notes", json={"text": "late"}, timeout=0.05)
    await until(lambda: tiny.texts() == ["late"])


@pytest.mark.parametrize(
    ("rule", "status", "body", "headers"),
    [
        ({"kind": "status", "status": 503, "retry_after": 7}, 503, "", {"retry-after": "7"}),
        ({"kind": "status", "status": 409, "body": {"message": "no"}}, 409, '{"message": "no"}', {}),
        ({"kind": "html"}, 502, "<h1>Bad Gateway</h1>", {"content-type": "text/html"}),
        ({"kind": "html", "status": 200}, 200, "<h1>Bad Gateway</h1>", {"content-type": "text/html"}),
        ({"kind": "lock"}, 418, "tiny lock", {}),
        ({"kind": "limit"}, 418, "tiny limit", {}),
        ({"kind": "expire-auth"}, 418, "tiny expire-auth", {}),
    ],
)
async def test_a_refusal_has_the_asked_shape_and_nothing_is_carried_out(
    tiny_sandbox: TinySandbox,
    tiny: Tiny,
    http: httpx2.AsyncClient,
    rule: dict[str, Any],
    status: int,
    body: str,
    headers: dict[str, str],
) -> None:
    await tiny_sandbox.faults("tiny", rule)
    reply = await post(http, "lost")
    assert reply.status_code == status
    assert body in reply.text
    assert headers.items() <= dict(reply.headers).items()
    assert tiny.texts() == []


async def test_garble_breaks_the_answer_after_the_change(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient
) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "garble"})
    reply = await post(http, "kept")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        reply.json()
    assert tiny.texts() == ["kept"]


async def test_partial_reaches_the_vendor_with_its_options(tiny_sandbox: TinySandbox, http: httpx2.AsyncClient) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "partial", "rows": [1, 3]})
    assert (await post(http, "a")).json()["partial"] == {"rows": [1, 3]}


async def test_a_handler_that_breaks_answers_500_and_keeps_nothing(tiny: Tiny, http: httpx2.AsyncClient) -> None:
    assert (await post(http, "lost", **{"break": True})).status_code == 500
    assert tiny.texts() == []
    assert (await post(http, "kept")).json()["id"] == "1"


async def test_a_request_that_breaks_off_in_its_body_was_never_made(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient
) -> None:
    host, port = tiny_sandbox.url("tiny").removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /notes HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n" + b'{"text": "half"}')
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await http.get("/notes")).json() == []
    log = (await tiny_sandbox.control.get("/systems/tiny/requests")).json()
    assert [entry["method"] for entry in log] == ["GET"]


def test_a_run_with_probabilities_can_be_repeated() -> None:
    def outcomes() -> list[bool]:
        faults = Faults(seed=7)
        faults.replace([{"kind": "status", "probability": 0.5}])
        return [faults.pick("request", "GET", "/") is not None for _ in range(64)]

    first = outcomes()
    assert first == outcomes()
    assert 16 < sum(first) < 48


def test_the_first_rule_that_fires_decides_and_spent_rules_step_aside() -> None:
    faults = Faults(seed=1)
    faults.replace([{"kind": "slow", "after": 1, "times": 1}, {"kind": "html", "match": {"path": "^/x"}}])
    assert [rule and rule.kind for rule in (faults.pick("request", "GET", "/x") for _ in range(3))] == [
        "html",
        "slow",
        "html",
    ]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({}, "kind"),
        ("down", "rule"),
        ({"kind": "explode"}, "kind"),
        ({"kind": "drop", "on": "request"}, "kind"),
        ({"kind": "down", "on": "monday"}, "on"),
        ({"kind": "down", "match": {"paht": "/"}}, "match"),
        ({"kind": "down", "match": {"path": "("}}, "match.path"),
        ({"kind": "down", "match": {"body": 5}}, "match.body"),
        ({"kind": "down", "times": "2"}, "times"),
        ({"kind": "down", "times": True}, "times"),
        ({"kind": "down", "after": -1}, "after"),
        ({"kind": "down", "probability": 1.5}, "probability"),
        ({"kind": "status", "status": 99}, "status"),
        ({"kind": "slow", "seconds": "5"}, "seconds"),
        ({"kind": "slow", "second": 5}, "second"),
    ],
)
def test_a_rule_that_cannot_be_understood_is_refused_by_field(rule: Any, field: str) -> None:
    faults = Faults(seed=1)
    faults.replace([{"kind": "down"}])
    with pytest.raises(BadRule) as refusal:
        faults.replace([{"kind": "html"}, rule])
    assert refusal.value.field == field
    assert refusal.value.allowed
    assert [kept.kind for kept in faults.rules] == ["down"]


async def test_a_notification_goes_out_after_the_commit_and_not_without_one(
    http: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await post(http, "lost", **{"break": True})
    await post(http, "kept")
    await receiver.have(1)
    assert receiver.texts == ["kept"]


async def test_a_notification_that_was_not_taken_comes_again(
    http: httpx2.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.kernel.outbox.FIRST_WAIT_SECONDS", 0.01)
    receiver.statuses = [500, 404]
    await post(http, "again")
    await receiver.have(3)
    assert receiver.texts == ["again"] * 3


async def test_a_notification_nobody_takes_is_given_up_after_seven_tries(
    tiny_sandbox: TinySandbox, http: httpx2.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.kernel.outbox.FIRST_WAIT_SECONDS", 0.001)
    receiver.statuses = [500] * 50
    await post(http, "unwanted")
    await receiver.have(7)
    await until(lambda: len(tiny_sandbox.world.store.table("kernel.outbox")) == 0)
    assert len(receiver.bodies) == 7


async def test_drop_loses_one_notification(
    tiny_sandbox: TinySandbox, http: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "drop", "times": 1})
    await post(http, "a")
    await post(http, "b")
    await receiver.have(1)
    assert receiver.texts == ["b"]


async def test_duplicate_sends_twice(tiny_sandbox: TinySandbox, http: httpx2.AsyncClient, receiver: Receiver) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "duplicate", "times": 1})
    await post(http, "a")
    await receiver.have(2)
    assert receiver.texts == ["a", "a"]


async def test_delay_sends_late(tiny_sandbox: TinySandbox, http: httpx2.AsyncClient, receiver: Receiver) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "delay", "seconds": 0.3, "times": 1})
    for text in ("a", "b"):
        await post(http, text)
    await receiver.have(2)
    assert receiver.texts == ["b", "a"]


async def test_reorder_lets_the_next_one_overtake(
    tiny_sandbox: TinySandbox, http: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "reorder", "times": 1})
    for text in ("a", "b"):
        await post(http, text)
    await receiver.have(2)
    assert receiver.texts == ["b", "a"]


async def test_a_held_notification_goes_out_though_none_follows(
    tiny_sandbox: TinySandbox, http: httpx2.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.kernel.outbox.HELD_SECONDS", 0.2)
    await tiny_sandbox.faults("tiny", {"kind": "reorder", "times": 1})
    await post(http, "alone")
    await receiver.have(1)
    assert receiver.texts == ["alone"]


async def test_garble_on_a_notification_breaks_its_body(
    tiny_sandbox: TinySandbox, http: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "garble", "on": "notification", "times": 1})
    assert (await post(http, "a")).json()["id"] == "1"
    await receiver.have(1)
    with pytest.raises(ValueError, match=r"."):
        json.loads(receiver.bodies[0])


async def test_a_reset_forgets_what_was_on_its_way(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await tiny_sandbox.faults("tiny", {"kind": "delay", "seconds": 60})
    await post(http, "gone", later=60)
    await tiny_sandbox.control.post("/reset", json={"seed": "empty"})
    assert tiny.texts() == []
    assert len(tiny_sandbox.world.store.table("kernel.outbox")) == 0
    assert len(tiny_sandbox.world.store.table("kernel.jobs")) == 0
    assert tiny_sandbox.world.notify_target("tiny") is not None


async def test_a_scheduled_job_runs_once_though_it_breaks_first(
    tiny: Tiny, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.kernel.jobs.WAIT_SECONDS", 0.01)
    tiny.broken_jobs = 1
    await post(http, "now", later=0.05)
    assert tiny.texts() == ["now"]
    await until(lambda: len(tiny.notes) > 1)
    assert tiny.texts() == ["now", "later: now"]


async def test_a_job_that_stays_broken_is_kept_and_shown(
    tiny_sandbox: TinySandbox, tiny: Tiny, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.kernel.jobs.WAIT_SECONDS", 0.001)
    tiny.broken_jobs = 1000
    await post(http, "now", later=0)
    await until(lambda: len(tiny_sandbox.world.jobs.failed("tiny")) == 1)
    shown = (await tiny_sandbox.control.get("/systems")).json()["tiny"]["failed_jobs"]
    assert [(job["name"], job["error"]) for job in shown] == [("write", "RuntimeError('this job is broken')")]
    assert tiny.texts() == ["now"]


async def test_jobs_and_notifications_wait_for_the_next_start(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.db")
    world = World(store)
    world.add(Tiny(world))
    async with world.unit():
        world.schedule("tiny", "write", 0, {"text": "from the job"})
        world.notify(Notification("tiny", "http://127.0.0.1:9/", b"{}", {}))
    store.close()
    world = World(Store(tmp_path / "x.db"))
    tiny = Tiny(world)
    world.add(tiny)
    assert len(world.store.table("kernel.outbox")) == 1
    world.start()
    await until(lambda: tiny.texts() == ["from the job"])
    await world.close()


async def started(directory: Path) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    addresses = directory / "addresses.json"
    addresses.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.sandbox.tiny", str(directory), str(addresses), cwd=Path(__file__).parents[2]
    )
    await until(addresses.exists, 15)
    return process, json.loads(addresses.read_text())


async def test_what_was_committed_survives_kill_9_though_its_reply_was_lost(tmp_path: Path) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:

        async def texts(url: str) -> list[str]:
            return [note["text"] for note in (await http.get(f"{url}/notes")).json()]

        async def later_came() -> bool:
            return len(await texts(urls["tiny"])) > 2

        process, urls = await started(tmp_path)
        try:
            assert (await http.post(f"{urls['tiny']}/notes", json={"text": "a", "later": 0.5})).status_code == 201
            await http.put(f"{urls['control']}/systems/tiny/faults", json=[{"kind": "lose-reply"}])
            with pytest.raises(CUT):
                await http.post(f"{urls['tiny']}/notes", json={"text": "b"})
            process.send_signal(signal.SIGKILL)
            await process.wait()
            process, urls = await started(tmp_path)
            assert (await texts(urls["tiny"]))[:2] == ["a", "b"]
            await until(later_came)  # what it had promised for later happens too
            assert await texts(urls["tiny"]) == ["a", "b", "later: a"]
        finally:
            process.kill()
            await process.wait()
