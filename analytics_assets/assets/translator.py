"""How a resource of the configuration appears in Dagster."""

from dataclasses import dataclass

from dagster import AssetKey, AssetSpec
from dagster_dlt import DagsterDltTranslator
from dagster_dlt.translator import DltResourceTranslatorData

from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import endpoint_of, parent_name, resource_named
from analytics_assets.resources.warehouse import DATASET

GROUP = "analytics"


def asset_key(name: str) -> AssetKey:
    """The key of a resource's asset; the table in the warehouse bears the same name."""
    return AssetKey([GROUP, name])


@dataclass
class ResourceTranslator(DagsterDltTranslator):
    """Describes a resource as an asset, from the configuration alone."""

    config: ApiConfig

    def get_asset_spec(self, data: DltResourceTranslatorData) -> AssetSpec:
        """The spec of the table a dlt resource fills."""
        resource = resource_named(self.config, str(data.resource.table_name))
        name = str(resource["name"])
        parent = parent_name(resource)
        return AssetSpec(
            key=asset_key(name),
            # dagster-dlt's own default is an upstream that does not exist.
            deps=[asset_key(parent)] if parent else [],
            description=resource["description"],
            group_name=GROUP,
            kinds={"dlt", "rest_api"},
            metadata={
                "dagster/table_name": f"{DATASET}.{name}",
                "endpoint": endpoint_of(resource)["path"],
                "cadence": f"{resource['cadence']['cron']} {resource['cadence']['timezone']}",
            },
        )
