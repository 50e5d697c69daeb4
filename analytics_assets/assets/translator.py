"""How a resource of the configuration appears in Dagster."""

from dataclasses import dataclass

from dagster import AssetSpec, MetadataValue
from dagster_dlt import DagsterDltTranslator
from dagster_dlt.translator import DltResourceTranslatorData

from analytics_assets.assets.code_reference import code_reference
from analytics_assets.assets.columns import column_lineage, declared_schema
from analytics_assets.assets.keys import GROUP, asset_key
from analytics_assets.configuration import ApiConfig, ResourceConfig
from analytics_assets.configuration.lineage import (
    endpoint_of,
    how_it_is_loaded,
    is_listed_in_full,
    parent_name,
    reloadable_resources,
    resource_named,
)
from analytics_assets.resources.warehouse import DATASET


@dataclass
class ResourceTranslator(DagsterDltTranslator):
    """Describes a resource as an asset, from the configuration alone."""

    config: ApiConfig

    def get_asset_spec(self, data: DltResourceTranslatorData) -> AssetSpec:
        """The spec of the table a dlt resource fills."""
        resource = resource_named(self.config, str(data.resource.table_name))
        name = str(resource["name"])
        parent = parent_name(resource)
        cadence = resource["cadence"]
        links = [resource["documentation"]] if "documentation" in resource else []
        lineage = column_lineage(resource)
        return AssetSpec(
            key=asset_key(name),
            # dagster-dlt's own default is an upstream that does not exist.
            deps=[asset_key(parent)] if parent else [],
            description=self._description(resource),
            group_name=GROUP,
            kinds={"dlt", "rest_api"},
            owners=self.config.get("owners"),
            tags={
                "cadence": cadence["name"],
                "load": "full_list" if is_listed_in_full(self.config, name) else "incremental",
            },
            metadata={
                "dagster/table_name": f"{DATASET}.{name}",
                "dagster/column_schema": declared_schema(self.config, resource),
                "dagster/code_references": code_reference(name),
                "endpoint": request_of(resource),
                "cadence": f"{cadence['cron']} {cadence['timezone']}",
                **({"dagster/column_lineage": lineage} if lineage else {}),
                **({"api_documentation": MetadataValue.url(links[0])} if links else {}),
            },
        )

    def _description(self, resource: ResourceConfig) -> str:
        """What the asset holds, and where it comes from: the list of assets shows it as it is."""
        loads = how_it_is_loaded(self.config, resource)
        source = f"From {request_of(resource)}; each load asks for {loads}."
        paragraphs = [resource["description"], source]
        if resource["name"] in reloadable_resources(self.config):
            paragraphs.append("The job reload_history loads past months of it again.")
        return "\n\n".join(paragraphs)


def request_of(resource: ResourceConfig) -> str:
    """Method and path of a resource's requests, with the fields of its parent in braces."""
    endpoint = endpoint_of(resource)
    path = str(endpoint["path"]).replace("{resources.", "{")
    return f"{endpoint.get('method', 'GET')} {path}"
