"""The transcript of an attempt: bounded, in its file soon, and never in the run's way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bigtask.host import transcript as transcript_module
from bigtask.host.transcript import Transcripts
from bigtask.host.transcript_folder import TranscriptFolder
from bigtask.secrecy import Known, Secrecy


@pytest.fixture
def transcripts(tmp_path: Path) -> Iterator[Transcripts]:
    kept = Transcripts(tmp_path, Secrecy([Known("s3cr3t", "word")]))
    yield kept
    kept.close()


def folder(transcripts: Transcripts) -> TranscriptFolder:
    return TranscriptFolder(transcripts.path)


def texts(transcripts: Transcripts, task_id: str = "a", attempt: int = 1) -> list[str]:
    return [json.loads(line)["text"] for line in folder(transcripts).read(task_id, attempt).splitlines()]


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
    assert folder(transcripts).read_end("a", 1, 40).endswith(b'piece 49\\n"}\n')


@pytest.mark.parametrize("own_file", [True, False])
async def test_the_beginning_that_prompts_share_is_kept_once(
    transcripts: Transcripts, tmp_path: Path, own_file: bool
) -> None:
    shared = "What all of them are told, s3cr3t.\n" * 100
    for attempt in (1, 2, 3):
        transcript = transcripts.open("a", attempt, goes_on=own_file)
        transcript.write("prompt", f"attempt {attempt}", after=shared)
        transcript.close()
    transcripts.close()
    whole = shared.replace("s3cr3t", "[redacted: word]")
    assert [texts(transcripts, "a", n) for n in (1, 2, 3)] == [[f"{whole}attempt {n}"] for n in (1, 2, 3)]
    assert b"attempt 2" in folder(transcripts).read_end("a", 2, 500)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * len(shared)


async def test_a_beginning_is_read_from_this_folder_only(transcripts: Transcripts, tmp_path: Path) -> None:
    (tmp_path.parent / "secret.txt").write_text("not yours")
    (tmp_path / "a.1.txt").write_text('{"who":"prompt","text":"x","after":"../secret.txt"}\n')
    assert texts(transcripts) == ["x"]


async def test_short_attempts_share_a_file_and_are_told_apart(
    transcripts: Transcripts, tmp_path: Path
) -> None:
    for id in ("a", "aa", 'with "quotes"'):
        for attempt in (1, 2):
            transcript = transcripts.open(id, attempt)
            transcript.write("agent", f"{id} {attempt}\n")
            transcript.write("agent", "[]}\n")
            transcript.close()
    transcripts.close()
    assert [path.name for path in tmp_path.iterdir()] == ["short.jsonl"]
    assert texts(transcripts, "a", 1) == ["a 1\n", "[]}\n"]
    assert texts(transcripts, "aa", 2) == ["aa 2\n", "[]}\n"]
    assert texts(transcripts, 'with "quotes"', 1) == ['with "quotes" 1\n', "[]}\n"]
    assert texts(transcripts, "b", 1) == []
    assert folder(transcripts).read_end("a", 2, 9).endswith(b'[]}\\n"}\n')


async def test_reading_goes_on_while_more_is_written(transcripts: Transcripts, tmp_path: Path) -> None:
    reader = folder(transcripts)
    assert reader.read("a", 1) == b""
    with (tmp_path / "short.jsonl").open("ab", buffering=0) as file:
        for attempt in (1, 2):
            file.write(b'{"task":"a","attempt":%d,"said":[{"who":"agent",' % attempt)
            assert reader.read("a", attempt) == b""
            file.write(b'"text":"x"}]}\n')
            assert reader.read("a", attempt) == b'{"who":"agent","text":"x"}\n'


async def test_a_line_that_a_crash_cut_is_left_out(transcripts: Transcripts, tmp_path: Path) -> None:
    transcript = transcripts.open("a", 1)
    transcript.write("agent", "whole")
    transcript.close()
    transcripts.close()
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
    transcripts.close()
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
    transcripts = Transcripts(tmp_path / "missing")
    transcript = transcripts.open("a", 1)
    transcript.write("agent", text, after="a beginning")
    transcript.close()
    transcripts.close()
    assert transcript.dropped == 1


async def test_what_is_secret_never_reaches_the_file(transcripts: Transcripts) -> None:
    transcript = transcripts.open("a", 1)
    transcript.write("agent", "the key is s3cr3t")
    transcript.close()
    transcripts.close()
    assert texts(transcripts) == ["the key is [redacted: word]"]


async def test_a_secret_is_found_wherever_pieces_of_a_message_cut_it(tmp_path: Path) -> None:
    said = "It is s3cr3t, I think.\nAnd that is all."
    for cut in range(len(said)):
        transcripts = Transcripts(tmp_path / str(cut), Secrecy([Known("s3cr3t", "word")]))
        transcripts.path.mkdir()
        transcript = transcripts.open("a", 1)
        transcript.write_piece("agent", said[:cut], 0)
        transcript.flush()
        transcript.write_piece("agent", said[cut:], 0)
        transcript.close()
        transcripts.close()
        assert "".join(texts(transcripts)) == said.replace("s3cr3t", "[redacted: word]")


async def test_another_message_begins_another_line(transcripts: Transcripts) -> None:
    transcript = transcripts.open("a", 1)
    for text, message in (("Look", 0), ("ing.", 0), ("Found it.", 1)):
        transcript.write_piece("agent", text, message)
    transcript.write("tool", "Read x")
    transcript.write_piece("agent", "Done.", 1)
    transcript.close()
    transcripts.close()
    assert texts(transcripts) == ["Looking.", "Found it.", "Read x", "Done."]
