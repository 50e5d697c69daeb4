"""From the configuration to dlt: the source of each resource, its records and its session."""
