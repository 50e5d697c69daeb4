"""Asks an API for one thing once, to see whether it is there."""

from dlt.sources.helpers.rest_client.client import RESTClient
from dlt.sources.rest_api.config_setup import create_auth
from dlt.sources.rest_api.typing import ClientConfig, Endpoint
from requests import codes

from analytics_assets.source.ahead import session_of
from analytics_assets.source.http import RetryPolicy


def probe(endpoint: Endpoint, client: ClientConfig, retry: RetryPolicy) -> None:
    """Sends one request. Any answer is good but those of a server that cannot give one.

    Args:
        endpoint: What to ask for; its path names no parent.
        client: Address, authentication and session of the API.
        retry: Which statuses may pass.

    Raises:
        RequestException: If the answer is one of these, or there is none.
    """
    session = session_of(client)
    rest = RESTClient(client["base_url"], auth=create_auth(client["auth"]), session=session)
    with session:
        response = rest.get(
            str(endpoint["path"]), params=endpoint.get("params"), headers=endpoint.get("headers")
        )
        if response.status_code in retry.statuses and response.status_code >= codes.server_error:
            response.raise_for_status()
