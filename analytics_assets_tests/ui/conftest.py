"""One `make dev` for all tests of pages, and one browser for each file of them: both are slow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from harness.browser import Ui, open_browser
from harness.demo_api import SMALL, DemoApi, running_demo_api
from harness.dev_server import MAKE_DEV, DevServer, serving
from harness.project import Project
from harness.stores import DuckDbFile


@pytest.fixture(scope="session")
def demo_api_of_today() -> Iterator[DemoApi]:
    """A demo API whose newest rows are of today: pages show the last 30 days."""
    now = datetime.now(timezone.utc).isoformat()
    with running_demo_api("--anchor", now, *SMALL) as api:
        yield api


@pytest.fixture(scope="session")
def served_store(tmp_path_factory: pytest.TempPathFactory) -> DuckDbFile:
    """The warehouse that the server loads into."""
    return DuckDbFile.in_folder(tmp_path_factory.mktemp("warehouse"))


@pytest.fixture(scope="session")
def dev_server(
    tmp_path_factory: pytest.TempPathFactory, demo_api_of_today: DemoApi, served_store: DuckDbFile
) -> Iterator[DevServer]:
    """`make dev` over the demo API."""
    folder = tmp_path_factory.mktemp("dev")
    with serving(MAKE_DEV, folder, demo_api_of_today, **served_store.settings) as server:
        yield server


@pytest.fixture
def demo_api(demo_api_of_today: DemoApi) -> DemoApi:
    """The demo API of the server, which begins anew with each test."""
    demo_api_of_today.reset()
    return demo_api_of_today


@pytest.fixture
def store(served_store: DuckDbFile) -> DuckDbFile:
    """The warehouse of the server, which is empty."""
    served_store.drop()
    return served_store


@pytest.fixture
def project(tmp_path: Path, demo_api: DemoApi, store: DuckDbFile) -> Project:
    """What reads the warehouse of the server."""
    return Project(tmp_path, demo_api.url, store=store)


@pytest.fixture
def server(dev_server: DevServer, demo_api: DemoApi, store: DuckDbFile) -> DevServer:
    """The server, over an API and a warehouse that begin anew."""
    return dev_server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium.

    It ends with the tests that drive it: as long as it is open, Playwright's event loop counts as
    running in this thread, and no other test could start one, as Dagster does.
    """
    with open_browser() as browser:
        yield browser


@pytest.fixture
def ui(browser: Browser, server: DevServer) -> Iterator[Ui]:
    """The UI in a page of a browser that knows nothing of other tests."""
    with Ui.in_new_page(browser, server.url) as ui:
        yield ui
