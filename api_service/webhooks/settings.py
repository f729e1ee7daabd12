"""What can be set for webhooks: needed where jobs are submitted, and where they are told of."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from api_service.webhooks.addresses import Network
from api_service.webhooks.rules import UrlRules
from shared.settings import Settings

_DAY = 24 * 3600.0


class WebhookSettings(Settings):
    """Times in seconds."""

    webhook_allow_http: bool = Field(
        default=False, description="also call webhooks at http://, where anybody on the way can read the results"
    )
    webhook_allowed_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="networks such as 10.1.0.0/16 whose webhooks may be called although they are not public, separated "
        "by commas. Whoever may submit can then have any service in them called",
    )
    webhook_concurrent: int = Field(
        default=32, ge=1, le=1000, description="webhooks that one API process calls at once; each takes a few kB"
    )
    webhook_concurrent_per_host: int = Field(
        default=4, ge=1, description="of these, calls to one host: a slow one must not hold up the others"
    )
    webhook_connect_timeout: float = Field(
        default=5.0, gt=0, le=60, description="seconds for the connection to a webhook's host"
    )
    webhook_timeout: float = Field(
        default=15.0, gt=0, le=120, description="seconds for a whole call of a webhook, as its standard recommends"
    )
    webhook_secret_overlap: float = Field(
        default=_DAY, ge=0, le=30 * _DAY, description="seconds that a secret signs along once it has been rotated"
    )

    @field_validator("webhook_allowed_networks", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        return value

    @property
    def url_rules(self) -> UrlRules:
        return UrlRules(self.webhook_allow_http, self.webhook_allowed_networks)
