"""Downloads: the right content or none, the next host, one sentence without a network. All from 127.0.0.1."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scenelens import assets
from scenelens.errors import SceneLensError
from scenelens.files import Drafts
from tests.requirements_gate import ROOT, require_real

CONTENT = {"a.csv": b"unit,label\n1,lamp\n", "b.csv": b"unit,label\n2,bed\n"}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def host(tmp_path):
    """A folder of files and the address at which it is served."""
    folder = tmp_path / "host"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """Register one asset, "answers", at the given hosts, under a data folder of the test's own."""

    def write(*hosts):
        lines = ["[answers]", 'what = "answers"', 'licence = "MIT"', 'page = "https://example.org"']
        lines.append(f"hosts = {list(hosts)}")
        for name, content in CONTENT.items():
            digest = hashlib.sha256(content).hexdigest()
            lines += [f'[answers.files."{name}"]', f"bytes = {len(content)}", f'sha256 = "{digest}"']
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "assets.toml").write_text("\n".join(lines))
        monkeypatch.setenv("SCENELENS_DATA", str(tmp_path / "data"))
        assets._register.cache_clear()

    yield write
    assets._register.cache_clear()


def test_an_asset_is_fetched_whole_and_then_found(host, listed):
    listed(host[1])
    assert assets.find("answers") is None
    folder = assets._fetch("answers")
    assert assets.find("answers") == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT


def test_what_is_there_is_not_fetched_again(host, listed):
    listed(host[1])
    assets._fetch("answers")
    for name in CONTENT:
        (host[0] / name).unlink()
    assert assets._fetch("answers") == assets.find("answers")


def test_what_a_killed_download_left_is_removed_and_another_ones_file_stays(host, listed):
    listed(host[1])
    folder = assets._register()["answers"].folder
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True)
    mine = Drafts.of(folder / "a.csv")
    left = mine.with_name(mine.name.replace(f".{os.getpid()}-", f".{int(ended.stdout)}-"))
    for draft in (mine, left):
        draft.mkdir(parents=True)
        (draft / "tmp0").write_bytes(b"half")
    assets._fetch("answers")
    assert {path.name for path in folder.iterdir()} == {*CONTENT, mine.name}


KILLED = """
import os, signal, sys
from scenelens import assets
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
assets._fetch("answers")
"""


def test_a_killed_download_leaves_nothing_that_stays(host, listed):
    listed(host[1])
    done = subprocess.run([sys.executable, "-c", KILLED], env=os.environ, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    folder = assets._fetch("answers")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT


def test_a_damaged_file_is_fetched_again(host, listed):
    listed(host[1])
    folder = assets._fetch("answers")
    (folder / "a.csv").write_bytes(b"unit,label\n1,lam")
    assert (assets._fetch("answers") / "a.csv").read_bytes() == CONTENT["a.csv"]


def test_the_next_host_is_asked_where_one_fails(host, listed):
    listed("http://127.0.0.1:9/", f"{host[1]}/no_such_folder", host[1])
    assert (assets._fetch("answers") / "a.csv").read_bytes() == CONTENT["a.csv"]


def test_another_content_is_refused_and_leaves_nothing(host, listed):
    (host[0] / "b.csv").write_bytes(b"<html>moved</html>")
    listed(host[1])
    with pytest.raises(SceneLensError, match=r"b\.csv could not be downloaded .*sha256 differs.*yourself"):
        assets._fetch("answers")
    assert [path.name for path in (assets._register()["answers"].folder).iterdir()] == ["a.csv"]
    assert assets.find("answers") is None


def test_without_a_network_one_sentence_says_what_to_do(listed, capsys):
    listed("http://127.0.0.1:9")
    assert assets._main(["answers"]) == 1
    said = capsys.readouterr().err
    assert "a.csv could not be downloaded" in said
    assert "ConnectionError" in said
    assert "example.org" in said


def test_a_missing_page_is_named_by_its_status(host, listed):
    (host[0] / "a.csv").unlink()
    listed(host[1])
    with pytest.raises(SceneLensError, match="status 404"):
        assets._fetch("answers")


def test_the_list_says_what_is_at_hand(host, listed, capsys):
    listed(host[1])
    assert assets._main([]) == 0
    assert "not installed" in capsys.readouterr().out
    assets._fetch("answers")
    assets._main([])
    assert "installed: " + str(assets.find("answers")) in capsys.readouterr().out


@pytest.mark.parametrize("name", ["unit_annotation", "netdissect"])
def test_the_register_describes_the_published_files(name):
    folder = require_real(name)
    asset = assets._register()[name]
    found = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in asset.files}
    assert found == asset.files
    assert sum((folder / file).stat().st_size for file in asset.files) == asset.bytes
