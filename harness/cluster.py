"""The deployment on several machines, all of it on this one, as `deploy/cluster` starts it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import requests
from celery import Celery
from dagster import DagsterRunStatus
from dagster_graphql import (
    DagsterGraphQLClient,
    DagsterGraphQLClientError,
    ReloadRepositoryLocationStatus,
)
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from analytics_assets.assets.keys import asset_key
from harness import processes
from harness.demo_api import RESOURCES, DemoApi, settings_of
from harness.postgres import PostgresServer, running_postgres
from harness.processes import REPOSITORY, free_port
from harness.project import Project
from harness.stores import PostgresDatabase

DEPLOYMENT = REPOSITORY / "deploy" / "cluster"
COMMANDS = dict(
    line.split(": ", 1) for line in (DEPLOYMENT / "Procfile").read_text().splitlines() if line
)
"""What is started, by name."""
MAKE_TABLES = "dagster instance migrate"
"""What makes Dagster's tables, before anything is started."""
BROKER_PASSWORD = "canary-password-of-redis"  # noqa: S105 - opens only the servers that tests start
POOL_LIMIT = "default_limit: 2"
SHORT = {"poll_interval_seconds: 30": "poll_interval_seconds: 5"}
"""Settings that a test would wait for, and what it sets instead."""
# Dagster's records are looked up: not too often. On a busy machine all takes its time.
wait_until = partial(processes.wait_until, seconds=600, pause=0.5)
FINISHED = {DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}


@dataclass
class Cluster:
    """Servers and processes that can each be killed and started again."""

    folder: Path
    api: DemoApi
    postgres: PostgresServer
    store: PostgresDatabase
    dagster: PostgresDatabase
    settings: Mapping[str, str]
    commands: Mapping[str, str] = field(default_factory=lambda: COMMANDS)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    orphans: list[int] = field(default_factory=list)

    def begin_records(self) -> None:
        """Makes Dagster's tables, as docs/cluster.md has it."""
        subprocess.run(MAKE_TABLES.split(), env=self._environment, check=True, capture_output=True)

    def start(self, name: str) -> None:
        """Starts a command of the Procfile, or Redis."""
        command = self._redis_command() if name == "redis" else self.commands[name]
        with (self.folder / f"{name}.log").open("a") as log:
            self.processes[name] = subprocess.Popen(
                ["sh", "-c", f"exec {command}"],
                cwd=REPOSITORY,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Ends a process and its children as a crash does."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_alone(self, name: str) -> None:
        """Ends a process as a crash does, and leaves its children alive."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()
        # To be ended with the others.
        self.orphans.append(process.pid)

    def begin_anew(self) -> None:
        """Starts what was killed, ends what is under way, and empties the warehouse."""
        for name in self.commands.keys() - self.processes.keys():
            self.start(name)
        self.api.heal()
        wait_until(self.is_up)
        for run in self.dagster.query("SELECT run_id FROM runs WHERE status = 'STARTED'"):
            self.client().terminate_run(run["run_id"])
        wait_until(lambda: len(self.idle_workers()) == self._workers)
        self.store.run(*(f"DROP SCHEMA {name} CASCADE" for name in self._schemas()))
        self.api.reset()

    def stop(self) -> None:
        """Ends all processes; no worker waits for the end of its step."""
        for group in [*self.orphans, *(process.pid for process in self.processes.values())]:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for process in self.processes.values():
            process.wait()

    def project(self) -> Project:
        """What reads the warehouse."""
        return Project(self.folder, self.api.url, store=self.store)

    def client(self) -> DagsterGraphQLClient:
        """The webserver's GraphQL API, as `dagster-graphql` asks it."""
        return DagsterGraphQLClient("127.0.0.1", port_number=int(self.settings["WEBSERVER_PORT"]))

    def launch(self, *names: str, **api: float) -> str:
        """Asks the webserver to materialize assets, all nine without names; returns the run.

        Args:
            names: The resources.
            api: Run configuration of the resource `api`.
        """
        run_id: str = self.client().submit_job_execution(
            "__ASSET_JOB",
            repository_location_name="analytics_assets",
            repository_name="__repository__",
            run_config={"resources": {"api": {"config": api}}},
            asset_selection=[asset_key(name) for name in names or RESOURCES],
        )
        return run_id

    def launch_as_soon_as_it_can(self, *names: str) -> str:
        """Launches again and again, until the webserver has found its database again."""
        run_ids: list[str] = []

        def is_launched() -> bool:
            with suppress(DagsterGraphQLClientError, requests.RequestException):
                run_ids.append(self.launch(*names))
            return bool(run_ids)

        wait_until(is_launched)
        return run_ids[0]

    def looks_at(self, run_id: str) -> int:
        """How often run monitoring has looked at a run."""
        return (self.folder / "daemon.log").read_text().count(f"Checking run {run_id}")

    def tells(self, run_id: str, words: str) -> bool:
        """Whether an event of a run has these words."""
        return any(words in event for event in self.events(run_id))

    def events(self, run_id: str) -> list[str]:
        """The events of a run, as text, the oldest first."""
        rows = self.dagster.query(
            f"SELECT event FROM event_logs WHERE run_id = '{run_id}' ORDER BY id"  # noqa: S608
        )
        return [str(row["event"]) for row in rows]

    def retry_of(self, run_id: str) -> str | None:
        """The run that tries a failed one again; None as long as there is none."""
        runs = self.dagster.query("SELECT run_id, run_body FROM runs")
        retries = [
            run["run_id"] for run in runs if f'"parent_run_id": "{run_id}"' in run["run_body"]
        ]
        return retries[0] if retries else None

    def status(self, run_id: str) -> DagsterRunStatus | None:
        """What has become of a run; None while the webserver cannot tell."""
        try:
            return self.client().get_run_status(run_id)
        except (DagsterGraphQLClientError, requests.RequestException):
            return None

    def await_end(self, run_id: str) -> DagsterRunStatus | None:
        """Waits until a run has ended, and returns how."""
        wait_until(lambda: self.status(run_id) in FINISHED)
        return self.status(run_id)

    def is_up(self) -> bool:
        """Whether the webserver serves the code location.

        Raises:
            AssertionError: If a process has ended, with the last of what it wrote.
        """
        for name, process in self.processes.items():
            log = self.folder / f"{name}.log"
            assert process.poll() is None, f"{name} has ended: {log.read_text()[-2000:]}"
        try:
            location = self.client().reload_repository_location("analytics_assets")
        except (DagsterGraphQLClientError, requests.RequestException):
            return False
        return location.status is ReloadRepositoryLocationStatus.SUCCESS

    def workers(self) -> list[str]:
        """The names of the Celery workers that answer; none while the broker does not."""
        try:
            answers = self._celery().control.ping(timeout=2.0)
        except (OperationalError, RedisError):
            return []
        return [name.partition("@")[0] for answer in answers for name in answer]

    def idle_workers(self) -> list[str]:
        """The names of the Celery workers that answer and have no step under way."""
        active = self._celery().control.inspect(timeout=2.0).active() or {}
        return [name.partition("@")[0] for name, tasks in active.items() if not tasks]

    def worker_of(self, run_id: str, step: str) -> str:
        """The worker that a step of a run was executed on last."""
        begun = f"Executing steps {step} in celery worker"
        event = [event for event in self.events(run_id) if begun in event][-1]
        return str(re.findall(r"(\w+)@", event)[0])

    def records(self) -> dict[str, list[str]]:
        """The rows of Dagster's own tables, by table, as text."""
        tables = self.dagster.query("SELECT relname FROM pg_stat_user_tables")
        return {str(table["relname"]): self._dump(str(table["relname"])) for table in tables}

    @property
    def _workers(self) -> int:
        return sum(name.startswith("worker") for name in self.commands)

    def _schemas(self) -> list[str]:
        """Those of the warehouse that loads have made."""
        rows = self.store.query("SELECT nspname FROM pg_namespace WHERE nspname ~ '^analytics'")
        return [f'"{row["nspname"]}"' for row in rows]

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.settings}

    def _dump(self, table: str) -> list[str]:
        rows = self.dagster.query(f'SELECT t::text AS row FROM "{table}" t')  # noqa: S608
        return [row["row"] for row in rows]

    def _celery(self) -> Celery:
        return Celery(broker=self.settings["CELERY_BROKER_URL"])

    def _redis_command(self) -> str:
        port = self.settings["REDIS_PORT"]
        return (
            f"redis-server {DEPLOYMENT / 'redis.conf'} --port {port} --dir {self.folder} "
            f"--requirepass {BROKER_PASSWORD}"
        )


