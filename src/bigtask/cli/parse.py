"""`bigtask parse`: which blocks a text holds, what each is worth, and whether a run would believe it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bigtask.cli.frame import EXIT_FAILED, EXIT_OK, json_option, print_json
from bigtask.cli.screen import Screen, note, word
from bigtask.errors import InvalidInput
from bigtask.protocol.delimiters import END_DELIMITER, START_DELIMITER
from bigtask.words import one_line

if TYPE_CHECKING:
    from bigtask.protocol.response import Response

_STYLES = {"strict": "green", "repaired": "yellow", "invalid": "red"}


@click.command(
    short_help="The blocks in an agent's answer, and what they are worth.",
    epilog="\b\nExample: bigtask parse answer.txt\n         pbpaste | bigtask parse --nonce 5f2c9a --json",
)
@click.argument("file", required=False, metavar="[FILE]", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--nonce", help="The nonce that was asked for: also say which blocks would be believed.")
@click.option("--start-delimiter", default=START_DELIMITER, show_default=True, help="What begins a block.")
@click.option("--end-delimiter", default=END_DELIMITER, show_default=True, help="What ends a block.")
@json_option
def command(
    file: Path | None, nonce: str | None, start_delimiter: str, end_delimiter: str, as_json: bool
) -> int:
    """Reads a text as if it were the last message of an agent's turn: its blocks, what is wrong with them and
    what was mended. Without FILE, or with -, the text comes from standard input.

    Exits with 0 where a block can be used (with --nonce: would be believed), else with 1.
    """
    from bigtask.protocol.belief import standings
    from bigtask.protocol.parser import ResponseParser

    parser = ResponseParser(start_delimiter, end_delimiter)
    text = _read(file)
    blocks = parser.parse_all(text)
    fallback = None if blocks else parser.parse(text)
    doubts = None if nonce is None else standings(blocks, nonce=nonce)
    if as_json:
        print_json(_for_programs(blocks, fallback, doubts))
    else:
        _show(blocks, fallback, doubts)
    good = any(not doubt for doubt in doubts) if doubts is not None else any(b.usable for b in blocks)
    return EXIT_OK if good else EXIT_FAILED


def _read(file: Path | None) -> str:
    if file is not None and str(file) != "-":
        try:
            return file.read_bytes().decode(errors="replace")
        except OSError as error:
            raise InvalidInput(f"{file} can't be read: {error.strerror}") from None
    if sys.stdin.isatty():
        note("Reading the answer from the terminal: end it with Ctrl-D.")
    return sys.stdin.buffer.read().decode(errors="replace")


def _for_programs(
    blocks: Sequence[Response], fallback: Response | None, doubts: Sequence[str] | None
) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        {
            "quality": block.quality.value,
            "phase": block.phase,
            "data": block.data,
            "errors": block.errors,
            "warnings": block.warnings,
            "repairs": block.repairs,
            "beforeText": block.before_text,
            "afterText": block.after_text,
        }
        for block in blocks
    ]
    for one, doubt in zip(found, doubts or (), strict=False):
        one["believed"] = not doubt
        one["doubt"] = doubt or None
    return {
        "blocks": found,
        "fallback": fallback
        and {
            "quality": fallback.quality.value,
            "phase": fallback.phase,
            "confidence": fallback.confidence,
            "errors": fallback.errors,
        },
    }


def _show(blocks: Sequence[Response], fallback: Response | None, doubts: Sequence[str] | None) -> None:
    screen = Screen()
    if fallback is not None:
        screen.print(word(fallback.errors[0][:1].upper() + fallback.errors[0][1:], style=""))
        if fallback.phase is not None:
            screen.item(
                "", f"It reads like {fallback.phase} ({fallback.confidence:.0%} sure); words never count."
            )
    for number, block in enumerate(blocks, 1):
        if number > 1:
            screen.print()
        quality = block.quality.value
        screen.print(
            word(f"Block {number}: {block.phase or 'phase unknown'}, {quality}", style=_STYLES[quality])
        )
        if doubts is not None:
            doubt = doubts[number - 1]
            screen.item("✗" if doubt else "✓", f"not believed: {doubt}" if doubt else "believed")
        for mark, sentences in (("✗", block.errors), ("!", block.warnings), ("~", block.repairs)):
            for sentence in sentences:
                screen.item(mark, one_line(sentence))
        if block.data:
            shown = json.dumps(block.data, indent=2, ensure_ascii=False)
            screen.print(word("\n".join(f"    {line}" for line in shown.split("\n")), style=""))
