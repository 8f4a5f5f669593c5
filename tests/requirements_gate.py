"""What some tests need and not every machine has: skip with a reason, or fail where it is required.

`.ci/run` sets SCENELENS_REQUIRE_REAL and SCENELENS_REQUIRE_BROWSER, so that nothing is skipped there unseen.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "real"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def lacking(variable: str, reason: str) -> None:
    """Skip the test, or fail it where the variable is set."""
    if os.environ.get(variable):
        pytest.fail(f"{reason} (required by {variable})", pytrace=False)
    pytest.skip(reason)


def require_real(*parts: str) -> Path:
    """Return the folder of real photographs and networks (or a path inside it), or skip the test."""
    path = REAL.joinpath(*parts)
    if not path.exists():
        lacking("SCENELENS_REQUIRE_REAL", f"no {'/'.join(('../shared/real', *parts))} beside the checkout")
    return path


def require_browser() -> str:
    """Return the path of the system's Chromium (CHROMIUM=path wins), or skip the test."""
    chosen = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if chosen is None:
        lacking(
            "SCENELENS_REQUIRE_BROWSER",
            "no Chromium: apt-get install --no-install-recommends chromium fonts-dejavu-core",
        )
    return str(chosen)
