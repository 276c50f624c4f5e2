"""The texts in `corpus/`: answers that aren't JSON, and transcripts that try to be believed.

`malformed/*.jsonl`: a case a line, with its `text` and either the `data` that it means or the `error` that
its refusal mentions. `refused` marks texts that have one meaning and are asked again all the same.
`spoofing.jsonl`: what is `heard` in one turn (only what the assistant says is parsed), the `phase` asked for,
the `verdict` and, where it was accepted, the `data`. The nonce of the turn is `NONCE`, its task `t1`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"
NONCE = "7d1f0c9e2b4a6835"


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


MALFORMED: Sequence[Mapping[str, Any]] = [
    {**case, "name": f"{file.stem}: {case['name']}"}
    for file in sorted((CORPUS / "malformed").glob("*.jsonl"))
    for case in _lines(file)
]
SPOOFING: Sequence[Mapping[str, Any]] = _lines(CORPUS / "spoofing.jsonl")


def said(transcript: Mapping[str, Any]) -> str:
    """All that the assistant says in it."""
    return "".join(heard["text"] for heard in transcript["heard"] if heard["who"] == "assistant")
