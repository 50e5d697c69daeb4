"""How long the definitions take to load, against the libraries they are made of."""

import statistics
import subprocess
import sys
import time

LIBRARIES = "import dagster, dagster_dlt, dlt"
DEFINITIONS = "import analytics_assets.definitions"
PAIRS = 7
TARGET = 1.3


def seconds(statement: str) -> float:
    """Wall time of a Python process that runs one statement."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Prints the median of the paired ratios."""
    # Once each, so that neither pays for compiling the libraries.
    seconds(LIBRARIES)
    seconds(DEFINITIONS)
    ratios = [seconds(DEFINITIONS) / seconds(LIBRARIES) for _ in range(PAIRS)]
    print(
        f"{DEFINITIONS} / {LIBRARIES}: median {statistics.median(ratios):.2f}, "
        f"{min(ratios):.2f} to {max(ratios):.2f} in {PAIRS} pairs; target {TARGET}"
    )


if __name__ == "__main__":
    main()
