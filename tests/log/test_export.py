"""A run leaves as one file that tells less, and says the same anywhere; what else comes as one is refused."""

from __future__ import annotations

import json
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bigtask.core.evolve import fold
from bigtask.core.view import view
from bigtask.errors import BigtaskError, InvalidInput, NewerSchema, NotFound, StoreError
from bigtask.host.export import write_export
from bigtask.host.exported import Export
from bigtask.host.log import read_closed
from bigtask.host.redaction import Redaction
from bigtask.host.source import ExportSource, state_at
from bigtask.host.transcript_folder import TranscriptFolder

from .make_corpus import PLACE, RUN_ID, stored

SECRET = "sk-" + "0123456789abcdef" * 2


def events_of(name: str, tmp_path: Path) -> list[Any]:
    (tmp_path / "log.db").write_bytes(next(log for log in stored() if log.stem == name).read_bytes())
    return read_closed(tmp_path / "log.db")


@pytest.fixture
def transcripts(tmp_path: Path) -> TranscriptFolder:
    (tmp_path / "transcripts").mkdir()
    lines = [
        {"who": "agent", "text": f"I read {PLACE}/project/.env: {SECRET}"},
        {"who": "tool", "text": "ls"},
    ]
    content = b"".join(msgspec.json.encode(line) + b"\n" for line in lines) + b'{"who": "agent", "te'
    (tmp_path / "transcripts" / "one.1.txt").write_bytes(content)
    return TranscriptFolder(tmp_path / "transcripts")


def exported(tmp_path: Path, transcripts: TranscriptFolder | None, name: str = "complete") -> Path:
    to = tmp_path / "out.zip"
    redaction = Redaction(places={"home": PLACE, "project": f"{PLACE}/project"}, user="Ada")
    write_export(to, RUN_ID, events_of(name, tmp_path), transcripts, redaction)
    return to


@pytest.mark.parametrize("name", sorted({log.stem for log in stored()}))
async def test_an_export_says_what_the_run_says_without_who_and_where(name: str, tmp_path: Path) -> None:
    source = ExportSource(exported(tmp_path, None, name))
    assert source.id == RUN_ID
    whole = json.dumps(msgspec.to_builtins(view(fold(RUN_ID, events_of(name, tmp_path)))))
    wanted = (
        whole.replace(f"{PLACE}/project", "<project>").replace(PLACE, "<home>").replace("by Ada", "by <user>")
    )
    assert json.dumps(msgspec.to_builtins(view(await source.run()))) == wanted
    assert (await source.verify()).run.seq == len(await source.events())
    for seq in (1, 7, len(await source.events())):
        assert state_at(await source.events(), source.id, seq).seq == seq


def test_what_is_in_an_export_is_listed_and_nothing_else_is(
    tmp_path: Path, transcripts: TranscriptFolder
) -> None:
    to = exported(tmp_path, transcripts)
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    with zipfile.ZipFile(to) as archive:
        assert sorted(archive.namelist()) == ["events.jsonl", "manifest.json", "transcripts/one.1.jsonl"]
        whole = b"".join(archive.read(name) for name in archive.namelist())
    for trace in (PLACE, SECRET, '"Ada"', str(tmp_path)):
        assert trace.encode() not in whole
    export = Export(to)
    assert export.manifest.redacted["<secret>"] == 1
    said = [json.loads(line) for line in export.said("one", 1).splitlines()]
    assert said == [
        {"who": "agent", "text": "I read <project>/.env: <secret>"},
        {"who": "tool", "text": "ls"},
    ]
    assert export.said("two", 1) == b""
    assert export.verify() > 1_000


def test_no_file_is_replaced_and_none_is_left_half_written(tmp_path: Path) -> None:
    to = exported(tmp_path, None)
    before = to.read_bytes()
    with pytest.raises(InvalidInput, match="is there already"):
        exported(tmp_path, None)
    assert to.read_bytes() == before
    with pytest.raises(StoreError, match="nothing to export"):
        write_export(tmp_path / "no.zip", RUN_ID, [], None, Redaction(places={}))
    beheaded = events_of("complete", tmp_path)[1:]
    with pytest.raises(StoreError, match="event 1 is missing"):
        write_export(tmp_path / "no.zip", RUN_ID, beheaded, None, Redaction(places={}))
    with pytest.raises(InvalidInput, match="can't be written"):
        write_export(tmp_path / "no" / "no.zip", RUN_ID, [], None, Redaction(places={}))
    assert not (tmp_path / "no.zip").exists()


# What comes from elsewhere


def repacked(to: Path, change: Callable[[dict[str, bytes]], None], **how: Any) -> Path:
    with zipfile.ZipFile(to) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    other = to.with_name("other.zip")
    with zipfile.ZipFile(other, "w", **{"compression": zipfile.ZIP_DEFLATED, **how}) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return other


