"""How a resource of the configuration appears in Dagster."""

from dataclasses import dataclass

from dagster import AssetSpec, MetadataValue
from dagster_dlt import DagsterDltTranslator
from dagster_dlt.translator import DltResourceTranslatorData

from analytics_assets.assets.code_reference import code_reference
from analytics_assets.assets.columns import column_lineage, declared_schema
from analytics_assets.assets.keys import GROUP, asset_key
from analytics_assets.configuration import Resource
from analytics_assets.resources.warehouse import DATASET


@dataclass
class ResourceTranslator(DagsterDltTranslator):
    """Describes a resource as an asset, from the configuration alone."""

    resource: Resource

    def get_asset_spec(self, data: DltResourceTranslatorData) -> AssetSpec:
        """The spec of the table of the resource, which is the one that its dlt resources fill."""
        resource = self.resource
        name, parent, cadence = resource.name, resource.parent, resource.cadence
        links = [resource.documentation] if resource.documentation else []
        lineage = column_lineage(resource)
        return AssetSpec(
            key=asset_key(name),
            # dagster-dlt's own default is an upstream that does not exist.
            deps=[asset_key(parent.resource.name)] if parent else [],
            description=_description(resource),
            group_name=GROUP,
            kinds={"dlt", "rest_api"},
            owners=resource.owners,
            tags={
                "cadence": cadence["name"],
                "load": "full_list" if resource.is_listed_in_full else "incremental",
            },
            metadata={
                "dagster/table_name": f"{DATASET}.{name}",
                "dagster/column_schema": declared_schema(resource),
                "dagster/code_references": code_reference(resource),
                "endpoint": request_of(resource),
                "cadence": f"{cadence['cron']} {cadence['timezone']}",
                **({"dagster/column_lineage": lineage} if lineage else {}),
                **({"api_documentation": MetadataValue.url(links[0])} if links else {}),
            },
        )


def request_of(resource: Resource) -> str:
    """Method and path of a resource's requests, with the fields of its parent in braces."""
    path = resource.path.replace("{resources.", "{")
    return f"{resource.endpoint.get('method', 'GET')} {path}"


def _description(resource: Resource) -> str:
    """What the asset holds, and where it comes from: the list of assets shows it as it is."""
    source = f"From {request_of(resource)}; each load asks for {resource.how_it_is_loaded}."
    paragraphs = [resource.description, source]
    if resource.is_reloadable:
        paragraphs.append("The job reload_history loads past months of it again.")
    return "\n\n".join(paragraphs)
