"""The tests of what was changed since `main`, for `make check`: `python -m harness.touched`.

Prints the files of tests that were changed, and of those that import a module that was. What a
change may break elsewhere, `make test` tells.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness.processes import REPOSITORY

TESTS = "analytics_assets_tests"


def main() -> None:
    """Prints the files of tests, each in a line."""
    changed = changed_files()
    modules = {module_of(path) for path in changed if path.suffix == ".py"}
    for test in sorted((REPOSITORY / TESTS).rglob("test_*.py")):
        path = test.relative_to(REPOSITORY)
        if path in changed or modules & set(imported_by(test)):
            print(path)  # noqa: T201 - it is a command


def changed_files() -> set[Path]:
    """The files that differ from `main`, committed or not, and those that git does not know yet."""
    mains = _git("for-each-ref", "--format=%(refname)", "refs/heads/main", "refs/remotes/*/main")
    (base,) = _git("merge-base", "HEAD", *mains[:1] or ["HEAD"])
    unknown = _git("ls-files", "--others", "--exclude-standard")
    names = [*_git("diff", "--name-only", base), *unknown]
    return {Path(name) for name in names if (REPOSITORY / name).exists()}


def module_of(path: Path) -> str:
    """The name by which a file of the repository is imported."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_by(file: Path) -> Iterator[str]:
    """The modules that a file names in its imports, and what it may take from each as a module."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _git(*arguments: str) -> list[str]:
    """The lines that a command of git prints."""
    run = subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return run.stdout.splitlines()


if __name__ == "__main__":
    main()
