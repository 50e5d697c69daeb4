"""Warehouses: DuckDB, PostgreSQL and files."""
