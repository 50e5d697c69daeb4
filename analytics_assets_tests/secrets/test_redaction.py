"""What looks like a secret and nobody declared is nowhere, until the configuration says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pytest
from dagster import AssetCheckSeverity, DagsterInstance

from analytics_assets.configuration import ANALYTICS, Api, read_api
from analytics_assets.source.redaction import Guard
from analytics_assets.source.secret_values import is_secret_text
from analytics_assets.source.withheld import withhold
from harness.canaries import CANARY, leaks
from harness.configurations import endpoint_words, words_of
from harness.project import Project, failures, metadata
from harness.scripted import Answer, Asked, ScriptedApi, scripted_api
from harness.stores import Store
from harness.things import api_of, things

Row = dict[str, Any]

SECRET = f"{CANARY}4f1d9c"
CREATED = 1_780_000_000_000
CHECK = "secrets_are_decided"

OTHER = {"note": "kept", "maxTokens": 4096, "hasPassword": True, "tokens": {"input": 3}}
"""What only sounds like a secret, or is none."""

SHAPES: dict[str, Callable[[], Any]] = {
    "webhookSecret": lambda: SECRET,
    "API-Key": lambda: SECRET,
    "INVITE_CODE": lambda: SECRET,
    "recoveryCodes": lambda: [SECRET, SECRET],
    "automationBypass": lambda: {f"{CANARY}key": {"createdAt": 1}},
    "credentials": lambda: {"user": "u", "anything": SECRET},
    "webhooks": lambda: [{"id": 1, "url": f"https://h/{SECRET}"}],
    "slack": lambda: f"https://hooks.slack.com/services/T0/B0/{SECRET}",
    "headers": lambda: [{"key": "Authorization", "value": SECRET}],
    "env": lambda: {"DATABASE_URL": SECRET},
    "storage": lambda: {"connectionString": SECRET, "permissions": {"secret": ["list", "read"]}},
    "deep": lambda: [{"a": {"b": [{"signingKey": SECRET}, [{"password": SECRET}]]}}],
    "database": lambda: f"postgres://u:{SECRET}@host/db",
    "note2": lambda: f"ghp_{SECRET}",
}
"""Fields that hold secrets, beside which `OTHER` is."""


def secretive(**fields: Any) -> Row:
    return {**fields, **{name: make() for name, make in SHAPES.items()}, **deepcopy(OTHER)}


def rows_of(path: str) -> Row:
    project = secretive(
        id="prj_a",
        name="a",
        createdAt=CREATED,
        passwordProtection={"deploymentType": "all", "password": SECRET},
        protectionBypass={f"{CANARY}bypass": {"createdAt": 1}},
        link={
            "type": "github",
            "gitCredentialId": "cred_1",
            "deployHooks": [{"id": f"{CANARY}hook", "name": "h", "url": f"https://h/{SECRET}"}],
            "hookToken": SECRET,
        },
        security={
            "firewallBypassIps": ["203.0.113.1"],
            "firewallRoutes": [{"has": [{"type": "header", "key": "x-a", "value": SECRET}]}],
        },
        targets={"production": {"id": "dpl_a", "build": {"env": {"KEY": SECRET}}}},
        permissions={"secret": ["create", "list"], "token": ["read"]},
        # Declared as text: an object lands in a column beside it.
        framework={"accessToken": SECRET, "slug": "kept"},
    )
    return {
        "/v9/projects": {"projects": [project]},
        "/v2/teams": {
            "teams": [secretive(id="team_a", slug="a", createdAt=CREATED, inviteCode=SECRET)]
        },
        "/v5/user/tokens": {
            "tokens": [secretive(id="tok_a", createdAt=CREATED, leakedUrl=f"https://x/{SECRET}")]
        },
        "/v4/aliases": {"aliases": [secretive(uid="als_a", createdAt=CREATED)]},
        "/v6/deployments": {"deployments": [secretive(uid="dpl_a", created=CREATED)]},
        "/v9/projects/prj_a/env": {
            "envs": [secretive(id="env_a", key="K", value=SECRET, legacyValue=SECRET)]
        },
    }


def script(asked: Asked) -> Answer:
    if asked.path.endswith("/events"):
        event = {"id": "evt_a", "created": CREATED, "text": "token: kept", "type": "stdout"}
        # The texts of a log are as they are; what bears a name is withheld there, too.
        return Answer([{**event, "info": {"name": "bld", "apiKey": SECRET}}])
    return Answer({**rows_of(asked.path)[asked.path], "pagination": {"next": None}})


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api(script) as api:
        yield api


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything is found that a load writes, with dlt's debug log on."""
    left = tmp_path / "left"
    for name, setting in {"dagster": "DAGSTER_HOME", "tmp": "TMPDIR"}.items():
        (left / name).mkdir(parents=True)
        monkeypatch.setenv(setting, str(left / name))
    (left / "dagster" / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "python_logs: {managed_python_loggers: [root], python_log_level: DEBUG}\n"
    )
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "DEBUG")
    return left


