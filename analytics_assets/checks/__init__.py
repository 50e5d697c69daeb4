"""What is asserted of each table after a load; on its own, too."""

from analytics_assets.checks.acceptance import build_acceptance_job
from analytics_assets.checks.factory import build_check_run, build_checks

__all__ = ["build_acceptance_job", "build_check_run", "build_checks"]
