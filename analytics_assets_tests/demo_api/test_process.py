"""The server starts fast, says where it is, and leaves quietly."""

import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from analytics_assets_tests.demo_api.conftest import StartDemo
from harness.demo_server import COMMAND, DemoServer
from harness.processes import REPOSITORY, moments


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )


def test_the_announcement_names_the_address_and_the_demo_token(demo: DemoServer) -> None:
    assert demo.announcement == f"demo API on {demo.url} (token: demo-token)\n"


def test_a_token_of_ones_own_is_asked_for_and_not_printed(start_demo: StartDemo) -> None:
    demo = start_demo("--token", "of-my-own")
    assert demo.announcement == f"demo API on {demo.url}\n"
    headers = {"Authorization": "Bearer of-my-own"}
    assert requests.get(f"{demo.url}/v2/user", headers=headers, timeout=10).status_code == 200
    assert demo.get("/v2/user").status_code == 403


def test_a_port_in_use_is_one_sentence(demo: DemoServer) -> None:
    result = run("--port", str(demo.port))
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"The demo API cannot listen on port {demo.port}: Address already in use.\n"
    )


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quietly_even_while_a_request_hangs(number: signal.Signals) -> None:
    fault = '{"operation": "user", "kind": "hang"}'
    demo = DemoServer("--fault", fault)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(demo.get, "/v2/user")
        for _ in moments():
            if demo.control("GET", "requests")["log"]:
                break
        demo.process.send_signal(number)
        assert demo.process.wait(5) == 0
        hanging.exception()
    assert demo.close() == (0, "")


def test_it_listens_on_the_local_address_only(demo: DemoServer) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", demo.port), timeout=1)


@pytest.mark.long(reason="several loads each")
def test_20000_deployments_are_served() -> None:
    with DemoServer("--deployments", "20000") as demo:
        assert len(demo.get("/v6/deployments", limit=100).json()["deployments"]) == 100


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--teams", "-1"), "Sizes go from 0"),
        (("--members", "0"), "at least one member"),
        (("--deployments", "100001"), "to 100000"),
        (("--events-of", "99999=3"), "no deployment 99999"),
        (("--rate-limit", "teams=fast"), "COUNT/SECONDS"),
        (("--fault", '{"operation": "user", "kind": "sulk"}'), "no fault of kind sulk"),
        (("--anchor", "yesterday"), "--anchor"),
        (("--days", "0"), "a day at least"),
        (("--grow-every", "0"), "every 0.01 seconds at most"),
        (("--port", "65536"), "--port"),
    ],
)
def test_a_senseless_option_is_refused_with_a_reason(options: tuple[str, ...], reason: str) -> None:
    result = run("--port", "0", *options)
    assert result.returncode == 2
    assert reason in result.stderr
    assert "Traceback" not in result.stderr