NAMES = ["projects", "teams", "environments", "auth_tokens", "deployments", "deployment_events"]


def kept(row: Mapping[str, Any]) -> Row:
    return {name: row[name] for name in OTHER}


@pytest.mark.long(reason="several loads each")
def test_secrets_that_nobody_declared_are_nowhere_after_a_first_and_a_later_load(
    folder: Path, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(folder / "warehouse.duckdb"))
    with DagsterInstance.get() as instance:
        project = Project(folder, api.url, instance=instance)
        for _ in range(2):
            project.load_all(*NAMES)
        said = {name: project.check(name)[CHECK] for name in NAMES}
        result = project.load("teams")
        assert metadata(result, "teams")["fields_withheld"] == len(SHAPES) + 1, "two below `deep`"
    for name in NAMES:
        (row,) = project.query(f"select * from analytics.{name}")  # noqa: S608 - our own names
        if name == "deployment_events":
            assert row["info"] == {"name": "bld", "apiKey": None}
            assert row["text"] == "token: kept"
            continue
        assert kept(row) == OTHER
        assert row["storage"] == {
            "connectionString": None,
            "permissions": {"secret": ["list", "read"]},
        }
        assert row["webhooks"] == [{"id": 1, "url": None}]
        assert not said[name].passed
        assert said[name].severity is AssetCheckSeverity.WARN
        assert "storage.connectionString" in str(said[name].description)
    (row,) = project.query("select * from analytics.projects")
    assert row["link"] == {
        "type": "github",
        "gitCredentialId": "cred_1",
        "deployHooks": [{"id": None, "name": "h", "url": None}],
        "hookToken": None,
    }
    assert row["security"]["firewallBypassIps"] == ["203.0.113.1"]
    assert row["permissions"] == {"secret": ["create", "list"], "token": ["read"]}
    assert row["targets"] == {"production": {"id": "dpl_a", "build": {"env": None}}}
    assert leaks(folder) == []
    assert CANARY not in "".join(capfd.readouterr())


def configured(name: str, **words: Any) -> Api:
    config = deepcopy(ANALYTICS)
    cast(Row, words_of(config, name)).update(words)
    return read_api(config)


def test_secrets_stay_away_from_each_warehouse(
    tmp_path: Path, api: ScriptedApi, store: Store
) -> None:
    project = Project(tmp_path, api.url, store=store)
    for _ in range(2):
        project.load_all("teams")
    (row,) = project.query("select * from analytics.teams")
    assert kept(row) == OTHER
    assert CANARY not in json.dumps(row)
    assert "webhookSecret" in str(project.check("teams")[CHECK].description)


@pytest.mark.long(reason="several loads each")
def test_the_check_warns_until_the_configuration_names_each_field(
    tmp_path: Path, api: ScriptedApi
) -> None:
    Project(tmp_path, api.url).load_all("aliases")
    known = [*OTHER, *SHAPES]
    withheld = [path for path in SHAPES if path not in ("API-Key", "storage")]
    words: Row = {"withheld": withheld, "store": ["api-key"], "known_columns": known}
    project = Project(tmp_path, api.url, configured("aliases", **words))
    found = project.check("aliases")[CHECK]
    assert "not stored: storage.connectionString." in str(found.description), "named before a load"
    words["store"] = ["api-key", "storage.*"]
    project = Project(tmp_path, api.url, configured("aliases", **words))
    project.load_all("aliases")
    checks = project.check("aliases")
    assert {name for name, found in checks.items() if not found.passed} == set()
    (row,) = project.query("select * from analytics.aliases")
    assert row["API-Key"] == SECRET
    assert row["storage"]["connectionString"] == SECRET
    assert json.dumps(row).count(SECRET) == 2, "nothing else is stored"
    preview = project.load("aliases")
    assert CANARY not in str(metadata(preview, "aliases"))


