"""The image of deploy/Dockerfile, without Docker: what it is made of, installs and starts."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from docker.utils import exclude_paths
from dockerfile_parse import DockerfileParser

from harness.processes import REPOSITORY, stop_all

DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
PARSED = DockerfileParser(str(DOCKERFILE))
COMMAND: list[str] = json.loads(PARSED.cmd)
UV = [sys.executable, "-m", "uv"]


@dataclass(frozen=True)
class Image:
    """What the image installs, in an environment of its own below a folder."""

    folder: Path

    @classmethod
    def built_in(cls, folder: Path) -> Image:
        """Follows COPY and `RUN pip`: the rest needs root, for a user and a folder of its own.

        By uv, which takes pip's words, and seconds instead of minutes.
        """
        image = cls(folder)
        context, workdir = folder / "context", folder / "image"
        for path in let_through():
            (context / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / path, context / path)
        subprocess.run(
            [*UV, "venv", "--quiet", "--python", sys.executable, folder / "venv"],
            check=True,
            timeout=120,
        )
        workdir.mkdir()
        for step in PARSED.structure:
            if step["instruction"] == "COPY":
                *sources, target = shlex.split(step["value"])
                for source in sources:
                    copy = shutil.copytree if (context / source).is_dir() else shutil.copy
                    copy(context / source, workdir / target)
            if step["instruction"] == "RUN" and step["value"].startswith("pip "):
                pip, install, *words = shlex.split(step["value"])
                into = ["--python", str(folder / "venv")]
                run = image.run(*UV, pip, install, *into, *words, cwd=workdir)
                assert run.returncode == 0, run.stdout + run.stderr
        return image

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command in it."""
        return subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    @contextmanager
    def serving(self, port: int, settings: Mapping[str, str]) -> Iterator[None]:
        """Starts the image's own command, on this machine's loopback."""
        here = {"0.0.0.0": "127.0.0.1", "4000": str(port)}  # noqa: S104 - that it is not
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(
                [here.get(word, word) for word in COMMAND],
                cwd=self.folder,
                env={**self._environment(), **settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                yield
            finally:
                stop_all(process)

    def _environment(self) -> dict[str, str]:
        """The machine's, without this clone, and with what was installed first in the path."""
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        path = f"{self.folder / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {**inherited, "PATH": path, "DAGSTER_HOME": str(self.folder)}


def let_through() -> set[str]:
    """The files that .dockerignore lets into the image's build, by Docker's own rules."""
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    paths: set[str] = exclude_paths(str(REPOSITORY), patterns)
    # Docker reads that one itself, whatever it says.
    return {path for path in paths - {".dockerignore"} if (REPOSITORY / path).is_file()}
