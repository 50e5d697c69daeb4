"""What is run in turn: each loads the same nine resources of one API into a DuckDB file."""
