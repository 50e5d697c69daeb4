"""Runs that are stopped or killed, at any moment."""
