"""How customers, operators and portals are reached."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from activities.notify.chat import readable


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


class NoticeSettings(BaseModel):
    """Where operators hear besides mail and log. Each address is a secret: it holds the key to a chat room."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls: tuple[SecretStr, ...] = Field(
        default=(),
        description="Chat rooms and webhooks as Apprise writes them: slack://…, workflows://… (Teams), matrixs://…, "
        "jsons://… and a hundred others; each is told on its own",
    )
    give_up_hours: float = Field(
        default=72, gt=0, le=720, description="How long a notice that a channel does not take is tried again"
    )

    @field_validator("urls")
    @classmethod
    def _known(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for number, url in enumerate(value):
            if url.get_secret_value() and not readable(url.get_secret_value()):
                raise ValueError(f"{number}: not an address that Apprise can read; its pages list how each is written")
        return value
