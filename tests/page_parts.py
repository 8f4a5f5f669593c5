"""What a page is made of: its tags, its text, and whatever in it could run."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser
from pathlib import Path

from nbconvert.filters.markdown_mistune import markdown2html_mistune

from scenelens.sentences import Sentences
from scenelens.workbook.pages import _script

ADDRESSES = {"href", "src", "action", "formaction", "data", "srcdoc", "content"}


class Parts(HTMLParser):
    """The tags of a page, its text, and its scripts: elements, handlers and addresses that would run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.scripts: list[str] = []
        self.policies: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        given = {name: value or "" for name, value in attrs}
        if tag in ("script", "iframe", "object", "embed", "base"):
            self.scripts.append(tag)
        self.scripts += [f"{tag} {name}" for name in given if name.startswith("on")]
        for name in ADDRESSES & set(given):
            if given[name].strip().lower().startswith(("javascript:", "vbscript:", "data:text")):
                self.scripts.append(f"{tag} {name}={given[name]}")
        if given.get("http-equiv", "").lower() == "content-security-policy":
            self.policies.append(given["content"])
        elif "http-equiv" in given:
            self.scripts.append(f"{tag} {given['http-equiv']}")

    def handle_data(self, data):
        self.text += data


def page_parts(page: Path) -> Parts:
    """What a page of the workbook holds beside its own script, the only one that its policy lets run."""
    own = _script()
    allowed = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    before, script, after = page.read_text(encoding="utf-8").rpartition(f"<script>{own}</script>")
    assert script
    assert after.split() == ["</body>", "</html>"]
    parts = Parts(before)
    (policy,) = parts.policies
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["script-src"] == f"'sha256-{allowed}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules.keys() == {"default-src", "img-src", "style-src", "script-src", "base-uri", "form-action"}
    return parts


def rendered(sentences: Sentences) -> Parts:
    """Sentences as a page of the workbook shows them."""
    return Parts(markdown2html_mistune(sentences._repr_markdown_()))
