"""What keeps people from using a page: axe-core looks for it, by the rules of WCAG 2.1, levels A and AA."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


def barriers(page: Page, within: str | None = None) -> list[str]:
    """What axe-core objects to, one line for each element.

    Parameters
    ----------
    page : playwright.sync_api.Page
        The page as it is now.
    within : str, optional
        CSS selector of the parts that are looked at (default the whole page).

    Returns
    -------
    list of str
        Rule, element and cause.
    """
    found = Axe().run(page, context=within, options={"runOnly": _RULES})
    assert found.response["passes"], "axe-core found nothing to look at"
    return [
        f"{rule['id']}: {node['html'][:160]} | {' '.join(node['failureSummary'].split())[:240]}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]
