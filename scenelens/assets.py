"""Optional downloads: what they are, where they come from, their size, hash and licence.

The workbook works without them. Where an asset is installed, some figures are drawn a second time, from what
was published about the paper's own networks. ``data/assets.toml`` lists all assets.
``scenelens data`` shows the list, ``scenelens data --fetch netdissect`` downloads one.

>>> sorted(_register())
['netdissect', 'unit_annotation']
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scenelens.errors import SceneLensError, close_names
from scenelens.files import Drafts, digest
from scenelens.installation import HERE

_TIMEOUT = 20  # seconds without an answer, after which the next host is tried


@dataclass(frozen=True)
class _Asset:
    """A few published files that belong together; `files` is name -> sha256."""

    name: str
    what: str
    licence: str
    page: str
    hosts: tuple[str, ...]
    files: dict[str, str]
    bytes: int

    @property
    def folder(self) -> Path:
        """Where `_fetch` puts the files; in a checkout data/downloads/<name>, which git ignores."""
        return HERE.downloads / self.name


@cache
def _register(file: Path | None = None) -> dict[str, _Asset]:
    """All assets by their names, from data/assets.toml or another file of that form."""
    tables = tomllib.loads((file or HERE.data / "assets.toml").read_text(encoding="utf-8"))
    return {name: _asset(name, table) for name, table in tables.items()}


def _asset(name: str, table: dict) -> _Asset:
    described = {key: table[key] for key in ("what", "licence", "page")}
    files = {file: entry["sha256"] for file, entry in table["files"].items()}
    size = sum(entry["bytes"] for entry in table["files"].values())
    return _Asset(name, **described, hosts=tuple(table["hosts"]), files=files, bytes=size)


def find(name: str) -> Path | None:
    """Return the folder of an asset, or None where it is not installed; nothing is downloaded.

    The places are the folder of downloads, then ../shared/real next to a checkout.

    Parameters
    ----------
    name : str
        The asset's name in data/assets.toml.

    Returns
    -------
    Path or None
        The folder that has all of its files.

    Raises
    ------
    SceneLensError
        If there is no asset of that name.

    Examples
    --------
    >>> find("unit_annotations")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: no asset named 'unit_annotations'; close names: unit_annotation.
    """
    asset = _known(name)
    places = (asset.folder, HERE.data.parent.parent / "shared" / "real" / name)
    return next((place for place in places if all((place / file).is_file() for file in asset.files)), None)


def advice(name: str) -> str:
    """Return the sentences for a notebook in which an asset is missing: what it is and how to get it.

    Parameters
    ----------
    name : str
        The asset's name in data/assets.toml.

    Returns
    -------
    str
        The sentences.

    Examples
    --------
    >>> advice("netdissect")
    "Not installed: Network Dissection's published labels ... To get it: `...scenelens data --fetch
    netdissect` downloads 278 kB (MIT licence) from https://..."
    """
    asset = _known(name)
    return (
        f"Not installed: {asset.what}. To get it: `{HERE.call('data', '--fetch', name)}` downloads "
        f"{asset.bytes / 1e3:.0f} kB ({asset.licence} licence) from {asset.page}."
    )


def _fetch(name: str) -> Path:
    """Download the missing files of an asset, checked by their hashes, and return its folder.

    The hosts are tried in turn. A file that exists with the right content is not downloaded again.
    """
    asset = _known(name)
    Drafts.sweep(asset.folder)  # what a download that was killed left there
    for file, sha256 in asset.files.items():
        if not _is_whole(asset.folder / file, sha256):
            _download(asset, file, sha256)
    return asset.folder


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and digest(path.read_bytes()) == sha256


def _download(asset: _Asset, file: str, sha256: str) -> None:
    import pooch  # takes long to import, and most readers never download anything

    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(timeout=_TIMEOUT, progressbar=False)
    refused = []
    # pooch prepares a file under a name of its own, which says nothing of its writer. In a folder of ours,
    # what it leaves when it is killed is found and removed.
    draft = Drafts.of(asset.folder / file)
    try:
        for host in asset.hosts:
            try:
                pooch.retrieve(f"{host}/{file}", f"sha256:{sha256}", file, draft, downloader=downloader)
                Drafts.move(draft / file, asset.folder / file)
                return
            # requests' errors are OSErrors; a wrong hash is a ValueError
            except (OSError, ValueError) as error:
                refused.append(f"{host}: {_reason(error)}")
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    raise SceneLensError(
        f"{file} could not be downloaded ({'; '.join(refused)}). Try again later, or take it from "
        f"{asset.page} yourself and put it in {asset.folder}."
    )


def _reason(error: Exception) -> str:
    if "does not match the known hash" in str(error):
        return "another content than expected (its sha256 differs)"
    response = getattr(error, "response", None)
    return type(error).__name__ if response is None else f"status {response.status_code}"


def _known(name: str) -> _Asset:
    if name not in _register():
        raise SceneLensError(f"no asset named {name!r}; {close_names(name, sorted(_register()))}.")
    return _register()[name]


def _main(arguments: Sequence[str] | None = None) -> int:
    """List the assets, or download those named; return the exit status."""
    parser = argparse.ArgumentParser(prog="scenelens data --fetch", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="which to download (default: list them all)")
    try:
        for name in (names := parser.parse_args(arguments).names):
            print(f"{name}: {_fetch(name)}")
    except SceneLensError as error:
        print(f"assets: {error}", file=sys.stderr)
        return 1
    for asset in () if names else _register().values():
        place = find(asset.name)
        print(f"{asset.name:<18} {asset.bytes / 1e3:6.0f} kB  {asset.licence:<5} {asset.what}")
        print(f"{'':<18} {f'installed: {place}' if place else 'not installed'}")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
