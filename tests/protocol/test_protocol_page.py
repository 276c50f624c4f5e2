"""docs/protocol.md against the code: its fields, its examples, and what it says of mending."""

from __future__ import annotations

import json
import re

import pytest

from bigtask.protocol.bounded_json import BLOCK_LIMIT, DEPTH_LIMIT
from bigtask.protocol.heuristics import MOST_CONFIDENT
from bigtask.protocol.mending_effort import BLOCKS_LIMIT
from bigtask.protocol.parser import ResponseParser
from bigtask.protocol.reading import read_block
from bigtask.protocol.response import Quality

from .fields_page import BEGIN, END, PAGE, reference

TEXT = PAGE.read_text()
CELL = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def section(name: str) -> str:
    _, _, rest = TEXT.partition(f"<!-- {name}:")
    inside, _, _ = rest.partition(f"<!-- end of {name} -->")
    return inside.partition("-->")[2].strip()


def test_the_page_lists_every_field_as_the_table_of_fields_has_it() -> None:
    _, _, rest = TEXT.partition(BEGIN)
    assert rest.partition(END)[0].strip() == reference(), "PYTHONPATH=tests python -m protocol.fields_page"


def test_every_block_on_the_page_is_valid() -> None:
    found = ResponseParser().parse_all(TEXT)
    assert found
    for block in found:
        assert block.quality is Quality.STRICT


def fragments(name: str) -> list[tuple[str, str]]:
    cells = [line.split(" | ") for line in section(name).splitlines()[2:]]
    return [(row[1].strip("`"), row[2].strip(" |").strip("`")) for row in cells]


def around(fragment: str) -> str:
    inner = fragment.replace("⏎", "\n")
    return (
        f'{{"phase": "completion", "nonce": "n", "data": {{"task_id": "t", "status": "success", {inner}}}}}'
    )


@pytest.mark.parametrize(("written", "meant"), fragments("mended"))
def test_what_the_page_says_is_mended_is_read_as_it_says(written: str, meant: str) -> None:
    found = read_block(around(written))
    assert found.quality is Quality.REPAIRED
    assert found.data == json.loads(around(meant))["data"]


@pytest.mark.parametrize("written", [written for written, _ in fragments("refused")])
def test_what_the_page_says_is_never_mended_is_an_error(written: str) -> None:
    assert read_block(around(written)).quality is Quality.INVALID


def test_the_bounds_on_the_page_are_those_of_the_code() -> None:
    assert BLOCK_LIMIT == 2**20
    assert f"{DEPTH_LIMIT} levels" in TEXT
    assert f"at most {MOST_CONFIDENT}" in TEXT
    assert f"at most {BLOCKS_LIMIT} broken blocks" in TEXT
    for quality in Quality:
        assert f"| `{quality}` |" in TEXT
