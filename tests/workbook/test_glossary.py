"""The glossary explains each word once, every link to it has its entry, and every first use has its link."""

import re

import nbformat
import pytest

from scenelens.installation import HERE
from scenelens.notebook_files import _copy_notebooks
from scenelens.workbook.glossary import _entries, _source
from scenelens.workbook.page_body import _notebook_number
from scenelens.workbook.pages import _read_front, write_pages
from scenelens.workbook.running import Run
from tests.requirements_gate import ROOT

ENTRIES = _entries(_source())
NOTEBOOKS = sorted(HERE.notebooks.glob("*.ipynb"))
#: What is no running text: code, headings and the targets of links.
NOT_TEXT = re.compile(r"```.*?```|`[^`]*`|^#+ .*$|\]\([^)]*\)", re.DOTALL | re.MULTILINE)


def cells(notebook):
    """The Markdown cells of a notebook behind its title, which the index shows without links."""
    found = [cell.source for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "markdown"]
    return found[1:]


def uses(entry, text):
    """The forms of a word that a text uses. A form with a capital inside is spelled as it stands."""
    found = []
    for form in (entry.word, *entry.also):
        flags = 0 if re.search(r".[A-Z]|^[A-Z]$", form) else re.IGNORECASE
        plain = re.escape(form).replace(r"\ ", r"\s+")
        found += re.findall(rf"(?<![\w-]){plain}(?![\w-])", NOT_TEXT.sub(" ", text), flags)
    return found


def explained(entry, text):
    """Whether a text links to the entry, or has one of its forms in bold, as where a word is introduced."""
    bold = [" ".join(one.split()) for one in re.findall(r"\*\*([^*]+)\*\*", text)]
    forms = {form.casefold() for form in (entry.word, *entry.also)}
    linked = f"glossary.md#{entry.anchor})" in text
    return linked or any(form in one.casefold() for one in bold for form in forms)


def test_the_glossary_explains_each_word_once_and_shortly():
    words = [entry.word for entry in ENTRIES]
    assert len(words) >= 35
    assert words == sorted(words, key=str.casefold)
    forms = [form.casefold() for entry in ENTRIES for form in (entry.word, *entry.also)]
    assert len(forms) == len(set(forms))
    for entry in ENTRIES:
        assert entry.text.endswith(".")
        assert 1 <= len(re.findall(r"[.](?= [A-Z]|$)", entry.text)) <= 4, entry.word


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_link_to_the_glossary_has_its_entry(notebook):
    anchors = {entry.anchor for entry in ENTRIES}
    linked = re.findall(r"\(glossary\.md#([^)]*)\)", "\n".join(cells(notebook)))
    assert set(linked) <= anchors
    assert len(linked) == len(set(linked)), "a word is linked where it is first used, and not again"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_word_is_explained_or_linked_where_a_notebook_first_uses_it(notebook):
    missing = []
    for entry in ENTRIES:
        first = next((text for text in cells(notebook) if uses(entry, text)), None)
        if first is not None and not explained(entry, first):
            missing.append((entry.word, uses(entry, first)[0], " ".join(first.split())[:60]))
    assert missing == []


def test_the_page_of_the_glossary_has_every_anchor(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("[SVM](glossary.md#SVM)")])
    write_pages([Run("a", notebook, 1.0)], tmp_path, "A study")
    assert 'href="glossary.html#SVM"' in (tmp_path / "a.html").read_text(encoding="utf-8")
    page = (tmp_path / "glossary.html").read_text(encoding="utf-8")
    for entry in ENTRIES:
        assert f'id="{entry.anchor}"' in page
    for name in ("a.html", "index.html"):
        assert 'href="glossary.html"' in (tmp_path / name).read_text(encoding="utf-8")


def test_copied_notebooks_have_the_glossary_beside_them(tmp_path):
    _copy_notebooks(tmp_path, force=False)
    assert (tmp_path / "glossary.md").read_bytes() == (ROOT / "notebooks/glossary.md").read_bytes()


@pytest.mark.parametrize("place", range(len(NOTEBOOKS)), ids=lambda place: NOTEBOOKS[place].stem)
def test_a_notebook_ends_with_links_to_the_next_one_and_to_the_one_before(place):
    linked = re.findall(r"\((\w+)\.ipynb\)", cells(NOTEBOOKS[place])[-1])
    around = [path.stem for path in NOTEBOOKS[max(place - 1, 0) : place + 2] if path != NOTEBOOKS[place]]
    assert set(around) <= set(linked)


def test_a_notebook_has_one_name():
    names = {path.stem: _read_front(nbformat.read(path, 4), path.stem)["title"] for path in NOTEBOOKS}
    texts = [cell for path in NOTEBOOKS for cell in cells(path)] + [_source()]
    links = [found for text in texts for found in re.findall(r"\[([^]]+)\]\((\w+)\.ipynb[)#]", text)]
    assert len(links) >= 2 * len(names)
    assert {(" ".join(said.split()), to) for said, to in links} <= {(name, to) for to, name in names.items()}
    assert all(name.startswith(_notebook_number(stem)) for stem, name in names.items())


def test_a_notebook_is_named_only_where_it_exists():
    for path in NOTEBOOKS:
        text = "\n".join(cells(path))
        assert set(re.findall(r"\((\w+)\.ipynb[)#]", text)) <= {one.stem for one in NOTEBOOKS}
