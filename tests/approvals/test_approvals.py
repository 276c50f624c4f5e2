from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from bigtask import durable_file
from bigtask.approvals import Approvals, Kind, digest_of
from bigtask.errors import InvalidInput


def test_an_approval_holds_for_one_content_of_one_file_as_one_kind(tmp_path):
    approvals, file = Approvals(tmp_path / "home" / "approvals.json"), tmp_path / "a.json"
    digest = digest_of({"hooks": {"onError": ["true"]}})
    assert not approvals.holds(Kind.TEMPLATE, file, digest)
    approvals.approve(Kind.TEMPLATE, file, digest)
    assert approvals.holds(Kind.TEMPLATE, file, digest)
    assert not approvals.holds(Kind.TEMPLATE, file, digest_of({"hooks": {"onError": ["false"]}}))
    assert not approvals.holds(Kind.TEMPLATE, tmp_path / "b.json", digest)
    assert not approvals.holds(Kind.CONFIG, file, digest)


def test_the_newest_approval_of_a_file_is_the_only_one(tmp_path):
    approvals, file = Approvals(tmp_path / "approvals.json"), tmp_path / "a.json"
    approvals.approve(Kind.CONFIG, file, "1")
    approvals.approve(Kind.CONFIG, file, "2")
    assert not approvals.holds(Kind.CONFIG, file, "1")
    assert [kept.digest for kept in approvals.listed()] == ["2"]
    approvals.withdraw(Kind.CONFIG, file)
    assert approvals.listed() == ()


def test_the_order_of_keys_does_not_count_and_every_value_does():
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1, "b": [1, 2]}) != digest_of({"a": 1, "b": [2, 1]})
    assert digest_of({"a": 1}) != digest_of({"a": "1"})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"approved": [{"kind": "other"}]}', '{"approved": 1}'])
def test_what_cannot_be_read_approves_nothing_and_is_not_overwritten(tmp_path, content):
    file = tmp_path / "approvals.json"
    file.write_text(content)
    with pytest.raises(InvalidInput, match="mend that file"):
        Approvals(file).holds(Kind.CONFIG, tmp_path, "1")
    with pytest.raises(InvalidInput, match="mend that file"):
        Approvals(file).approve(Kind.CONFIG, tmp_path, "1")
    assert file.read_text() == content


def test_where_nothing_can_be_written_it_is_said(tmp_path):
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(InvalidInput, match="BIGTASK_HOME"):
        Approvals(tmp_path / "home" / "approvals.json").approve(Kind.CONFIG, tmp_path, "1")


def test_only_the_person_can_read_it(tmp_path):
    Approvals(tmp_path / "home" / "approvals.json").approve(Kind.CONFIG, tmp_path, "1")
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "home" / "approvals.json").stat().st_mode & 0o777 == 0o600


def _approve_many(file: Path, who: int) -> None:
    for number in range(20):
        Approvals(file).approve(Kind.TEMPLATE, Path(f"/{who}/{number}"), "1")


def test_no_approval_of_several_writers_is_lost(tmp_path):
    spawning = multiprocessing.get_context("spawn")
    writers = [spawning.Process(target=_approve_many, args=(tmp_path / "a.json", who)) for who in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(Approvals(tmp_path / "a.json").listed()) == 80


def _replace_for_ever(file: Path, beginning: str) -> None:
    while True:
        durable_file.replace(file, (beginning + json.dumps(["x" * 200_000])).encode())


def test_a_writer_that_is_killed_leaves_the_old_content_or_the_new(tmp_path):
    file = tmp_path / "a.json"
    file.write_bytes(b'["old"]')
    spawning = multiprocessing.get_context("spawn")
    for _ in range(5):
        writer = spawning.Process(target=_replace_for_ever, args=(file, ""))
        writer.start()
        while file.stat().st_size < 1000 or not list(tmp_path.glob(".*.tmp")):
            pass
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        json.loads(file.read_bytes())


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="directory"):
        durable_file.replace(tmp_path / "a", b"x")
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
