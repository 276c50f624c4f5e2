"""The transcript of an attempt: bounded, in its file soon, and never in the run's way."""

from __future__ import annotations

import json
from pathlib import Path

from bigtask.host import transcript as transcripts
from bigtask.host.transcript import Transcript
from bigtask.sink import nothing_secret


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_first_line_is_there_at_once_and_all_of_them_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.1.txt"
    transcript = Transcript(path, nothing_secret)
    transcript.write("prompt", "Do it.")
    assert lines(path) == [{"who": "prompt", "text": "Do it."}]
    for number in range(50):
        transcript.write("agent", f"piece {number}\n")
    transcript.close()
    assert [line["text"] for line in lines(path)[1:]] == [f"piece {number}\n" for number in range(50)]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == transcript.size


def test_a_later_session_of_the_attempt_goes_on_where_the_file_ends(tmp_path: Path) -> None:
    for text in ("before", "after"):
        transcript = Transcript(tmp_path / "a.1.txt", nothing_secret)
        transcript.write("agent", text)
        transcript.close()
    assert [line["text"] for line in lines(tmp_path / "a.1.txt")] == ["before", "after"]
    assert transcript.size == (tmp_path / "a.1.txt").stat().st_size


def test_what_is_over_the_limit_is_counted_and_not_kept(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "a.1.txt", nothing_secret)
    for _ in range(40):
        transcript.write("agent", "x" * 1_000_000)
    transcript.close()
    assert transcript.dropped == 24
    assert (tmp_path / "a.1.txt").stat().st_size < transcripts.LIMIT


def test_a_file_that_can_t_be_written_loses_lines_and_raises_nothing(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "missing" / "a.1.txt", nothing_secret)
    transcript.write("agent", "x")
    transcript.close()
    assert transcript.dropped == 1


def test_what_is_secret_never_reaches_the_file(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "a.1.txt", lambda text: text.replace("s3cr3t", "***"))
    transcript.write("agent", "the key is s3cr3t")
    transcript.close()
    assert lines(tmp_path / "a.1.txt")[0]["text"] == "the key is ***"
