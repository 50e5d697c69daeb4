"""Which names say that what they hold is a secret, or opens something to whoever has it.

A name is judged by what it ends with, whatever its case and style: `clientSecret`, `CLIENT_SECRET`
and `Client-Secret-V2` hold a secret, `secretId` and `tokenCount` do not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import unquote

Secrecy: TypeAlias = frozenset[type]
"""The types of values that are secrets under a name, also in a list.

With `dict` an object is one as a whole, for the keys of a map may be the secrets; without it an
object is looked into.
"""
NONE: Secrecy = frozenset()
TEXT: Secrecy = frozenset({str})
VALUE: Secrecy = frozenset({str, int, float})
MANY: Secrecy = frozenset({str, dict})
ALL: Secrecy = frozenset({str, int, float, dict})


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
_RECIPIENT = f"(?:(?:target|destination){_ADDRESS}?|to)"
_DATABASE = "(?:database|db|connection|jdbc|mongo|mongodb|redis|postgres|postgresql|mysql|amqp)s?"
# Digits are no part of words: `V2` is `v`, and `B64` is `b`.
_ENDING = (
    "(?:e?s)?(?:hash|salt|value|text|string|plain|plaintext|encrypted|base|b|v|old|new|current"
    "|previous|confirmation|pem|der|data)*$"
)
_IS_WHOLE = re.compile(
    "(?:password|passwd|passphrase|secret|token|bypass|credential|cookie|authorization|jwt"
    "|connectionstring|encryptedvalue|decryptedvalue|basicauth|deployhook"
    f"|{_KEY}|{_CODE}){_ENDING}"
)
_IS_TEXT = re.compile(
    f"(?:webhook{_RECIPIENT}?|hooks?{_ADDRESS}"
    f"|(?:invite|invitation|join|magic|reset|signed){_ADDRESS}|{_DATABASE}(?:url|uri|dsn)){_ENDING}"
)
_SHORT_WORDS = {"hook", "hooks", "dsn"}
_SHORT_WORDS_OF_VALUES = {"pass", "pw", "pwd", "pin", "otp", "totp", "bearer", "cvv", "cvc"}
"""Secrets as words of their own only: `compass` and `spin` end with them, too."""
_IS_SHORT_VALUE = re.compile(
    "(?:pwd|(?:admin|database|db|ftp|mail|mysql|postgres|redis|root|smtp|ssh|user)s?pass)$"
)

_QUANTITIES = (
    "max|min|total|input|output|prompt|completion|reasoning|cached|cache|read|creation|used"
    "|remaining|num|of|number|count|limit|available|billed|new|context|audio|image|text"
)
_QUANTITY = re.compile(f"(?:{_QUANTITIES})+tokens$")
_COUNTED = re.compile(f"(?:{_QUANTITIES})+(?:tokens)?$")
_QUESTIONS = {"has", "is", "can", "should", "needs", "requires", "allows", "uses", "shows"}
"""First words of names that hold an answer to a question: yes, no, or a text that is none."""

_HOOK = re.compile("hooks?$")
_CONTEXT = re.compile(
    "(?:hook|invite|invitation|api|signing|encryption|database|db|connection"
    "|env|envvar|var|variable|environment)s?$"
)
_BELOW_CONTEXT = re.compile(
    f"(?:hooks?(?:{_ADDRESS}|{_RECIPIENT})|(?:invite|invitation)s?(?:code|key|{_ADDRESS})"
    "|(?:api|signing|encryption)s?keys?|(?:env|envvar|variable)s?value"
    "|(?:database|db|connection)s?(?:url|uri|string))$"
)
_COMMON = re.compile(f"{_ADDRESS}|{_RECIPIENT}|code|keys?|string|value")
_NAMES_OF_PAIRS = {"key", "name", "header", "field", "parameter", "param", "variable", "k", "id"}
_VALUES_OF_PAIRS = {"value", "values", "val", "v", "defaultvalue"}
_VARIABLES = re.compile("(?:env|envvar|var|variable|environment)s?$")
_ENV = re.compile("env(?:var|ironmentvariable)?s?$")
_VARIABLE = re.compile("[A-Z][A-Z0-9_]+")
_NAMES_OF_RECORDS = {"id", "name", "slug", "type", "key", "value"}

_OPENS_IN_QUERY = re.compile(f"(?:key|token|signature|password|secret){_ENDING}")
_SHORT_WORDS_IN_QUERIES = {
    "sig",
    "code",
    "sign",
    "hmac",
    "session",
    "sid",
    "auth",
    "appid",
    "sas",
    "share",
}

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+")
_RANDOM_ENDING = re.compile(
    r"(.+?(?:secret|token|key|password|bypass|code)[\W_])"
    r"(?=\d*[a-z])(?=(?:\D*\d){3})([^\W_][^\W_-]*(?:-[^\W_-]+)*)",
    re.IGNORECASE,
)
_SHORTEST_RANDOM = 8
LONGEST_NAME = 200
"""Characters of a name that are looked at: what is longer is no name."""


@lru_cache(maxsize=4096)
def secrecy_of(name: str) -> Secrecy:
    """The types of values that are secrets under a name."""
    words = _words(name)
    compact = "".join(words)
    if not words or _QUANTITY.match(compact):
        return NONE
    secrecy = _secrecy_of_words(compact, words[-1])
    return secrecy & TEXT if words[0] in _QUESTIONS else secrecy


def _secrecy_of_words(compact: str, last: str) -> Secrecy:
    if _IS_WHOLE.search(compact):
        # The number of `tokens` is how many there are.
        return MANY if compact.endswith("s") else ALL
    if last in _SHORT_WORDS_OF_VALUES or _IS_SHORT_VALUE.search(compact):
        return TEXT if compact.endswith("s") else VALUE
    is_text = last in _SHORT_WORDS or _IS_TEXT.search(compact)
    return TEXT if is_text else NONE


@lru_cache(maxsize=4096)
def secrecy_below(context: str, name: str) -> Secrecy:
    """The same in an object of another name: the `url` of a `webhook`."""
    if is_common(name) and _BELOW_CONTEXT.search("".join(_words(context) + _words(name))):
        return TEXT
    return secrecy_of(name)


@lru_cache(maxsize=4096)
def is_common(name: str) -> bool:
    """Whether what a name says depends on the object it is in."""
    return bool(_COMMON.fullmatch(_compact(name)))


@lru_cache(maxsize=4096)
def holds_addresses(name: str) -> bool:
    """Whether each address in an object of a name is a secret, as in a map of `webhooks`."""
    return bool(_HOOK.search(_compact(name)))


@lru_cache(maxsize=4096)
def is_value_of_pair(name: str) -> bool:
    """Whether the name of a value stands beside it, as in `{"key": "token", "value": ...}`."""
    return _compact(name) in _VALUES_OF_PAIRS


@lru_cache(maxsize=4096)
def is_name_in_pair(name: str) -> bool:
    """Whether a field holds the name of a value that stands beside it."""
    return _compact(name) in _NAMES_OF_PAIRS


def are_quantities(name: str, keys: Iterable[str]) -> bool:
    """Whether a map of a name counts: `tokens` of the `input` and the `output` of a model."""
    return _compact(name).endswith("tokens") and all(_COUNTED.match(_compact(key)) for key in keys)


def is_environment(name: str, keys: Iterable[str]) -> bool:
    """Whether a map of a name holds environment variables, whose values may be secrets."""
    compact = _compact(name)
    if not keys or not _VARIABLES.search(compact):
        return False
    has_variable = any(map(_VARIABLE.fullmatch, keys))
    # An `environment` may be anything else, and an `env` a record of one.
    is_record = len(_NAMES_OF_RECORDS.intersection(keys)) > 1 and not has_variable
    return bool(_ENV.search(compact) and not is_record) or all(map(_VARIABLE.fullmatch, keys))


@lru_cache(maxsize=4096)
def without_secret(name: str) -> str:
    """A name as it may be shown: of a name like `api_secret_4f1d9cab` the ending is the secret."""
    found = _RANDOM_ENDING.fullmatch(name[:LONGEST_NAME])
    if not found or len(found[2]) < _SHORTEST_RANDOM:
        return name
    return f"{found[1]}*" if dict in secrecy_of(found[1]) else name


@lru_cache(maxsize=4096)
def opens_in_query(name: str) -> bool:
    """Whether a parameter or a header of a request is what the request proves itself by."""
    words = _words(unquote(name))
    if not words or words[-1] in _SHORT_WORDS_IN_QUERIES:
        return bool(words)
    return bool(secrecy_of(unquote(name)) or _OPENS_IN_QUERY.search("".join(words)))


def is_innocent(name: str) -> bool:
    """Whether neither the value of a name is a secret, nor anything because it is below it."""
    is_suspect = secrecy_of(name) or _CONTEXT.search(_compact(name)) or is_value_of_pair(name)
    return not is_suspect and without_secret(name) == name


@lru_cache(maxsize=4096)
def _compact(name: str) -> str:
    return "".join(_words(name))


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", name[:LONGEST_NAME])
    return [word.casefold() for word in _WORD.findall(plain)]
