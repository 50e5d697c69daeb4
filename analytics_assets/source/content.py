"""Decodes the bodies of answers (RFC 9110, 8.4).

libcurl does so, too, but stops after the first of several gzip members.
"""

from __future__ import annotations

import zlib

ENCODINGS = "gzip, deflate"
"""The encodings that are read here, as `Accept-Encoding` names them."""

GZIP_MAGIC = b"\x1f\x8b"
# How zlib is told what to read (zlib.h, `inflateInit2`).
_GZIP, _ZLIB, _RAW = 31, 15, -15


class UnknownEncodingError(ValueError):
    """A body has an encoding that is not read here."""


def decode(body: bytes, encodings: str) -> bytes:
    """The body as it was before it was encoded.

    A body that is plain JSON, whatever is said of it, is taken as it is: something on the way has
    decoded it and kept the header.

    Args:
        body: As it came.
        encodings: The header `Content-Encoding`: in the order in which they were applied.

    Raises:
        UnknownEncodingError: If one is none of `ENCODINGS`.
        zlib.error: If the body is cut or broken.
    """
    for name in reversed(encodings.lower().split(",")):
        encoding = name.strip()
        if encoding in ("", "identity") or not body:
            continue
        if encoding in ("gzip", "x-gzip"):
            body = _inflate(body, _GZIP) if body.startswith(GZIP_MAGIC) else body
        elif encoding == "deflate":
            body = _undeflate(body)
        else:
            raise UnknownEncodingError(f"{encoding} is an encoding that was not asked for")
    return body


def _undeflate(body: bytes) -> bytes:
    """Reads what servers call deflate: zlib's format, or the bare stream of some."""
    try:
        return _inflate(body, _ZLIB)
    except zlib.error as error:
        try:
            return _inflate(body, _RAW)
        except zlib.error:
            if body.lstrip().startswith((b"{", b"[")):
                return body
            raise error from None


def _inflate(body: bytes, form: int) -> bytes:
    """Decompresses a series of streams, which zero bytes may follow (RFC 1952, 2.2)."""
    parts = []
    while body:
        stream = zlib.decompressobj(form)
        parts.append(stream.decompress(body))
        if not stream.eof:
            raise zlib.error("the body ends in the middle of a stream")
        body = stream.unused_data.lstrip(b"\0")
    return b"".join(parts)
