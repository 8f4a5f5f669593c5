"""Write docs/study_toml.md, the page with every key of a study.toml: ``python docs/study_toml.py``."""

from __future__ import annotations

from pathlib import Path

from scenelens.files import write_whole
from scenelens.studies import STUDY_SCHEMA

PAGE = Path(__file__).with_name("study_toml.md")
HEAD = """# Every key of a study.toml

<!-- Written by `make study-page` from scenelens/studies/schema.py; change that file and not this one. -->

A study is one file in [TOML](https://toml.io). It has tables, written `[cache]`, and lines of
`key = value`. Texts stand in straight quotes: `"one"` or `'one'`. Where a path has backslashes, as on
Windows, write it in single quotes, `'C:\\Users\\ada\\photos'`, or with slashes. Paths start from the folder
of the file; `~` is your home folder, and `{build}/` begins a path in the folder where scenelens keeps what
it makes.

When a study is opened, every key and every value is checked, and whether its files and folders exist. A
mistake is named with its line.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for table in STUDY_SCHEMA.values():
        parts.append(
            f"\n## {f'`{table.header}`' if table.header else 'The top of the file'}\n\n{table.meaning}\n"
        )
        for name, key in table.keys.items():
            state = (
                "It must be there." if key.required else f"Without it: {key.default}." if key.default else ""
            )
            about = f"{key.rule.words}. {key.meaning} {state}".rstrip()
            # Markdown takes <name> for a tag, and shows nothing.
            parts.append(f"\n**{name}**: {about.replace('<', '&lt;')}\n")
            parts.append(f"\n    {name} = {key.example}\n")
    return "".join(parts)


if __name__ == "__main__":
    write_whole(PAGE, page().encode())
    print(PAGE)
