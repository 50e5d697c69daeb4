"""Composes the project: everything Dagster loads, built from the configuration."""

from dagster import Definitions

from analytics_assets.assets import build_assets
from analytics_assets.automation.alerts import build_alert_sensor
from analytics_assets.automation.freshness import build_freshness_sensor, keep_fresh
from analytics_assets.automation.history import build_history_jobs
from analytics_assets.automation.new_records import build_new_record_sensors
from analytics_assets.automation.schedules import build_schedules
from analytics_assets.checks import build_acceptance_job, build_checks
from analytics_assets.configuration import ANALYTICS, ApiConfig, read_api
from analytics_assets.execution.executor import build_executor, ends_with_summary
from analytics_assets.resources import AlertWebhook, AnalyticsApi, Console, DltRunner, Warehouse


def build_definitions(config: ApiConfig) -> Definitions:
    """The definitions of one API.

    Raises:
        ConfigurationError: If the configuration is wrong.
        SettingError: If the setting of the automation or of the executor is wrong.
    """
    api = read_api(config)
    executor = build_executor()
    return Definitions(
        assets=keep_fresh(api, build_assets(api)),
        asset_checks=build_checks(api),
        jobs=[*build_history_jobs(api), build_acceptance_job(api)],
        schedules=build_schedules(api),
        sensors=[
            build_freshness_sensor(),
            *build_new_record_sensors(api),
            build_alert_sensor(api),
        ],
        resources={
            "dlt": DltRunner(),
            "api": AnalyticsApi(),
            "warehouse": Warehouse(),
            "alert_webhook": AlertWebhook(),
            "console": Console(tells_why=not ends_with_summary(executor)),
        },
        executor=executor,
    )


defs = build_definitions(ANALYTICS)
