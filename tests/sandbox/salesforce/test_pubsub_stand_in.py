"""The Pub/Sub API's stand-in is as strict as the service: who asks, for what, and for how much."""

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import httpx2
import pytest

from sandbox.salesforce import pubsub_wire as wire
from sandbox.salesforce.org import ORGANIZATION_ID
from tests.sandbox_process import Sandbox, running_sandbox

CHANNEL = "/data/ChangeEvents"
Metadata = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("pubsub"), "--pubsub") as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def signed_in(org: Sandbox) -> Metadata:
    known = org.credentials("salesforce")
    form = {"grant_type": "client_credentials", **{name: known[name] for name in ("client_id", "client_secret")}}
    token = httpx2.post(known["token_url"], data=form, trust_env=False).json()
    assert token["id"].split("/")[-2] == ORGANIZATION_ID
    return (
        ("accesstoken", token["access_token"]),
        ("instanceurl", token["instance_url"]),
        ("tenantid", ORGANIZATION_ID),
    )


async def topic(org: Sandbox, name: str, metadata: Metadata) -> Any:
    async with grpc.aio.insecure_channel(org.url("salesforce-pubsub"), [("grpc.enable_http_proxy", 0)]) as channel:
        ask = channel.unary_unary(
            f"/{wire.SERVICE}/GetTopic", wire.TopicRequest.SerializeToString, wire.TopicInfo.FromString
        )
        return await ask(wire.TopicRequest(topic_name=name), metadata=metadata, timeout=30)


async def fetch(org: Sandbox, metadata: Metadata, **request: Any) -> Any:
    async with grpc.aio.insecure_channel(org.url("salesforce-pubsub"), [("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.stream_stream(
            f"/{wire.SERVICE}/Subscribe", wire.FetchRequest.SerializeToString, wire.FetchResponse.FromString
        )(metadata=metadata)
        await call.write(wire.FetchRequest(topic_name=CHANNEL, **request))
        async with asyncio.timeout(30):
            answer = await call.read()
        call.cancel()
        return answer


async def test_a_topic_is_known_by_its_name_and_an_objects_own_has_a_schema(org: Sandbox, signed_in: Metadata) -> None:
    everything = await topic(org, CHANNEL, signed_in)
    own = await topic(org, "/data/SCMC__Shipping__ChangeEvent", signed_in)
    assert (everything.can_subscribe, everything.schema_id, bool(own.schema_id)) == (True, "", True)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await topic(org, "/data/AccountChangeEvent", signed_in)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("wrong", ["accesstoken", "instanceurl", "tenantid"])
async def test_who_does_not_say_who_it_is_hears_nothing(org: Sandbox, signed_in: Metadata, wrong: str) -> None:
    metadata = tuple((name, "" if name == wrong else value) for name, value in signed_in)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await fetch(org, metadata, num_requested=1)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert ("error-code", "sfdc.platform.eventbus.grpc.service.auth.error") in tuple(refused.value.trailing_metadata())


@pytest.mark.parametrize("wanted", [0, 101])
async def test_nobody_gets_more_than_a_hundred_at_once(org: Sandbox, signed_in: Metadata, wanted: int) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await fetch(org, signed_in, num_requested=wanted)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_only_as_many_come_as_were_asked_for_from_the_earliest_on(org: Sandbox, signed_in: Metadata) -> None:
    for record in ("a2L5e0000000001EAA", "a2L5e0000000002EAA"):
        org.act("salesforce", "gap-event", object="SCMC__Shipping__c", record=record)
    answer = await fetch(org, signed_in, num_requested=1, replay_preset=1)
    assert (len(answer.events), answer.pending_num_requested) == (1, 0)
    following = await fetch(org, signed_in, num_requested=5, replay_preset=2, replay_id=answer.latest_replay_id)
    assert (len(following.events), following.pending_num_requested) == (1, 4)
