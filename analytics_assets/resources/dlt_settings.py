"""dlt's settings where the user has none of their own, wherever Dagster is started."""

import dlt
from dlt.common.configuration.providers import CustomLoaderDocProvider
from dlt.common.runtime.telemetry import stop_telemetry

NAME = "analytics_assets"
DUCKDB_PRAGMAS = [
    # dlt has DuckDB keep a gigabyte of rows in memory before they are moved to its file.
    "checkpoint_threshold='64MB'",
    # DuckDB keeps half a gigabyte of what it has used for the next rows.
    "allocator_bulk_deallocation_flush_threshold='1MB'",
    # It keeps the files that it loads from, too, which are read once.
    "enable_external_file_cache=false",
]
SETTINGS = {
    # dlt reports usage to its makers unless told not to.
    # It would keep the first Ctrl-C, or the UI's *Terminate*, to itself.
    "runtime": {"dlthub_telemetry": False, "intercept_signals": False},
    # dlt leaves its load id out of Arrow tables otherwise.
    "normalize": {"parquet_normalizer": {"add_dlt_load_id": True}},
    # Tables of one file may lack columns that others have: no value is changed for that.
    "data_writer": {"arrow_concat_promote_options": "default"},
    "destination": {"duckdb": {"credentials": {"pragmas": DUCKDB_PRAGMAS}}},
}


def set_dlt_defaults() -> None:
    """Gives dlt the settings of this project; environment variables and `.dlt/` come before them.

    A file would hold them only for those who start Dagster beside it.
    """
    if any(provider.name == NAME for provider in dlt.config.config_providers):
        return
    dlt.config.register_provider(
        CustomLoaderDocProvider(
            NAME, lambda: SETTINGS, supports_secrets=False, locations=[__name__]
        )
    )
    # What dlt has read when it was imported is read again.
    stop_telemetry()
    dlt.current.run_context().initialize_runtime()
