"""When the engine does not serve, and so nothing was refused and the same may be asked again."""

from temporalio.service import RPCError, RPCStatusCode

_AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
    }
)
# The SDK's own words (temporalio 1.35) for a connection that breaks under a call; the status is UNKNOWN then.
_BROKEN = ("transport error", "h2 protocol error", "error reading a body from connection", "connection closed")


def is_away(err: RPCError) -> bool:
    """Whether the engine cannot serve now. Anything else that it says is our own mistake."""
    if err.status is RPCStatusCode.UNKNOWN:
        return err.message.lower().startswith(_BROKEN)
    return err.status in _AWAY