def test_a_secret_of_an_earlier_load_is_told_and_overwritten(
    tmp_path: Path, api: ScriptedApi
) -> None:
    project = Project(tmp_path, api.url, configured("teams", withheld=[], store=["inviteCode"]))
    project.load_all("teams")
    assert project.query('select "inviteCode" from analytics.teams') == [{"inviteCode": SECRET}]
    project = Project(tmp_path, api.url)
    checks = project.check("teams")
    assert "Secrets of earlier loads stand in 1 row of teams" in str(checks[CHECK].description)
    assert "inviteCode" not in str(checks["columns_are_declared"].description)
    project.load_all("teams")
    assert project.query('select "inviteCode" from analytics.teams') == [{}]
    assert "earlier loads" not in str(project.check("teams")[CHECK].description)


VALUES = [
    (None, False),
    ("", False),
    (" ", False),
    (0, False),
    (483_920, True),
    (1.5, True),
    (True, False),
    ([], False),
    ({}, False),
    ([1, 2], True),
    ([None], False),
    (["read", "list"], False),
    ("write", False),
    (["read", "s3cret"], True),
    ("s3cret", True),
    ("483920", True),
    (["s3cret"], True),
    ([["s3cret"]], True),
    ({"s3cret": 1}, True),
    ({"s3cret": None}, True),
    ({"a": {"b": 1}}, True),
    ([{"value": "s3cret"}], True),
]


@pytest.mark.parametrize(("value", "is_secret"), VALUES)
@pytest.mark.parametrize("name", ["secret", "client_secret", "CLIENT-SECRET", "apiKey"])
def test_whether_a_value_is_a_secret_depends_on_its_kind(
    name: str, value: Any, is_secret: bool
) -> None:
    record: Row = {"id": "1", name: deepcopy(value), "inside": [{name: deepcopy(value)}]}
    emptied(record)
    expected = None if is_secret else value
    assert record == {"id": "1", name: expected, "inside": [{name: expected}]}


def emptied(record: Row, **words: Any) -> set[str]:
    thing: Any = {**things(**words.pop("fields", {})), **words}
    resource = api_of(thing).resources["things"]
    guard = Guard(resource)
    withhold(resource)([record])
    guard.empty([record])
    return guard.found


def test_ids_in_a_map_are_not_named_and_a_star_stands_for_them() -> None:
    def record() -> Row:
        return {"targets": {f"prj_12345{i}": {"token": "x", "url": "y"} for i in range(3)}}

    found = record()
    assert emptied(found) == {"targets.*.token"}
    assert found == {"targets": {f"prj_12345{i}": {"token": None, "url": "y"} for i in range(3)}}
    found = record()
    assert emptied(found, store=["targets.*.token"]) == set()
    assert found == record()
    found = record()
    assert emptied(found, withheld=["targets.*.url"], store=["targets"]) == set()
    assert found == {"targets": {f"prj_12345{i}": {"token": "x", "url": None} for i in range(3)}}


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [
        ("env", {"DATABASE_URL": "x", "PORT": 1}, True),
        ("env", {"greeting": "x"}, True),
        ("envVars", {"greeting": "x"}, True),
        ("environment", {"DATABASE_URL": "x"}, True),
        ("environment", {"slug": "production", "branch": "main"}, False),
        ("env", {"id": "env_1", "slug": "production"}, False),
        ("env", {"greeting": "x", "name": "y"}, True),
        ("envVars", {"name": "x"}, True),
        ("env", {"KEY": "x", "name": "y", "type": "z"}, True),
        ("vars", {"KEY": "x"}, True),
        ("env", ["DATABASE_URL", "PORT"], False),
        ("env", [{"key": "GREETING", "target": "production"}], False),
        ("env", {}, False),
    ],
)
def test_a_map_of_environment_variables_is_withheld_and_their_names_are_not(
    name: str, value: Any, is_secret: bool
) -> None:
    record = {"build": {name: deepcopy(value)}}
    emptied(record)
    assert record == {"build": {name: None if is_secret else value}}


MAPS = [
    {"tokens": {SECRET: 1}},
    {"apiTokens": {SECRET: 1_790_000_000_000}},
    {"secretTokens": {SECRET: 2}},
    {"webhookUrls": {f"https://h/{SECRET}": True}},
    {"inviteLinks": {f"https://h/{SECRET}": {"n": 1}}},
    {"webhooks": {"deploy": f"https://h/{SECRET}"}},
    {"webhooks": {"deploy": [f"https://h/{SECRET}"]}},
    {"webhooks": [{"u": f"HTTPS://h/{SECRET}"}]},
    {"webhook": {"target": SECRET}},
    {"webhook": {"targetUrl": SECRET}},
    {"webhook": {"to": SECRET}},
    {"list": {f"api_secret_{SECRET}": 1}},
]
PAIRS = [
    {"Key": "Authorization", "Value": SECRET},
    {"NAME": "API_KEY", "VALUE": SECRET},
    {"header": "Authorization", "value": SECRET},
    {"key": "token", "val": SECRET},
    {"k": "token", "v": SECRET},
    {"key": "API_KEY", "defaultValue": SECRET},
    {"name": "x-api-key", "values": [SECRET]},
    {"key": "pin", "value": [SECRET]},
    ["Authorization", SECRET],
]


