"""Names the proxy that requests go through, without its password."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy


def proxy_for(url: str) -> str:
    """Names the proxy that the environment has for an address; "" where it has none."""
    chosen = select_proxy(url, get_environ_proxies(url))
    return name_proxy(url, chosen) if chosen else ""


def name_proxy(url: str, chosen: str) -> str:
    """Names a proxy by its address and by the setting that it comes from.

    Args:
        url: What is asked for.
        chosen: The value of the setting.
    """
    words = (f"{urlsplit(url).scheme}_proxy", "all_proxy")
    settings = [spelled for word in words for spelled in (word, word.upper())]
    found = next((name for name in settings if os.environ.get(name) == chosen), "this system")
    return f"the proxy {_address(chosen)} in {found}"


def _address(chosen: str) -> str:
    try:
        parts = urlsplit(chosen if "://" in chosen else f"//{chosen}")
        port = parts.port
    except ValueError:
        return "without a readable address"
    return f"{parts.hostname}:{port}" if port else parts.hostname or "without a host"
