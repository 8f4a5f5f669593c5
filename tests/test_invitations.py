"""What invites from outside: the badges of Colab and Binder, and how the work is cited."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib

import nbformat
import pytest
import yaml

from docs import address
from tests.requirements_gate import ROOT
from tests.windows_rules import illegal

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
README = (ROOT / "README.md").read_text("utf-8")
COLAB = nbformat.read(ROOT / "docs/colab.ipynb", as_version=4)
INSTALL, SPREAD = (cell.source for cell in COLAB.cells if cell.cell_type == "code")


# ---- the repository's address


def test_every_address_is_the_declared_one():
    given = address.declared()
    owner = given.removeprefix("https://github.com/")
    for name in address.FILES:
        text = (ROOT / name).read_text("utf-8")
        assert owner in text, name
        named = re.findall(r"github(?:\.com)?/([\w-]+/scenelens)|/gh/([\w-]+/scenelens)", text)
        assert {one or other for one, other in named} <= {owner}, name


def test_another_address_is_written_everywhere(tmp_path, monkeypatch):
    for name in address.FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(address, "ROOT", tmp_path)
    old = address.declared()
    address.write("https://github.com/somebody/their-fork")
    assert address.declared() == "https://github.com/somebody/their-fork"
    texts = [(tmp_path / name).read_text("utf-8") for name in address.FILES]
    assert not [text for text in texts if old.removeprefix("https://github.com/") in text]
    assert "/gh/somebody/their-fork/main" in texts[1]


def test_badges_lead_to_files_that_exist():
    (colab,) = re.findall(r"colab\.research\.google\.com/github/[\w-]+/[\w-]+/blob/main/([\w./]+)\)", README)
    (binder,) = re.findall(r"mybinder\.org/v2/gh/[\w-]+/[\w-]+/main\?urlpath=lab/tree/([\w./]+)\)", README)
    assert (ROOT / colab).is_file()
    assert (ROOT / binder).is_file()


# ---- Colab


def requirements() -> list[str]:
    return PROJECT["dependencies"] + ["timm>=1.0.9; extra == 'timm'"]


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """The commands of the first cell, with pip replaced."""
    commands = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda words, check: commands.append((words, check)))
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: requirements())
    monkeypatch.setattr(importlib.metadata, "version", {"torch": "2.12.0+cu128", "torchvision": "0.27"}.get)
    exec(INSTALL, {})
    return commands


def test_colab_installs_everything_but_torch(installed, tmp_path):
    (own, check), (others, _) = installed
    start = [sys.executable, "-m", "pip", "install", "--quiet"]
    assert own == [*start, "--no-deps", f"git+{address.declared()}"]
    assert check  # pip's failure ends the cell
    assert others[:7] == [*start, "-c", "torch-stays.txt"]
    names = {re.split(r"[<>=]", line)[0] for line in others[7:]}
    declared = {re.split(r"[<>=]", line)[0] for line in PROJECT["dependencies"]}
    assert names == declared - {"torch", "torchvision"}
    # No other package may replace it either.
    assert (tmp_path / "torch-stays.txt").read_text("utf-8") == "torch==2.12.0+cu128\ntorchvision==0.27"


def test_each_notebook_in_drive_begins_with_that_cell(tmp_path, monkeypatch):
    def run(words, check):
        assert words[1:4] == ["-m", "scenelens", "notebooks"]
        nbformat.write(nbformat.read(ROOT / "tests/notebooks/good.ipynb", as_version=4), tmp_path / "a.ipynb")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setitem(sys.modules, "google", type(sys)("google"))
    colab = type(sys)("google.colab")
    colab.drive = type("Drive", (), {"mount": staticmethod(lambda place: None)})
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    code = SPREAD.replace("/content/drive/MyDrive/scenelens", tmp_path.as_posix())
    shell = type("Shell", (), {"user_ns": {"In": ["", INSTALL, code]}})
    for _ in range(2):
        exec(code, {"get_ipython": lambda: shell, "subprocess": subprocess, "sys": sys})
    cells = nbformat.read(tmp_path / "a.ipynb", as_version=4).cells
    good = nbformat.read(ROOT / "tests/notebooks/good.ipynb", as_version=4).cells
    assert [cell.source for cell in cells] == [INSTALL, *(cell.source for cell in good)]


def test_the_colab_notebook_has_no_outputs():
    assert not [cell for cell in COLAB.cells if cell.get("outputs") or cell.get("execution_count")]


# ---- Binder


def test_binder_installs_the_package_in_the_tested_versions_with_the_small_torch():
    lines = (ROOT / "binder/requirements.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith(("#", "--extra-index-url"))] == [
        "-c ../constraints.txt",
        "torch",
        ".",
    ]
    assert any(line.endswith("/whl/cpu") for line in lines)
    assert (ROOT / "binder/runtime.txt").read_text("utf-8").strip() == "python-3.11"


# ---- how the work is cited


def test_the_citation_is_that_of_this_version_and_of_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)  # what the schema requires
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert citation["authors"] == PROJECT["authors"]
    paper = citation["preferred-citation"]
    assert {"type", "title", "authors"} <= set(paper)
    assert paper["url"] == PROJECT["urls"]["Paper"]
    names = ", ".join(f"{one['given-names']} {one['family-names']}" for one in paper["authors"])
    said = " ".join(README.partition("## The paper")[2].replace(">", "").split())
    assert f"{names}. *{paper['title']}.* {paper['conference']['name']}." in said


def tracked() -> list[str]:
    """The repository's files; none where this is no clone."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    return [name for name in listed.stdout.decode().split("\0") if name]


def test_line_ends_stay_as_they_are():
    """Files are compared by their hashes, and Git would change the line ends on Windows."""
    assert "* -text" in (ROOT / ".gitattributes").read_text("utf-8").splitlines()
    texts = [ROOT / name for name in tracked() if name.endswith((".py", ".toml", ".json", ".ipynb", ".md"))]
    assert not [path for path in texts if path.is_file() and b"\r\n" in path.read_bytes()]


def test_no_two_files_of_the_repository_are_one_on_another_system():
    names = [name.casefold() for name in tracked()]
    assert len(names) == len(set(names))
    assert "".join(names).isascii()
    assert not [name for name in names if any(illegal(part) for part in name.split("/"))]
