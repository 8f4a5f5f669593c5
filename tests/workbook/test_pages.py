"""What the pages make of executed notebooks: figures, tables, links, contents. No kernel runs here."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from scenelens.shown_tables import table_html
from scenelens.workbook.page_body import Body
from scenelens.workbook.page_links import Microscope, _link_texts, _section_links, _unit_links
from scenelens.workbook.pages import write_pages
from scenelens.workbook.running import _WIDGET_STATE, Run
from scenelens.workbook.style import Plate
from tests.page_parts import Parts, page_parts
from tests.workbook.test_workbook import addresses, dead_links


def cell(*outputs, source="show()"):
    return new_code_cell(source, execution_count=1, outputs=list(outputs))


def plate(title="Two curves", caption="n = 100 images.", photo=False):
    data, about = Plate(title, 1.0, caption, photo=photo)._repr_mimebundle_()
    shown = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in data.items()}
    return new_output("execute_result", data=shown, metadata=about, execution_count=1)


def frame(table):
    return new_output("execute_result", data={"text/html": table_html(table)}, execution_count=1)


def notebook(*cells):
    return new_notebook(cells=list(cells))


@pytest.fixture
def two_runs():
    """Two notebooks that speak of each other, of sections, of a figure of the paper and of units."""
    first = notebook(
        new_markdown_cell("# One\n\nSection 2 of the paper · 5 min\n\n- a goal"),
        new_markdown_cell("## Look\n\nSection 3.2 asks more; see Figure 6 and [02 Two](03_2_two.ipynb)."),
        cell(plate()),
        new_markdown_cell(
            "## Look\n\nUnit `pool5:3` of the scene network; pool5:4; pool5:99; [gone](gone.ipynb)"
        ),
        cell(
            frame(pd.DataFrame({"network": ["scene", "object"], "unit": ["pool5:1", "pool5:2"], "n": [1, 2]}))
        ),
    )
    second = notebook(
        new_markdown_cell("# Two\n\nSection 3.2 of the paper · 5 min"),
        new_markdown_cell("## Figure 6: names\n\nHere."),
        cell(plate(photo=True)),
    )
    return [Run("02_one", first, 1.0), Run("03_2_two", second, 2.0)]


@pytest.fixture
def microscope(tmp_path):
    folder = tmp_path / "microscope"
    folder.mkdir()
    (folder / "index.html").write_text("<title>Microscope</title>")
    units = {"scene": {"pool5": 8}, "object": {"pool5": 8}}
    (folder / "units.json").write_text(json.dumps({"units": units}))
    return folder


# ---- figures


def test_a_figure_has_its_number_title_and_caption_as_text():
    body = Body.of(notebook(cell(plate()), cell(plate("Three curves"))), "03_2_fields")
    assert re.findall(r'<figure id="(.*?)">', body.html) == ["figure-03.2.1", "figure-03.2.2"]
    text = " ".join(Parts(body.html).text.split())
    assert "Figure 03.2.1. Two curves. n = 100 images." in text
    assert re.findall(r'alt="(.*?)"', body.html) == [
        "Figure 03.2.1: Two curves",
        "Figure 03.2.2: Three curves",
    ]


@pytest.mark.parametrize("photo", [False, True])
def test_the_image_on_a_page_lacks_only_the_lines_that_the_caption_repeats(photo):
    """What the style cuts off is the title above and the caption below: the rest of both margins is white."""
    output = plate(photo=photo)
    kind = "image/jpeg" if photo else "image/png"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(output.data[kind]))).convert("L"), float)
    head, foot = output.metadata[kind]["scenelens"]["words"]
    assert 0 < head < pixels.shape[0] - foot < pixels.shape[0]
    assert (pixels[:head] < 128).any()
    assert (pixels[-foot:] < 140).any()
    assert (pixels[head:-foot] > 240).all()  # the body of this plate is empty
    html = Body.of(notebook(cell(output))).html
    wide, high = map(int, re.search(r"aspect-ratio: (\d+) / (\d+)", html).groups())
    assert (wide, high) == (pixels.shape[1], pixels.shape[0] - head - foot)


def test_a_figure_without_words_of_its_own_has_the_heading_above_it():
    file = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(file, "PNG")
    output = new_output("display_data", data={"image/png": base64.b64encode(file.getvalue()).decode()})
    body = Body.of(notebook(new_markdown_cell("## The *world*"), cell(output)))
    assert 'alt="Figure 1: The world"' in body.html
    assert "aspect-ratio: 40 / 20" in body.html


def test_code_is_folded_behind_what_it_shows_and_open_where_it_shows_nothing():
    html = Body.of(notebook(cell(plate(), source="figure()"), cell(source="import scenelens"))).html
    folded, opened = html.split('<div class="cell">')[1:]
    assert folded.index("<img") < folded.index("<summary>Code</summary>") < folded.index('class="input"')
    assert "<details" not in opened


# ---- tables


def test_a_table_is_on_the_page_as_the_notebook_shows_it():
    sizes = pd.DataFrame({"rf_size": [(11, 11)], "mean": [10.065965]})
    html = Body.of(notebook(cell(frame(sizes)))).html
    assert re.search("<table.*</table>", table_html(sizes))[0] in html
    assert "<style>" not in html  # the page has rules of its own


def test_a_table_with_colours_of_its_own_stays_as_it_is():
    coloured = pd.DataFrame({"n": [1, 2]}).style.format(escape="html").map(lambda _: "color: red").to_html()
    output = new_output("display_data", data={"text/html": coloured})
    assert coloured in Body.of(notebook(cell(output))).html


def test_a_name_in_a_table_cannot_pass_for_its_end():
    name = '</table></div><div class="scenelens-table"><style>x</style><b>y</b></div>'
    html = Body.of(notebook(cell(frame(pd.DataFrame({"name": [name], "n": [1]}))))).html
    assert "<b>y" not in html
    assert name in Parts(html).text


def test_a_table_can_be_scrolled_with_the_keyboard_and_is_named():
    html = Body.of(notebook(new_markdown_cell("## Sizes"), cell(frame(pd.DataFrame({"n": [1]}))))).html
    assert 'role="region" tabindex="0" aria-label="Table 1: Sizes"' in html


# ---- what is no part of a page


def test_progress_bars_and_their_lines_are_no_part_of_a_page():
    models = {
        "bar": {"model_name": "HBoxModel", "state": {"children": [f"IPY_MODEL_{k}" for k in "abc"]}},
        "a": {"model_name": "HTMLModel", "state": {"value": "minimal images"}},
        "b": {"model_name": "FloatProgressModel", "state": {"value": 7.0, "max": 7.0}},
        "c": {"model_name": "HTMLModel", "state": {"value": "7/7"}},
    }
    said = "\rabc:  10%|#   | 1/7 [00:01<00:09]\rabc: 100%|####| 7/7 [00:09<00:00]\na warning\n"
    said += "\runits: 0 images [00:00, ? images/s]\runits: 150 images [01:32, 328.83 images/s]\n"
    made = notebook(
        cell(
            new_output(
                "display_data", data={"application/vnd.jupyter.widget-view+json": {"model_id": "bar"}}
            ),
            new_output("stream", name="stderr", text=said),
        )
    )
    made.metadata["widgets"] = {_WIDGET_STATE: {"state": models}}
    html = Body.of(made).html
    assert "widget" not in html
    assert "%" not in html
    assert '<pre class="stderr">a warning</pre>' in html


def test_how_long_a_cell_would_take_is_no_part_of_a_page():
    said = "Simplifying 5 images takes up to about 13 s.\n  1 takes\n\n  2 about 3\n"
    html = Body.of(notebook(cell(new_output("stream", name="stdout", text=said)))).html
    assert '<pre class="stdout">  1 takes\n\n  2 about 3\n</pre>' in html


# ---- links


def test_sections_have_addresses_links_and_a_place_in_the_contents(two_runs, tmp_path):
    write_pages(two_runs, tmp_path, "A study")
    html = (tmp_path / "02_one.html").read_text(encoding="utf-8")
    assert [one.anchor for one in Body.of(two_runs[0].notebook).sections] == ["", "Look", "Look-2"]
    for anchor in ("Look", "Look-2"):
        assert f'<h2 id="{anchor}"' in html
        assert (
            html.count(f'href="#{anchor}"') == 3
        )  # at the heading, in the contents of a wide and a narrow window
    assert '<h1 id="One" tabindex="-1">02 One</h1>' in html


def test_sections_and_figures_of_the_paper_lead_to_their_notebook(two_runs, tmp_path):
    write_pages(two_runs, tmp_path, "A study")
    html = (tmp_path / "02_one.html").read_text(encoding="utf-8")
    assert '<a href="03_2_two.html">Section 3.2</a>' in html
    assert '<a href="03_2_two.html#Figure-6%3A-names">Figure 6</a>' in html
    other = (tmp_path / "03_2_two.html").read_text(encoding="utf-8")
    assert ">Section 3.2</a>" not in other  # a page leads nowhere but to others


def test_no_link_is_dead_with_and_without_a_microscope(two_runs, microscope, tmp_path):
    pages = tmp_path / "workbook"
    pages.mkdir()
    write_pages(two_runs, pages, "A study", microscope)
    assert dead_links(pages) == []
    html = (pages / "02_one.html").read_text(encoding="utf-8")
    units = re.findall(r'<a class="unit" href="\.\./microscope/index\.html#([^"]*)">([^<]*)</a>', html)
    assert units == [
        ("scene/pool5/3", "pool5:3"),
        ("scene/pool5/4", "pool5:4"),
        ("scene/pool5/1", "pool5:1"),
        ("object/pool5/2", "pool5:2"),
    ]  # there is no pool5:99
    (microscope / "index.html").unlink()
    write_pages(two_runs, pages, "A study", microscope)
    assert dead_links(pages) == []
    html = (pages / "02_one.html").read_text(encoding="utf-8")
    assert 'class="unit"' not in html
    assert "microscope</code>" in html  # how to make one


def test_a_page_that_is_gone_is_found(two_runs, tmp_path):
    write_pages(two_runs, tmp_path, "A study")
    (tmp_path / "03_2_two.html").unlink()
    assert ("index.html", "03_2_two.html") in dead_links(tmp_path)


@pytest.mark.parametrize(
    ("added", "dead"),
    [
        ('<a href="#nowhere">x</a>', "#nowhere"),
        ('<a href="../microscope/index.html#scene/pool5/8">x</a>', "../microscope/index.html#scene/pool5/8"),
        ('<img src="picture.png">', "picture.png"),
    ],
)
def test_a_dead_place_unit_or_image_is_found(added, dead, two_runs, microscope, tmp_path):
    pages = tmp_path / "workbook"
    pages.mkdir()
    write_pages(two_runs, pages, "A study", microscope)
    page = pages / "02_one.html"
    page.write_text(page.read_text(encoding="utf-8").replace("</main>", f"{added}</main>"), encoding="utf-8")
    assert dead_links(pages) == [("02_one.html", dead)]


def test_a_unit_of_both_networks_leads_to_a_search_and_what_is_linked_stays():
    link = _unit_links(Microscope("m/index.html", {"scene": {"fc7": 9}, "object": {"fc7": 9, "conv1": 3}}))
    assert (
        _link_texts("<p>fc7:1</p>", link)
        == '<p><a class="unit" href="m/index.html#/search/fc7%3A1">fc7:1</a></p>'
    )
    assert 'href="m/index.html#object/conv1/2"' in _link_texts("<p>conv1:2</p>", link)
    for same in (
        '<a href="x">fc7:1</a>',
        "<pre>fc7:1</pre>",
        "<h2>fc7:1</h2>",
        '<img alt="a > fc7:1">',
        "<p>xfc7:1</p>",
    ):
        assert _link_texts(same, link, _section_links({"2": "x"})) == same


def test_every_page_leads_to_the_one_before_and_after_at_both_ends(two_runs, tmp_path):
    write_pages(two_runs, tmp_path, "A study")
    html = (tmp_path / "02_one.html").read_text(encoding="utf-8")
    assert html.count('rel="next" href="03_2_two.html"') == 2
    main, _, footer = html.partition("<footer>")
    assert 'rel="next"' in main
    assert 'rel="next"' in footer


def test_the_search_has_every_section_figure_and_table(two_runs, tmp_path):
    write_pages(two_runs, tmp_path, "A study")
    page = tmp_path / "search.html"
    assert page_parts(page).scripts == []
    links = addresses(page.read_text(encoding="utf-8")).links
    assert {"02_one.html#Look", "02_one.html#Look-2", "03_2_two.html#Figure-6%3A-names"} <= set(links)
    text = " ".join(Parts(page.read_text(encoding="utf-8")).text.split())
    for words in ("n = 100 images", "pool5:1", "02 One · Look"):
        assert words in text


def test_every_image_has_a_text_in_its_place(two_runs, tmp_path):
    write_pages(two_runs, tmp_path, "A study")
    for page in tmp_path.glob("*.html"):
        for image in re.findall(r"<img[^>]*>", page.read_text(encoding="utf-8")):
            assert re.search(r'alt="[^"]+"', image), page.name


def test_a_notebook_can_be_downloaded_where_it_is(two_runs, tmp_path):
    (tmp_path / "02_one.ipynb").write_bytes(two_runs[0].file())
    write_pages(two_runs, tmp_path, "A study")
    assert 'href="02_one.ipynb" download' in (tmp_path / "02_one.html").read_text(encoding="utf-8")
    assert (
        "download"
        not in (tmp_path / "03_2_two.html")
        .read_text(encoding="utf-8")
        .partition("<body")[2]
        .partition("<script>")[0]
    )
