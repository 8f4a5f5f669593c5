"""Write the repository's address into every file that needs it: ``python docs/address.py https://...``.

The address is declared once, in pyproject.toml (``[project.urls]``, Repository). README.md, CITATION.cff and
docs/colab.ipynb have copies, because those who read them cannot look it up.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ("pyproject.toml", "README.md", "CITATION.cff", "docs/colab.ipynb")


def declared() -> str:
    """The address in pyproject.toml, such as ``https://github.com/OWNER/scenelens``."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]


def write(new: str) -> None:
    """Put a new address in place of the declared one, also where a badge has only its end."""
    old, prefix = declared(), "https://github.com/"
    for name in FILES:
        text = (ROOT / name).read_text("utf-8").replace(old, new)
        text = text.replace(old.removeprefix(prefix), new.removeprefix(prefix))
        (ROOT / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(sys.argv[1].rstrip("/"))
