"""The image and the values for Kubernetes are sound, as far as that shows without a cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance
from dagster_k8s import K8sRunLauncher
from dagster_k8s.models import k8s_model_from_dict, k8s_snake_case_dict
from kubernetes.client import V1PodSpec
from openapi_schema_validator import OAS31Validator

from harness.demo_api import RESOURCES
from harness.image import COMMAND, DOCKERFILE, PARSED, Image, let_through
from harness.processes import REPOSITORY, free_port, wait_until

VALUES = REPOSITORY / "deploy" / "kubernetes" / "values.yaml"
PAGE = REPOSITORY / "docs" / "kubernetes.md"
CONTRACT = json.loads(Path(__file__).with_name("dagster_chart.json").read_text())

# The folder of the chart itself, where someone has it (docs/kubernetes.md). Read at import, for a
# test's environment holds none of the machine's settings.
CHART = os.environ.get("DAGSTER_CHART")

# What the settings call a secret; each belongs into a Secret of the cluster.
SECRETS = {"ACCESS_TOKEN", "DESTINATION__POSTGRES__CREDENTIALS", "ANALYTICS_ALERT_WEBHOOK"}

KUBECONFIG = {
    "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "none", "user": {}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "current-context": "none",
}


@pytest.fixture
def values() -> Any:
    return yaml.safe_load(VALUES.read_text())


@pytest.fixture
def location(values: Any) -> Any:
    """The values of the one code location."""
    (location,) = values["dagster-user-deployments"]["deployments"]
    return location


def test_the_values_are_what_the_chart_takes(values: Any) -> None:
    assert problems(CONTRACT, values) == []


@pytest.mark.parametrize(
    "path",
    [
        ["postgresql"],
        ["dagster-user-deployments", "deployments", 0, "envSecrets"],
        ["dagster-user-deployments", "deployments", 0, "image", "tag"],
        ["runLauncher", "config", "k8sRunLauncher", "securityContext"],
        ["dagsterDaemon", "runMonitoring", "maxRuntimeSeconds"],
        ["concurrency", "pools", "defaultLimit"],
        ["retention", "autoMaterialize", "purgeAfterDays"],
    ],
    ids=lambda path: ".".join(map(str, path)),
)
def test_a_misspelt_key_is_refused(values: Any, path: list[Any]) -> None:
    *parents, key = path
    place = values
    for parent in parents:
        place = place[parent]
    place[f"{key}s"] = place.pop(key)
    assert problems(CONTRACT, values)


if CHART:

    @pytest.mark.parametrize("subchart", ["", "dagster-user-deployments"])
    def test_the_schema_of_the_chart_itself_takes_them(values: Any, subchart: str) -> None:
        chart = Path(str(CHART), "charts" if subchart else "", subchart)
        merged = with_defaults(yaml.safe_load((chart / "values.yaml").read_text()), values)
        if subchart:
            merged = {**merged, **merged[subchart]}
        schema = json.loads(
            (chart / "values.schema.json").read_text(), object_hook=without_addresses
        )
        assert problems(schema, merged) == []


def test_kubernetes_takes_what_is_its_own(values: Any, location: Any) -> None:
    pod = {
        "containers": [
            {
                "name": part,
                **{
                    key: given[key]
                    for key in ("env", "resources", "securityContext")
                    if key in given
                },
                "envFrom": [{"secretRef": secret} for secret in given.get("envSecrets", [])],
            }
            for part, given in {
                "location": location,
                "run": values["runLauncher"]["config"]["k8sRunLauncher"],
                "webserver": values["dagsterWebserver"],
                "daemon": values["dagsterDaemon"],
            }.items()
        ],
        "securityContext": location["podSecurityContext"],
    }
    assert k8s_model_from_dict(V1PodSpec, k8s_snake_case_dict(V1PodSpec, pod))


def test_dagster_takes_the_settings_that_the_values_make(values: Any, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(json.dumps(KUBECONFIG))
    launcher = {
        **in_snake_case(values["runLauncher"]["config"]["k8sRunLauncher"]),
        # What the chart adds, with a cluster that is not there.
        "load_incluster_config": False,
        "kubeconfig_file": str(tmp_path / "kubeconfig"),
        "dagster_home": "/opt/dagster/dagster_home",
        "instance_config_map": "dagster-instance",
        "service_account_name": "dagster",
        "postgres_password_secret": values["global"]["postgresqlSecretName"],
    }
    settings = {
        **instance_settings(values),
        "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": launcher},
    }
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(settings))
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.run_launcher, K8sRunLauncher)
        assert instance.run_monitoring_enabled
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1


def test_dagster_is_set_as_it_is_on_one_machine(values: Any) -> None:
    """But for what a cluster changes: more runs at once, and the time until one begins."""
    one_machine = yaml.safe_load((REPOSITORY / "deploy" / "dagster.yaml").read_text())
    settings = instance_settings(values)
    purge = settings["retention"]["auto_materialize"]["purge_after_days"]
    settings["retention"]["auto_materialize"]["purge_after_days"] = purge["success"]
    for kept in (one_machine, settings):
        kept["concurrency"].pop("runs")
        kept["run_monitoring"].pop("start_timeout_seconds")
    assert settings == {name: one_machine[name] for name in settings}


def test_no_secret_is_in_the_values_nor_in_the_image(values: Any, location: Any) -> None:
    assert not SECRETS & {variable["name"] for variable in location["env"]}
    assert not [path for path, _ in texts(values) if re.search("password$|token$", path, re.I)]
    assert not [text for _, text in texts(values) if re.search("://[^/]*@", text)]
    assert set(PARSED.envs) == {"DAGSTER_HOME", "PYTHONUNBUFFERED"}
    assert not PARSED.args


def test_the_image_and_the_chart_are_of_one_dagster() -> None:
    constraints = (REPOSITORY / "constraints.txt").read_text()
    (pinned,) = re.findall("^dagster==(.*)$", constraints, flags=re.MULTILINE)
    assert f"version {pinned}" in VALUES.read_text()
    assert set(re.findall(r"--version (\S+)", PAGE.read_text())) == {pinned}


def test_the_page_makes_the_secrets_that_the_values_name(values: Any, location: Any) -> None:
    made = set(re.findall(r"create secret generic (\S+)", PAGE.read_text()))
    (of_location,) = location["envSecrets"]
    assert made == {of_location["name"], values["global"]["postgresqlSecretName"]}


def test_the_image_is_of_the_version_that_the_values_name(location: Any) -> None:
    assert location["image"]["tag"] == version("analytics-assets")
    assert f"/analytics-assets:{version('analytics-assets')}" in PAGE.read_text()


def test_the_image_serves_what_the_chart_starts(location: Any) -> None:
    chart = ["dagster", "api", "grpc", "-h", "0.0.0.0", "-p", str(location["port"])]  # noqa: S104
    assert [*chart, *location["dagsterApiGrpcArgs"]] == COMMAND


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    run = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")


def test_the_image_is_made_of_the_package_alone() -> None:
    names = {Path(path).parts[0] for path in let_through()}
    assert names == {
        "LICENSE",
        "README.md",
        "analytics_assets",
        "constraints.txt",
        "pyproject.toml",
    }
    assert not [path for path in let_through() if "__pycache__" in path or "/." in path]


@pytest.mark.long(reason="dagster dev")
def test_what_the_image_starts_serves_nine_assets(tmp_path: Path, location: Any) -> None:
    """The Dockerfile's own commands, in an empty environment and without the base image."""
    image = Image.built_in(tmp_path)
    port = free_port()
    workspace = {"load_from": [{"grpc_server": {"host": "127.0.0.1", "port": port}}]}
    (tmp_path / "workspace.yaml").write_text(yaml.safe_dump(workspace))
    health_check = ["dagster", "api", "grpc-health-check", "-p", str(port)]
    query = "{ assetNodes { assetKey { path } } }"
    settings = {variable["name"]: variable["value"] for variable in location["env"]}
    with image.serving(port, settings):
        wait_until(lambda: image.run(*health_check).returncode == 0, seconds=120)
        answer = image.run("dagster-graphql", "-w", "workspace.yaml", "--text", query)
    nodes = json.loads(answer.stdout)["data"]["assetNodes"]
    assert {node["assetKey"]["path"][-1] for node in nodes} == set(RESOURCES)
    # The chart's dagster.yaml names them.
    assert image.run("python", "-c", "import dagster_k8s, dagster_postgres").returncode == 0


