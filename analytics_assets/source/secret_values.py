"""Which texts are secrets by their form, whatever field holds them."""

from __future__ import annotations

import re

_TAIL = r"[\w.+/=-]{8,}"
_OPENING_PARAMETERS = (
    "x-amz-signature|x-goog-signature|sig|signature|token|access_token|auth|api_?key|secret"
    "|password|client_secret|x-vercel-protection-bypass|_vercel_share"
)
_FORM = re.compile(
    rf"""
    (?:gh[opusr]|github_pat|npm)_{_TAIL} | glpat-{_TAIL} | xox[abeoprs]-{_TAIL}
    | [rs]k_(?:live|test)_{_TAIL} | whsec_{_TAIL}
    | (?:AKIA|ASIA)[A-Z0-9]{{8,}} | AIza{_TAIL}
    | eyJ[\w-]{{5,}}\.[\w-]+\.[\w-]*
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*
    | https://(?:hooks\.slack\.com/(?:services|workflows|triggers)
        |(?:\w+\.)?discord(?:app)?\.com/api/webhooks
        |[\w.-]+\.webhook\.office\.com|hooks\.zapier\.com/hooks
        |api\.vercel\.com/v1/integrations/deploy)/\S+
    | [a-z][a-z0-9+.-]*://[^\s/@:]*:[^\s/@]+@\S+
    | https?://\S+[?&](?i:{_OPENING_PARAMETERS})=\S+
    """,
    re.VERBOSE | re.DOTALL,
)
_BEGINNING = 4
# fmt: off
_BEGINNINGS = {
    "gho_", "ghp_", "ghu_", "ghs_", "ghr_", "gith", "npm_", "glpa",
    "sk_l", "sk_t", "rk_l", "rk_t", "whse", "AKIA", "ASIA", "AIza", "----",
    "xoxa", "xoxb", "xoxe", "xoxo", "xoxp", "xoxr", "xoxs",
    # Addresses, and connection strings with a password.
    "http", "post", "mysq", "mari", "mong", "redi", "amqp", "sqls", "mssq", "clic", "snow",
    "ftp:", "sftp", "ssh:", "ldap", "smtp", "kafk",
}
# fmt: on
"""What such a text begins with: most texts are told from them by this alone."""
_TOKEN_OF_JSON = "eyJ"  # noqa: S105 - the beginning of any JSON Web Token


def is_secret_text(text: str) -> bool:
    """Whether a whole text has the form of a token, a key or an address that opens something."""
    return may_be_secret(text) and _FORM.fullmatch(text.strip()) is not None


def may_be_secret(text: str) -> bool:
    """Whether a text begins like one with the form of a secret."""
    return text[:_BEGINNING] in _BEGINNINGS or text[:3] == _TOKEN_OF_JSON


def any_may_be_secret(texts: list[str]) -> bool:
    """Whether one of many texts begins like one with the form of a secret."""
    beginnings = {text[:_BEGINNING] for text in texts}
    return not _BEGINNINGS.isdisjoint(beginnings) or any(
        beginning[:3] == _TOKEN_OF_JSON for beginning in beginnings
    )