def commands_of(workers: int) -> dict[str, str]:
    """What is started with another number of workers: lines of the Procfile, and more like them."""
    others = {name: line for name, line in COMMANDS.items() if not name.startswith("worker")}
    names = [f"worker{number}" for number in range(1, workers + 1)]
    line = COMMANDS["worker1"]
    return others | {name: line.replace("worker1@", f"{name}@") for name in names}


@contextmanager
def running_cluster(folder: Path, api: DemoApi, workers: int = 2) -> Iterator[Cluster]:
    """All of the deployment, in a folder; its pool lets each worker have a load.

    Skips the test, by name, where the machine has no Redis.
    """
    if not shutil.which("redis-server"):
        pytest.skip("Redis is missing: `make redis` installs it")
    home = folder / "home"
    home.mkdir()
    instance = (DEPLOYMENT / "dagster.yaml").read_text()
    for written, here in {POOL_LIMIT: f"default_limit: {workers}", **SHORT}.items():
        assert written in instance
        instance = instance.replace(written, here)
    (home / "dagster.yaml").write_text(instance)
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        store, dagster = PostgresDatabase.on(postgres), PostgresDatabase.on(postgres)
        redis_port = free_port()
        broker = f"redis://:{BROKER_PASSWORD}@127.0.0.1:{redis_port}/0"
        settings = {
            **settings_of(api),
            **store.settings,
            "PYTHONPATH": str(REPOSITORY),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DAGSTER_HOME": str(home),
            "DAGSTER_POSTGRES_URL": postgres.url(dagster.database),
            "CELERY_BROKER_URL": broker,
            "CELERY_RESULT_BACKEND": broker,
            "CODE_LOCATION_HOST": "127.0.0.1",
            "CODE_LOCATION_PORT": str(free_port()),
            "WEBSERVER_PORT": str(free_port()),
            "REDIS_PORT": str(redis_port),
        }
        commands = commands_of(workers)
        cluster = Cluster(folder, api, postgres, store, dagster, settings, commands)
        stack.callback(cluster.stop)
        cluster.start("redis")
        cluster.begin_records()
        for name in commands:
            cluster.start(name)
        wait_until(cluster.is_up)
        wait_until(lambda: len(cluster.workers()) == workers)
        yield cluster
