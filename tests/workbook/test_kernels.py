"""A kernel must be as clean as a new process, miss no answer, and end with the process that started it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from queue import Empty

import nbformat
import pytest
import zmq.asyncio
from jupyter_client.session import Session
from nbformat.v4 import new_code_cell, new_notebook

from scenelens.workbook import kernels
from scenelens.workbook.__main__ import main
from scenelens.workbook.running import Run
from tests.requirements_gate import ROOT

only_copies = pytest.mark.skipif(not kernels._COPIES, reason="kernels are copies on Linux only")


def written(path: Path, *cells: str) -> Path:
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), path)
    return path


def texts(run: Run) -> list[str]:
    assert run.problems == []
    return [output.text.strip() for cell in run.notebook.cells for output in cell.outputs if "text" in output]


def test_where_no_copy_can_be_made_a_kernel_is_a_new_process(tmp_path, monkeypatch):
    """As with a TMPDIR whose path is longer than a socket's may be."""

    def refused(*_):
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr(kernels, "_start", refused)
    kernels._NotebookKernel.prepare()
    cells = ["import os\nprint(os.getppid())"]
    assert texts(Run.of(written(tmp_path / "a.ipynb", *cells))) == [str(os.getpid())]


@only_copies
def test_a_copy_is_a_clean_process_that_has_imported_torch(tmp_path):
    cells = [
        "import sys\nprint('torch' in sys.modules, 'first' in globals())\nfirst = 1",
        "import multiprocessing, os\n"
        "print(multiprocessing.get_start_method(True), os.getsid(0) == os.getpid())",
        "import numpy as np\n"
        "print(np.random.rand(), __name__, sys.modules['__main__'].__dict__ is globals())",
        "print(os.environ['OWN'], 'LEFT' in os.environ)",
    ]
    found = []
    for name in ("a", "b"):
        os.environ["OWN"] = name
        os.environ.update(LEFT="1") if name == "a" else os.environ.pop("LEFT")
        found.append(texts(Run.of(written(tmp_path / f"{name}.ipynb", *cells))))
    os.environ.pop("OWN")
    one, other = found
    assert one[0] == other[0] == "True False"
    assert one[1] == other[1] == "None True"
    assert one[2].split()[1:] == other[2].split()[1:] == ["__main__", "True"]
    assert one[2] != other[2]
    assert (one[3], other[3]) == ("a True", "b False")


@only_copies
def test_a_copy_has_the_settings_of_a_new_process(tmp_path, monkeypatch):
    """Libraries choose some of them when they are imported, by whether a notebook runs."""
    cell = (
        "import json, os, cv2, matplotlib, numpy, pandas, sklearn, warnings, scenelens as sl\n"
        "warnings.simplefilter('ignore')  # some options are deprecated\n"
        "sl.open_study\n"
        "options = pandas._config.config._registered_options\n"
        "print(json.dumps([{name: str(pandas.get_option(name)).lower() for name in options},\n"
        "    {name: str(value) for name, value in matplotlib.rcParams.items()}, numpy.get_printoptions(),\n"
        "    sorted(set(os.environ) - {'JPY_PARENT_PID'})], default=str))"
    )
    path = written(tmp_path / "a.ipynb", cell)
    copy = json.loads("".join(texts(Run.of(path))))
    monkeypatch.setattr(kernels, "_COPIES", False)
    for one, new in zip(copy, json.loads("".join(texts(Run.of(path)))), strict=True):
        assert one == new


def test_figures_of_pyplot_are_shown(tmp_path):
    cell = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    (cell,) = Run.of(written(tmp_path / "plot.ipynb", cell)).notebook.cells
    assert [kind for output in cell.outputs for kind in output.data if kind.startswith("image")] == [
        "image/png"
    ]


@pytest.mark.parametrize("copies", [pytest.param(True, marks=only_copies), False])
def test_kernels_end_with_their_notebook(copies, tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "_COPIES", copies)
    path = written(tmp_path / "a.ipynb", "import os, sys\nprint(os.getpid(), sys.prefix, os.getcwd())")
    number, *where = texts(Run.of(path))[0].split()
    assert where == [sys.prefix, str(tmp_path)]
    assert ended(int(number))


def ended(number: int, within: float = 30) -> bool:
    """Whether a process ends soon."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return True
        if b") Z " in Path(f"/proc/{number}/stat").read_bytes() if Path("/proc").exists() else False:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGKILL])
def test_kernels_end_with_the_command(ends, tmp_path):
    said = tmp_path / "number"
    cell = (
        f"import os, pathlib, time\npathlib.Path({str(said)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    )
    path = written(tmp_path / "sleeps.ipynb", cell)
    command = [sys.executable, "-m", "scenelens.workbook", str(path), "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        while not (said.exists() and said.read_text()) and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(ends)
        errors = process.communicate()[1].decode()
    assert process.returncode == (128 + ends if ends == signal.SIGTERM else -ends)
    assert "Traceback" not in errors
    assert ended(int(said.read_text()))


def test_an_answer_is_found_although_sending_took_its_signal(monkeypatch):
    """A message arrives while the loop is busy; a message is sent before the loop looks."""
    monkeypatch.setattr(kernels, "_ASK_EVERY", 0.05)

    async def talk() -> dict:
        context, session = zmq.asyncio.Context(), Session(key=b"")
        other = zmq.Context.shadow(context.underlying).socket(zmq.DEALER)
        own = context.socket(zmq.DEALER)
        own.connect(f"tcp://127.0.0.1:{other.bind_to_random_port('tcp://127.0.0.1')}")
        channel = kernels._PatientChannel(own, session)
        with pytest.raises(Empty):
            await channel.get_msg(timeout=0.01)
        waits = asyncio.ensure_future(channel.get_msg(timeout=600))
        await asyncio.sleep(0.01)
        session.send(other, session.msg("execute_reply"))
        time.sleep(0.3)
        channel.send(session.msg("comm_msg"))
        try:
            return await asyncio.wait_for(waits, 60)
        finally:
            own.close(0), other.close(0)

    assert asyncio.run(talk())["msg_type"] == "execute_reply"


def test_several_notebooks_run_at_once_and_cells_are_timed(tmp_path, capfd, monkeypatch):
    """Each waits for the other, so one after the other they would never end."""
    monkeypatch.setenv("SCENELENS_STUDY", "sceneworld")
    wait = (
        "import pathlib, time\npathlib.Path('{}').touch()\nuntil = time.time() + 120\n"
        "while not pathlib.Path('{}').exists():\n    assert time.time() < until\n    time.sleep(0.05)\n"
        "time.sleep(0.25)\nprint('met')"
    )
    written(tmp_path / "a.ipynb", wait.format("here_a", "here_b"))
    written(tmp_path / "b.ipynb", wait.format("here_b", "here_a"))
    assert main([str(tmp_path), "--out", str(tmp_path / "out"), "--jobs", "2", "--times"]) == 0
    said = capfd.readouterr().out
    assert said.count("cell  1") == 2
    assert "import pathlib, time" in said
    index = (tmp_path / "out/index.html").read_text()
    assert index.index('href="a.html"') < index.index('href="b.html"')
