"""The package's front door, scenelens/__init__.py."""

import subprocess
import sys

import pytest

import scenelens as sl


def test_importing_loads_no_heavy_library():
    code = (
        "import sys, scenelens; print(sorted({'torch', 'torchvision', 'pandas', 'numba'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_names_come_from_their_modules():
    from scenelens.networks.hooks import record

    assert sl.record is record
    assert sl.networks.record is record
    assert {"open_study", "record", "SceneLensError"} <= set(dir(sl))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="No scenelens attribute open_studdy"):
        _ = sl.open_studdy
    assert not hasattr(sl, "__wrapped__")
