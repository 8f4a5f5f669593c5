"""A notebook open in JupyterLab, as a reader sees and uses it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.servers import DONE, Lab

PIXELS = """async image => { await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
    const context = canvas.getContext('2d'); context.drawImage(image, 0, 0);
    const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let hash = 0; for (let i = 0; i < bytes.length; i++) hash = (hash * 31 + bytes[i]) >>> 0;
    return [canvas.width, canvas.height, hash]; }"""

LEAVING = """widget => { const cell = widget.closest('.jp-OutputArea-output').getBoundingClientRect();
    const edge = cell.right + 1;
    if (edge > innerWidth) return ['the cell leaves the window'];
    return [...widget.querySelectorAll('button, input, select, .widget-slider, img')]
        .filter(one => one.getClientRects().length && one.getBoundingClientRect().right > edge)
        .map(one => one.className + ' ' + one.textContent.slice(0, 40)); }"""


class NotebookPage:
    """One notebook in one browser page. `widget` finds our widgets by their CSS class."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page, self.lab = page, lab
        self.requests: list[str] = []
        self.script_errors: list[str] = []
        page.set_default_timeout(20_000)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.script_errors.append(str(error)))

    def open(self, name: str, app: str = "lab") -> NotebookPage:
        """Open the notebook `name` of the served folder, in "lab" or "notebook", and wait for its kernel."""
        self.page.goto(self.lab.url(name, app), timeout=60_000)
        self.page.locator(".jp-NotebookPanel .jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
        if app == "notebook":  # it has no status bar
            idle = self.page.locator(".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]")
            idle.wait_for(timeout=60_000)
            return self
        # Not the toolbar's data-status: on a reload it says idle while no kernel is attached yet.
        kernel = self.page.locator("#jp-main-statusbar [title^='Change kernel']")
        expect(kernel).to_have_text(re.compile(r"^(?!No Kernel).*\| Idle$"), timeout=60_000)
        return self

    @property
    def name(self) -> str:
        """The name of the notebook in the served folder."""
        return self.page.url.partition("?")[0].rpartition("/")[2]

    def save(self, seconds: float = 20) -> None:
        """Save the notebook by the keyboard; an AssertionError where its file does not change."""
        file = self.lab.root / self.name
        before, end = file.read_bytes(), time.monotonic() + seconds
        self.page.keyboard.press("Control+s")
        while (now := file.read_bytes()) == before or not _is_whole(now):
            assert time.monotonic() < end, f"{file.name} was not saved"
            self.page.wait_for_timeout(50)

    def close(self) -> None:
        """Close the page, and shut its kernel down."""
        self.page.close()
        for session in self.lab.api("sessions"):
            if session["path"] == self.name:
                self.lab.api(f"sessions/{session['id']}", method="DELETE")

    def run_all(self, seconds: float = 120) -> NotebookPage:
        """Run all cells and wait for the last; a failing cell is an AssertionError with its traceback."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        done = self.page.locator(".jp-OutputArea-output", has_text=DONE)
        # Tracebacks carry this mime type too. Run All stops at the first cell that fails.
        stderr = ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']"
        failed = self.page.locator(stderr, has_text="Traceback (most recent call last)")
        done.or_(failed).first.wait_for(timeout=seconds * 1000)
        if failed.count():
            raise AssertionError("a cell failed:\n" + failed.first.inner_text()[-2000:])
        return self

    def widget(self, css_class: str) -> Locator:
        """The widget with this CSS class."""
        return self.page.locator(f".{css_class}")

    def status(self) -> Locator:
        """The text of our widgets' status line."""
        return self.page.locator(".scenelens-status .widget-html-content")

    def change(self, css_class: str, act: Callable[[], Any]) -> None:
        """Do something and wait until the picture of that CSS class has changed."""
        picture = self.widget(css_class)
        before = picture.get_attribute("src")
        act()
        expect(picture).not_to_have_attribute("src", before, timeout=60_000)

    def leaves_view(self, css_class: str, width: int, seconds: float = 10) -> list[str]:
        """Controls of the widget that leave its cell in a window that is so wide, in pixels."""
        before, end = self.page.viewport_size, time.monotonic() + seconds
        self.page.set_viewport_size({"width": width, "height": 1000})
        try:
            # The page is laid out anew in several steps.
            while (found := self.widget(css_class).first.evaluate(LEAVING)) and time.monotonic() < end:
                self.page.wait_for_timeout(100)
            return found
        finally:
            self.page.set_viewport_size(before)

    def outside_requests(self) -> list[str]:
        """Addresses that the page requested from anywhere but the test's own server."""
        return [url for url in self.requests if not url.startswith((self.lab.base, "blob:", "data:"))]


def pixels(image: Locator) -> tuple[int, int, int]:
    """Width, height and a hash of the pixels shown by an <img>: its src is only a blob: address."""
    width, height, number = image.evaluate(PIXELS)
    return width, height, number


def type_value(readout: Locator, text: str) -> None:
    """Type into a slider's readout or a number's box; without Enter nothing reaches the kernel."""
    readout.fill(text)
    readout.press("Enter")


def _is_whole(notebook: bytes) -> bool:
    """Whether a file has been written to its end: the server writes into the file that is there."""
    try:
        json.loads(notebook)
    except ValueError:
        return False
    return True
