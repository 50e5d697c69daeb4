"""What a user types: `dagster`, `make`, and what the documents say."""
