"""Are all results of all notebooks the same in two checkouts? Record both, then compare.

    python -m tests.notebook_results record --checkout ../before --study sceneworld --out before.json
    python -m tests.notebook_results record --checkout . --study sceneworld --out after.json
    python -m tests.notebook_results compare before.json after.json

Every code cell of every notebook is run in a clean kernel, with the package of the checkout. Its result is
noted with all digits: each number of a table, the data that a figure draws (lines, bars, points, images) and
the numbers in its sentences. At the end the tables and arrays in the notebook's variables are noted as well.
Words are not compared, so that sentences and captions may be rewritten; every number must be equal.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

#: Runs in the notebook's kernel. It knows nothing of the package, so that it serves any version of it.
WATCH = '''
import dataclasses as _dc, hashlib as _hashlib, json as _json, os as _os, re as _re
import numpy as _np, pandas as _pd

_RESULTS = []

def _digest(array):
    array = _np.ascontiguousarray(array)
    return f"{array.dtype}{array.shape}{_hashlib.sha256(array.tobytes()).hexdigest()[:24]}"

def _number(value):
    return float(value).hex() if value == value else "nan"

def _plain(value, depth=0):
    """A value as JSON with all its digits; words count only by the numbers in them."""
    if isinstance(value, (bool, _np.bool_)) or value is None:
        return bool(value) if value is not None else None
    if isinstance(value, (int, float, _np.number)):
        return _number(value)
    if isinstance(value, str):
        return {"words": _re.findall(r"\\d[\\d,]*\\.?\\d*", value)}
    if type(value).__name__ == "Styler":
        value = value.data
    if isinstance(value, _pd.Series):
        value = value.to_frame()
    if isinstance(value, _pd.DataFrame):
        columns = [[_plain(one, depth + 1) for one in value[name].tolist()] for name in value.columns]
        index = [_plain(one) for one in value.index.tolist()]
        return {"rows": len(value), "index": index, "columns": columns}
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, _np.ndarray):
        return _digest(value) if value.dtype != object else [_plain(one, depth + 1) for one in value.tolist()]
    if hasattr(value, "get_axes"):
        return [_axes(one) for one in value.get_axes()]
    if isinstance(value, dict):
        return [_plain(one, depth + 1) for _, one in sorted(value.items(), key=lambda pair: str(pair[0]))]
    if isinstance(value, (list, tuple, set)):
        return [_plain(one, depth + 1) for one in value]
    if hasattr(value, "_repr_markdown_"):
        return _plain(str(value._repr_markdown_()))
    return type(value).__module__.split(".")[0] + " object"

def _axes(axes):
    drawn = [_plain(_np.asarray(line.get_xydata(), float)) for line in axes.get_lines()]
    drawn += [[_number(v) for v in (p.get_x(), p.get_y(), p.get_width(), p.get_height())]
              for p in axes.patches if hasattr(p, "get_width")]
    drawn += [_plain(_np.asarray(c.get_offsets(), float)) for c in axes.collections]
    drawn += [_digest(_np.asarray(image.get_array())) for image in axes.get_images()]
    return drawn

def _noted(result):
    _RESULTS.append(_plain(result.result))

get_ipython().events.register("post_run_cell", _noted)
'''
END = """
_held = {}
for _name, _value in sorted(get_ipython().user_ns.items()):
    if not _name.startswith("_") and isinstance(_value, (_pd.DataFrame, _pd.Series, _np.ndarray, float, int)):
        _held[_name] = _plain(_value)
with open(_os.environ["NOTEBOOK_RESULTS"], "w") as _file:
    _json.dump({"cells": _RESULTS, "variables": _held}, _file)
"""


def record(checkout: Path, study: str, out: Path) -> None:
    """Run all notebooks of a checkout, and write what they found."""
    results = {}
    temporary = out.with_suffix(".part")
    os.environ |= {
        "PYTHONPATH": str(checkout.resolve()),
        "SCENELENS_STUDY": study if "/" not in study else str((checkout / study).resolve()),
        "NOTEBOOK_RESULTS": str(temporary.resolve()),
    }
    for path in sorted((checkout / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        sources = [WATCH, *(cell.source for cell in cells), END]
        notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
        NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(path.parent)}}).execute()
        results[path.stem] = json.loads(temporary.read_text())
        print(f"{path.stem}: {len(cells)} cells", flush=True)
    temporary.unlink(missing_ok=True)
    out.write_text(json.dumps(results))


def compare(before: Path, after: Path) -> int:
    """Print how many cells and variables are equal and which are not; return 1 if any differs."""
    one, other = (json.loads(path.read_text()) for path in (before, after))
    differ = 0
    for notebook in sorted(one | other):
        if notebook not in one or notebook not in other:
            print(f"{notebook}: only in one of the two")
            differ += 1
            continue
        a, b = one[notebook], other[notebook]
        wrong = [n for n in range(max(len(a["cells"]), len(b["cells"]))) if _at(a, n) != _at(b, n)]
        shared = sorted(set(a["variables"]) & set(b["variables"]))
        held = [name for name in shared if a["variables"][name] != b["variables"][name]]
        numbers = len(json.dumps(a["cells"]).split('"'))
        print(
            f"{notebook}: {len(a['cells']) - len(wrong)} of {len(a['cells'])} cells equal, "
            f"{len(shared) - len(held)} of {len(shared)} variables; about {numbers // 2:,} values"
        )
        for n in wrong:
            print(f"  cell {n}: {str(_at(a, n))[:300]}\n       is: {str(_at(b, n))[:300]}")
        for name in held:
            print(f"  variable {name} differs")
        differ += len(wrong) + len(held)
    return int(differ > 0)


def _at(results: dict, n: int) -> object:
    return results["cells"][n] if n < len(results["cells"]) else "no such cell"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.notebook_results", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("record")
    one.add_argument("--checkout", type=Path, default=Path("."))
    one.add_argument("--study", default="sceneworld", help="a name, or a study.toml in the checkout")
    one.add_argument("--out", type=Path, required=True)
    two = commands.add_parser("compare")
    two.add_argument("before", type=Path)
    two.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.command == "compare":
        return compare(options.before, options.after)
    record(options.checkout, options.study, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