@pytest.mark.parametrize("value", [*MAPS, *([pair] for pair in PAIRS)])
def test_a_secret_is_found_in_a_map_and_in_a_pair(value: Any) -> None:
    for record in ({"a": deepcopy(value)}, {"a": {"b": [{"c": deepcopy(value)}]}}):
        assert emptied(record)
        assert SECRET not in json.dumps(record)


@pytest.mark.parametrize(
    "value",
    [
        {"tokens": {"input": 3, "cacheRead": 4, "total_tokens": 7}},
        {"tokens": 4, "apiKeys": 2, "pass": 12, "tokenCount": 3, "maxTokens": 4},
        {"webhooks": {"deploy": {"events": ["created"], "count": 2}}},
        {"hasSecret": True, "isSecret": False, "usesToken": None},
        {"mail": {"to": "somebody"}, "docs": {"url": "https://example.com/"}},
        {"pairs": [["a", "b"], ["width", 3]], "options": [{"key": "theme", "value": "dark"}]},
        {"scopes": ["token", "write"]},
    ],
)
def test_what_only_sounds_so_is_stored_in_maps_and_pairs(value: Any) -> None:
    record = {"a": deepcopy(value)}
    assert emptied(record) == set()
    assert record == {"a": value}


@pytest.mark.parametrize("name", ["hasSecret", "isSecret", "usesToken", "showsPassword"])
def test_a_text_that_answers_a_question_is_withheld(name: str) -> None:
    record: Row = {name: SECRET}
    assert emptied(record) == {name}


def test_a_field_whose_name_is_a_secret_is_taken_out_and_named_without_it() -> None:
    name = "api_secret_4f1d9cabcdef"
    record: Row = {"id": "1", name: 1}
    assert emptied(record) == {"api_secret_*"}
    assert record == {"id": "1"}
    record = {"id": "1", name: 1}
    assert emptied(record, store=["api_secret_*"]) == set()
    assert record == {"id": "1", name: 1}


def test_a_declared_array_or_object_that_is_a_secret_text_is_withheld() -> None:
    for word in ("array", "object"):
        record = {"targets": f"ghp_{SECRET}"}
        assert emptied(record, fields={"targets": word}) == {"targets"}
        assert record == {"targets": None}


def test_what_the_configuration_says_of_a_list_opens_no_map_of_variables() -> None:
    record = {"env": {"GREETING": SECRET, "name": SECRET}}
    assert emptied(record, withheld=["env.value"], fields={"env": "array"}) == {"env"}
    assert record == {"env": None}


def test_a_field_that_is_declared_as_text_is_stored() -> None:
    record = {"token": "x", "holder": {"token": "x"}}
    fields = {"token": "string", "holder": "object"}
    assert emptied(record, fields=fields) == {"holder.token"}
    assert record == {"token": "x", "holder": {"token": None}}


def test_of_an_object_that_the_configuration_knows_the_other_parts_are_looked_at() -> None:
    record = {"credentials": {"user": "u", "password": "p", "apiKey": "k"}}
    assert emptied(record, withheld=["credentials.password"]) == {"credentials.apiKey"}
    assert record == {"credentials": {"user": "u", "password": None, "apiKey": None}}


def test_a_name_with_a_dot_is_found_and_decided_on() -> None:
    record = {"settings": {"app.token": "x", "app.password": "y"}}
    words = {"store": ["settings.app.token"], "withheld": ["settings.app.password"]}
    assert emptied(record, **words) == set()
    assert record == {"settings": {"app.token": "x", "app.password": None}}