def problems(schema: Any, values: Any) -> list[str]:
    """What a JSON schema does not like in values."""
    return [
        f"{error.json_path}: {error.message}"
        for error in OAS31Validator(schema).iter_errors(values)
    ]


def without_addresses(node: dict[str, Any]) -> dict[str, Any]:
    """A schema's node without references to other machines: Kubernetes' own objects."""
    return {key: value for key, value in node.items() if (key, str(value)[:4]) != ("$ref", "http")}


def with_defaults(defaults: Any, given: Any) -> Any:
    """Values as Helm merges them: tables by key, and anything else replaced."""
    if not (isinstance(defaults, Mapping) and isinstance(given, Mapping)):
        return given
    return {
        **defaults,
        **{key: with_defaults(defaults.get(key), value) for key, value in given.items()},
    }


def in_snake_case(node: Any) -> Any:
    """The keys as dagster.yaml spells them, which is how the chart translates them."""
    if not isinstance(node, Mapping):
        return node
    return {
        re.sub("(?<=[a-z0-9])([A-Z])", r"_\1", key).lower(): in_snake_case(value)
        for key, value in node.items()
    }


def instance_settings(values: Any) -> dict[str, Any]:
    """The sections of dagster.yaml that the chart makes of these values."""
    sections = {
        "telemetry": values["telemetry"],
        "python_logs": values["pythonLogs"],
        "run_monitoring": values["dagsterDaemon"]["runMonitoring"],
        "run_retries": values["dagsterDaemon"]["runRetries"],
        "concurrency": {key: values["concurrency"][key] for key in ("runs", "pools")},
        "retention": {
            key: values["retention"][key] for key in ("sensor", "schedule", "autoMaterialize")
        },
        **values["additionalInstanceConfig"],
    }
    return {name: in_snake_case(section) for name, section in sections.items()}


def texts(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each text in values, with the path of its key."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from texts(value, f"{path}.{key}")
    elif isinstance(node, list):
        for value in node:
            yield from texts(value, path)
    elif isinstance(node, str):
        yield path, node
