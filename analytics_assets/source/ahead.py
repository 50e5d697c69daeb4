"""Names lists to the API's session before dlt asks for them.

dlt asks for one list after the other, page by page. Named beforehand, they are under way together.
"""

from __future__ import annotations

from typing import cast

from dlt.common.jsonpath import find_values
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api.typing import ClientConfig
from jsonpath_ng import JSONPath
from requests import Request, Response

from analytics_assets.source.http import ApiSession


class ListAhead:
    """A list whose pages are asked for before dlt asks for them.

    A request that differs from the one that dlt then makes is sent in vain, and costs no row.

    Attributes:
        request: The request for the next page.
    """

    def __init__(self, request: Request, paginator: BasePaginator, selector: JSONPath) -> None:
        """Begins before the first page.

        Args:
            request: The request for the list, before its paginator has seen it.
            paginator: One of its own.
            selector: Where the rows are.
        """
        self.request = request
        self._paginator = paginator
        self._selector = selector
        paginator.init_request(request)

    def follow(self, response: Response) -> Request | None:
        """The request for the page after one that has come; None after the last one."""
        try:
            found = find_values(self._selector, response.json())
            page = found[0] if len(found) == 1 and isinstance(found[0], list) else found
            # A copy: a paginator may take rows out of it.
            self._paginator.update_state(response, list(page))
            self._paginator.update_request(self.request)
        except Exception:
            return None
        return self.request if self._paginator.has_next_page else None


def session_of(client: ClientConfig) -> ApiSession:
    """The session that asks the API."""
    return cast(ApiSession, client["session"])
