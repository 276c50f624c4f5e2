"""The transcript of an attempt: bounded, in its file soon, and never in the run's way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bigtask.host import transcript as transcript_module
from bigtask.host.transcript import Transcripts


@pytest.fixture
def transcripts(tmp_path: Path) -> Iterator[Transcripts]:
    kept = Transcripts(tmp_path, lambda text: text.replace("s3cr3t", "***"))
    yield kept
    kept.close()


def texts(transcripts: Transcripts, task_id: str = "a", attempt: int = 1) -> list[str]:
    return [json.loads(line)["text"] for line in transcripts.read(task_id, attempt).splitlines()]


async def test_what_was_said_is_there_soon_and_all_of_it_at_the_end(
    transcripts: Transcripts, tmp_path: Path
) -> None:
    transcript = transcripts.open("a", 1)
    transcript.write("prompt", "Do it.")
    async with asyncio.timeout(10):
        while not texts(transcripts):  # noqa: ASYNC110  # a file has no event to wait for
            await asyncio.sleep(0)
    for number in range(50):
        transcript.write("agent", f"piece {number}\n")
    transcript.close()
    assert texts(transcripts) == ["Do it.", *(f"piece {number}\n" for number in range(50))]
    path = tmp_path / "a.1.txt"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == transcript.size
    assert transcripts.read_end("a", 1, 40).endswith(b'piece 49\\n"}\n')


async def test_short_attempts_share_a_file_and_are_told_apart(
    transcripts: Transcripts, tmp_path: Path
) -> None:
    for id in ("a", "aa", 'with "quotes"'):
        for attempt in (1, 2):
            transcript = transcripts.open(id, attempt)
            transcript.write("agent", f"{id} {attempt}\n")
            transcript.write("agent", "[]}\n")
            transcript.close()
    assert [path.name for path in tmp_path.iterdir()] == ["short.jsonl"]
    assert texts(transcripts, "a", 1) == ["a 1\n", "[]}\n"]
    assert texts(transcripts, "aa", 2) == ["aa 2\n", "[]}\n"]
    assert texts(transcripts, 'with "quotes"', 1) == ['with "quotes" 1\n', "[]}\n"]
    assert texts(transcripts, "b", 1) == []
    assert transcripts.read_end("a", 2, 9).endswith(b'[]}\\n"}\n')


async def test_a_line_that_a_crash_cut_is_left_out(transcripts: Transcripts, tmp_path: Path) -> None:
    transcript = transcripts.open("a", 1)
    transcript.write("agent", "whole")
    transcript.close()
    with (tmp_path / "short.jsonl").open("ab") as file:
        file.write(b'{"task":"a","attempt":1,"said":[{"who":"agent","te')
    assert texts(transcripts) == ["whole"]
    next_holder = Transcripts(tmp_path)
    transcript = next_holder.open("a", 1)
    transcript.write("agent", "more]}")
    transcript.close()
    next_holder.close()
    assert texts(transcripts) == ["whole", "more]}"]


async def test_a_later_session_of_the_attempt_goes_on_where_the_first_ended(transcripts: Transcripts) -> None:
    for goes_on in (False, True, True):
        transcript = transcripts.open("a", 1, goes_on=goes_on)
        transcript.write("agent", f"goes on: {goes_on}")
        transcript.close()
    assert texts(transcripts) == ["goes on: False", "goes on: True", "goes on: True"]


async def test_what_is_over_the_limit_is_counted_and_not_kept(
    transcripts: Transcripts, tmp_path: Path
) -> None:
    transcript = transcripts.open("a", 1)
    for _ in range(40):
        transcript.write("agent", "x" * 1_000_000)
    transcript.close()
    assert transcript.dropped == 24
    assert (tmp_path / "a.1.txt").stat().st_size < transcript_module.LIMIT


@pytest.mark.parametrize("text", ["x", "x" * 10_000])
async def test_a_file_that_can_t_be_written_loses_lines_and_raises_nothing(tmp_path: Path, text: str) -> None:
    transcript = Transcripts(tmp_path / "missing").open("a", 1)
    transcript.write("agent", text)
    transcript.close()
    assert transcript.dropped == 1


async def test_what_is_secret_never_reaches_the_file(transcripts: Transcripts) -> None:
    transcript = transcripts.open("a", 1)
    transcript.write("agent", "the key is s3cr3t")
    transcript.close()
    assert texts(transcripts) == ["the key is ***"]
