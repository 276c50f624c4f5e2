from __future__ import annotations

import random
import sys
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

import pytest

from bigtask.protocol.bounded_json import BLOCK_LIMIT
from bigtask.protocol.delimiters import END_DELIMITER as END
from bigtask.protocol.delimiters import START_DELIMITER as START
from bigtask.protocol.fields import BLOCKS
from bigtask.protocol.heuristics import MOST_CONFIDENT
from bigtask.protocol.mending_effort import BLOCKS_LIMIT, STEPS_LIMIT
from bigtask.protocol.parser import ResponseParser
from bigtask.protocol.response import Quality
from promises import totals
from promises.scale import SEED, share

from .corpora import MALFORMED, SPOOFING, said

LARGEST = 256 * 1024
PIECES = (
    *(START, END, START[:9], END[:9], START + "{", START + "[", f'{START}{{"phase": "'),
    *("{", "}", "[", "]", ",", ":", '{"', "[[", "{}", "1,", '"a",', "'a',", "a:1,", '"a":', '"a "b" c",'),
    *('"', "'", "`", "“", "”", "\\", '\\"', "\\u", "\\ud83d", "\ud83d", "\x00", "\n", "\r\n", " ", "\u200b"),
    *("\ufeff", "//", "/*", "*/", "#", "...", "true", "tru", "NaN", "1", "-1e9", "9" * 80),
    *("completed ", "let me ", "aaaa!", "```json\n", '"phase": "completion", '),
)
READ = [case["text"] for case in MALFORMED] + [said(transcript)[:2000] for transcript in SPOOFING]


