"""Every view of the microscope, opened from disk: nothing is asked of any network, and no name runs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Request

from scenelens.microscope import write_microscope
from scenelens.sentences import one_line
from tests.browser.barriers import barriers
from tests.browser.waiting import until
from tests.hostile_names import NAMES, hostile_study

pytestmark = [pytest.mark.slow, pytest.mark.browser]
PINS = "pins=scene/pool5/1,object/pool5/2"
VIEWS = [
    "",
    "#scene/pool5",
    "#scene/pool5?find=a&sort=score",
    "#scene/pool5/3",
    "#object/fc7/15",
    f"#scene/pool5/3?{PINS}",
    f"#/pins?{PINS}",
    "#/pins",
    f"#/concept/{quote(one_line(NAMES['lamp']), safe='')}",
    "#/search/pool5:4",
    "#/search/script",
    "#/about",
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Path:
    study = hostile_study(tmp_path_factory.mktemp("hostile") / "study", 20)
    folder = tmp_path_factory.mktemp("microscope")
    write_microscope(study, folder, ["pool5", "fc7"], top=12, pixels=64, progress=False)
    return folder


class Watched:
    """A page and what it did: requests that left the folder, and errors."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self.index, self.did = page, (folder / "index.html").as_uri(), []
        own = folder.as_uri()
        inside = (f"{own}/", "data:")
        page.on("request", lambda one: None if one.url.startswith(inside) else self.did.append(one.url))
        page.on("requestfailed", self._failed)
        page.on(
            "console", lambda one: self.did.append(one.text) if one.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.did.append(str(error)))
        page.on("dialog", lambda dialog: (self.did.append(dialog.message), dialog.dismiss()))

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # that is an image which the next view did not wait for
            self.did.append(f"failed: {request.url}")

    def open(self, place: str) -> Watched:
        self.page.goto("about:blank")
        self.page.goto(self.index + place)
        until(self.page, "document.title !== 'Microscope'")
        return self

    def title(self) -> str:
        return self.page.locator("h1").inner_text()

    def wait(self, words: str) -> None:
        until(self.page, "words => document.title.startsWith(words)", arg=words)


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide", "narrow"])
def seen(chromium: Browser, pages: Path, request) -> Iterator[Watched]:
    width, scheme = request.param
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    yield Watched(context.new_page(), pages)
    context.close()


def test_every_view_opens_from_disk(seen):
    for view in VIEWS:
        seen.open(view)
        assert seen.page.locator("main .problem").count() == 0, view
        assert seen.page.locator("h1").count() == 1, view
        seen.page.wait_for_timeout(60)
        assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        broken = "[...document.images].filter(one => one.complete && !one.naturalWidth).length"
        assert seen.page.evaluate(broken) == 0, view
        markup = "main script, main iframe, main style, [onerror], [onload], [onclick], a[href^='javascript']"
        assert seen.page.locator(markup).count() == 0, view
    assert seen.page.title() != "run"
    assert seen.did == []


def test_hostile_names_are_there_to_be_read(seen):
    seen.open("#scene/pool5")
    shown = seen.page.locator("main").inner_text()
    names = seen.page.evaluate("[...document.querySelectorAll('.card .concept')].map(one => one.textContent)")
    assert {one_line(NAMES[name]) for name in ("bed", "lamp", "boat", "sand", "rock", "window")} & set(names)
    assert "img src=x" in shown or "script" in shown or "iframe" in shown
    image = seen.open("#scene/pool5/3").page.locator("a.view").first
    image.click()
    until(seen.page, "location.hash.startsWith('#/image/')")
    seen.page.locator(".view.big img").wait_for()
    assert "<img src=x" in seen.title()
    assert seen.did == []


def test_keys_lead_from_unit_to_unit(seen):
    seen.open("#scene/pool5/0")
    seen.page.keyboard.press("ArrowLeft")
    seen.page.keyboard.press("ArrowRight")
    seen.wait("pool5:1 ")
    seen.page.keyboard.press("p")
    until(seen.page, "location.hash.includes('pins=scene/pool5/1')")
    seen.page.keyboard.press("ArrowRight")
    seen.wait("pool5:2 ")
    assert "pins=scene/pool5/1" in seen.page.url  # the comparison stays in the address
    until(seen.page, "document.activeElement.tagName === 'H1'")  # a screen reader goes on there
    seen.page.keyboard.press("2")
    # Twelve images with the highest peaks, and six of the middle; those with the lowest need no map.
    until(seen.page, "document.querySelectorAll('.view canvas').length === 12 + 6")
    assert seen.page.locator(".view .dark").count() == 6
    seen.page.keyboard.press("3")
    until(seen.page, "document.querySelectorAll('.view .box, .view .spot').length > 12")
    assert seen.did == []


