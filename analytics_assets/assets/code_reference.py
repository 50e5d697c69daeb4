"""Where the configuration of a resource stands, for the link on the page of its asset."""

import linecache
import warnings

from dagster import CodeReferencesMetadataValue, LocalFileCodeReference

from analytics_assets.configuration import Resource, analytics


def code_reference(resource: Resource) -> CodeReferencesMetadataValue:
    """The file of the configuration, and the line of the resource if it is there."""
    file = analytics.__file__
    lines = enumerate(linecache.getlines(file), start=1)
    said = f'"name": "{resource.name}"'
    line = next((number for number, text in lines if said in text), None)
    with warnings.catch_warnings():
        # Dagster calls references to code a beta, which is no news for a user of this project.
        warnings.simplefilter("ignore")
        return CodeReferencesMetadataValue(
            code_references=[LocalFileCodeReference(file_path=file, line_number=line)]
        )
