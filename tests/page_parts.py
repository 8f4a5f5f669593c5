"""What a page is made of: its tags, its text, and whatever in it could run."""

from __future__ import annotations

from html.parser import HTMLParser

from nbconvert.filters.markdown_mistune import markdown2html_mistune

from scenelens.sentences import Sentences

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


def rendered(sentences: Sentences) -> Parts:
    """Sentences as a page of the workbook shows them."""
    return Parts(markdown2html_mistune(sentences._repr_markdown_()))
