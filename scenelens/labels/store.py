"""People's answers on disk, safe before the next unit shows: one SQLite file, written by several at once.

Nothing is ever overwritten: an answer given again is a further row, `labels` shows the latest of each
annotator and `history` all of them. Every answer has an identity of its own, so that many people's files can
be merged, also twice, without counting an answer twice.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.files import replace_file
from scenelens.labels.table import COLUMNS, check_labels, current

VERSION = 1  # of the tables: raise it when they change, and teach `_prepare` to bring older ones up
_APPLICATION = 0x5CE1E5  # says that a SQLite file is ours
_WAIT = 30.0  # seconds that a write waits for others' writes

_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    network TEXT NOT NULL, layer TEXT NOT NULL, unit INTEGER NOT NULL, annotator TEXT NOT NULL,
    concept TEXT NOT NULL, type TEXT NOT NULL, precision REAL, n_images INTEGER NOT NULL,
    source TEXT NOT NULL, "when" TEXT NOT NULL, details TEXT NOT NULL
)
"""
_FIELDS = ("identity", *COLUMNS, "details")
_NAMES = ", ".join(f'"{name}"' for name in _FIELDS)
_INSERT = f"INSERT OR IGNORE INTO answers ({_NAMES}) VALUES ({', '.join('?' * len(_FIELDS))})"


