"""The digests of images: remembered until a file changes."""

import hashlib
from pathlib import Path

from scenelens.caches import _unsealed, sealed
from scenelens.studies.image_source import _ImageSource


def digests(name: str, path: Path, memory: Path) -> list[tuple[str, str]]:
    return _ImageSource([name], [path], None).expect(memory)


def test_digests_are_remembered_until_a_file_changes(tmp_path):
    photo, memory = tmp_path / "a.png", tmp_path / "memory.json"
    photo.write_bytes(b"one")
    first = digests("a", photo, memory)
    assert first == [("a", hashlib.sha256(b"one").hexdigest())]
    text = _unsealed(memory.read_bytes()).decode()
    memory.write_bytes(sealed(text.replace(first[0][1], "remembered").encode()))
    assert digests("a", photo, memory) == [("a", "remembered")]
    photo.write_bytes(b"other")
    assert digests("a", photo, memory)[0][1] == hashlib.sha256(b"other").hexdigest()
    assert digests("b", tmp_path / "none.png", memory) == [("b", "missing")]
