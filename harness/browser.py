"""A headless Chromium on the Dagster UI, and what the tests and the screenshots do in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

from harness.dev_server import STARTUP
from harness.processes import wait_until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
# No sandbox, as CI runs as root; and nothing but the UI is asked for anything.
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The UI brings parts of a page, such as its Markdown, when they are first shown: a machine that is
# busy with other tests takes its time.
PATIENCE = 30_000  # ms
BETWEEN_RELOADS = 5_000  # ms
SIZE: ViewportSize = {"width": 1440, "height": 900}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MAX_ZOOMS = 20

# Each drawn edge as the nodes nearest to its two ends; a node's name is the text at its top.
DRAWN_EDGES = """() => {
  const nodes = [...document.querySelectorAll('foreignObject')].map((node) => ({
    name: node.firstElementChild.innerText.trim().split('\\n')[0],
    left: node.x.baseVal.value, right: node.x.baseVal.value + node.width.baseVal.value,
    top: node.y.baseVal.value, bottom: node.y.baseVal.value + node.height.baseVal.value,
  }));
  const distance = (node, {x, y}) => Math.hypot(
    Math.max(node.left - x, 0, x - node.right), Math.max(node.top - y, 0, y - node.bottom));
  const nearest = (point) => nodes.reduce(
    (best, node) => (distance(node, point) < distance(best, point) ? node : best)).name;
  return [...document.querySelectorAll('path[marker-end]')].map((path) => [
    nearest(path.getPointAtLength(0)), nearest(path.getPointAtLength(path.getTotalLength()))]);
}"""
# Between the field above the graph and the end of the window.
ALL_IN_VIEW = """() => {
  const top = document.querySelector('.CodeMirror').getBoundingClientRect().bottom;
  return [...document.querySelectorAll('foreignObject')].map((node) => node.getBoundingClientRect())
    .every((box) => box.top > top && box.bottom < innerHeight);
}"""


@dataclass(frozen=True)
class Ui:
    """The Dagster UI in a page of a browser."""

    page: Page
    url: str

    @classmethod
    @contextmanager
    def in_new_page(cls, browser: Browser, url: str) -> Iterator[Ui]:
        """The UI at an address, in a page that shares nothing with others."""
        with browser.new_context(viewport=SIZE, locale="en-US", timezone_id="UTC") as context:
            context.set_default_timeout(PATIENCE)
            expect.set_options(timeout=PATIENCE)
            yield cls(context.new_page(), url)

    def open(self, path: str) -> None:
        """Opens a page of the UI."""
        self.page.goto(self.url + path)

    @property
    def nodes(self) -> Locator:
        """The assets that are drawn in the graph."""
        return self.page.locator("foreignObject > div")

    def open_graph(self, assets: int) -> None:
        """Opens the graph and zooms out until that many assets are in view."""
        self.open("/asset-groups")
        self.nodes.first.wait_for()
        zoom_out = self.page.get_by_role("button").filter(
            has=self.page.get_by_role("img", name="zoom_out")
        )
        for _ in range(MAX_ZOOMS):
            if self.nodes.count() >= assets and self.page.evaluate(ALL_IN_VIEW):
                return
            zoom_out.click()

    def node_names(self) -> list[str]:
        """The names of the drawn assets."""
        return [text.strip().partition("\n")[0] for text in self.nodes.all_inner_texts()]

    def edges(self) -> set[tuple[str, str]]:
        """The drawn arrows, as names of assets."""
        return {(start, end) for start, end in self.page.evaluate(DRAWN_EDGES)}

    def materialize(self, selection: str, assets: int) -> None:
        """Selects assets in the graph, presses the button, and opens the page of the run."""
        self.open("/asset-groups")
        self.nodes.first.wait_for()
        # The field is an editor, which has no role of its own.
        self.page.locator(".CodeMirror").first.click()
        self.page.keyboard.type(selection)
        self.page.keyboard.press("Enter")
        expect(self.nodes).to_have_count(assets)
        self.page.get_by_role("button", name="Materialize all").click()
        self.page.get_by_role("button", name="View", exact=True).or_(
            self.page.get_by_role("link", name="View", exact=True)
        ).first.click()
        self.page.wait_for_url("**/runs/**")

    def open_job(self, name: str, tab: str) -> None:
        """Opens a tab of a job's page, by clicks from the overview."""
        self.open("/overview")
        self.page.get_by_role("link", name="Jobs").first.click()
        self.page.get_by_role("link", name=name).first.click()
        self.page.get_by_role("tab", name=tab).click()

    def reload_months(self, months: str) -> None:
        """Launches a backfill on a job's page."""
        self.page.get_by_role("button", name="Launch backfill").click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_placeholder("ex: 20").fill(months)
        # The months are read when the field is left.
        self.page.keyboard.press("Tab")
        dialog.get_by_role("button", name="Submit").click()
        expect(dialog).to_be_hidden()

    def reload_window(self, **days: str) -> None:
        """Writes days into a job's Launchpad, and opens the page of the run that it launches."""
        self.page.get_by_role("button", name="Launch Run").wait_for()
        for name, day in days.items():
            line = self.page.locator(".CodeMirror-line", has_text=f"{name}: the first day")
            line.click()
            self.page.keyboard.press("End")
            for _ in line.inner_text().partition(": ")[2]:
                self.page.keyboard.press("Shift+ArrowLeft")
            self.page.keyboard.insert_text(day)
        self.page.get_by_role("button", name="Launch Run").click()
        self.page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
        self.page.wait_for_url("**/runs/**")

    def expect_run(self, status: Literal["Success", "Failure"]) -> None:
        """Waits until the page of a run says how it ended."""
        expect(self._text(status)).to_be_visible(timeout=STARTUP * 1000)

    def expect_texts(self, *texts: str) -> None:
        """Waits until each of the texts can be seen in the page."""
        for text in texts:
            expect(self._text(text)).to_be_visible()

    def expect_after_reload(self, text: str) -> None:
        """Reloads the page until a text can be seen: what a daemon has found comes late."""

        def seen() -> bool:
            self.page.reload()
            try:
                expect(self._text(text)).to_be_visible(timeout=BETWEEN_RELOADS)
            except AssertionError:
                return False
            return True

        wait_until(seen, STARTUP)

    def take(self, folder: Path, name: str) -> None:
        """Takes a screenshot in each theme: the UI follows that of the system."""
        folder.mkdir(parents=True, exist_ok=True)
        for theme in THEMES:
            self.page.emulate_media(color_scheme=theme)
            self.page.screenshot(path=folder / f"{name}_{theme}.png", animations="disabled")

    def expect_no_texts(self, *texts: str) -> None:
        """Holds that none of the texts stands anywhere in the page, once it is shown."""
        shown = self.page.inner_text("body")
        assert [text for text in texts if text in shown] == []

    def _text(self, text: str) -> Locator:
        return self.page.get_by_text(text, exact=True).first


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()
