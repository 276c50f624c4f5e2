"""Writes the fields of every phase into docs/protocol.md, between its two markers.

usage: PYTHONPATH=tests .venv/bin/python -m protocol.fields_page
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bigtask.protocol.fields import BLOCKS
from bigtask.protocol.shapes import Listing, OneField, Record

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
BEGIN = "<!-- fields: written by tests/protocol/fields_page.py -->"
END = "<!-- end of fields -->"


def rows(record: Record, indent: str = "") -> Iterator[str]:
    for name, field in record.fields.items():
        must = "yes" if field.required else ""
        yield f"| {indent}`{name}` | {must} | {field.shape.words} | {field.about} |"
        inner = field.shape.of if isinstance(field.shape, Listing) else None
        if isinstance(inner, Record):
            yield from rows(inner, indent + "– ")
        elif isinstance(inner, OneField):
            yield f"| {indent}– each | | {inner.words} | |"


def reference() -> str:
    parts = []
    for phase, record in BLOCKS.items():
        lines = [
            f"### `{phase}`",
            "",
            "| field | required | is | for |",
            "| --- | --- | --- | --- |",
            *rows(record),
        ]
        for condition in record.conditions:
            lines += [
                "",
                f"`{condition.needed}` is required when `{condition.field}` is `{condition.value}`.",
            ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def main() -> None:
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    PAGE.write_text(f"{before}{begin}\n\n{reference()}\n\n{end}{after}")


if __name__ == "__main__":
    main()
