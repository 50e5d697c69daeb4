"""Tests: what a user relies on, against real servers and a real warehouse."""

import pytest

# So that an assertion of theirs that fails shows both sides.
pytest.register_assert_rewrite("harness.project", "harness.stores")
