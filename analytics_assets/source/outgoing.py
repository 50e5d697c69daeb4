"""Makes requests to one API, and sees to it that they go nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import dlt
from dlt.sources.helpers.rest_client.utils import join_url
from requests import PreparedRequest, Request, Response, Session
from requests.auth import AuthBase
from requests.sessions import SessionRedirectMixin

from analytics_assets.source.errors import AnalyticsApiError, SettingError
from analytics_assets.source.transfer import Way


class Outgoing:
    """The requests to one API. The token is for that alone.

    There are no cookies: the API knows us by the token.

    Attributes:
        base_url: The API's address.
    """

    def __init__(
        self, base_url: str, auth: AuthBase | None = None, params: Mapping[str, Any] | None = None
    ) -> None:
        """Takes what all requests have in common.

        Args:
            base_url: The API's address.
            auth: Adds to each request what it proves itself by.
            params: Query parameters of each request.
        """
        self.base_url = base_url
        self._auth = auth
        self._params = params or {}
        self._headers = {"User-Agent": f"dlt/{dlt.__version__}"}
        # As the library spells it: its host in lower case, or in Punycode.
        self._origin = _origin(Request("GET", base_url).prepare())

    def request(self, path: str, method: str = "GET", **words: Any) -> Request:
        """A request to the API.

        Args:
            path: Behind the API's address, or an address of its own.
            method: The HTTP method.
            words: Those of `requests.Request`: params, headers, json, data.
        """
        url = path if urlsplit(path).scheme in ("http", "https") else join_url(self.base_url, path)
        return Request(method, url, auth=self._auth, **words)

    def prepare(self, request: Request) -> PreparedRequest:
        """A request as it is sent."""
        # Cookies and hooks, of which there are none, would take a third of the time.
        prepared = PreparedRequest()
        prepared.prepare_method(str(request.method).upper())
        prepared.prepare_url(request.url, {**self._params, **(request.params or {})})
        prepared.prepare_headers({**self._headers, **request.headers})
        if request.data or request.json is not None:
            prepared.prepare_body(request.data, None, request.json)
        if request.auth:
            prepared.prepare_auth(request.auth)
        return prepared

    def check_recipient(self, request: PreparedRequest) -> None:
        """Looks where a request leads.

        Raises:
            AnalyticsApiError: If it is to another host than the API's.
        """
        origin = _origin(request)
        if origin != self._origin:
            raise AnalyticsApiError(
                f"The API sent a request on to {origin}, another address than "
                "ANALYTICS_BASE_URL: nothing was sent there. If the API has moved, set the new one."
            )

    def way(self, timeout: float) -> Way:
        """How requests are sent: proxies and certificates of the environment are looked up once.

        Args:
            timeout: Seconds to wait for a connection, and for the next byte of an answer.

        Raises:
            SettingError: If the certificates to trust are named, and not there.
        """
        with Session() as session:
            environment = session.merge_environment_settings(self.base_url, {}, None, None, None)
        verify = environment["verify"]
        if isinstance(verify, str) and not Path(verify).exists():
            raise SettingError(
                f"REQUESTS_CA_BUNDLE names {verify}, which is no file: correct or unset it."
            )
        return Way(timeout, True if verify is None else verify, environment["proxies"])


def redirected(request: PreparedRequest, response: Response) -> PreparedRequest:
    """The request that a redirect asks for (RFC 9110, 15.4)."""
    following = request.copy()
    following.prepare_url(urljoin(str(request.url), response.headers["Location"]), None)
    SessionRedirectMixin().rebuild_method(following, response)
    if following.method != request.method:
        following.body = None
    return following


def _origin(request: PreparedRequest) -> str:
    parts = urlsplit(str(request.url))
    # Without a user and a password: a redirect may hold them, and this is shown.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()
