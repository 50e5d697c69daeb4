"""One cluster for all tests of it: its processes take long to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import canaries
from harness.cluster import Cluster, running_cluster
from harness.demo_api import SMALL, DemoApi, running_demo_api


@pytest.fixture(scope="session")
def processes_of_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The deployment on several machines, and a demo API with a token like no other text."""
    with (
        running_demo_api("--token", canaries.TOKEN, *SMALL) as api,
        running_cluster(
            tmp_path_factory.mktemp("cluster"), DemoApi(api.url, canaries.TOKEN)
        ) as cluster,
    ):
        yield cluster


@pytest.fixture
def cluster(processes_of_cluster: Cluster) -> Cluster:
    """The same with all processes up and idle, and an empty warehouse."""
    processes_of_cluster.begin_anew()
    return processes_of_cluster
