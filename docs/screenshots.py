"""Takes the README's pictures of the real Dagster UI, over the demo API, into `docs/pictures`."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import FloatRect, Locator

from harness.browser import SIZE, Ui, open_browser
from harness.demo_api import RESOURCES, running_demo_api
from harness.dev_server import MAKE_DEV, serving
from harness.processes import REPOSITORY

PICTURES = REPOSITORY / "docs" / "pictures"
MARGIN = 8
NAVIGATION = 240
"""The width of the UI's menu, which says nothing of the project."""


def main() -> None:
    """Loads everything once and takes the pictures."""
    PICTURES.mkdir(exist_ok=True)
    # Pictures show the last 30 days.
    now = datetime.now(timezone.utc).isoformat()
    with TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DESTINATION__DUCKDB__CREDENTIALS"] = str(folder / "warehouse.duckdb")
        with running_demo_api("--anchor", now) as api, serving(MAKE_DEV, folder, api) as server:
            status = server.run_status(server.launch())
            if status != "SUCCESS":
                raise SystemExit(f"The demo was not loaded ({status}).")
            with open_browser() as browser, Ui.in_new_page(browser, server.url) as ui:
                take_pictures(ui)


def take_pictures(ui: Ui) -> None:
    """The graph and the page of an asset, in the light theme."""
    ui.page.emulate_media(color_scheme="light")
    # High enough to draw all assets with their state.
    ui.page.set_viewport_size({"width": SIZE["width"], "height": 1900})
    ui.open_graph(len(RESOURCES))
    take(ui, "asset_graph", around(ui.nodes.all()))
    ui.page.set_viewport_size(SIZE)
    ui.open("/assets/analytics/deployments")
    ui.expect_after_reload("Passing")
    right_of_menu: FloatRect = {
        "x": NAVIGATION,
        "y": 0,
        "width": SIZE["width"] - NAVIGATION,
        "height": SIZE["height"],
    }
    take(ui, "asset_page", right_of_menu)


def around(elements: list[Locator]) -> FloatRect:
    """The part of the page that holds the elements, with a margin."""
    boxes = [box for element in elements if (box := element.bounding_box())]
    left = min(box["x"] for box in boxes) - MARGIN
    top = min(box["y"] for box in boxes) - MARGIN
    right = max(box["x"] + box["width"] for box in boxes) + MARGIN
    bottom = max(box["y"] + box["height"] for box in boxes) + MARGIN
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def take(ui: Ui, name: str, clip: FloatRect) -> None:
    """Takes a picture of a part of the page."""
    ui.page.screenshot(path=PICTURES / f"{name}.png", clip=clip, animations="disabled")


if __name__ == "__main__":
    main()