def hostile(chance: random.Random) -> str:
    """Floods of one piece, mixtures of some, and damaged answers, up to 256 KiB."""
    size = int(2 ** chance.uniform(4, 18))
    kind = chance.randrange(4)
    if kind == 0:
        begin, piece = chance.choice(("", START, START + "[", START + "{")), chance.choice(PIECES)
        return (begin + piece * (size // len(piece) + 1))[: size - len(END)] + chance.choice(("", END))
    if kind == 1:
        some = chance.choices(PIECES, k=chance.randint(2, 6))
    elif kind == 2:
        some = [chance.choice(READ) for _ in range(3)]
    else:
        some = [chr(chance.randrange(0x10FFFF)) for _ in range(20)] + [START, END, '"']
    found, length = [], 0
    while length < size:
        piece = chance.choice(some)
        if chance.random() < 0.05:
            at = chance.randrange(len(piece) + 1)
            piece = piece[:at] + chance.choice(PIECES) + piece[at + 1 :]
        found.append(piece)
        length += len(piece)
    return "".join(found)[:LARGEST]


@pytest.mark.timeout(1800)
def test_no_text_makes_the_parser_raise_or_give_what_cannot_be_stored() -> None:
    chance = random.Random(SEED)
    texts = share(10_000)
    parser = ResponseParser()
    for _ in range(texts):
        text = hostile(chance)
        for block in parser.parse_all(text) or [parser.parse(text)]:
            "".join(
                (
                    block.raw,
                    block.before_text,
                    block.after_text,
                    *block.errors,
                    *block.warnings,
                    *block.repairs,
                )
            ).encode()
            assert block.usable == (not block.errors and block.phase in BLOCKS)
            assert (block.quality is Quality.REPAIRED) == (block.usable and bool(block.repairs))
            assert block.confidence is None or 0 < block.confidence <= MOST_CONFIDENT
    totals.record(
        13,
        name="random and hostile texts of up to 256 KiB, read without an exception",
        unit="texts",
        count=texts,
        violations=0,
    )


def lines_run(work: Callable[[], Any]) -> int:
    """How many lines of ours are carried out: the same on every machine."""
    seen = count()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        next(seen)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return next(seen)


@pytest.mark.parametrize(
    "piece",
    [START, END, START + "{", START + "x" + END, START + "{a:1,}" + END, "<", "x", START + "{}" + END],
    ids=["starts", "ends", "openings", "blocks", "broken blocks", "almost", "words", "empty blocks"],
)
def test_four_times_the_text_takes_at_most_four_times_the_steps(piece: str) -> None:
    small, large = (lines_run(lambda n=n: ResponseParser().parse_all(piece * n)) for n in (300, 1200))
    assert large <= 4.2 * small


@pytest.mark.parametrize(
    "piece",
    ["1,", "'a',", '"\n",', '"\\\'",', "1,//\n", "1,\u200b", '"a "b" c",', "[],", "{a:1},", '"a"\n'],
    ids=lambda piece: repr(piece),
)
def test_mending_takes_steps_in_proportion_and_not_more_than_its_limit(piece: str) -> None:
    sizes = [
        lines_run(lambda n=n: ResponseParser().parse_all(f"{START}[{piece * n}]{END}"))
        for n in (100, 400, 200_000)
    ]
    assert sizes[1] <= 4.2 * sizes[0]
    assert sizes[2] <= 150 * STEPS_LIMIT


@pytest.mark.timeout(100)
@pytest.mark.parametrize(
    "text",
    [
        START * 60_000,
        END * 60_000,
        (START + "{") * 60_000,
        "<" * 4_000_000,
        START + "[" * 1_000_000 + END,
        START + '{"a":' * 200_000 + END,
        START + "[" + "[]," * 300_000 + "0]" + END,
        START + "'" * 1_000_000 + END,
        START + '{"a": "' + "\n" * 1_000_000 + '"}' + END,
        START + '{"a": "' + 'x "' * 300_000 + '"}' + END,
        START + " " * 1_000_000 + END,
        START + "{" + "/**/" * 250_000 + "}" + END,
        START + "[" + "\u200b" * 300_000 + "]" + END,
        (START + "x" + END) * 20_000,
    ],
    ids=lambda text: repr(text[27:35]),
)  # fmt: skip
def test_what_would_take_minutes_with_quadratic_work_is_refused_at_once(text: str) -> None:
    assert not any(block.usable for block in ResponseParser().parse_all(text))


def test_single_characters_are_taken_in_a_bounded_number_of_steps() -> None:
    def fed(length: int) -> None:
        parser = ResponseParser()
        for sign in START + "x" * length:
            parser.feed(sign)

    assert lines_run(lambda: fed(8000)) <= 4.2 * lines_run(lambda: fed(2000))


def test_a_good_block_after_many_bad_ones_is_still_read() -> None:
    good = '{"phase": "completion", "nonce": "n", "data": {"task_id": "t", "status": "success"}}'
    bad = [f"{START}{{oops {number}{END}" for number in range(BLOCKS_LIMIT + 5)]
    *before, last = ResponseParser().parse_all("".join(bad) + f"{START}{good}{END}")
    assert last.quality is Quality.STRICT
    assert before[0].errors != before[-1].errors
    assert before[-1].errors == (
        "the message holds too many blocks that can't be read: give one block that can",
    )
    # The same one again counts as well.
    almost = ResponseParser().parse_all(bad[0] * BLOCKS_LIMIT + f"{START}{good[:-1]},}}{END}")
    assert almost[-1].errors[0].startswith("the block isn't valid JSON")


def test_a_block_over_the_limit_is_refused_in_one_piece_and_in_many() -> None:
    text = f"{START}{'x' * BLOCK_LIMIT}y{END}"
    for cut in (len(text), 100_000):
        parser = ResponseParser()
        found = [block for at in range(0, len(text), cut) for block in parser.feed(text[at : at + cut])]
        assert [block.errors for block in found] == [
            ("the block is longer than 1 MiB: put long output into a file and name the file instead",)
        ]
        assert len(found[0].raw) == BLOCK_LIMIT


def test_only_so_many_blocks_of_a_message_are_mended_and_the_rest_is_refused_aloud() -> None:
    good = '{"phase": "completion", "nonce": "n", "data": {"task_id": "t", "status": "success"}}'
    almost = f"{START}{good[:-1]},}}{END}"
    blocks = ResponseParser().parse_all(almost * (BLOCKS_LIMIT + 1) + f"{START}{good}{END}")
    assert [block.quality for block in blocks] == [
        *[Quality.REPAIRED] * BLOCKS_LIMIT,
        Quality.INVALID,
        Quality.STRICT,
    ]
    assert blocks[-2].errors[0].startswith("the block isn't valid JSON")
