"""``python -m scenelens COMMAND``: the commands that do not need a checkout."""

from __future__ import annotations

import sys

from scenelens.new_study import begin_study

_COMMANDS = {"new-study": begin_study}


def _main(words: list[str]) -> int:
    if not words or words[0] not in _COMMANDS:
        wrong = f"There is no command {words[0]!r}. " if words and not words[0].startswith("-") else ""
        print(f"{wrong}Commands: {', '.join(_COMMANDS)}. python -m scenelens new-study --help says more.")
        return 2 if wrong else 0
    return _COMMANDS[words[0]](words[1:])


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
