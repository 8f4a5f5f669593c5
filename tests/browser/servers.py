"""A private JupyterLab for the tests: its own port, token, settings and folder; nothing from outside."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat

from tests.requirements_gate import ROOT

DONE = "ALL-CELLS-DONE"
SETTINGS = {
    # The only switch that stops the "Jupyter news?" question; it must be a string.
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # every cell is in the DOM
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
}
#: Without it, each page that is opened has the server ask node whether JupyterLab needs to be built.
PAGE_CONFIG = {"buildCheck": False, "buildAvailable": False}
PRIVATE_FOLDERS = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "IPYTHONDIR": "ipython",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
}


class Lab:
    """JupyterLab on 127.0.0.1, serving the folder `root`; a context manager that stops it and its kernels."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root, self.state = root, state
        self.port, self.token = _free_port(), secrets.token_hex(16)
        self.base = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Lab:
        env = _private_env(self.state)
        settings = self.state / "config" / "labconfig"
        settings.mkdir()
        (settings / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
        (settings / "page_config.json").write_text(json.dumps(PAGE_CONFIG))
        self.log = (self.state / "server.log").open("wb")
        self.process = subprocess.Popen(
            self._command(),
            cwd=ROOT,
            env=env,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait_until_up()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)  # Jupyter shuts its kernels down on SIGTERM
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)  # our own process group only
                self.process.wait(5)
        self.log.close()

    def serve(self, notebook: Path) -> str:
        """Copy `notebook` into the served folder, with a last cell that tells it is done; return its name."""
        copy = nbformat.read(notebook, as_version=4)
        last = nbformat.v4.new_code_cell(f"print('{DONE}')", id="all-cells-done")
        copy.cells.append(last)
        nbformat.write(copy, self.root / notebook.name)
        return notebook.name

    def url(self, name: str, app: str = "lab") -> str:
        """The address of a notebook; ``reset`` keeps the tabs of earlier tests from coming back."""
        if app == "notebook":
            return f"{self.base}/notebooks/{name}?token={self.token}"
        return f"{self.base}/lab/tree/{name}?reset&token={self.token}"

    def api(self, path: str, method: str = "GET"):
        """Ask the server's REST interface."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.base}/api/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def _command(self) -> list[str]:
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.root,
            "ServerApp.terminals_enabled": False,
            "IdentityProvider.token": self.token,
            "LabApp.extension_manager": "readonly",
            "AsyncMappingKernelManager.kernel_manager_class": "tests.browser.copied_kernels.CopiedKernel",
        }
        root = ["--allow-root"] if os.geteuid() == 0 else []
        return [
            *(sys.executable, "-m", "jupyterlab", "--no-browser"),
            *(f"--{key}={value}" for key, value in options.items()),
            *root,
        ]

    def _wait_until_up(self, seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.api("status")
                return
            time.sleep(0.1)
        self.__exit__()
        raise RuntimeError("JupyterLab did not start:\n" + (self.state / "server.log").read_text()[-3000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _private_env(state: Path) -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    for variable, folder in PRIVATE_FOLDERS.items():
        (state / folder).mkdir(parents=True, exist_ok=True)
        env[variable] = str(state / folder)
    return env
