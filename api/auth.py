"""Who may do what: bearer tokens with a role and, if they are limited, their stores."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.backing import Base
from api.errors import Refusal
from settings.model import ApiRole, Token

# Each role may do what the ones before it may.
RANKS: dict[ApiRole, int] = {"portal": 0, "operator": 1, "approver": 2}


@dataclass(frozen=True)
class Caller:
    """Who asks. `stores` is empty when all may be seen."""

    name: str
    role: ApiRole
    stores: frozenset[str] = frozenset()

    def may(self, role: ApiRole) -> bool:
        return RANKS[self.role] >= RANKS[role]

    def sees(self, store: str) -> bool:
        return not self.stores or store in self.stores

    def require(self, role: ApiRole) -> None:
        if not self.may(role):
            raise Refusal(
                403,
                "role-too-low",
                f"token {self.name!r} has role {self.role!r}, this needs {role!r}; use a token with that role",
            )

    def require_store(self, store: str) -> None:
        if not self.sees(store):
            raise Refusal(
                403,
                "other-store",
                f"token {self.name!r} may not see store {store!r}; its stores: {', '.join(sorted(self.stores))}",
                field="store",
            )


def caller_of(tokens: Iterable[Token], presented: str) -> Caller | None:
    """Who presents this token. Every token is compared, in constant time."""
    given = hashlib.sha256(presented.encode("utf-8", "replace")).digest()
    found: Caller | None = None
    for token in tokens:
        known = hashlib.sha256(token.token.get_secret_value().encode()).digest()
        if hmac.compare_digest(given, known) and found is None:
            found = caller(token)
    return found


def caller(token: Token) -> Caller:
    return Caller(token.name, token.role, frozenset(token.stores))


_bearer = HTTPBearer(
    auto_error=False,
    description="A token of `[[api.tokens]]` in the configuration. Roles: portal, operator, approver; each may do what "
    "the ones before it may. A token can be limited to stores.",
)


def _require(role: ApiRole) -> Callable[..., Caller]:
    def check(
        backing: Base, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None
    ) -> Caller:
        found = caller_of(backing.settings.api.tokens, credentials.credentials) if credentials else None
        if found is None:
            said = "the bearer token is not known" if credentials else "no bearer token was sent"
            raise Refusal(
                401,
                "unauthorized",
                f"{said}; send 'Authorization: Bearer <token>' with a token of [[api.tokens]]",
                headers={"WWW-Authenticate": "Bearer"},
            )
        found.require(role)
        return found

    return check


Portal = Annotated[Caller, Depends(_require("portal"))]
Operator = Annotated[Caller, Depends(_require("operator"))]
Approver = Annotated[Caller, Depends(_require("approver"))]