def test_single_keys_can_be_turned_off_and_stay_off(seen):
    seen.open("#/about").page.get_by_label("Single keys work").uncheck()
    for _ in range(2):  # the second time after the page was loaded again
        seen.open("#scene/pool5/0")
        for key in ("2", "p", "/"):
            seen.page.keyboard.press(key)
        assert seen.page.locator(".view canvas").count() == 0
        assert "pins" not in seen.page.url
        assert seen.page.evaluate("document.activeElement.id") != "find"
        assert seen.page.locator("[aria-keyshortcuts], [title^='key ']").count() == 0
        seen.page.keyboard.press("ArrowRight")  # no character: speech does not press it
        seen.wait("pool5:1 ")
    seen.open("#/about").page.get_by_label("Single keys work").check()
    seen.open("#scene/pool5/0").page.keyboard.press("2")
    seen.page.locator(".view canvas").first.wait_for()
    assert seen.page.locator("[aria-keyshortcuts]").count() > 0
    assert seen.did == []


def test_arrows_scroll_a_wide_table_and_keep_the_unit(seen):
    seen.page.set_viewport_size({"width": 320, "height": 800})
    tables = seen.open("#scene/pool5/3").page.locator("[role=region]")
    tables.first.wait_for()
    names = tables.evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert "table: Labels" in names
    tables.first.focus()
    seen.page.keyboard.press("ArrowRight")
    until(seen.page, "document.activeElement.scrollLeft > 0")
    assert seen.page.url.endswith("#scene/pool5/3")
    assert seen.did == []


def test_search_and_filter(seen):
    seen.open("")
    seen.page.keyboard.press("/")
    seen.page.keyboard.type("pool5:7")
    seen.wait("Search: pool5:7")
    assert seen.page.locator("main a.card").count() == 2  # of both networks
    seen.open("#scene/pool5")
    assert seen.page.locator("a.card").count() == 32
    seen.page.get_by_label("Show").fill("17")
    assert seen.page.locator("a.card").count() == 1
    assert "find=17" in seen.page.url
    seen.page.get_by_label("Show").fill("")
    seen.page.get_by_label("Order").select_option("score")
    scores = [float(one or -1) for one in seen.page.locator(".card .score").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)


def test_an_image_that_no_unit_is_shown_with_is_not_asked_for(chromium, pages, tmp_path):
    folder = shutil.copytree(pages, tmp_path / "pages")
    script = folder / "data" / "study.js"
    text = script.read_text("utf-8")
    script.write_text(re.sub(r'"shown":"[^"]*"', '"shown":"AAAA"', text), "utf-8")  # none is there
    image = json.loads(text[text.index("(") + 1 : text.rindex(")")])["images"]["ids"][3]
    context = chromium.new_context()
    seen = Watched(context.new_page(), folder)
    for view, title, said in (("search", "Search: ", ".absent"), ("image", image, "main p.soft")):
        seen.open(f"#/{view}/{quote(image, safe='')}")
        seen.wait(title)
        assert "no unit is shown with" in " ".join(seen.page.locator(said).all_inner_texts()).lower()
        assert seen.page.locator("main figure img, main .view img").count() == 0
    assert seen.did == []
    context.close()


def test_what_is_not_there_is_said(seen):
    absent = ("scene/pool5/99", "scene/conv9/1", "/image/none", "/nowhere", "scene/pool5/x", "/concept/%E0")
    for view in absent:
        seen.open(f"#{view}")
        assert seen.page.locator("main .problem").count() == 1, view
    assert seen.did == []


def test_light_and_dark(seen):
    seen.open("")
    before = seen.page.evaluate("document.documentElement.dataset.theme")
    seen.page.get_by_label("Light or dark").click()
    assert {before, seen.page.evaluate("document.documentElement.dataset.theme")} == {"light", "dark"}


def test_everything_can_be_named_by_a_screen_reader(seen):
    for view in VIEWS[:8]:
        seen.open(view)
        nameless = """[...document.querySelectorAll('button, input, select, a[href]')].filter(one =>
            !(one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length ||
              one.querySelector('img')?.alt)).length"""
        assert seen.page.evaluate(nameless) == 0, view
        assert seen.page.locator("img:not([alt])").count() == 0


def test_no_view_has_a_barrier(seen):
    for view in VIEWS:
        assert barriers(seen.open(view).page) == [], view


def test_damaged_data_are_said_to_be(chromium, pages, tmp_path):
    for name in ("index.html", "microscope.js", "microscope.css"):
        (tmp_path / name).write_bytes((pages / name).read_bytes())
    page = chromium.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    page.locator("main .problem").wait_for()
    assert "study.js is missing" in page.locator("main").inner_text()
    page.close()
