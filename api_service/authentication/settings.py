"""What can be set for an issuer of tokens (OpenID Connect), beside the API's own keys."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from api_service.authentication.id_tokens import IssuerRules
from api_service.caller import Scope
from shared.settings import Settings

EMAIL = "email"


class OidcSettings(Settings):
    oidc_issuer: str | None = Field(
        default=None, description="whose tokens are taken as well as API keys, such as https://accounts.google.com"
    )
    oidc_audience: str | None = Field(
        default=None, description="whom a token must be meant for: your client ID with the issuer"
    )
    oidc_owner_claim: str = Field(
        default=EMAIL,
        min_length=1,
        description="which claim of a token is the owner; `email` only where it is verified",
    )
    oidc_scopes: Annotated[tuple[Scope, ...], NoDecode] = Field(
        default=(Scope.SUBMIT, Scope.READ),
        description="what a token allows, with commas: `submit`, `read`, `admin`",
    )
    oidc_admins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="owners whose tokens allow `admin` too, with commas"
    )
    oidc_jwks_url: str | None = Field(
        default=None, description="where the issuer's public keys are; unset: where its discovery document says"
    )

    @field_validator("oidc_scopes", "oidc_admins", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("oidc_issuer", "oidc_jwks_url")
    @classmethod
    def _cannot_be_listened_to(cls, value: str | None) -> str | None:
        """Who answers there decides who everybody is."""
        if value is not None:
            parts = urlsplit(value)
            if not parts.hostname or (parts.scheme, parts.hostname) not in {
                ("https", parts.hostname),
                ("http", "127.0.0.1"),
                ("http", "localhost"),
            }:
                raise ValueError("must be an https:// URL; http:// only at 127.0.0.1 or localhost")
        return value

    @model_validator(mode="after")
    def _meant_for_somebody(self) -> Self:
        """Without it, a token that anybody's application got from the same issuer would do."""
        if self.oidc_issuer is not None and self.oidc_audience is None:
            raise ValueError("OIDC_ISSUER needs OIDC_AUDIENCE: your client ID with the issuer")
        return self

    @property
    def issuer_rules(self) -> IssuerRules | None:
        """None: no token is taken."""
        if self.oidc_issuer is None or self.oidc_audience is None:
            return None
        return IssuerRules(
            issuer=self.oidc_issuer,
            audience=self.oidc_audience,
            owner_claim=self.oidc_owner_claim,
            verified_claim="email_verified" if self.oidc_owner_claim == EMAIL else None,
            scopes=frozenset(self.oidc_scopes),
            admins=frozenset(self.oidc_admins),
        )
