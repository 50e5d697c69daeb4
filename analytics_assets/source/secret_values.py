"""Which texts are secrets by their form, whatever field holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

from analytics_assets.configuration.secret_names import opens_in_query, secrecy_of

_TAIL = r"[\w.+/=-]{8,}"
_HAS_DIGIT = r"(?=\S*\d)"
_IS_ENCODED = r"(?=\S*(?:\d|=|[a-z][A-Z]\S*[a-z][A-Z]))"
_FORM = re.compile(
    rf"""
    (?:gh[opusr]|github_pat|npm|vc[aciprk]|vercel_blob_rw)_{_TAIL} | glpat-{_TAIL}
    | xox[abeoprs]-{_TAIL} | [rs]k_(?:live|test)_{_TAIL} | whsec_{_TAIL}
    | sk-{_HAS_DIGIT}[\w-]{{12,}} | SG\.[\w-]{{8,}}\.[\w-]+
    | (?:AKIA|ASIA)[A-Z0-9]{{8,}} | AIza{_TAIL}
    | eyJ[\w-]{{5,}}\.[\w-]+\.[\w-]*
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*
    | (?i:(?:authorization:\s*)?bearer)\s+{_HAS_DIGIT}{_TAIL}
    | (?i:(?:authorization:\s*)?basic)\s+{_IS_ENCODED}[\w+/=-]{{12,}}
    | (?i:https://(?:hooks\.slack\.com/(?:services|workflows|triggers)
        |(?:\w+\.)?discord(?:app)?\.com/api/webhooks
        |[\w.-]+\.webhook\.office\.com|outlook\.office(?:365)?\.com/webhook
        |hooks\.zapier\.com/hooks|api\.vercel\.com/v1/integrations/deploy)/\S+)
    | (?i:[a-z][a-z0-9+.-]*)://[^\s/@:]*:[^\s/@]+@\S+
    | (?i:[a-z][a-z0-9+.-]*)://(?=[^\s/@]*\d)[^\s/@]{{12,}}@\S+
    """,
    re.VERBOSE | re.DOTALL,
)
_IS_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_PARAMETER = re.compile(r"[?&#;]([^=&#;?]+)=([^&#;]+)")
_SHORTEST_VALUE = 8
"""Characters of a `key` or a `code` in an address that opens it: a shorter one names something."""
# fmt: off
_BEGINNINGS = {
    "gho_", "ghp_", "ghu_", "ghs_", "ghr_", "gith", "npm_", "glpa", "verc",
    "vca_", "vcc_", "vci_", "vcp_", "vcr_", "vck_",
    "sk_l", "sk_t", "rk_l", "rk_t", "whse", "akia", "asia", "aiza", "----",
    "xoxa", "xoxb", "xoxe", "xoxo", "xoxp", "xoxr", "xoxs", "auth", "bear", "basi",
    # Addresses, and connection strings with a password.
    "http", "post", "mysq", "mari", "mong", "redi", "amqp", "sqls", "mssq", "clic", "snow",
    "ftp:", "sftp", "ssh:", "ldap", "smtp", "kafk",
}
# fmt: on
"""What such a text begins with, in lower case."""
_SHORT_BEGINNINGS = {"eyj", "sk-", "sg."}
BEGINNING = 4
"""Letters by which most texts are told from secrets."""


def is_secret_text(text: str) -> bool:
    """Whether a whole text has the form of a token, a key or an address that opens something."""
    return may_begin_secret(text[:BEGINNING]) and _has_form(text.strip())


def is_any_secret(texts: list[str]) -> bool:
    """Whether one of many texts has the form of a secret."""
    suspect = set(filter(may_begin_secret, {text[:BEGINNING] for text in texts}))
    return bool(suspect) and any(
        text[:BEGINNING] in suspect and _has_form(text.strip()) for text in texts
    )


@lru_cache(maxsize=4096)
def may_begin_secret(beginning: str) -> bool:
    """Whether a text with these first letters may have the form of a secret."""
    folded = beginning.lower()
    return folded in _BEGINNINGS or folded[:3] in _SHORT_BEGINNINGS or folded[:1].isspace()


def is_address(text: str) -> bool:
    """Whether a whole text is an address."""
    return _IS_ADDRESS.fullmatch(text.strip()) is not None


def _has_form(text: str) -> bool:
    if _FORM.fullmatch(text):
        return True
    return "=" in text and is_address(text) and _has_opening_parameter(_PARAMETER.findall(text))


def _has_opening_parameter(parameters: Iterable[tuple[str, str]]) -> bool:
    return any(_opens(unquote(name), value) for name, value in parameters)


def _opens(name: str, value: str) -> bool:
    if secrecy_of(name) or name.casefold().endswith("signature"):
        return True
    return len(value) >= _SHORTEST_VALUE and opens_in_query(name)
