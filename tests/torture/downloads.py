"""A host on this machine that serves an asset of two files, whole or not; nothing comes from a network."""

from __future__ import annotations

import hashlib
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch  # noqa: F401 (imported before the forks, because it takes long)
import requests  # noqa: F401

from scenelens import assets

CONTENT = {"a.csv": b"unit,label\n" + b"1,lamp\n" * 20_000, "b.csv": b"unit,label\n2,bed\n"}


class Quiet(SimpleHTTPRequestHandler):
    """A host that says nothing on stderr, and that does not mind when its reader is killed."""

    def log_message(self, *_):
        pass

    def copyfile(self, source, outputfile):
        try:
            super().copyfile(source, outputfile)
        except OSError:
            self.close_connection = True


class Host:
    """The host, and a register of assets that names it.

    Parameters
    ----------
    folder : Path
        For the files of the host and the folder of the data.
    """

    name = "answers"

    def __init__(self, folder: Path) -> None:
        self.files, self.data = folder / "host", folder / "data"
        for place in (self.files, self.data):
            place.mkdir(parents=True, exist_ok=True)
        for name, content in CONTENT.items():
            (self.files / name).write_bytes(content)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=self.files))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        (self.data / "assets.toml").write_text(self._register())
        os.environ["SCENELENS_DATA"] = str(self.data)
        assets._register.cache_clear()
        self.target = self.data / "downloads" / self.name

    def _register(self) -> str:
        lines = ["[answers]", 'what = "answers"', 'licence = "MIT"', 'page = "https://example.org"']
        lines.append(f'hosts = ["http://127.0.0.1:{self.server.server_port}"]')
        for name, content in CONTENT.items():
            digest = hashlib.sha256(content).hexdigest()
            lines += [f'[answers.files."{name}"]', f"bytes = {len(content)}", f'sha256 = "{digest}"']
        return "\n".join(lines)