class LabelStore:
    """The answers of one or many annotators, in a file.

    Each call opens the file and closes it again, so that threads, notebooks and people may share it. A
    written answer has reached the disk when the call returns, whatever happens to the process after.

    Parameters
    ----------
    path : of the file, made with its folder when the first answer is written.

    Raises
    ------
    SceneLensError : no file of this kind, one of a newer version, or one that cannot be opened.

    Notes
    -----
    SQLite with a write-ahead log, so that readers and a writer do not wait for each other; two small files
    lie beside it while it is in use. Keep it on a local disk: network drives rarely lock files properly.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = LabelStore(Path(folder, "labels.db"))
    ...     _ = store.add(network="scene", layer="pool5", unit=17, annotator="Ada",
    ...                   concept="bed", type="object", precision=0.9, n_images=57)
    ...     store.labels()[["annotator", "concept", "source"]].values.tolist()
    [['Ada', 'bed', 'people']]
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists():
            with self._open(write=False):
                pass

    def __len__(self) -> int:
        """How many answers there are, earlier ones included."""
        return len(self.history())

    # ---- writing

    def add(self, details: str = "", **answer: Any) -> str:
        """Put one answer on disk and return its identity.

        Parameters
        ----------
        details : text kept with it, such as which images were marked (JSON).
        **answer : network, layer, unit, annotator, concept, type; perhaps precision, n_images, source
            (without it 'people') and when (without it now, in UTC).

        Raises
        ------
        SceneLensError : the answer breaks the schema (`labels.check_labels`), the disk is full, the file is
            read-only or stays locked. Nothing has been written then, and the call can be repeated.
        """
        row = {"source": "people", "when": _now()} | answer
        checked = check_labels(pd.DataFrame([row]))
        if not str(checked.annotator[0]).strip():
            raise SceneLensError("an answer needs its annotator's name.")
        identity = uuid.uuid4().hex
        self._write([(identity, *_plain(checked.iloc[0]), details)])
        return identity

    def add_table(self, labels: pd.DataFrame) -> int:
        """Put a table of answers on disk, all or none; returns how many were new.

        An answer's identity is made from its content, so adding a table twice changes nothing.
        """
        rows = [tuple(_plain(row)) for _, row in check_labels(labels).iterrows()]
        return self._write([(uuid.uuid5(uuid.NAMESPACE_OID, repr(row)).hex, *row, "") for row in rows])

    def merge(self, *others: str | Path | LabelStore) -> int:
        """Take over other files' answers, earlier ones included; returns how many were new.

        All of them are read before anything is written, so a broken file among them changes nothing.
        """
        rows: list[tuple] = []
        for other in others:
            store = other if isinstance(other, LabelStore) else LabelStore(other)
            if not store.path.exists():
                raise SceneLensError(f"there is no file {store.path} to merge.")
            rows += store._rows()
        return self._write(sorted(rows, key=lambda row: row[_FIELDS.index("when")]))

    def _write(self, rows: list[tuple]) -> int:
        with self._open(write=True) as database:
            before = database.total_changes
            database.executemany(_INSERT, rows)
            database.commit()
            return database.total_changes - before

    # ---- reading

    def labels(self) -> pd.DataFrame:
        """The answers that stand (columns `labels.COLUMNS`): of each annotator's about a unit the latest."""
        return current(self.history().drop(columns=["identity", "details"]))

    def history(self) -> pd.DataFrame:
        """Every answer ever given, in the order of writing, with its identity and details."""
        table = pd.DataFrame(self._rows(), columns=_FIELDS).astype({"precision": float})
        return table[[*COLUMNS, "identity", "details"]]

    def progress(self, annotator: str) -> set[tuple[str, str, int]]:
        """The units that an annotator has answered: (network, layer, unit)."""
        own = self.history().query("annotator == @annotator")
        return {(str(row.network), str(row.layer), int(row.unit)) for row in own.itertuples()}

    def export_csv(self, path: str | Path, history: bool = False) -> Path:
        """Write the answers that stand, or all, as a table (UTF-8, comma-separated); returns its path.

        Spreadsheets take a text that begins with = + - or @ for a formula: such texts get a ' in front.
        """
        table = self.history() if history else self.labels()
        texts = table.select_dtypes(exclude="number").columns
        safe = table.assign(**{name: table[name].map(_no_formula) for name in texts})
        replace_file(path, safe.to_csv(index=False).encode())
        return Path(path)

    def _rows(self) -> list[tuple]:
        if not self.path.exists():
            return []
        with self._open(write=False) as database:
            return database.execute(f"SELECT {_NAMES} FROM answers ORDER BY number").fetchall()

    # ---- the file

    @contextlib.contextmanager
    def _open(self, write: bool) -> Iterator[sqlite3.Connection]:
        """The file, checked and of our version; every error becomes a sentence, nothing is half-written."""
        try:
            with contextlib.closing(self._connect(write)) as database:
                self._check_version(database)
                if write:
                    _prepare(database)
                yield database
        except (sqlite3.Error, OSError) as error:
            raise SceneLensError(self._sentence(error, write)) from error

    def _connect(self, write: bool) -> sqlite3.Connection:
        if write:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return sqlite3.connect(self.path, timeout=_WAIT, isolation_level="IMMEDIATE")
        database = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", timeout=_WAIT, uri=True)
        try:
            database.execute("PRAGMA schema_version").fetchone()
            return database
        except sqlite3.OperationalError:  # a folder that cannot be written to has no place for a log's index
            database.close()
            return sqlite3.connect(f"{self.path.resolve().as_uri()}?immutable=1", uri=True)

    def _check_version(self, database: sqlite3.Connection) -> None:
        database.execute("BEGIN")  # one moment for all three: another process may be making the table
        application, version, tables = (
            database.execute(query).fetchone()[0]
            for query in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        )
        database.rollback()
        if application != _APPLICATION and tables:
            raise SceneLensError(f"{self.path} is a database of another program; choose another file.")
        if version > VERSION:
            raise SceneLensError(
                f"{self.path} was written by a newer scenelens (version {version} of its tables; this one "
                f"knows {VERSION}). Update scenelens, or choose another file."
            )

    def _sentence(self, error: Exception, write: bool) -> str:
        code = getattr(error, "sqlite_errorcode", None)
        primary = -1 if code is None else code & 0xFF
        what = {
            sqlite3.SQLITE_FULL: "the disk is full: free some space",
            sqlite3.SQLITE_READONLY: "it is read-only, or its folder: allow writing, or choose another file",
            sqlite3.SQLITE_CANTOPEN: "it cannot be opened: look at the folder and its rights",
            sqlite3.SQLITE_NOTADB: "it is no database: choose another file",
            sqlite3.SQLITE_CORRUPT: "it is damaged: choose another file and merge what can be read",
            sqlite3.SQLITE_BUSY: f"another process has kept it locked for {_WAIT:.0f} s: close that one",
        }.get(primary, str(error))
        kept = " The answer was not written; it can be given again once that is put right." if write else ""
        return f"{self.path}: {what}.{kept}"


def _prepare(database: sqlite3.Connection) -> None:
    """Make the table where it is missing; commits wait for the disk, so that a power cut loses nothing."""
    _log_ahead(database)
    database.execute("PRAGMA synchronous=FULL")
    if database.execute("PRAGMA user_version").fetchone()[0] < VERSION:
        database.execute("BEGIN IMMEDIATE")
        database.execute(_TABLE)
        database.execute(f"PRAGMA application_id={_APPLICATION}")
        database.execute(f"PRAGMA user_version={VERSION}")
        database.commit()


def _log_ahead(database: sqlite3.Connection) -> None:
    """Switch to a write-ahead log; SQLite does not wait for others at this one step, so we do."""
    deadline = time.monotonic() + _WAIT
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _plain(row: Mapping[str, Any] | pd.Series) -> list[Any]:
    """A row's values in the schema's order, as SQLite keeps them; NaN becomes NULL."""
    kinds = {"unit": int, "n_images": int, "precision": float}
    values = [kinds.get(name, str)(row[name]) for name in COLUMNS]
    return [None if value != value else value for value in values]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _no_formula(text: Any) -> Any:
    return f"'{text}" if isinstance(text, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
