"""The Pub/Sub API's stand-in: GetTopic, GetSchema and Subscribe over gRPC, on its own port (contract section 9)."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any, NoReturn

import fastavro
import grpc

from sandbox.salesforce import pubsub_wire as wire
from sandbox.salesforce.auth import Auth
from sandbox.salesforce.change_events import SELECTED, Captured, schema_id, schema_of, topics
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import ORGANIZATION_ID, USER_ID, Org
from sandbox.salesforce.schema import Doc

MOST_REQUESTED = 100
LATEST, EARLIEST = 0, 1
_CODES = "sfdc.platform.eventbus.grpc"
_REPLAY_ID = 10  # bytes


class PubSub:
    """`start` takes a free port of the host; from then on changes are captured."""

    def __init__(self, org: Org, auth: Auth, captured: Captured, host: str) -> None:
        self._org = org
        self._auth = auth
        self._captured = captured
        self._host = host
        self._waiting: set[asyncio.Event] = set()
        self._server: Any = None
        org.world.on_commit.append(self._wake)

    async def start(self) -> str:
        """Returns host:port."""
        server = grpc.aio.server()
        calls = {
            "GetTopic": grpc.unary_unary_rpc_method_handler(
                self._topic, wire.TopicRequest.FromString, wire.TopicInfo.SerializeToString
            ),
            "GetSchema": grpc.unary_unary_rpc_method_handler(
                self._schema, wire.SchemaRequest.FromString, wire.SchemaInfo.SerializeToString
            ),
            "Subscribe": grpc.stream_stream_rpc_method_handler(
                self._subscribe, wire.FetchRequest.FromString, wire.FetchResponse.SerializeToString
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(wire.SERVICE, calls),))
        port = server.add_insecure_port(f"{self._host}:0")
        await server.start()
        self._server, self._captured.on = server, True
        return f"{'127.0.0.1' if self._host == '0.0.0.0' else self._host}:{port}"

    async def stop(self) -> None:
        await self._server.stop(None)

    def _wake(self) -> None:
        for waiting in self._waiting:
            waiting.set()

    async def _signed_in(self, context: Any) -> None:
        given = dict(context.invocation_metadata() or ())
        try:
            if not given.get("instanceurl") or given.get("tenantid") not in (ORGANIZATION_ID, ORGANIZATION_ID[:15]):
                raise SalesforceError("INVALID_SESSION_ID", "instanceurl or tenantid is wrong")
            async with self._org.world.unit():
                self._auth.check({"authorization": f"Bearer {given.get('accesstoken', '')}"})
        except SalesforceError as err:
            await self._refuse(context, grpc.StatusCode.UNAUTHENTICATED, f"{err}", "service.auth.error")

    async def _refuse(self, context: Any, status: Any, text: str, code: str) -> NoReturn:
        trailers = (("error-code", f"{_CODES}.{code}"), ("rpc-id", str(uuid.uuid4())))
        await context.abort(status, text, trailers)
        raise AssertionError("abort raises")

    async def _objects(self, topic: str, context: Any) -> frozenset[str]:
        found = topics().get(topic)
        if found is None:
            await self._refuse(context, grpc.StatusCode.NOT_FOUND, f"Topic {topic} is not found", "topic.not.found")
        return found

    async def _topic(self, request: Any, context: Any) -> Any:
        await self._signed_in(context)
        objects = await self._objects(request.topic_name, context)
        schema = schema_id(next(iter(objects))) if len(objects) == 1 else ""
        return wire.TopicInfo(
            topic_name=request.topic_name, tenant_guid=ORGANIZATION_ID, can_subscribe=True, schema_id=schema
        )

    async def _schema(self, request: Any, context: Any) -> Any:
        await self._signed_in(context)
        for name in SELECTED:
            if schema_id(name) == request.schema_id:
                return wire.SchemaInfo(schema_json=schema_of(name), schema_id=request.schema_id)
        return await self._refuse(context, grpc.StatusCode.NOT_FOUND, "no such schema", "schema.not.found")

    async def _subscribe(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await self._signed_in(context)
        first = await anext(requests)
        objects = await self._objects(first.topic_name, context)
        place, room = await self._beginning(first, context), await self._wanted(first, context)
        news = asyncio.Event()
        self._waiting.add(news)

        async def listen() -> None:
            nonlocal room
            async for more in requests:
                room += await self._wanted(more, context)
                news.set()

        listening = asyncio.create_task(listen())
        try:
            while True:
                await self._signed_in(context)  # a session that ends takes its streams along
                news.clear()
                found, place = self._after(place, room, objects)
                if found:
                    room -= len(found)
                    yield wire.FetchResponse(events=found, latest_replay_id=_written(place), pending_num_requested=room)
                    continue
                try:
                    async with asyncio.timeout(self._captured.keepalive):
                        await news.wait()
                except TimeoutError:
                    yield wire.FetchResponse(latest_replay_id=_written(place), pending_num_requested=room)
        finally:
            listening.cancel()
            self._waiting.discard(news)

    def _after(self, place: int, most: int, objects: frozenset[str]) -> tuple[list[Any], int]:
        """Events behind a place, and the place behind them."""
        found: list[Any] = []
        for number in range(place + 1, self._captured.last + 1):
            if len(found) == most:
                break
            row, place = self._captured.table.get(str(number)), number
            if row is not None and row["object"] in objects:
                content = payload(row, number)
                event = wire.ProducerEvent(id=str(number), schema_id=schema_id(row["object"]), payload=content)
                found.append(wire.ConsumerEvent(event=event, replay_id=_written(number)))
        return found, place

    async def _beginning(self, first: Any, context: Any) -> int:
        if first.replay_preset == LATEST:
            return self._captured.last
        if first.replay_preset == EARLIEST:
            return self._captured.lost
        number = _read(first.replay_id)
        if number is None or not self._captured.lost <= number <= self._captured.last:
            text = "The Replay ID validation failed. Ensure that the Replay ID is valid."
            code = "subscription.fetch.replayid.corrupted"
            await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, text, code)
        return number

    async def _wanted(self, request: Any, context: Any) -> int:
        wanted = int(request.num_requested)
        if not 1 <= wanted <= MOST_REQUESTED:
            code = "subscription.fetch.requested.events.invalid"
            await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"num_requested is {wanted}", code)
        return wanted


def payload(row: Doc, number: int) -> bytes:
    """One event in Avro's binary form, without its schema."""
    header: dict[str, Any] = {
        "entityName": row["object"],
        "recordIds": row["records"],
        "changeType": row["change"],
        "changeOrigin": "com/salesforce/api/rest/68.0",
        "transactionKey": f"{number:08d}-0000",
        "sequenceNumber": 1,
        "commitTimestamp": row["at"],
        "commitNumber": number,
        "commitUser": USER_ID,
        "nulledFields": [],
        "diffFields": [],
        "changedFields": [],
    }
    out = BytesIO()
    fastavro.schemaless_writer(out, json.loads(schema_of(row["object"])), {"ChangeEventHeader": header, "Name": None})
    return out.getvalue()


def _written(number: int) -> bytes:
    return number.to_bytes(_REPLAY_ID, "big")


def _read(replay_id: bytes) -> int | None:
    return int.from_bytes(replay_id, "big") if len(replay_id) == _REPLAY_ID else None
