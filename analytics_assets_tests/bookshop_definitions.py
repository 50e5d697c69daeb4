"""The project pointed at the bookshop: what a user writes beside the configuration."""

from analytics_assets.definitions import build_definitions
from analytics_assets_tests.bookshop import BOOKSHOP

defs = build_definitions(BOOKSHOP)
