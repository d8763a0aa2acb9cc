"""Change Data Capture by the Pub/Sub API: one subscription, over gRPC, with the org's own tokens.

Which records changed is all that is read here; what they say is read by REST. The service is another host than the org:
its absence is no trouble of the org, and is not reported as one.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from io import BytesIO
from typing import Any, NamedTuple

import fastavro
import grpc

from activities.changes import PlaceLost
from activities.salesforce import pubsub_wire as wire
from activities.salesforce.auth import Login, Token
from activities.salesforce.settings import PushSettings
from commerce.failures import Family, SystemFailure

AT_MOST = 100  # events that the service may have been asked for and not delivered: its own limit for one request
SILENT_SECONDS = 330.0  # the service gives a sign of life every 270 seconds
ANSWER_SECONDS = 30.0
LATEST, CUSTOM = 0, 2
REPLAY_REFUSED = "sfdc.platform.eventbus.grpc.subscription.fetch.replayid."
HEADER = "ChangeEventHeader"
UNREADABLE = "unreadable event"
_NEEDS_PERSON = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)


class Changed(NamedTuple):
    """One event. `kind` is CREATE, UPDATE, DELETE, GAP_UPDATE, ...; without `records` where the service overflowed or
    the event could not be read.
    """

    sobject: str
    records: tuple[str, ...]
    kind: str


class Batch(NamedTuple):
    """What came at once, perhaps nothing. `replay_id` lies behind it."""

    changes: tuple[Changed, ...]
    replay_id: bytes


class ChangeEvents:
    def __init__(self, settings: PushSettings, login: Login, *, system: str) -> None:
        self._settings = settings
        self._login = login
        self._system = system
        self._schemas: dict[str, Any] = {}

    async def listen(self, replay_id: bytes | None) -> AsyncGenerator[Batch, None]:
        """Events after the place, or from now on, until the service ends the stream.

        Raises PlaceLost, SystemFailure.
        """
        refused = False
        while True:
            token = await self._login.token()
            try:
                async with self._channel() as channel, aclosing(self._subscribed(channel, token, replay_id)) as batches:
                    async for batch in batches:
                        refused, replay_id = False, batch.replay_id
                        yield batch
                return
            except grpc.aio.AioRpcError as err:
                if err.code() is not grpc.StatusCode.UNAUTHENTICATED or refused:
                    raise self._failure(err) from err
                refused = True
                await self._login.renew(token)
                if replay_id is None:  # what came meanwhile would be missed
                    raise self._failure(err) from err
            except TimeoutError as err:
                raise self._trouble(f"no sign of life for {SILENT_SECONDS:.0f} s") from err

    async def _subscribed(self, channel: Any, token: Token, replay_id: bytes | None) -> AsyncGenerator[Batch, None]:
        call = channel.stream_stream(
            f"/{wire.SERVICE}/Subscribe", wire.FetchRequest.SerializeToString, wire.FetchResponse.FromString
        )(metadata=_metadata(token))
        place = {"replay_preset": LATEST} if replay_id is None else {"replay_preset": CUSTOM, "replay_id": replay_id}
        topic = self._settings.channel
        try:
            await call.write(wire.FetchRequest(topic_name=topic, num_requested=AT_MOST, **place))
            while True:
                async with asyncio.timeout(SILENT_SECONDS):
                    answer = await call.read()
                if answer is grpc.aio.EOF:
                    return
                changes = [await self._read(channel, token, one.event) for one in answer.events]
                yield Batch(tuple(changes), bytes(answer.latest_replay_id))
                if answer.pending_num_requested <= AT_MOST // 2:
                    more = AT_MOST - answer.pending_num_requested
                    await call.write(wire.FetchRequest(topic_name=topic, num_requested=more))
        finally:
            call.cancel()

    async def _read(self, channel: Any, token: Token, event: Any) -> Changed:
        schema = self._schemas.get(event.schema_id)
        if schema is None:
            ask = channel.unary_unary(
                f"/{wire.SERVICE}/GetSchema", wire.SchemaRequest.SerializeToString, wire.SchemaInfo.FromString
            )
            request = wire.SchemaRequest(schema_id=event.schema_id)
            answer = await ask(request, metadata=_metadata(token), timeout=ANSWER_SECONDS)
            schema = self._schemas[event.schema_id] = fastavro.parse_schema(json.loads(answer.schema_json))
        try:
            payload: Any = fastavro.schemaless_reader(BytesIO(event.payload), schema, None)
            header = payload[HEADER]
            return Changed(str(header["entityName"]), tuple(map(str, header["recordIds"])), str(header["changeType"]))
        except (KeyError, TypeError, ValueError, EOFError, IndexError):
            return Changed("", (), UNREADABLE)

    def _channel(self) -> Any:
        scheme, _, target = self._settings.url.partition("://")
        if scheme == "https":
            return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials())
        return grpc.aio.insecure_channel(target, [("grpc.enable_http_proxy", 0)])

    def _failure(self, err: Any) -> Exception:
        trailers = {str(key): str(value) for key, value in err.trailing_metadata() or ()}
        code, status = trailers.get("error-code", ""), err.code()
        said = " ".join(part for part in (status.name, code, err.details()) if part)
        if code.startswith(REPLAY_REFUSED):
            return PlaceLost(said)
        return self._trouble(said, Family.NEEDS_PERSON if status in _NEEDS_PERSON else Family.TRANSIENT)

    def _trouble(self, came_back: str, family: Family = Family.TRANSIENT) -> SystemFailure:
        tried = f"listen to {self._settings.channel} at {self._settings.url}"
        return SystemFailure(
            family,
            tried,
            came_back,
            system=self._system,
            do_next="look at the channel's members in Change Data Capture, the user's permissions and push.channel; "
            "the feed finds every change without it",
        )


def _metadata(token: Token) -> tuple[tuple[str, str], ...]:
    return (("accesstoken", token.value), ("instanceurl", token.instance_url), ("tenantid", token.org_id))
