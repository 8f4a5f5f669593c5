"""The package's doors: what `import scenelens as sl` gives, and what it does not."""

import ast
import importlib
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

import scenelens as sl

PACKAGE = Path(sl.__file__).parent
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.pyi"))
NOTEBOOKS = sorted((PACKAGE.parent / "notebooks").glob("*.ipynb"))
MOST_PUBLIC_NAMES = 384


def stub_names(stub):
    """The list ``__all__`` in a door's stub."""
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return ast.literal_eval(node.value)
    raise AssertionError(f"{stub} has no __all__")


def run_python(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


# ---- the package's own door


def test_importing_loads_no_heavy_library():
    heavy = "{'torch', 'torchvision', 'pandas', 'numba', 'numpy', 'matplotlib', 'IPython'}"
    assert run_python(f"import sys, scenelens; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_importing_is_quick():
    code = "import time; start = time.process_time(); import scenelens; print(time.process_time() - start)"
    assert min(float(run_python(code)) for _ in range(3)) < 0.3


def test_names_come_from_their_modules():
    from scenelens.networks.hooks import record

    assert sl.record is record
    assert sl.networks.record is record


def test_dir_shows_the_door_and_nothing_else():
    # In a process of its own: modules that others have imported are attributes of the package, too.
    shown = run_python("import scenelens; print('\\n'.join(dir(scenelens)))").splitlines()
    assert sorted(shown) == sorted(stub_names(PACKAGE / "__init__.pyi"))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="No scenelens attribute open_studdy"):
        _ = sl.open_studdy
    assert not hasattr(sl, "__wrapped__")


# ---- the rooms' doors


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_every_name_of_a_door_resolves(room):
    door = importlib.import_module(f"scenelens.{room}".rstrip("."))
    names = stub_names(Path(door.__file__).with_name("__init__.pyi"))
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(door, name) is not None
    assert sorted(dir(door)) == sorted(names)


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_no_public_name_hides_a_module(room):
    """`from scenelens.room import name` must not depend on which module was imported before."""
    folder = PACKAGE / room
    modules = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    door = importlib.import_module(f"scenelens.{room}".rstrip("."))
    both = modules & set(stub_names(folder / "__init__.pyi"))
    assert [name for name in sorted(both) if not isinstance(getattr(door, name), types.ModuleType)] == []


# ---- the notebooks


def code_of(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [
        ast.parse("".join(cell["source"]))
        for cell in cells
        if cell["cell_type"] == "code" and not "".join(cell["source"]).startswith("%")
    ]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_the_package_and_nothing_else(notebook):
    nodes = [node for tree in code_of(notebook) for node in ast.walk(tree)]
    imports = [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports == ["import scenelens as sl"]


def called_names(tree):
    """``sl.a`` and ``sl.a.b`` of some code, as tuples."""
    for node in ast.walk(tree):
        path = []
        while isinstance(node, ast.Attribute):
            path.insert(0, node.attr)
            node = node.value
        if path and isinstance(node, ast.Name) and node.id == "sl":
            yield tuple(path)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_calls_exists(notebook):
    for path in sorted({path for tree in code_of(notebook) for path in called_names(tree)}):
        found = sl
        for name in path:
            assert hasattr(found, name), f"sl.{'.'.join(path)} does not exist"
            found = getattr(found, name)


# ---- how much there is to know


def public_names():
    """Functions and classes without an underscore, outside SceneWorld: module -> names."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if "sceneworld" in path.relative_to(PACKAGE).parts:
            continue
        nodes = ast.parse(path.read_text(encoding="utf-8")).body
        names = [one.name for one in nodes if isinstance(one, ast.FunctionDef | ast.ClassDef)]
        found[path.relative_to(PACKAGE).as_posix()] = [one for one in names if not one.startswith("_")]
    return found


def test_few_names_are_public():
    counts = {path: len(names) for path, names in public_names().items() if names}
    assert sum(counts.values()) < MOST_PUBLIC_NAMES, counts
