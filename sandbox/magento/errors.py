"""The vendor's refusals: status, uninterpolated message template, parameters and the aggregate `errors` list."""

import secrets
from typing import Any

Parameters = list[Any] | dict[str, Any] | None

ROUTE_MISMATCH = "Request does not match any route."
UNAUTHORIZED = "The consumer isn't authorized to access %resources."
NOT_FOUND = "The entity that was requested doesn't exist. Verify the entity and try again."
NO_SUCH_ENTITY = "No such entity with %fieldName = %fieldValue"
REQUIRED_FIELD = '"%fieldName" is required. Enter and try again.'
MULTIPLE = "One or more input exceptions have occurred."
SIGN_IN_INCORRECT = (
    "The account sign-in was incorrect or your account is disabled temporarily. Please wait and try again later."
)
DEADLOCK = "Database deadlock found when trying to get lock"


class MagentoError(Exception):
    """A refusal in the vendor's own shape. The message is a template that the client interpolates."""

    def __init__(
        self,
        status: int,
        message: str,
        parameters: Parameters = None,
        errors: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.parameters = parameters
        self.errors = errors
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        result: dict[str, Any] = {"message": self.message}
        if self.errors:
            result["errors"] = self.errors
        if self.parameters:
            result["parameters"] = self.parameters
        return result


def refused(message: str, *parameters: Any) -> MagentoError:
    """A 400 with a `%1, %2` template."""
    return MagentoError(400, message, list(parameters) or None)


def no_such(field: str, value: Any) -> MagentoError:
    return MagentoError(404, NO_SUCH_ENTITY, {"fieldName": field, "fieldValue": value})


def not_found() -> MagentoError:
    return MagentoError(404, NOT_FOUND)


def route_mismatch() -> MagentoError:
    return MagentoError(404, ROUTE_MISMATCH)


def internal_error() -> MagentoError:
    """An unexpected exception inside the vendor: 500 with the id under which its log file has the reason."""
    report = f"webapi-{secrets.token_hex(7)}"
    return MagentoError(500, f"Internal Error. Details are available in Magento log file. Report ID: {report}")


def missing(fields: list[str]) -> MagentoError:
    """Required top-level arguments are absent (or null, which counts as absent)."""
    if len(fields) == 1:
        return MagentoError(400, REQUIRED_FIELD, {"fieldName": fields[0]})
    errors = [{"message": REQUIRED_FIELD, "parameters": {"fieldName": name}} for name in fields]
    return MagentoError(400, MULTIPLE, errors=errors)


def invalid_type(value: Any, expected: str) -> MagentoError:
    return MagentoError(
        400,
        'The "%value" value\'s type is invalid. The "%type" type was expected. Verify and try again.',
        {"value": value if isinstance(value, str | int) else str(value), "type": expected},
    )


def document_invalid(kind: str, lines: list[str]) -> MagentoError:
    """A document validation error; already rendered and multi-line, without parameters."""
    return MagentoError(400, f"{kind} Document Validation Error(s):\n" + "\n".join(lines))
