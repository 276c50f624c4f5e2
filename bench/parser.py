"""What reading answers costs: valid blocks in a long transcript, hostile texts, and answers that aren't JSON.

The transcript holds a block of each phase in turn after some prose; `json_mb_per_s` is the standard library's
decoder on the JSON of the same blocks, which does nothing but decode. The hostile texts have 256 KiB each.
The malformed answers are the corpus of the tests, where that is there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bigtask.protocol.delimiters import END_DELIMITER as END
from bigtask.protocol.delimiters import START_DELIMITER as START
from bigtask.protocol.fields import BLOCKS, example
from bigtask.protocol.parser import ResponseParser
from kit.command import tell

CORPUS = Path(__file__).parents[1] / "tests" / "protocol" / "corpus" / "malformed"
HOSTILE = 256 * 1024
FLOODS = (
    START,
    END,
    START + "{",
    START + "x" + END,
    START + "{}" + END,
    START + "{'a':1,}" + END,
    f'{START}{{"phase": 1}}{END}',
    f'{START}{{"phase": "progress", "data": {{}}}}{END}',
    "<",
    "completed, working on it, ",
)
FILLINGS = (
    *("1,", "[", "[],", '{"a":', "{a:1},", "a:1,", "'a',", '"a",', '"\\\'",', '"a "b" c",', '"a" "b" '),
    *('"\n', "'", '"', "\\", "1,//\n", "1,\u200b", "/*", "#\n", " ", "\u200b", "9", "tru,"),
)


def transcript(blocks: int, prose: int) -> tuple[str, list[str]]:
    """The text, and the JSON of its blocks."""
    sentence = "The module reads its input in one pass and keeps what it needs; then it writes the page. "
    words = sentence * (prose // len(sentence))
    found = [
        json.dumps({"phase": phase, "data": example(phase), "nonce": "5f2c9a0d7e318b46"}, indent=2)
        for phase in BLOCKS
    ]
    texts = [found[number % len(found)] for number in range(blocks)]
    return "".join(f"{words}\n{START}\n{text}\n{END}\n" for text in texts), texts


def hostile_texts() -> list[str]:
    floods = [flood * (HOSTILE // len(flood)) for flood in FLOODS]
    room = HOSTILE - len(START) - len(END) - 1
    return floods + [f"{START}{'{' if f == 'a:1,' else '['}{f * (room // len(f))}{END}" for f in FILLINGS]


def least_ms(work: Callable[[], Any], times: int) -> float:
    """Processor time: what else the machine does counts as little as can be."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append((time.process_time() - began) * 1000)
    return min(taken)


def judged() -> Mapping[str, int]:
    """How the malformed answers were read: as what they mean, not although they mean one thing, wrongly."""
    right = wrong = refused = 0
    for file in sorted(CORPUS.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            case = json.loads(line)
            found = ResponseParser().parse_all(case["text"])[-1]
            if found.usable:
                right += found.data == case.get("data")
                wrong += found.data != case.get("data")
            else:
                right += "data" not in case
                refused += "data" in case
    return {"malformed_right": right, "malformed_refused": refused, "malformed_wrong": wrong}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=3000)
    parser.add_argument("--prose", type=int, default=1500, help="characters before each block")
    given = parser.parse_args()
    text, texts = transcript(given.blocks, given.prose)
    size_mb, json_mb = len(text) / 1e6, sum(map(len, texts)) / 1e6
    errors = []
    found = ResponseParser().parse_all(text)
    if len(found) != given.blocks or not all(block.usable for block in found):
        errors.append("a valid block of the transcript wasn't read")
    whole_ms = least_ms(lambda: ResponseParser().parse_all(text), given.times)
    json_ms = least_ms(lambda: [json.loads(one) for one in texts], given.times)
    worst_ms = max(least_ms(lambda t=one: ResponseParser().parse_all(t), 2) for one in hostile_texts())
    counts = judged()
    if counts["malformed_wrong"]:
        errors.append(f"{counts['malformed_wrong']} malformed answers were read wrongly")
    return tell(
        {
            "system": "bigtask",
            "variant": "whole",
            "version": version("bigtask"),
            "workload": "parser",
            "transcript_mb": round(size_mb, 2),
            "json_mb": round(json_mb, 2),
            "mb_per_s": round(size_mb / whole_ms * 1000, 1),
            "parse_ms_per_mb": round(whole_ms / size_mb, 3),
            "block_us": round(whole_ms / given.blocks * 1000, 2),
            "json_mb_per_s": round(json_mb / json_ms * 1000, 1),
            "json_ms_per_mb": round(json_ms / json_mb, 3),
            "hostile_worst_ms": round(worst_ms, 2),
            **counts,
            "errors": errors,
        }
    )


if __name__ == "__main__":
    sys.exit(main())
