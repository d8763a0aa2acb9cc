"""The platform's way of refusing: one exception that carries what the wire needs."""

from typing import Any


class SalesforceError(Exception):
    """A refusal. On the wire: HTTP `status` with `[{"message", "errorCode", "fields"?}]`, or a row error in a batch."""

    def __init__(
        self,
        code: str,
        message: str,
        fields: tuple[str, ...] = (),
        status: int = 400,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = fields
        self.status = status
        self.extra = extra or {}

    def body(self) -> dict[str, Any]:
        """The entry of the data API's error array."""
        entry: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields or self.code in WITH_FIELDS:
            entry["fields"] = list(self.fields)
        return entry | self.extra

    def row(self) -> dict[str, Any]:
        """The error entry of a row in a batch answer, where the code is called `statusCode`."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields)} | self.extra


# Refusals of the save itself carry `fields` even when it is empty; refusals of the request do not.
WITH_FIELDS = frozenset(
    {
        "UNABLE_TO_LOCK_ROW",
        "DUPLICATE_VALUE",
        "INVALID_CROSS_REFERENCE_KEY",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "ENTITY_IS_DELETED",
        "DELETE_FAILED",
        "FIELD_INTEGRITY_EXCEPTION",
    }
)


def not_found(message: str = "The requested resource does not exist") -> SalesforceError:
    return SalesforceError("NOT_FOUND", message, status=404)
