"""The moving picture of README and of the index: it moves, it is small, and a reader may have a still one."""

from __future__ import annotations

import json
import re

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from PIL import Image

from scenelens.workbook import pages
from scenelens.workbook.pages import write_pages
from scenelens.workbook.running import Run
from tests.page_parts import page_parts
from tests.requirements_gate import ROOT

DOCS, NAME = ROOT / "docs", "in_ten_seconds"
WORDS = json.loads((DOCS / f"{NAME}.json").read_text(encoding="utf-8"))


def milliseconds(image):
    """How long each frame is shown."""
    times = []
    for k in range(image.n_frames):
        image.seek(k)
        image.load()
        times.append(image.info["duration"])
    return times


def test_it_shows_its_story_in_about_ten_seconds_and_is_small():
    with Image.open(DOCS / f"{NAME}.webp") as moving:
        assert moving.size == (WORDS["width"], WORDS["height"])
        assert 8_000 <= sum(milliseconds(moving)) <= 16_000
        assert moving.info["loop"] == 0
    assert (DOCS / f"{NAME}.webp").stat().st_size < 1_500_000
    with Image.open(DOCS / f"{NAME}_still.webp") as still:
        assert still.size == (WORDS["width"], WORDS["height"])
        assert getattr(still, "n_frames", 1) == 1


def test_readme_says_the_same_as_the_index():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (alt,) = re.findall(rf'<img src="docs/{NAME}\.webp"[^>]*alt="([^"]*)"', readme)
    assert alt == WORDS["alt"]
    assert WORDS["caption"] in " ".join(readme.split())
    assert f'<source media="(prefers-reduced-motion: reduce)" srcset="docs/{NAME}_still.webp">' in readme


@pytest.fixture
def run():
    return Run("a", new_notebook(cells=[new_markdown_cell("# A")]), 1.0)


def test_the_index_begins_with_it(run, tmp_path):
    write_pages([run], tmp_path, "A study")
    assert page_parts(tmp_path / "index.html").scripts == []
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    source, image = re.search(r"<picture>(<source[^>]*>)(<img[^>]*>)</picture>", html).groups()
    assert 'media="(prefers-reduced-motion: reduce)"' in source
    assert 'srcset="data:image/webp;base64,' in source
    assert 'src="data:image/webp;base64,' in image
    assert html.index("<picture>") < html.index('class="card"')


def test_the_index_can_do_without(run, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "_MOVING", tmp_path / "nothing")
    write_pages([run], tmp_path, "A study")
    assert "<picture>" not in (tmp_path / "index.html").read_text(encoding="utf-8")
