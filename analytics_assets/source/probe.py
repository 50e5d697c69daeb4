"""Asks an API for one thing once, to see whether it is there."""

from __future__ import annotations

from collections.abc import Sequence

from requests import Request, Response

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.client import ApiClient
from analytics_assets.source.records import Page
from analytics_assets.source.retry import RetryPolicy


class _Probe:
    """One request, of which nothing but the status matters."""

    def __init__(self, request: Request, retry: RetryPolicy) -> None:
        self._request = request
        self._retry = retry

    def begin(self) -> Sequence[Request]:
        return [self._request]

    def takes(self, _: Request, response: Response) -> bool:
        return response.status_code < 500 or response.status_code not in self._retry.statuses

    def read(self, _: Request, __: Response) -> tuple[Page, Sequence[Request]]:
        return [], []


def probe(resource: Resource, client: ApiClient, retry: RetryPolicy) -> None:
    """Sends one request. Any answer is good but those of a server that cannot give one.

    Args:
        resource: What to ask for; its path names no parent.
        client: Asks the API.
        retry: Which statuses may pass.

    Raises:
        RequestException: If the answer is one of these, or there is none.
    """
    endpoint = resource.endpoint
    request = client.outgoing.request(
        resource.path, params=endpoint.get("params"), headers=endpoint.get("headers")
    )
    for _, pages in client.fetch([_Probe(request, retry)]):
        list(pages)
