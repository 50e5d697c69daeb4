"""Loads the nine resources of an analytics REST API into a warehouse with Dagster and dlt."""
