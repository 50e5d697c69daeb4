"""The analytics API as a Dagster resource: where it is, who asks, and how it is asked."""

import os
from datetime import date, datetime, time, timezone
from ipaddress import ip_address
from urllib.parse import urlsplit

import dlt
from dagster import ConfigurableResource, EnvVar
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
from pydantic import ConfigDict, Field, field_validator

from analytics_assets.configuration import PLACEHOLDER_URL
from analytics_assets.source.client import ApiClient
from analytics_assets.source.errors import SettingError
from analytics_assets.source.outgoing import Outgoing
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.retry import RetryPolicy
from analytics_assets.source.traffic import Traffic

BASE_URL = "ANALYTICS_BASE_URL"
ACCESS_TOKEN = "ACCESS_TOKEN"  # noqa: S105 - the setting's name
TEAM_ID = "ANALYTICS_TEAM_ID"
START_DATE = "ANALYTICS_START_DATE"
ALLOW_PLAIN_HTTP = "ANALYTICS_ALLOW_PLAIN_HTTP"
QUOTES = tuple("\"'`<>\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}")
"""What comes along with a text that is copied."""


class AnalyticsApi(ConfigurableResource):  # type: ignore[type-arg]  # it provides itself
    """The API to load from. A field left out is read from its setting when a load starts.

    Reading settings late keeps definitions loadable without any of them.
    """

    # An address that is refused may hold a password or a key.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: str | None = Field(
        default=None, description=f"Address of the API. Setting: {BASE_URL}."
    )
    access_token: str | None = Field(
        default=None,
        repr=False,
        description=f"Bearer token. Setting: {ACCESS_TOKEN}, or access_token in dlt's secrets. "
        "Dagster shows and stores a text given here: in code, give an EnvVar.",
    )
    team_id: str | None = Field(
        default=None, description=f"Team to ask on behalf of, as `teamId`. Setting: {TEAM_ID}."
    )
    start_date: str | None = Field(
        default=None, description=f"First day to load, as ISO date. Setting: {START_DATE}."
    )
    max_retries: int = Field(
        default=RetryPolicy.max_retries, ge=0, description="Retries of a failed request."
    )
    backoff_factor: float = Field(
        default=RetryPolicy.backoff_factor,
        gt=0,
        description="Seconds before the first retry; each further wait doubles.",
    )
    timeout: float = Field(
        default=RetryPolicy.timeout,
        gt=0,
        description="Seconds to wait for a connection, and for the next byte.",
    )
    connections: int = Field(
        default=32, ge=1, description="Requests that are under way at once at most."
    )
    most_bad_parents: int = Field(
        default=10,
        ge=0,
        description="Parents of a child that may fail to answer (403, 500 and the like) while "
        "others are asked; one more ends the load.",
    )

    most_rows_gone: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of the stored rows of a list that may be missing when it is read again: "
        "a list that is shorter, or empty, fails and marks no row as deleted; 1 takes any.",
    )

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        return value if value is None or isinstance(value, EnvVar) else _checked_url(value)

    @field_validator("start_date")
    @classmethod
    def _is_date(cls, value: str | None) -> str | None:
        if value is not None and not isinstance(value, EnvVar):
            _checked_date(value)
        return value

    def client(self, retry: RetryPolicy, traffic: Traffic, rate_limit: RateLimit) -> ApiClient:
        """What asks the API.

        Args:
            retry: When and how often a failed request is sent again.
            traffic: Where the requests are counted.
            rate_limit: What holds requests back.

        Raises:
            SettingError: If the address or the token is missing, or the address is a placeholder.
        """
        url = self.base_url or os.environ.get(BASE_URL, "")
        if not url:
            raise SettingError(f"{BASE_URL} is not set: set it to the address of the API to load.")
        url = _checked_url(url)
        team = self.team_id or os.environ.get(TEAM_ID)
        outgoing = Outgoing(
            url, BearerTokenAuth(self._token()), params={"teamId": team} if team else None
        )
        return ApiClient(outgoing, retry, traffic, rate_limit, self.connections)

    def address(self) -> str:
        """Scheme and host of the API, for people."""
        parts = urlsplit(self.base_url or os.environ.get(BASE_URL, ""))
        return f"{parts.scheme}://{parts.netloc}"

    def start(self) -> int | None:
        """The first moment to load, in epoch milliseconds; None is the beginning."""
        text = self.start_date or os.environ.get(START_DATE)
        if not text:
            return None
        midnight = datetime.combine(_checked_date(text), time(), timezone.utc)
        return int(midnight.timestamp() * 1000)

    def retry_policy(self) -> RetryPolicy:
        """When and how often a failed request is sent again."""
        return RetryPolicy(
            max_retries=self.max_retries,
            backoff_factor=self.backoff_factor,
            timeout=self.timeout,
        )

    def _token(self) -> str:
        # No type is named to dlt: of a typed value it would not know that it is a secret, would
        # write it into the trace of the load, and would not ask every vault for it.
        given = self.access_token or os.environ.get(ACCESS_TOKEN)
        token = str(given or dlt.secrets.get(ACCESS_TOKEN.lower()) or "").strip()
        if not token:
            raise SettingError(
                f"{ACCESS_TOKEN} is not set: set it to a token of the API, or write access_token "
                "into .dlt/secrets.toml."
            )
        if not (token.isascii() and token.isprintable()):
            raise SettingError(f"{ACCESS_TOKEN} has characters that no token has: copy it anew.")
        return token


def _checked_url(value: str) -> str:
    if value.rstrip("/") == PLACEHOLDER_URL:
        raise SettingError(
            f"{BASE_URL} is still the placeholder {PLACEHOLDER_URL}: set it to the address of the "
            "API to load."
        )
    if value[:1] in QUOTES or value[-1:] in QUOTES or any(map(str.isspace, value)):
        raise SettingError(f"{BASE_URL} has spaces or quotes: write the address alone.")
    try:
        parts = urlsplit(value)
        has_port = parts.port != 0
    except ValueError:
        has_port = False
    if not has_port:
        raise SettingError(f"{BASE_URL} is no address: its host or its port cannot be read.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingError(f"{BASE_URL} is no address: it must begin with https:// and a host.")
    if parts.username or parts.password:
        raise SettingError(f"{BASE_URL} holds a user or a password: leave them out of the address.")
    # Not repeated: a key may be in it.
    if "?" in value or "#" in value:
        raise SettingError(
            f"{BASE_URL} holds a query or a fragment, what is behind `?` or `#`: leave it out of "
            "the address."
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        _check_plain_http_is_allowed()
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_plain_http_is_allowed() -> None:
    if os.environ.get(ALLOW_PLAIN_HTTP, "").lower() not in ("1", "true", "yes"):
        raise SettingError(
            f"{BASE_URL} begins with http://, so that anyone on the way could read the token: use "
            f"https://, or set {ALLOW_PLAIN_HTTP}=true where the network is your own."
        )


def _checked_date(value: str) -> date:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise SettingError(
            f"{START_DATE} is no ISO date: write it like 2025-01-31, not {value!r}."
        ) from None
    if day > datetime.now(timezone.utc).date():
        raise SettingError(
            f"{START_DATE} is {day}, which is in the future (UTC), so that nothing would be "
            "loaded: set it to the first day to load."
        )
    return day
