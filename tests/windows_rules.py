"""The rules of Windows for files and processes, held on Linux, so that a test can live by them.

Python reports each access to a file to its audit hooks, also those of libraries, and a hook may refuse it. A
hook cannot be removed, so this one is installed once and does nothing unless a test asks for it.

Not held here: case-insensitive names (`collisions` finds them), the console's encoding (a test makes such a
console) and drives.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_MODULES = "crypt curses fcntl grp nis ossaudiodev posix pty pwd resource spwd syslog termios tty"
_OS = """
O_CLOEXEC O_DIRECTORY O_DSYNC O_NDELAY O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC
WNOHANG chown chroot confstr fchmod fchown fork forkpty getegid geteuid getgid getgroups getloadavg
getpgid getpgrp getpriority getresuid getsid getuid initgroups kill killpg lchown link lockf major
mkfifo mknod nice openpty pathconf posix_fadvise posix_fallocate posix_spawn pread pwrite readv
sched_getaffinity sched_setaffinity sendfile setegid seteuid setgid setpgid setpriority setsid
setuid statvfs symlink sync sysconf tcgetpgrp ttyname uname wait3 wait4 waitid writev
"""
_SIGNAL = """
SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1 SIGUSR2 alarm pause
pthread_kill pthread_sigmask setitimer sigwait
"""
#: What Windows does not have, or what does something else there: `os.kill` ends a process.
NO_MODULES = frozenset(_MODULES.split())
NO_NAMES = frozenset(
    [f"os.{name}" for name in _OS.split()]
    + [f"signal.{name}" for name in _SIGNAL.split()]
    + ["time.tzset", "socket.AF_UNIX", "asyncio.get_child_watcher", "select.poll", "select.epoll"]
)

_ILLEGAL = re.compile(r'[<>:"|?*\x00-\x1f\\]|[. ]$')
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
_LONGEST = 255  # UTF-16 units of one name


def illegal(name: str) -> bool:
    """Whether Windows refuses a name, or takes it for another one or for a device."""
    units = len(name.encode("utf-16-le", errors="surrogatepass")) // 2
    return bool(_ILLEGAL.search(name) or _DEVICES.fullmatch(name)) or units > _LONGEST


def collisions(folder: Path) -> list[str]:
    """Files and folders that Windows or macOS take for one: their names differ by case or by composition."""
    found = []
    for here, folders, files in os.walk(folder):
        same = Counter(unicodedata.normalize("NFC", name).casefold() for name in folders + files)
        found += [f"{here}: {name}" for name, n in same.items() if n > 1]
    return found


@contextlib.contextmanager
def windows_rules(root: Path) -> Iterator[list[str]]:
    """Hold the rules for what lies below a folder; yields what was refused, one line each.

    Parameters
    ----------
    root : Path
        The folder. Its own name may be anything.
    """
    _install()
    refused: list[str] = []
    _RULES.append((os.path.realpath(root), refused))
    try:
        yield refused
    finally:
        _RULES.pop()


_RULES: list[tuple[str, list[str]]] = []
_INSTALLED: list[bool] = []
_CHECKING = threading.local()


def _install() -> None:
    if not _INSTALLED:
        _INSTALLED.append(True)
        sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple) -> None:
    # What the check itself does is not checked.
    if not _RULES or event not in _EVENTS or getattr(_CHECKING, "now", False):
        return
    _CHECKING.now = True
    try:
        _EVENTS[event](*_RULES[-1], *arguments)
    finally:
        _CHECKING.now = False


def _refuse(refused: list[str], what: str, path: str, number: int = errno.EACCES) -> None:
    refused.append(f"{what} {path}")
    raise OSError(number, f"Windows: {what}", path)  # EACCES becomes a PermissionError


def _place(root: str, path: object, folder: object = -1) -> str | None:
    """The path that an event is about, if it lies below the root."""
    if not isinstance(path, str | bytes | os.PathLike):
        return None  # the number of an open file
    text = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0:
        text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
    text = os.path.abspath(text)
    text = os.path.join(os.path.realpath(os.path.dirname(text)), os.path.basename(text))
    return text if text.startswith(root + os.sep) else None


def _opened() -> set[str]:
    """The files that this process has open or mapped."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{number}"))
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        found |= {line.split(maxsplit=5)[5].rstrip("\n") for line in maps if line.count("/")}
    return found


def _named(root: str, refused: list[str], path: object, *_: object) -> None:
    here = _place(root, path)
    if here is not None and any(illegal(part) for part in here[len(root) + 1 :].split(os.sep)):
        _refuse(refused, "no such name is allowed:", here, errno.EINVAL)


def _removed(root: str, refused: list[str], path: object, folder: object = -1) -> None:
    here = _place(root, path, folder)
    if here is not None and here in _opened():
        _refuse(refused, "an open file cannot be removed:", here)


def _moved(root: str, refused: list[str], source: object, target: object, *_: object) -> None:
    _named(root, refused, target)
    opened = _opened()
    for path in (_place(root, source), _place(root, target)):
        if path is not None and any(one == path or one.startswith(path + os.sep) for one in opened):
            _refuse(refused, "an open file, or its folder, cannot be moved or replaced:", path)
    here = _place(root, target)
    if here is not None and os.path.isdir(here):
        _refuse(refused, "a folder cannot be replaced:", here)


def _linked(root: str, refused: list[str], source: object, target: object, *_: object) -> None:
    if _is_asked_by_us():
        _refuse(refused, "a link needs a privilege:", str(target), errno.EPERM)


def _forked(root: str, refused: list[str], *_: object) -> None:
    _refuse(refused, "there is no fork", "")


def _killed(root: str, refused: list[str], process: int, number: int) -> None:
    if _is_asked_by_us():
        _refuse(refused, "this would end the process", str(process))


def _is_asked_by_us() -> bool:
    """Whether the package asks, and not a library, which has another way on Windows."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        name = frame.f_globals.get("__name__", "").partition(".")[0]
        if name not in sys.stdlib_module_names and frame.f_globals is not globals():
            return name == "scenelens"
        frame = frame.f_back
    return False


_EVENTS = {
    "open": _named,
    "os.mkdir": _named,
    "sqlite3.connect": _named,
    "os.remove": _removed,
    "os.rename": _moved,
    "os.symlink": _linked,
    "os.link": _linked,
    "os.fork": _forked,
    "os.forkpty": _forked,
    "os.kill": _killed,
}
