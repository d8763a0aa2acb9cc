"""How a carrier is reached and what its words mean. No carrier's contract is at hand: paths and words are settings."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from commerce.model import Model


class CarrierSettings(BaseModel):
    """Fields of `[systems.<name>]` with kind `carrier`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^https?://", description="Address of the carrier's parcel service")
    token: SecretStr = Field(description="Bearer token")
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="Shared secret of pushed news, signed in X-Carrier-Signature; empty: news is pulled only",
    )
    timeout_seconds: float = Field(default=15, gt=0, le=120, description="How long an answer may take")
    parcels_path: str = Field(default="/v1/parcels", description="Path that answers the state of parcels by number")
    events_path: str = Field(default="/v1/events", description="Path that answers the news since an id")
    page_size: int = Field(default=100, ge=1, le=500, description="News or parcels per call")
    on_the_way: tuple[str, ...] = Field(
        default=("announced", "in transit", "out for delivery", "failed attempt"),
        description="The carrier's words for a parcel that is not yet with the buyer",
    )
    delivered: tuple[str, ...] = Field(default=("delivered",), description="Its words for one that is")
    ask_a_person: tuple[str, ...] = Field(
        default=("returned",),
        description="Its words for one that will not arrive; the order parks, as for unknown words",
    )


class CarrierPosition(Model):
    """Where a feed stands: the last event's id."""

    after: int = 0