FORMS = """
ghp_0123456789abcdef github_pat_0123456789 glpat-0123456789 xoxb-0123456789 sk_live_0123456789
rk_test_0123456789 whsec_0123456789 AKIAIOSFODNN7EXAMPLE AIzaSyA0123456789 npm_0123456789
eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln
https://hooks.slack.com/services/T0/B0/x https://discord.com/api/webhooks/1/x
https://api.vercel.com/v1/integrations/deploy/prj_1/x
postgres://user:password@host/db redis://:password@host https://user:password@host/
https://bucket.s3.example/file?X-Amz-Date=1&X-Amz-Signature=x https://app.example/?token=x
HTTPS://u:4f1d9c@h/ https://canary-4f1d9c@h/ https://a/?key=canary-4f1d9c https://a/?api-key=4f1d9c
https://a/p#access_token=4f1d9c https://a/?x=1;%74oken=4f1d9cabc https://x/?_vercel_share=4f1d9cabc
https://outlook.office.com/webhook/4f1d9c sk-canary-4f1d9c sk-ant-canary-4f1d9c
SG.canary-4f1d9c.x vcp_canary4f1d9c
"""
NO_FORMS = """
ghp ghp_short akia https://example.com/ https://example.com/?page=2 https://hooks.slack.com/
https://user@host/ postgres://host/db npm_install sk_live mail@example.com eyJust.a.text
https://a/?key=name https://a/?code=404 https://a/?design=modern-kitchen sk-learn-something SG.1
"""
FORMS_OF_WORDS = [
    "-----BEGIN RSA PRIVATE KEY-----\nMII\n",
    " https://u:4f1d9c@h/",
    "Bearer canary-4f1d9c",
    "bearer  4f1d9c4f1d9c",
    "Authorization: Bearer canary-4f1d9c",
    "Basic canary-4f1d9c",
    "Basic dXNlcjpwYXNz",
]
SENTENCES = [
    "",
    "a ghp_0123456789abcdef in a sentence",
    "Bearer authentication",
    "Bearer tokens expire after 3600 seconds",
    "Basic JavaScript",
    "Basic plan",
    "Authorization: none",
]


@pytest.mark.parametrize("text", [*FORMS.split(), *FORMS_OF_WORDS])
def test_a_text_has_the_form_of_a_secret(text: str) -> None:
    assert is_secret_text(text)


@pytest.mark.parametrize("text", [*NO_FORMS.split(), *SENTENCES])
def test_a_text_has_no_form_of_a_secret(text: str) -> None:
    assert not is_secret_text(text)


def refusing(status: int) -> Callable[[Asked], Answer]:
    def answer(asked: Asked) -> Answer:
        said = {"error": {"message": f"bad key {SECRET}"}}
        return Answer(said, status=status)

    return answer


def repeating(_: Asked) -> Answer:
    teams = [{"id": str(number), "createdAt": 1} for number in range(100)]
    return Answer({"teams": teams, "pagination": {"next": "same"}})


def proving_itself() -> Api:
    """A configuration that sends a secret in the query and in headers."""
    config = deepcopy(ANALYTICS)
    for name in ("teams", "teams_member"):
        endpoint = endpoint_words(config, name)
        names = ("api_key", "appid", "clientToken", "subscription-key", "user_key")
        endpoint["params"] |= dict.fromkeys(names, SECRET)
        endpoint["headers"] = {"X-Api-Key": SECRET, "Cookie": f"a={SECRET}"}
    return read_api(config)


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (repeating, "would be asked a second time with {'limit': 100"),
        (refusing(400), "answered 400"),
        (refusing(403), "answered 403"),
        (refusing(500), "answered 500 in each of 2 attempts"),
        (None, "found no server"),
        (lambda _: Answer(b"<html>"), "answered no JSON"),
        (lambda _: Answer({"other": 1}), "without the declared list"),
    ],
    ids=["repeats", "400", "403", "500", "refused", "html", "no list"],
)
def test_a_key_in_a_query_or_a_header_is_in_no_error_event_or_log(
    folder: Path, answer: Callable[[Asked], Answer] | None, words: str, capfd: Any
) -> None:
    proving = proving_itself()
    with scripted_api(answer or repeating) as server, DagsterInstance.get() as instance:
        url = server.url if answer else "http://127.0.0.1:1"
        project = Project(folder, url, proving, instance=instance, max_retries=1)
        said = failures(project.load("teams"))["teams"]
        assert not answer or server.asked[0].params["api_key"] == SECRET, "it is sent"
    assert words in said
    assert leaks(folder) == []
    assert CANARY not in "".join(capfd.readouterr())


def test_a_key_in_a_query_is_in_no_error_of_a_child(folder: Path, capfd: Any) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/members"):
            return Answer({}, status=400)
        return Answer({"teams": [{"id": "a", "createdAt": CREATED}]})

    proving = proving_itself()
    with scripted_api(answer) as server, DagsterInstance.get() as instance:
        project = Project(folder, server.url, proving, instance=instance, max_retries=0)
        said = failures(project.load("teams", "teams_member"))
    assert "answered 400" in said["teams_member"]
    assert leaks(folder) == []
    assert CANARY not in "".join(capfd.readouterr())
