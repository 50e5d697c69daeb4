"""Bodies that come compressed, in every way in which servers do it."""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64decode
from functools import partial
from pathlib import Path

import pytest

from analytics_assets.source.content import UnknownEncodingError, decode
from harness.project import Project, metadata, sentence
from harness.scripted import Answer, Asked, scripted_api

# Without the time, for tests are called by what they are given, the same in each process.
compress = partial(gzip.compress, mtime=0)
PROJECTS = [{"id": "prj_a", "name": "one"}, {"id": "prj_b", "name": "two"}]
BODY = json.dumps({"projects": PROJECTS}).encode()
HALF = len(BODY) // 2
MEMBERS = compress(BODY[:HALF]) + compress(BODY[HALF:])
RAW = zlib.compress(BODY)[2:-4]
BROTLI = b64decode(
    "G00AABwHbqzFThC0944R5C31q1UwRiB4M5ugWXS6+gQIbMCJhprrMDCMdllZv21j+kajfWYuEDwUqxujyn2RBg=="
)


@pytest.mark.parametrize(
    ("encodings", "body"),
    [
        ("gzip", compress(BODY)),
        ("gzip", MEMBERS),
        ("gzip", compress(b"") + MEMBERS + compress(b"")),
        ("gzip", b"".join(compress(bytes([byte])) for byte in BODY)),
        ("gzip", MEMBERS + bytes(512)),
        ("gzip", compress(BODY[:HALF]) + bytes(512) + compress(BODY[HALF:])),
        (" X-GZIP ", compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", RAW),
        ("deflate, gzip", compress(zlib.compress(BODY))),
        ("gzip,gzip", compress(MEMBERS)),
        ("identity", BODY),
        ("", BODY),
        # Decoded on the way, with the header kept.
        ("gzip", BODY),
        ("deflate", b"\n " + BODY),
    ],
)
def test_a_body_is_read_in_every_encoding(encodings: str, body: bytes) -> None:
    assert decode(body, encodings).strip() == BODY


def test_an_empty_body_is_empty_whatever_is_said_of_it() -> None:
    assert decode(b"", "gzip") == decode(b"", "br") == b""


@pytest.mark.parametrize(
    ("encodings", "body"),
    [
        *[("gzip", compress(BODY)[:length]) for length in (2, 12, 40, -9, -1)],
        ("gzip", MEMBERS[:-1]),
        ("gzip", MEMBERS + b"\x1f\x8b"),
        ("gzip", MEMBERS + b"garbage"),
        ("gzip", compress(BODY)[:-8] + bytes(8)),
        ("deflate", zlib.compress(BODY)[:-1]),
        ("deflate", zlib.compress(BODY)[:-4] + bytes(4)),
        ("deflate", RAW[:-1]),
        ("deflate", b"garbage"),
    ],
)
def test_a_body_that_is_cut_or_broken_is_an_error(encodings: str, body: bytes) -> None:
    with pytest.raises(zlib.error):
        decode(body, encodings)


@pytest.mark.parametrize("encodings", ["br", "zstd", "gzip, br", "aes128gcm"])
def test_an_encoding_that_was_not_asked_for_is_an_error(encodings: str) -> None:
    with pytest.raises(UnknownEncodingError, match=encodings.rpartition(" ")[2]):
        decode(b"any", encodings)


def encoded(body: bytes, encoding: str = "gzip") -> Answer:
    return Answer(body, 200, {"Content-Encoding": encoding})


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(
    ("first", "requests"),
    [
        (encoded(MEMBERS + bytes(8)), 1),
        (encoded(BODY), 1),
        # libcurl reads it, from the next request on.
        (encoded(BROTLI, "br"), 2),
        (encoded(MEMBERS[:-30]), 2),
    ],
    ids=["members", "plain", "brotli", "cut"],
)
def test_all_rows_are_loaded_whatever_the_encoding(
    tmp_path: Path, first: Answer, requests: int
) -> None:
    is_brotli = first.headers["Content-Encoding"] == "br"

    def script(asked: Asked) -> Answer:
        return first if is_brotli or not asked.number else encoded(MEMBERS)

    with scripted_api(script) as api:
        project = Project(tmp_path, api.url)
        loaded = metadata(project.load("projects"), "projects")
    assert project.query("select id, name from analytics.projects order by id") == PROJECTS
    assert len(api.asked) == requests
    sizes = [len(script(asked).content()) for asked in api.asked]
    assert sizes[-1] <= loaded["bytes_received"] <= sum(sizes)


def test_a_body_that_stays_cut_is_an_error(tmp_path: Path) -> None:
    with scripted_api(lambda _: encoded(MEMBERS[:-30])) as api:
        said = sentence(Project(tmp_path, api.url), "projects")
    assert said.startswith("GET /v9/projects answered nothing that could be read (")
    assert "in each of 4 attempts" in said
