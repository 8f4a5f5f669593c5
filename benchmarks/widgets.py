"""How long a reader waits for a widget's picture: python -m benchmarks.widgets

Each widget of the workbook is opened in JupyterLab, in the system's Chromium, and moved 30 times. A move is
timed in the page, from the key or the click to the decoded picture; the next one begins when the widget is
no longer busy. Where a picture is shown before all of it is computed, a second row has the time until it is
whole. Writes build/bench/widgets.json.

The study's caches are made first, which takes as long as `make workbook` does; a widget that the study has
no data for is named and left out. --widgets measures some of the widgets.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
import pandas as pd
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Error, TimeoutError, sync_playwright

from benchmarks.workbook import machine
from tests.browser.conftest import CHROMIUM_ARGUMENTS, KERNEL
from tests.browser.notebook_page import NotebookPage
from tests.browser.servers import Lab
from tests.requirements_gate import require_browser

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "bench"
MEDIAN, P95 = 70, 150  # milliseconds: the goal for everything whose data are cached or cheap
EXPLORE = "sl.receptive_fields.explore_fields(study, network, {!r}, 0)"
IMAGE = "study.load_image(study.images.image[0])"
CUT = f"sl.minimal_images.take_apart(sl.CutImage(study.networks[network], {IMAGE}))"
BROWSE = "sl.browse_units(study, network, layer)"
QUEUE = "[(network, layer, unit) for unit in range(40)]"


Times = list[list[float]]  # of each move: milliseconds to the first picture, and to the whole one


class Widget(NamedTuple):
    """What is shown, what is moved (a slider's handle by the arrow key, anything else by a click), and the
    picture that changes; how long a reader looks before the next move, in milliseconds."""

    code: str
    control: str
    picture: str
    look: int = 100


WIDGETS = {
    "browse, next unit": Widget(BROWSE, ".sl-unit .noUi-handle", ".sl-mosaic"),
    "minimal image, step": Widget(CUT, ".sl-step .noUi-handle", ".sl-apart"),
    "minimal image, segment": Widget(CUT, ".sl-segments button", ".sl-apart"),
    "field, next unit, pool2": Widget(EXPLORE.format("pool2"), ".sl-next", ".sl-field"),
    "field, next unit, conv4": Widget(EXPLORE.format("conv4"), ".sl-next", ".sl-field"),
    "field, next unit, pool5": Widget(EXPLORE.format("pool5"), ".sl-next", ".sl-field"),
    "annotate, next unit": Widget(
        f"sl.unit_semantics.annotate_units(study, {QUEUE}, 'bench')", ".sl-next", ".sl-tile img", 5000
    ),
    "localize, next image": Widget(
        "sl.localization.localize_image(study, network)", ".sl-number .noUi-handle", ".sl-reading"
    ),
}
# Both times of one move, in milliseconds: to the first decoded picture, and to the one that is whole.
MOVE = """async ([control, picture, turn]) => {
  const image = document.querySelector(picture), found = [...document.querySelectorAll(control)];
  const part = found[turn % found.length], busy = () => document.querySelector('.scenelens-busy');
  const begun = performance.now();
  const changed = new Promise((done, failed) => {
    new MutationObserver((_, watch) => { watch.disconnect(); done(); })
      .observe(image, {attributes: true, attributeFilter: ['src']});
    setTimeout(() => failed(new Error('the picture did not change within 60 s')), 60000);
  });
  const value = name => Number(part.getAttribute('aria-value' + name));
  const key = value('now') === value('max') ? 'Home' : 'ArrowRight';  // from the last one back to the first
  if (part.matches('.noUi-handle')) part.dispatchEvent(new KeyboardEvent('keydown', {key}));
  else part.click();
  await changed;
  await image.decode();
  const first = performance.now() - begun;
  while (busy()) await new Promise(done => setTimeout(done, 2));
  await image.decode();
  return [first, performance.now() - begun];
}"""


def notebook(study: str, code: str, path: Path) -> Path:
    """A notebook with one widget."""
    first = (
        f"import scenelens as sl\nstudy = sl.open_study({study!r})\nnetwork = study.networks.main\n"
        "layer = sl.deepest_map_layer(study.networks[network])"
    )
    cells = [new_code_cell(first, id="study"), new_code_cell(code, id="widget")]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), path)
    return path


def measure(page: NotebookPage, widget: Widget, moves: int) -> Times:
    """Both times of each move, in milliseconds; the first two moves are not counted."""
    page.page.locator(widget.picture).first.wait_for()
    rows = []
    for turn in range(moves + 2):
        try:
            rows.append(page.page.evaluate(MOVE, [widget.control, widget.picture, turn]))
        except Error as error:  # its first line says what happened, the others where
            reason = error.message.splitlines()[0].removeprefix("Page.evaluate: Error: ")
            raise AssertionError(f"{reason} at move {turn + 1}") from error
        page.page.wait_for_timeout(widget.look)
    return rows[2:]


def run(study: str, chosen: dict[str, Widget], moves: int) -> tuple[dict[str, Times], dict[str, str]]:
    """The times of each widget, and why others have none."""
    times: dict[str, Times] = {}
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        folders = [Path(made, name) for name in ("served", "state", "own")]
        for folder in folders:
            folder.mkdir()
        browser = playwright.chromium.launch(executable_path=require_browser(), args=CHROMIUM_ARGUMENTS)
        with Lab(*folders[:2]) as lab:
            for number, (name, widget) in enumerate(chosen.items()):
                page = NotebookPage(browser.new_page(viewport={"width": 1400, "height": 1400}), lab)
                path = notebook(study, widget.code, folders[2] / f"widget-{number}.ipynb")
                try:
                    page.open(lab.serve(path)).run_all(3600)
                    times[name] = measure(page, widget, moves)
                    tell(table({name: times[name]}))
                except AssertionError as error:  # the cell failed
                    missing[name] = str(error).strip().splitlines()[-1]
                except TimeoutError:  # the study cannot answer, so the cell shows a sentence and no widget
                    missing[name] = "the cell shows no widget, or its picture stays the same"
                finally:
                    page.close()
        browser.close()
    return times, missing


def tell(found: pd.DataFrame) -> None:
    """Print a table's rows; each widget's when it is measured, as all of them take minutes."""
    for row in found.itertuples():
        met = "met" if row.median <= MEDIAN and row.p95 <= P95 else ""
        print(f"  {row.widget:<32} median {row.median:6.0f}   p95 {row.p95:6.0f}   {met}", flush=True)


def table(times: dict[str, Times]) -> pd.DataFrame:
    """One row for each widget's first picture, and one for its whole picture where that comes later."""
    rows = []
    for name, found in times.items():
        first, whole = np.array(found).T
        rows.append((name, *np.percentile(first, [50, 95])))
        if np.median(whole - first) > 20:
            rows.append((f"{name}, whole", *np.percentile(whole, [50, 95])))
    return pd.DataFrame(rows, columns=["widget", "median", "p95"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="sceneworld")
    parser.add_argument("--moves", type=int, default=30)
    parser.add_argument("--widgets", nargs="+", choices=list(WIDGETS), default=list(WIDGETS))
    options, _ = parser.parse_known_args()
    here = machine()
    print(f"{here['processor']}, {here['cores']} cores, load {here['load']}")
    print(f"milliseconds from input to decoded picture, {options.moves} moves")
    study = str(Path(options.study).resolve()) if Path(options.study).exists() else options.study
    times, missing = run(study, {name: WIDGETS[name] for name in options.widgets}, options.moves)
    found = table(times)
    for name, why in missing.items():
        print(f"  {name:<32} not measured: {why}")
    print(f"wanted: median {MEDIAN}, p95 {P95}")
    OUT.mkdir(parents=True, exist_ok=True)
    results = {"table": found.to_dict("list"), "times": times, "missing": missing}
    (OUT / "widgets.json").write_text(json.dumps({**here, **results}, indent=1))


if __name__ == "__main__":
    main()
