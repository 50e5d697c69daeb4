"""Which names say that what they hold is a secret, or opens something to whoever has it.

A name is judged by what it ends with, whatever its case and style: `clientSecret`, `CLIENT_SECRET`
and `Client-Secret` hold a secret, `secretId` and `tokenCount` do not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache


class Secrecy(IntEnum):
    """What a name says of its value.

    Attributes:
        NONE: Nothing: an object is looked into.
        TEXT: A text is a secret, also in a list; an object is looked into.
        ALL: A text, a list and an object are secrets as a whole. The keys of a map may be them.
    """

    NONE = 0
    TEXT = 1
    ALL = 2


_KEY = (
    "(?:access|account|api|app|application|auth|bot|client|decryption|deploy|encryption|hmac"
    "|license|master|private|secret|service|session|shared|sign|signing|ssh|storage|webhook|write)"
    "key"
)
_CODE = (
    "(?:access|activation|auth|authorization|backup|invitation|invite|join|mfa|onetime|otp|pairing"
    "|pass|pin|recovery|reset|security|verification)code"
)
_ADDRESS = "(?:url|uri|href|link|address|endpoint)"
_DATABASE = "(?:database|db|connection|jdbc|mongo|mongodb|redis|postgres|postgresql|mysql|amqp)s?"
_ENDING = "(?:e?s)?(?:hash|salt|value|text|string|plain|plaintext|encrypted|base)?$"
_IS_ALL = re.compile(
    "(?:password|passwd|passphrase|secret|token|bypass|credential|cookie|authorization|jwt"
    "|connectionstring|encryptedvalue|decryptedvalue|basicauth|deployhook"
    f"|{_KEY}|{_CODE}){_ENDING}"
)
_IS_TEXT = re.compile(
    f"(?:webhook|hooks?{_ADDRESS}|(?:invite|invitation|join|magic|reset|signed){_ADDRESS}"
    f"|{_DATABASE}(?:url|uri|dsn)){_ENDING}"
)
_SHORT_WORDS = {"hook", "hooks", "pass", "pwd", "pin", "otp", "totp", "bearer", "dsn", "cvv", "cvc"}
"""Secrets as words of their own only: `compass` and `spin` end with them, too."""

_QUANTITY = re.compile(
    "(?:(?:max|min|total|input|output|prompt|completion|reasoning|cached|used|remaining|num|of"
    "|number|count|limit|available|billed|new|context|audio)+)tokens$"
)
_QUESTIONS = {"has", "is", "can", "should", "needs", "requires", "allows", "uses", "shows"}
"""First words of names that hold an answer to a question."""

_CONTEXT = re.compile(
    "(?:hook|invite|invitation|api|signing|encryption|database|db|connection"
    "|env|envvar|variable|environment)s?$"
)
_BELOW_CONTEXT = re.compile(
    f"(?:hooks?{_ADDRESS}|(?:invite|invitation)s?(?:code|key|{_ADDRESS})"
    "|(?:api|signing|encryption)s?keys?|(?:env|envvar|variable)s?value"
    "|(?:database|db|connection)s?(?:url|uri|string))$"
)
_COMMON = re.compile("url|uri|href|link|address|endpoint|code|keys?|string|value")
_VARIABLES = re.compile("(?:env|envvar|variable|environment)s?$")
_ENV = re.compile("env(?:var|ironmentvariable)?s?$")
_VARIABLE = re.compile("[A-Z][A-Z0-9_]+")
_NAMES_OF_RECORDS = {"id", "name", "slug", "type", "key", "value"}

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+")
LONGEST_NAME = 200
"""Characters of a name that are looked at: what is longer is no name."""


@lru_cache(maxsize=4096)
def secrecy_of(name: str) -> Secrecy:
    """What a name says of its value."""
    words = _words(name)
    compact = "".join(words)
    if not words or words[0] in _QUESTIONS or _QUANTITY.match(compact):
        return Secrecy.NONE
    if _IS_ALL.search(compact):
        return Secrecy.ALL
    is_text = words[-1] in _SHORT_WORDS or _IS_TEXT.search(compact)
    return Secrecy.TEXT if is_text else Secrecy.NONE


@lru_cache(maxsize=4096)
def secrecy_below(context: str, name: str) -> Secrecy:
    """What a name says of its value inside an object of another name: the `url` of a `webhook`."""
    if is_common(name) and _BELOW_CONTEXT.search("".join(_words(context) + _words(name))):
        return Secrecy.TEXT
    return secrecy_of(name)


@lru_cache(maxsize=4096)
def is_common(name: str) -> bool:
    """Whether what a name says depends on the object it is in."""
    return bool(_COMMON.fullmatch("".join(_words(name))))


def is_environment(name: str, keys: Iterable[str]) -> bool:
    """Whether a map of a name holds environment variables, whose values may be secrets."""
    compact = "".join(_words(name))
    if not keys or not _VARIABLES.search(compact):
        return False
    # An `environment` may be anything else, and an `env` a record of one.
    is_env = _ENV.search(compact) and _NAMES_OF_RECORDS.isdisjoint(keys)
    return bool(is_env) or all(map(_VARIABLE.fullmatch, keys))


def is_innocent(name: str) -> bool:
    """Whether neither the value of a name is a secret, nor anything because it is below it."""
    compact = "".join(_words(name))
    return not secrecy_of(name) and not _CONTEXT.search(compact) and compact != "value"


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", name[:LONGEST_NAME])
    return [word.casefold() for word in _WORD.findall(plain)]
