"""The rows are a function of seed, sizes, anchor and time."""

import time
from datetime import datetime, timedelta, timezone

from analytics_assets.demo_api.operations import OPERATIONS
from analytics_assets.demo_api.population import WorldOptions
from analytics_assets.demo_api.world import World
from analytics_assets_tests.demo_api.conftest import StartDemo
from harness.demo_server import ANCHOR, ANCHOR_MS, LISTS, DemoServer
from harness.processes import moments


def bodies(demo: DemoServer) -> list[bytes]:
    contents = [demo.get("/v2/user").content]
    for operation, (path, _) in LISTS.items():
        parents = demo.parents(operation)
        contents += [demo.get(path.format(parent), limit=100).content for parent in parents]
    uids = [row["uid"] for row in demo.rows("deployments")[:20]]
    return contents + [demo.get(f"/v3/deployments/{uid}/events").content for uid in uids]


def test_the_same_seed_and_anchor_give_the_same_bytes(start_demo: StartDemo) -> None:
    first, second = (start_demo("--anchor", ANCHOR, "--seed", "11") for _ in range(2))
    assert bodies(first) == bodies(second)


def test_another_seed_gives_other_rows(demo: DemoServer, start_demo: StartDemo) -> None:
    other = start_demo("--anchor", ANCHOR, "--seed", "11")
    assert set(bodies(demo)) & set(bodies(other)) <= {b"[]", b"null"}


def test_more_deployments_leave_the_other_lists_alone(
    demo: DemoServer, start_demo: StartDemo
) -> None:
    other = start_demo("--anchor", ANCHOR, "--deployments", "50")
    for operation in ("teams", "auth_tokens"):
        assert demo.rows(operation) == other.rows(operation)


def test_without_growth_the_clock_stands_still(start_demo: StartDemo) -> None:
    demo = start_demo()
    before = bodies(demo)
    time.sleep(0.3)
    assert bodies(demo) == before


def test_deployments_arrive_and_proceed_to_their_end(start_demo: StartDemo) -> None:
    demo = start_demo("--grow-every", "0.1", "--deployments", "1")
    seen: dict[str, list[str]] = {}
    finished: set[str] = set()
    for _ in moments():
        for row in demo.rows("deployments", limit=100):
            states = seen.setdefault(row["uid"], [row["state"]])
            if states[-1] != row["state"]:
                states.append(row["state"])
            if row["state"] in ("READY", "ERROR") and "QUEUED" in states:
                finished.add(row["uid"])
        if len(finished) >= 3:
            break
    assert all(
        states == sorted(states, key=("QUEUED", "BUILDING", "READY", "ERROR", "CANCELED").index)
        for states in seen.values()
    )


def test_events_arrive_while_a_deployment_is_built(start_demo: StartDemo) -> None:
    demo = start_demo("--grow-every", "0.5", "--deployments", "2", "--events", "40")
    uid = demo.rows("deployments")[-1]["uid"]
    path = f"/v3/deployments/{uid}/events"
    counts = []
    for _ in moments():
        if demo.rows("deployments")[-1]["state"] != "BUILDING":
            break
        counts.append(len(demo.get(path, limit=-1).json() or []))
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_a_server_started_again_has_what_has_grown_since(start_demo: StartDemo) -> None:
    anchor = datetime.now(timezone.utc) - timedelta(seconds=30)
    options = ("--anchor", anchor.isoformat(), "--grow-every", "0.5")
    first = start_demo(*options).rows("deployments", limit=100)
    second = start_demo(*options).rows("deployments", limit=100)
    assert len(first) >= 400 + 60
    assert len(second) >= len(first)
    # The first 100 may have proceeded meanwhile, the older ones may not.
    assert second[-len(first) + 100 :] == first[100:]


def test_growth_ends_at_the_most_rows_a_list_holds() -> None:
    grown = World(WorldOptions(anchor=ANCHOR_MS, grow_every=0.01), most_rows=500)
    grown.advance()
    assert len(grown.table(OPERATIONS["deployments"])) == 500
