"""Names that try to be something else than names, and the annotated study in which every name is one."""

from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path

from scenelens.labels.store import LabelStore
from scenelens.studies.study import Study, open_study
from tests.annotated_study import OBJECTS, annotated_study

#: Sets document.title in a page where it runs, so that a test can see it; see tests/browser.
CODE = "void(document.title='run')"
PARENTS = "void(parent.document.title='run')"
SCRIPTS = [
    f"<img src=x onerror={CODE}>",
    f"<script>{CODE}</script>",
    f'<iframe srcdoc="<script>{PARENTS}</script>"></iframe>',
    f"<a href=javascript:{CODE}>link</a>",
    f"[link](javascript:{CODE})",
    f"![x](x){{onerror={CODE}}}",
    f"<svg onload={CODE}>",
    f"</td></table></div><body onload={CODE}>",
    f'" autofocus onfocus={CODE} x="',
    f"<details open ontoggle={CODE}>",
    f"<meta http-equiv=refresh content=0;url=javascript:{CODE}>",
    f"&lt;img src=x onerror={CODE}&gt;",
    f"{{{{ ''.__class__ }}}}<style onload={CODE}></style>",
    rf"$\href{{javascript:{CODE}}}{{x}}$",
]
FORMULAS = ["$x", "$\\frac{$", "$a$b$", r"\$_{", "^_{}$$", r"\\", "a_b^c", "${", "\\begin{x}", "$$$"]
SHAPES = [
    "two\nlines",
    "a\ttab\x00\x07\x1b[31m",
    "\u202eltr\u202c",
    "w" * 5000,
    "漢字 \U0001f984",
    "\ud800",
    "",
    " ",
    "*b*",
    "**",
    "`c`",
    "# h",
    "- l",
    "1. x",
    "| a | b |",
    "~~s~~",
    "__u__",
    "\u2028\u2029\x85",
    "\ufeff\u200b",
]
CELLS = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", " =1", "\ufeff=1", "＝1", "=cmd|' /C calc'!A0"]
HOSTILE = [*SCRIPTS, *FORMULAS, *SHAPES, *CELLS]


def mixtures(number: int, seed: int = 0) -> list[str]:
    """Random names: pieces of the hostile ones, and any characters of Unicode."""
    draw = random.Random(seed)
    pieces = [*HOSTILE, *"<>&\"'$_^\\{}[]()*`|#!:;@=+-\n\t ", "javascript:", "http://x", "www.x.y", "\\*"]
    found = []
    for _ in range(number):
        parts = [draw.choice(pieces)[:60] for _ in range(draw.randint(1, 6))]
        parts += [chr(draw.randrange(0x20, 0x11_0000)) for _ in range(draw.randint(0, 3))]
        draw.shuffle(parts)
        found.append("".join(parts))
    return found


#: What the names of the annotated study become. Folders can be called anything but with a slash.
NAMES = {
    "attic": f"<img src=x onerror={CODE}>",
    "beach": f"$\\frac{{$ <svg onload={CODE}>",
    "cave": f"_a_ **b** [c](javascript:{CODE}) \u202ed",
    "apple": f'" onmouseover={CODE} x="',
    "ball": f"=1+1 `c` <b onclick={CODE}>",
    "bed": f"<script>{CODE}</script>",
    "lamp": f"<iframe srcdoc='<script>{PARENTS}</script>'></iframe> $x",
    "window": f"[w](javascript:{CODE}) ^_{{",
    "boat": f"</td></table><img src=x onerror={CODE}>",
    "sand": "@sand\ttab $a$b$ \\begin{",
    "rock": f"{{{{ 7*7 }}}} <style onload={CODE}></style> 漢字",
    "tiny": f"<b>tiny $x <img src=x onerror={CODE}>",
}


def hostile_study(folder: Path, per_category: int = 16) -> Study:
    """The annotated study with every class, folder, object and file, and two annotators, of such a name."""
    study = annotated_study(folder, per_category)
    world = folder / "world"
    for place in (world / "Images" / "scene", world / "Annotations" / "scene", world / "Images" / "object"):
        for category in sorted(place.iterdir()):
            for file in sorted(category.iterdir()):
                file.rename(category / f"<img src=x onerror={CODE}>$ {file.name}")
            category.rename(place / NAMES[category.name])
    for file in world.glob("Annotations/**/*.xml"):
        file.write_text(_renamed(file.read_text(encoding="utf-8")), encoding="utf-8")
    text = study.file.path.read_text(encoding="utf-8")
    for old in ("attic", "beach", "cave", "apple", "ball", "tiny"):
        text = text.replace(f'"{old}"', json.dumps(NAMES[old], ensure_ascii=False))
    # With these random weights units of the scene network get names, and the notebooks show them.
    text = (
        text.replace("seed = 1", "seed = 0").replace("seed = 2", "seed = 1").replace("seed = 0", "seed = 2")
    )
    study.file.path.write_text(text, encoding="utf-8")
    opened = open_study(study.file.path)
    for annotator in (f"<img src=x onerror={CODE}>", f"=Ann $\\frac{{ <script>{CODE}</script>"):
        _answer(opened.answers, annotator)
    return opened


def _renamed(xml: str) -> str:
    """An annotation with the hostile names, and with the new name of its file."""
    for old in {name for names in OBJECTS.values() for name in names if name} | set(OBJECTS):
        new = NAMES[old].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        xml = xml.replace(f"<name>{old}</name>", f"<name>{new}</name>")
    return xml


def _answer(store: LabelStore, annotator: str) -> None:
    for network in ("scene", "object"):
        for unit in range(4):
            store.add(
                network=network, layer="pool5", unit=unit, annotator=annotator,
                concept=f"{NAMES['lamp']} {unit}", type="object", precision=0.9, n_images=60,
            )  # fmt: skip


def visible(text: str) -> bool:
    """Whether a text is one line without control characters, marks of direction and halves of characters."""
    return not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u202e\u2066" for c in text)
