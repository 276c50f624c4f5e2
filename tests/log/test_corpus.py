"""Logs of every released schema say what they said when they were written."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from bigtask.core.evolve import fold
from bigtask.host.log import SCHEMA, SqliteLog, read_closed
from bigtask.host.log_file import looking, schema_of
from bigtask.host.verification import verify_file

from .make_corpus import CORPUS, HISTORIES, RUN_ID, said_of, stored

every_log = pytest.mark.parametrize("log", stored(), ids=lambda log: f"{log.parent.name}/{log.stem}")


@pytest.mark.parametrize("schema", range(1, SCHEMA + 1))
def test_every_schema_has_its_logs(schema: int) -> None:
    names = {log.stem for log in stored() if log.parent.name == f"schema-{schema}"}
    assert names >= set(HISTORIES), "run tests/log/make_corpus.py before a schema is released"


def copied(log: Path, to: Path) -> Path:
    return Path(shutil.copy(log, to / "log.db"))


@every_log
def test_a_stored_log_says_what_it_said(log: Path, tmp_path: Path) -> None:
    assert said_of(copied(log, tmp_path)) == log.with_suffix(".json").read_text()


@every_log
def test_reading_changes_no_byte_of_a_stored_log(log: Path, tmp_path: Path) -> None:
    copy = copied(log, tmp_path)
    with looking(copy) as connection:
        assert connection is not None
        assert f"schema-{schema_of(connection)}" == log.parent.name
        assert verify_file(connection, RUN_ID).run.seq == len(read_closed(copy))
    assert copy.read_bytes() == log.read_bytes()


@every_log
async def test_whoever_appends_brings_a_stored_log_up_to_date_and_loses_nothing(
    log: Path, tmp_path: Path
) -> None:
    copy = copied(log, tmp_path)
    before = read_closed(copy)
    opened = SqliteLog(copy)
    try:
        assert await opened.read() == before
        assert await opened.do(schema_of) == SCHEMA
    finally:
        await opened.close()
    connection = sqlite3.connect(copy)
    written = connection.execute("SELECT from_seq, schema FROM schemas ORDER BY 1").fetchall()
    connection.close()
    first = int(log.parent.name.removeprefix("schema-"))
    assert written == sorted({(1, first), (1 if first == SCHEMA else len(before) + 1, SCHEMA)})
    assert said_of(copy) == log.with_suffix(".json").read_text()
    assert fold(RUN_ID, read_closed(copy)).seq == len(before)


def test_the_corpus_tells_nothing_of_where_it_was_made() -> None:
    for file in CORPUS.rglob("*.*"):
        content = file.read_bytes()
        for trace in (b"/tmp/", b"/root", b"/work", b"/var/", b"site-packages"):
            assert trace not in content, f"{file.name} has {trace!r}"
