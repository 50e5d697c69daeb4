"""What is asserted of each table after a load; on its own, too."""

from analytics_assets.checks.factory import build_check_run, build_checks

__all__ = ["build_check_run", "build_checks"]
