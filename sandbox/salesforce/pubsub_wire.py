"""The messages of the Pub/Sub API that its stand-in speaks (contract section 9), made here without a compiler."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "eventbus.v1.PubSub"
_Field = descriptor_pb2.FieldDescriptorProto
# Name, number and kind of each field; a kind that is no scalar is another message, `*` means many.
MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "TopicRequest": (("topic_name", 1, "string"),),
    "TopicInfo": (
        ("topic_name", 1, "string"),
        ("tenant_guid", 2, "string"),
        ("can_publish", 3, "bool"),
        ("can_subscribe", 4, "bool"),
        ("schema_id", 5, "string"),
        ("rpc_id", 6, "string"),
    ),
    "SchemaRequest": (("schema_id", 1, "string"),),
    "SchemaInfo": (("schema_json", 1, "string"), ("schema_id", 2, "string"), ("rpc_id", 3, "string")),
    "ProducerEvent": (("id", 1, "string"), ("schema_id", 2, "string"), ("payload", 3, "bytes")),
    "ConsumerEvent": (("event", 1, "ProducerEvent"), ("replay_id", 2, "bytes")),
    # The preset is an enumeration, which is a number on the wire: LATEST 0, EARLIEST 1, CUSTOM 2.
    "FetchRequest": (
        ("topic_name", 1, "string"),
        ("replay_preset", 2, "int32"),
        ("replay_id", 3, "bytes"),
        ("num_requested", 4, "int32"),
    ),
    "FetchResponse": (
        ("events", 1, "*ConsumerEvent"),
        ("latest_replay_id", 2, "bytes"),
        ("rpc_id", 3, "string"),
        ("pending_num_requested", 4, "int32"),
    ),
}
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
}


def _made() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="pubsub_stand_in.proto", package="eventbus.v1", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            one = message.field.add(name=field, number=number)
            one.label = _Field.LABEL_REPEATED if kind.startswith("*") else _Field.LABEL_OPTIONAL
            one.type = _SCALARS.get(kind, _Field.TYPE_MESSAGE)
            if kind not in _SCALARS:
                one.type_name = f".eventbus.v1.{kind.removeprefix('*')}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"eventbus.v1.{name}") for name in MESSAGES}
    return {name: message_factory.GetMessageClass(described) for name, described in found.items()}


_CLASSES = _made()
TopicRequest, TopicInfo = _CLASSES["TopicRequest"], _CLASSES["TopicInfo"]
SchemaRequest, SchemaInfo = _CLASSES["SchemaRequest"], _CLASSES["SchemaInfo"]
ProducerEvent, ConsumerEvent = _CLASSES["ProducerEvent"], _CLASSES["ConsumerEvent"]
FetchRequest, FetchResponse = _CLASSES["FetchRequest"], _CLASSES["FetchResponse"]
