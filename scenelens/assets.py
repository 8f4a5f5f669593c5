"""What can be downloaded: where it lies, its size, hash and licence, and what to do without a network.

The workbook needs none of it. Where an asset is at hand, some figures are drawn a second time, from what was
published about the paper's own networks. ``data/assets.toml`` is the register.

>>> sorted(register())
['netdissect', 'unit_annotation']
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scenelens.errors import SceneLensError, close_names
from scenelens.files import data_folder

SECONDS = 20  # a host that says nothing for so long is given up


@dataclass(frozen=True)
class Asset:
    """A few published files that belong together: `files` gives each one's sha256 by its name."""

    name: str
    what: str
    licence: str
    page: str
    hosts: tuple[str, ...]
    files: dict[str, str]
    bytes: int

    @property
    def folder(self) -> Path:
        """Where `fetch` puts it: data/downloads/<name> (git ignores it)."""
        return data_folder() / "downloads" / self.name


@cache
def register(file: Path | None = None) -> dict[str, Asset]:
    """Every asset by its name, from data/assets.toml or another `file` of that form."""
    tables = tomllib.loads((file or data_folder() / "assets.toml").read_text(encoding="utf-8"))
    return {name: _asset(name, table) for name, table in tables.items()}


def _asset(name: str, table: dict) -> Asset:
    described = {key: table[key] for key in ("what", "licence", "page")}
    files = {file: entry["sha256"] for file, entry in table["files"].items()}
    size = sum(entry["bytes"] for entry in table["files"].values())
    return Asset(name, **described, hosts=tuple(table["hosts"]), files=files, bytes=size)


def find(name: str) -> Path | None:
    """The folder that holds an asset, or None where it is not at hand; nothing is downloaded.

    Looked for in data/downloads, then in ../shared/real beside the checkout.

    Raises
    ------
    SceneLensError : no asset of that name.

    Examples
    --------
    >>> find("unit_annotations")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: no asset named 'unit_annotations'; close names: unit_annotation.
    """
    asset = _known(name)
    places = (asset.folder, data_folder().parent.parent / "shared" / "real" / name)
    return next((place for place in places if all((place / file).is_file() for file in asset.files)), None)


def advice(name: str) -> str:
    """One sentence for a notebook that does without an asset: what it is and the command that fetches it.

    >>> advice("netdissect")
    "Not at hand: Network Dissection's published labels ... fetches 278 kB (MIT licence) from https://..."
    """
    asset = _known(name)
    return (
        f"Not at hand: {asset.what}. `python -m scenelens.assets {name}` fetches {asset.bytes / 1e3:.0f} kB "
        f"({asset.licence} licence) from {asset.page}."
    )


def fetch(name: str) -> Path:
    """Download an asset's missing files, checked by hash before they take their names; return the folder.

    Hosts are tried in turn. A file that is there already and whole is not fetched again.

    Raises
    ------
    SceneLensError : no such asset, or no host gave a file with the right content; what is there stays.
    """
    asset = _known(name)
    for file, sha256 in asset.files.items():
        _fetch_file(asset, file, sha256)
    return asset.folder


def _fetch_file(asset: Asset, file: str, sha256: str) -> None:
    import pooch

    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(timeout=SECONDS, progressbar=False)
    refused = []
    for host in asset.hosts:
        try:
            # pooch hashes a draft beside the file's place, then moves it: there whole, or not at all.
            pooch.retrieve(f"{host}/{file}", f"sha256:{sha256}", file, asset.folder, downloader=downloader)
            return
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong hash is a ValueError
            refused.append(f"{host}: {_reason(error)}")
    raise SceneLensError(
        f"{file} could not be fetched ({'; '.join(refused)}). Try again later, or take it from {asset.page} "
        f"by hand and put it in {asset.folder}."
    )


def _reason(error: Exception) -> str:
    if "does not match the known hash" in str(error):
        return "another content than expected (its sha256 differs)"
    response = getattr(error, "response", None)
    return type(error).__name__ if response is None else f"status {response.status_code}"


def _known(name: str) -> Asset:
    if name not in register():
        raise SceneLensError(f"no asset named {name!r}; {close_names(name, sorted(register()))}.")
    return register()[name]


def main(arguments: Sequence[str] | None = None) -> int:
    """List the assets, or fetch those named; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scenelens.assets", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="which to fetch (default: list them all)")
    try:
        for name in (names := parser.parse_args(arguments).names):
            print(f"{name}: {fetch(name)}")
    except SceneLensError as error:
        print(f"assets: {error}", file=sys.stderr)
        return 1
    for asset in () if names else register().values():
        place = find(asset.name)
        print(f"{asset.name:<18} {asset.bytes / 1e3:6.0f} kB  {asset.licence:<5} {asset.what}")
        print(f"{'':<18} {f'at hand: {place}' if place else 'not at hand'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
