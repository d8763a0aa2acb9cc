"""How to reach and enter one Salesforce org."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class PushSettings(BaseModel):
    """Change Data Capture, heard by the org's Pub/Sub API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str = Field(
        default="",
        pattern=r"^(/data/\w+)?$",
        description="Channel of Change Data Capture that is listened to, such as /data/ChangeEvents; empty: none",
    )
    url: str = Field(
        default="https://api.pubsub.salesforce.com:7443",
        pattern=r"^https?://[^\s/:]+:\d+$",
        description="Address of the Pub/Sub API: host and port",
    )


class SalesforceSettings(BaseModel):
    """Address and credential of one org. Secrets come from the environment or from files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    login_url: str = Field(
        pattern=r"^https?://[^\s/]+/?$",
        description="My Domain address of the org, such as https://acme.my.salesforce.com; tokens are asked for here",
    )
    auth: Literal["client_credentials", "jwt"] = Field(
        default="client_credentials",
        description="How to sign in: client_credentials (id and secret) or jwt (a certificate of the app)",
    )
    client_id: str = Field(min_length=1, description="Consumer key of the external client app")
    client_secret: SecretStr | None = Field(default=None, description="Consumer secret; for client_credentials")
    username: str = Field(default="", description="User that the token acts as; for jwt")
    private_key: SecretStr | None = Field(default=None, description="Private key in PEM text; for jwt")
    private_key_file: Path | None = Field(default=None, description="File with the private key in PEM text; for jwt")
    audience: str = Field(
        default="https://login.salesforce.com",
        description="Audience of the assertion: https://test.salesforce.com for a sandbox org; for jwt",
    )
    api_version: str = Field(default="68.0", pattern=r"^\d{2,3}\.0$", description="REST API version")
    timeout_seconds: float = Field(
        default=60, gt=0, le=120, description="Longest wait for an answer; the org ends at 120"
    )
    settled_after_seconds: float = Field(
        default=150,
        gt=0,
        description="A write has been carried out this long after its answer was lost, or never will be: a "
        "cancellation looks so long for what it has to cancel",
    )

    @field_validator("login_url")
    @classmethod
    def _bare(cls, value: str) -> str:
        return value.rstrip("/")

    @model_validator(mode="after")
    def _complete(self) -> "SalesforceSettings":
        if self.auth == "client_credentials":
            if self.client_secret is None:
                raise ValueError("client_secret is missing: auth client_credentials needs it")
            if self.login_url.endswith(("//login.salesforce.com", "//test.salesforce.com")):
                raise ValueError("login_url: client_credentials works only on the org's own My Domain address")
        else:
            if not self.username:
                raise ValueError("username is missing: auth jwt needs the user that the token acts as")
            if (self.private_key is None) == (self.private_key_file is None):
                raise ValueError("auth jwt needs exactly one of private_key and private_key_file")
        return self
