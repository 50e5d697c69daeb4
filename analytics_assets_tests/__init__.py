"""Tests: what a user relies on, against real servers and a real warehouse."""
