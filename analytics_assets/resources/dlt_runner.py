"""What runs dlt's pipelines, as a Dagster resource."""

from dagster_dlt import DagsterDltResource


class DltRunner(DagsterDltResource):
    """Runs dlt's pipelines: they read the API and write the warehouse. It has no setting."""
