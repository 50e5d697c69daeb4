"""A deployment's events: a bare list, cut at the limit, complete with -1."""

from analytics_assets_tests.demo_api.conftest import StartDemo
from harness.demo_server import ANCHOR, DemoServer, Row

LONG = 5
"""The place of the deployment to which the shared server gives 250 events."""


def events(demo: DemoServer, place: int = LONG, **params: object) -> list[Row]:
    deployment = demo.get("/v6/deployments").json()["deployments"][place]
    body: list[Row] = demo.get(f"/v3/deployments/{deployment['uid']}/events", **params).json()
    return body


def test_a_limit_cuts_silently_and_minus_one_does_not(demo: DemoServer) -> None:
    sizes = {limit: len(events(demo, limit=limit)) for limit in (1, 100, 1000, -1)}
    assert sizes == {1: 1, 100: 100, 1000: 100, -1: 250}
    assert len(events(demo)) == 20


def test_the_direction_is_the_order(demo: DemoServer) -> None:
    forward = events(demo, limit=-1)
    times = [event["created"] for event in forward]
    assert times == sorted(set(times))
    assert events(demo, limit=3, direction="forward") == forward[:3]
    assert events(demo, limit=3, direction="backward") == forward[:-4:-1]


def test_since_and_until_are_inclusive(demo: DemoServer) -> None:
    everything = events(demo, limit=-1)
    since, until = everything[10]["created"], everything[15]["created"]
    assert events(demo, since=since, until=until) == everything[10:16]
    assert events(demo, since=since + 1, until=until - 1) == everything[11:15]


def test_events_may_come_without_an_id(start_demo: StartDemo) -> None:
    demo = start_demo("--anchor", ANCHOR, "--events-without-id")
    rows = [event for place in range(2, 20) for event in events(demo, place) or []]
    assert rows
    assert not any("id" in event or "id" in event.get("payload", {}) for event in rows)


def test_a_deployment_may_be_named_by_its_uid(demo: DemoServer, start_demo: StartDemo) -> None:
    uid = demo.get("/v6/deployments").json()["deployments"][9]["uid"]
    other = start_demo("--anchor", ANCHOR, "--events-of", "5=250", "--events-of", f"{uid}=33")
    assert len(events(other, 9, limit=-1)) == 33


def test_the_mean_is_an_option(start_demo: StartDemo) -> None:
    demo = start_demo("--anchor", ANCHOR, "--events", "40", "--deployments", "60")
    counts = [len(events(demo, place, limit=-1) or []) for place in range(2, 20)]
    assert 30 < sum(counts) / sum(count > 0 for count in counts) < 50
