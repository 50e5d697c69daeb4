"""What a Celery worker starts from: `celery --app analytics_assets.execution.worker worker`."""

from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task

from analytics_assets.execution.celery import WatchfulCeleryExecutor
from analytics_assets.execution.executor import check_broker

check_broker()
app = make_app(WatchfulCeleryExecutor().app_args())  # type: ignore[no-untyped-call]
create_task(app)
