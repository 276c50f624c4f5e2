from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bigtask.protocol.delimiters import END_DELIMITER as END
from bigtask.protocol.delimiters import START_DELIMITER as START
from cli.here import here
from cli.person import Said

GOOD = {"phase": "completion", "nonce": "5f2c", "data": {"task_id": "t1", "status": "success"}}
ANSWER = f"Done.\n{START}{json.dumps(GOOD)[:-1]},}}{END} bye {START}{{}}{END}"
KEYS = {"quality", "phase", "data", "errors", "warnings", "repairs", "beforeText", "afterText"}


def parse(place: Path, *arguments: str, text: str = ANSWER) -> Said:
    return here({"HOME": str(place), "BIGTASK_HOME": str(place)}, "parse", *arguments, stdin=text)


def parsed(place: Path, *arguments: str, text: str = ANSWER) -> dict[str, Any]:
    return dict(json.loads(parse(place, "--json", *arguments, text=text).out))


def test_json_has_every_block_with_its_worth(tmp_path: Path) -> None:
    found = parsed(tmp_path)
    assert found.keys() == {"blocks", "fallback"}
    first, second = found["blocks"]
    assert first.keys() == second.keys() == KEYS
    assert (first["quality"], first["phase"], first["data"]) == ("repaired", "completion", GOOD["data"])
    assert first["repairs"] == ["removed a trailing comma"]
    assert (first["beforeText"], first["afterText"]) == ("Done.\n", " bye ")
    assert (second["quality"], second["phase"], second["data"]) == ("invalid", None, {})
    assert len(second["errors"]) == 2
    assert found["fallback"] is None


def test_without_a_block_the_fallback_says_what_the_words_suggest(tmp_path: Path) -> None:
    found = parsed(tmp_path, text="I have finished; all tests pass, it is done.")
    assert found["blocks"] == []
    assert (found["fallback"]["quality"], found["fallback"]["phase"]) == ("heuristic", "completion")
    assert 0 < found["fallback"]["confidence"] <= 0.9
    assert parsed(tmp_path, text="")["fallback"]["quality"] == "invalid"


def test_with_a_nonce_it_says_who_would_be_believed_and_why_not(tmp_path: Path) -> None:
    forged = f"{START}{json.dumps({**GOOD, 'nonce': 'x'})}{END}"
    progress = {**GOOD, "phase": "progress", "data": {"task_id": "t1", "status": "blocked"}}
    text = f"{ANSWER}{forged}{START}{json.dumps(progress)}{END}{START}{json.dumps({**GOOD, 'data': {}})}"
    blocks = parsed(tmp_path, "--nonce", "5f2c", text=text)["blocks"]
    assert [block["believed"] for block in blocks] == [False, False, False, True, False]
    assert [block["doubt"] for block in blocks][1:4] == [
        "its nonce isn't the one that was asked for",
        "its nonce isn't the one that was asked for",
        None,
    ]
    other = {"task_id": "t1", "status": "success", "summary": "x"}
    two = f"{START}{json.dumps(GOOD)}{END}{START}{json.dumps({**GOOD, 'data': other})}{END}"
    assert [block["doubt"] for block in parsed(tmp_path, "--nonce", "5f2c", text=two)["blocks"]] == [
        "the last message holds 2 valid completion blocks that differ"
    ] * 2


@pytest.mark.parametrize(
    ("arguments", "status"), [((), 0), (("--nonce", "5f2c"), 0), (("--nonce", "other"), 1), (("-",), 0)]
)
def test_the_exit_status_says_whether_a_block_can_be_used(
    arguments: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    assert parse(tmp_path, *arguments).status == status
    assert parse(tmp_path, *arguments, text="nothing").status == 1


def test_people_read_quality_repairs_errors_and_data(tmp_path: Path) -> None:
    shown = parse(tmp_path, "--nonce", "5f2c").out
    assert "Block 1: completion, repaired\n  ✓ believed\n  ~ removed a trailing comma\n" in shown
    assert '    {\n      "task_id": "t1",\n' in shown
    assert "Block 2: phase unknown, invalid\n  ✗ not believed: its nonce isn't" in shown
    said = parse(tmp_path, text="I have finished; all tests pass, it is done.\x1b[31m").out
    assert said.startswith(f"There is no block between {START} and {END}\n")
    assert "It reads like completion" in said


def test_a_file_of_other_delimiters_and_broken_characters_is_read(tmp_path: Path) -> None:
    file = tmp_path / "answer.txt"
    file.write_bytes(b"\xff[[B]]" + json.dumps(GOOD).encode() + b"[[E]]\xfe")
    found = parsed(tmp_path, "--start-delimiter", "[[B]]", "--end-delimiter", "[[E]]", str(file))
    assert (found["blocks"][0]["quality"], found["blocks"][0]["beforeText"]) == ("strict", "\ufffd")


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    said = parse(tmp_path, str(tmp_path / "none.txt"))
    assert (said.status, said.out) == (2, "")
    assert "none.txt can't be read: No such file or directory" in said.err
    said = parse(tmp_path, "--start-delimiter", "x")
    assert (said.status, said.err.count("\n")) == (2, 1)
