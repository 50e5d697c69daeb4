"""The project pointed at the bookshop: what a user writes beside the configuration."""

from analytics_assets.definitions import build_definitions
from harness.bookshop import BOOKSHOP

defs = build_definitions(BOOKSHOP)