def manifest(**fields: Any) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        files["manifest.json"] = json.dumps({**json.loads(files["manifest.json"]), **fields}).encode()

    return change


def replaced(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.update({name: content})


def without(name: str) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.pop(name) and None


FILE = {"size": 1, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (without("manifest.json"), InvalidInput, "isn't an export of bigtask: it has no manifest.json"),
        (replaced("manifest.json", b"[" * 100_000), InvalidInput, "isn't an export of bigtask"),
        (replaced("manifest.json", b"\xff"), InvalidInput, "isn't an export of bigtask"),
        (replaced("manifest.json", b" " * (33 * 2**20)), InvalidInput, "would have 34,603,008 bytes"),
        (manifest(format=2), NewerSchema, "written by a newer bigtask"),
        (manifest(schema=99), NewerSchema, "written by a newer bigtask"),
        (manifest(runId="../../x"), InvalidInput, "doesn't name its run"),
        (manifest(files={"../../.bashrc": FILE}), InvalidInput, r"it has a file '../../.bashrc'"),
        (manifest(files={"transcripts/../../x.1.jsonl": FILE}), InvalidInput, "it has a file"),
        (manifest(files={"/etc/passwd": FILE}), InvalidInput, "it has a file"),
        (manifest(files={}), StoreError, "isn't what its manifest says"),
        (without("events.jsonl"), StoreError, "it has no events.jsonl"),
        (replaced("events.jsonl", b"{}\n"), StoreError, "isn't what its manifest says: the file was changed"),
        (replaced("events.jsonl", b" " * (129 * 2**20)), StoreError, "at most 134,217,728 are read"),
    ],
)
async def test_what_isnt_an_export_is_refused_with_a_sentence(
    change: Callable[[dict[str, bytes]], None], error: type[BigtaskError], said: str, tmp_path: Path
) -> None:
    other = repacked(exported(tmp_path, None), change)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error, match=said):
        await ExportSource(other).verify()
    assert sorted(tmp_path.rglob("*")) == before


def forged(lines: list[dict[str, Any]]) -> Callable[[dict[str, bytes]], None]:
    """Events that somebody wrote, with a manifest that fits them."""
    import hashlib

    def change(files: dict[str, bytes]) -> None:
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        files["events.jsonl"] = content
        file = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        manifest(files={"events.jsonl": file})(files)

    return change


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            {"seq": 2, "at": 1, "type": "worker:completed", "data": {"taskId": "x", "attempt": 1}},
            "can't follow",
        ),
        (
            {"seq": 2, "at": 1, "type": "orchestrator:answered", "data": {"waitingId": "w", "answer": ""}},
            "'w'",
        ),
        ({"seq": 9, "at": 1, "type": "orchestrator:started", "data": {}}, "event 2 is missing"),
        ({"seq": 2, "at": 1, "type": "os:system", "data": {}}, "line 2 of events.jsonl can't be read"),
        ({"seq": "2", "at": 1, "type": "orchestrator:started", "data": {}}, "line 2 of events.jsonl"),
    ],
)
async def test_events_that_cannot_be_are_refused_with_a_sentence(
    event: dict[str, Any], said: str, tmp_path: Path
) -> None:
    to = exported(tmp_path, None)
    with zipfile.ZipFile(to) as archive:
        first = json.loads(archive.read("events.jsonl").splitlines()[0])
    source = ExportSource(repacked(to, forged([first, event])))
    for look in (source.run, source.verify):
        with pytest.raises(StoreError, match=said):
            await look()


def test_what_isnt_a_zip_or_is_packed_otherwise_is_refused(tmp_path: Path) -> None:
    to = exported(tmp_path, None)
    content = to.read_bytes()
    with pytest.raises(NotFound):
        Export(tmp_path / "gone.zip")
    with pytest.raises(InvalidInput, match="can't be read"):
        Export(tmp_path)
    other = tmp_path / "other.zip"
    for wrong in (b"", b"PK", content[: len(content) // 2], content[2_000:]):
        other.write_bytes(wrong)
        with pytest.raises(BigtaskError, match=r"other\.zip"):
            Export(other).verify()
    with pytest.raises(InvalidInput, match="packed in a way"):
        Export(repacked(to, lambda files: None, compression=zipfile.ZIP_LZMA))


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    """A bomb says that it is small, and swells."""
    other = repacked(exported(tmp_path, None), replaced("events.jsonl", b"x" * 50_000_000))
    content = other.read_bytes().replace((50_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert len(content) < 200_000
    other.write_bytes(content)
    with pytest.raises(BigtaskError, match=r"other\.zip"):
        Export(other).verify()


def test_sqlite_is_what_the_manifest_names(tmp_path: Path) -> None:
    assert Export(exported(tmp_path, None)).manifest.sqlite == sqlite3.sqlite_version
