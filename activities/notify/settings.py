"""How customers, operators and portals are reached."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class MailSettings(BaseModel):
    """Outgoing mail by SMTP."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(description="SMTP host")
    port: int = Field(default=587, ge=1, le=65535, description="SMTP port")
    username: str = Field(default="", description="SMTP user; empty: no login")
    password: SecretStr | None = Field(default=None, description="SMTP password")
    starttls: bool = Field(default=True, description="Whether the connection must be upgraded to TLS")
    tls_at_once: bool = Field(
        default=False,
        description="Whether the connection begins with TLS, as on port 465; starttls does not matter then",
    )
    sender: str = Field(default="shop@localhost", pattern=r"^[^@\s]+@[^@\s]+$", description="From address")
    sender_name: str = Field(default="", description="From name")
    operators: tuple[str, ...] = Field(default=(), description="Addresses that hear of parked orders")
    escalation: tuple[str, ...] = Field(
        default=(), description="Addresses that hear too when a parked order was not decided for long"
    )
    timeout_seconds: float = Field(default=30, gt=0, le=300, description="Longest wait for the mail server")


class PortalSettings(BaseModel):
    """Where a store's portal wants to hear of its orders."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^https?://[^\s]+$", description="Address that takes POSTed events")
    secret: SecretStr = Field(description="Shared secret of the signature in X-Holdfast-Signature")
