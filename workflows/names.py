"""Names that processes, portals and operators share: workflow ids, task queues and search attributes."""

from temporalio.common import SearchAttributeKey

WORKFLOW_QUEUE = "holdfast"
CONTROL_QUEUE = "control"
RECONCILIATION_SCHEDULE = "reconciliation"
NOTIFY = "notify"  # the system name of mail and portal messages
# Why a run refuses a cancellation.
TOO_LATE, NEEDS_A_PERSON = "too-late", "needs-a-person"

ORDER_NUMBER = SearchAttributeKey.for_keyword("OrderNumber")
STORE = SearchAttributeKey.for_keyword("Store")
STAGE = SearchAttributeKey.for_keyword("Stage")
WAITING_ON = SearchAttributeKey.for_keyword("WaitingOn")
NEEDS_PERSON = SearchAttributeKey.for_bool("NeedsPerson")
CUSTOMER_NUMBER = SearchAttributeKey.for_keyword("CustomerNumber")
SEARCH_ATTRIBUTES = (ORDER_NUMBER, STORE, STAGE, WAITING_ON, NEEDS_PERSON, CUSTOMER_NUMBER)


def checkout_id(order_key: str) -> str:
    return f"checkout:{order_key}"


def fulfillment_id(order_key: str) -> str:
    return f"fulfillment:{order_key}"


def late_payment_id(order_key: str) -> str:
    return f"late-payment:{order_key}"


def feed_id(source: str) -> str:
    return f"feed:{source}"


def system_queue(system: str) -> str:
    return f"system:{system}"


def endpoint_id(endpoint: str) -> str:
    return f"endpoint:{endpoint}"


def reconciliation_id(what: str) -> str:
    return f"reconciliation:{what}"


def reconciliation_of(workflow_id: str) -> str:
    """What a reconciliation's run is about; also its id in the ledger."""
    return workflow_id.partition(":")[2]
