"""What somebody does who wants out of the template folder, or wants us to choke."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bigtask.errors import BigtaskError, InvalidInput
from bigtask.templates import folder, reading
from bigtask.templates.bundle import members, packed
from bigtask.templates.identity import id_from, usable_id
from bigtask.templates.manager import Source, TemplateManager

HOSTILE_IDS = [
    "",
    ".",
    "..",
    "...",
    "/",
    "//",
    "~",
    "-",
    "--help",
    "-rf",
    "../x",
    "../../x",
    "../outside/secret",
    "a/../../b",
    "a/b",
    "a//b",
    "a/",
    "/etc/passwd",
    "/tmp/x",
    "./mine",
    "mine/.",
    "mine/..",
    "..%2f..%2f.bashrc",
    "..%5c..%5cx",
    "%2e%2e",
    "%2e%2e%2fx",
    "%00",
    "..\\x",
    "..\\..\\x",
    "a\\b",
    "C:\\x",
    "c:x",
    "\\\\host\\share",
    "a\0b",
    "mine\0.json",
    "\0",
    "mine\n",
    "\nmine",
    "mine\r\n",
    "mine ",
    " mine",
    "mi ne",
    "\tmine",
    "mine.json",
    "mine.",
    ".mine",
    ".lock",
    "Mine",
    "MINE",
    "DOCUMENTATION",
    "Ⅷ",
    "ｍｉｎｅ",
    "mıne",
    "ﬁle",
    "mine\u200b",
    "\u202emine",
    "é",
    "\ud800",
    "a:b",
    "a*b",
    "a?b",
    "$(touch x)",
    "`touch x`",
    "a;b",
    "a|b",
    "{CWD}",
    "file:///etc/passwd",
    "urn:bigtask:template",
    "a" * 65,
    "a" * 5_000,
    "../" * 500 + "x",
]


def child(template_id: object, **more: Any) -> dict[str, Any]:
    return {"id": template_id, "name": "Mine", "extends": "_default", **more}


def tree(root: Path) -> dict[str, str]:
    """Everything that lies there, with kind, mode and content."""
    seen = {}
    for path in sorted(root.rglob("*")):
        if path.name == ".lock":
            continue
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        said = content.encode() if isinstance(content, str) else content
        seen[str(path.relative_to(root))] = f"{path.lstat().st_mode:o} {hashlib.sha256(said).hexdigest()}"
    return seen


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A home and a repository, with somebody else's files around them that look like templates."""
    for name in ("own", "repo/.bigtask/templates", "outside"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("secret", "x", "b", "passwd"):
        for folder_name in (".", "outside", "repo", "repo/.bigtask"):
            (tmp_path / folder_name / f"{name}.json").write_text(json.dumps(child(name)))
    (tmp_path / "own" / "mine.json").write_text(json.dumps(child("mine")))
    return tmp_path


def manager_of(place: Path) -> TemplateManager:
    return TemplateManager(user_dir=place / "own", project_dir=place / "repo/.bigtask/templates")


def zipped(name: str, data: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr(zipfile.ZipInfo(name or " "), data)
    return held.getvalue()


def raw_zip(name: str, data: bytes) -> bytes:
    """With a name that the writer would have cleaned."""
    stand_in = "n" * len(name.encode(errors="replace"))
    return zipped(stand_in, data).replace(stand_in.encode(), name.encode(errors="replace"))


WAYS: dict[str, Callable[[TemplateManager, str], object]] = {
    "get": lambda m, given: m.get(given),
    "get raw": lambda m, given: m.get(given, resolved=False),
    "get approved": lambda m, given: m.get_approved(given),
    "find": lambda m, given: m.find(given),
    "chain": lambda m, given: m.chain(given),
    "consent": lambda m, given: m.consent(given),
    "text": lambda m, given: m.text(given),
    "create": lambda m, given: m.create(child(given)),
    "create in the repository": lambda m, given: m.create(child(given), into=Source.PROJECT),
    "extends": lambda m, given: m.create(child("new", extends=given)),
    "update": lambda m, given: m.update(given, child(given), revision=""),
    "rename": lambda m, given: m.update("mine", child(given), revision=m.find("mine").revision),
    "delete": lambda m, given: m.delete(given, revision=""),
    "duplicate": lambda m, given: m.duplicate(given, "new"),
    "duplicate to": lambda m, given: m.duplicate("mine", given),
    "export": lambda m, given: m.export([given]),
    "preview": lambda m, given: m.preview(given, "analysis"),
}


@pytest.mark.parametrize("template_id", HOSTILE_IDS, ids=lambda given: ascii(given)[:40])
def test_no_id_leads_out_of_the_folder_on_any_way_in(place: Path, template_id: str) -> None:
    before = tree(place)
    manager = manager_of(place)
    for way, act in WAYS.items():
        with pytest.raises(BigtaskError):
            act(manager, template_id)
        assert tree(place) == before, way
    mine = json.dumps(child("mine")).encode()
    for data in (
        json.dumps(child(template_id)).encode(),
        json.dumps([child(template_id)]).encode(),
        zipped("a.json", json.dumps(child(template_id)).encode()),
        zipped(f"{template_id}.json".replace("\ud800", "?"), mine),
        raw_zip(f"{template_id}.json", mine),
    ):
        assert outcomes(manager, data) <= {"refused"}
    assert tree(place) == before


def test_there_are_at_least_sixty_of_them_and_without_the_gate_they_lead_out(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(set(HOSTILE_IDS)) >= 60
    stored = folder.TemplateFolder(place / "own", Source.USER).find("../outside/secret")
    assert stored is not None, "the mutant that asks for a file without looking at the id would have read it"


@pytest.mark.parametrize("given", [None, 3, True, ["mine"], {"id": "mine"}, b"mine", *HOSTILE_IDS])
def test_one_type_says_what_an_id_is(given: object) -> None:
    with pytest.raises(InvalidInput, match="can't be the id of a template"):
        usable_id(given)


@pytest.mark.parametrize("good", ["a", "0", "_", "_default", "a-b_c", "a" * 64, "con"])
def test_good_ids_pass(good: str) -> None:
    assert usable_id(good) == good


def test_an_id_is_made_of_a_name() -> None:
    assert id_from("  API: Migration, Été 2 ") == "api-migration-ete-2"
    assert usable_id(id_from("x" * 200)) == "x" * 64
    assert usable_id(id_from("a" * 63 + " b")) == "a" * 63
    for nothing in ("", "…", "日本"):
        with pytest.raises(InvalidInput, match="no id can be made"):
            id_from(nothing)


def test_files_with_hostile_names_are_listed_as_broken(place: Path) -> None:
    names = [id for id in HOSTILE_IDS if id and "/" not in id and "\0" not in id and len(id) < 200]
    for name in names:
        if not name.startswith(".") and name != "\ud800":
            (place / "own" / f"{name}.json").write_text(json.dumps(child(name)))
    (place / "own" / os.fsdecode(b"\xff.json")).write_text(json.dumps(child("x")))
    manager = manager_of(place)
    for one in manager.list():
        assert one.usable == (one.source is Source.SHIPPED or one.id == "mine"), one.id
        json.dumps(one.id, ensure_ascii=False).encode()


def test_links_are_not_followed_and_what_they_lead_to_stays(place: Path) -> None:
    (place / "own" / "secret.json").symlink_to(place / "outside" / "secret.json")
    (place / "repo/.bigtask/templates/x.json").symlink_to("../x.json")
    before = tree(place)
    manager = manager_of(place)
    for linked in ("secret", "x"):
        assert "symbolic link" in manager.find(linked).errors[0][1]
        assert manager.find(linked).name == ""
        for way in ("get", "text", "update", "delete", "create"):
            with pytest.raises(BigtaskError):
                WAYS[way](manager, linked)
    assert tree(place) == before


@pytest.mark.parametrize("linked", [".bigtask", ".bigtask/templates"])
def test_a_repository_cannot_lend_somebody_elses_folder(place: Path, tmp_path: Path, linked: str) -> None:
    repo = place / "evil"
    (repo / linked).parent.mkdir(parents=True)
    (place / "elsewhere" / "templates").mkdir(parents=True)
    for there in ("elsewhere", "elsewhere/templates"):
        (place / there / "secret.json").write_text(json.dumps(child("secret")))
    (repo / linked).symlink_to(place / "elsewhere")
    before = tree(place)
    manager = TemplateManager(user_dir=place / "own", project_dir=repo / ".bigtask/templates")
    (found,) = [one for one in manager.list() if one.source is Source.PROJECT]
    assert (found.id, found.usable) == ("*", False)
    assert "symbolic link" in found.errors[0][1]
    assert manager.get("mine").id == "mine"
    for act in (
        lambda: manager.get("secret"),
        lambda: manager.create(child("new"), into=Source.PROJECT),
        lambda: manager.import_(json.dumps(child("new")).encode(), into=Source.PROJECT),
    ):
        with pytest.raises(BigtaskError):
            act()
    assert tree(place) == before


def test_a_person_may_link_their_own_folder(place: Path) -> None:
    (place / "dotfiles").symlink_to(place / "own")
    manager = TemplateManager(user_dir=place / "dotfiles")
    assert manager.get("mine").id == "mine"
    manager.create(child("new"))
    assert (place / "own" / "new.json").exists()


def test_a_flood_of_files_is_read_only_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MOST_FILES", 5)
    for number in range(9):
        (tmp_path / f"t{number}.json").write_text(json.dumps(child(f"t{number}")))
    manager = TemplateManager(user_dir=tmp_path)
    broken = [one for one in manager.list() if one.errors]
    assert [one.id for one in broken] == ["*"]
    assert "only the first 5 of 9 files are read" in broken[0].errors[0][1]


def outcomes(manager: TemplateManager, data: bytes) -> set[str]:
    """Of what an import holds; nothing where it is refused as a whole."""
    try:
        return {one.outcome for one in manager.import_(data)}
    except InvalidInput:
        return set()


MIB = 1 << 20
HEAD = b'{"id": "mine", "name": "Mine", "extends": "_default", '
BOMBS: dict[str, bytes] = {
    "brackets": b"[" * 100_000,
    "braces": b'{"a":' * 100_000,
    "mixed": b'[{"a":' * 50_000,
    "closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "900 levels": b"[" * 900 + b"]" * 900,
    "65 levels": HEAD + b'"x": ' + b"[" * 65 + b"]" * 65 + b"}",
    "200 levels where anything may stand": HEAD
    + b'"prompts": {"taskPlanning": {"format": {"taskSchema": {"x": '
    + b'{"x":' * 200
    + b"1"
    + b"}" * 205,
    "10,000 digits": HEAD + b'"config": {"maxTokens": ' + b"9" * 10_000 + b"}}",
    "a million digits": b"9" * (MIB - 1),
    "negative digits": b"-" + b"9" * 10_000,
    "65 bits": HEAD + b'"config": {"maxTokens": 36893488147419103232}}',
    "long fraction": b"0." + b"1" * 10_000,
    "huge exponent": HEAD + b'"config": {"maxBudgetUsd": 1e999}}',
    "huge exponent, long": b"1e" + b"9" * 1_000,
    "negative infinity by exponent": b"[-1e999]",
    "NaN": HEAD + b'"config": {"maxBudgetUsd": NaN}}',
    "Infinity": HEAD + b'"config": {"maxBudgetUsd": Infinity}}',
    "-Infinity": b"[-Infinity]",
    "a key twice": HEAD + b'"name": "Other"}',
    "a key twice, escaped": HEAD + b'"n\\u0061me": "Other"}',
    "a key twice, deep": HEAD + b'"config": {"maxWorkers": 1, "maxWorkers": 64}}',
    "half a character": HEAD + b'"description": "\\ud800"}',
    "half a character as a key": HEAD + b'"\\udfff": 1}',
    "half a character among others": HEAD + b'"tags": ["a", "\\ud83d", "b"]}',
    "halves in the wrong order": HEAD + b'"description": "\\ude00\\ud83d"}',
    "NUL": HEAD + b'"description": "a\\u0000b"}',
    "NUL in a command": HEAD + b'"hooks": {"onError": ["sh\\u0000x"]}}',
    "not UTF-8": HEAD + b'"description": "\xff\xfe"}',
    "UTF-16": '{"id": "mine"}'.encode("utf-16"),
    "UTF-32": '{"id": "mine"}'.encode("utf-32"),
    "surrogates in UTF-8": HEAD + b'"description": "\xed\xa0\x80"}',
    "overlong UTF-8": HEAD + b'"description": "\xc0\xaf"}',
    "two documents": HEAD + b'"tags": []}{}',
    "nothing": b"",
    "blanks": b" " * (MIB - 10),
    "over a mebibyte": HEAD + b'"description": "' + b"x" * MIB + b'"}',
    "100,000 unknown keys": HEAD + b", ".join(b'"k%d": 1' % number for number in range(80_000)) + b"}",
    "100,000 near misses": HEAD
    + b'"config": {'
    + b", ".join(b'"maxWorker%d": 1' % number for number in range(45_000))
    + b"}}",
    "a long key": HEAD + b'"' + b"k" * (MIB - 100) + b'": 1}',
    "a long value of a choice": HEAD + b'"config": {"isolation": "' + b"w" * (MIB - 200) + b'"}}',
    "400,000 wrong entries": HEAD + b'"tags": [' + b",".join([b"1"] * 400_000) + b"]}",
    "entries that must differ": HEAD
    + b'"ui": {"workerColumns": ['
    + b",".join(b'{"%d":[]}' % number for number in range(70_000))
    + b"]}}",
    "bad names of variables": HEAD
    + b'"variables": {'
    + b", ".join(b'"v%d": 1' % number for number in range(80_000))
    + b"}}",
    "no object": b'"' + b"x" * (MIB - 10) + b'"',
    "an unclosed text": HEAD + b'"description": "' + b"x" * 500_000,
    "escapes": b'"' + b"\\u0041" * 170_000 + b'"',
    "YAML": b"a: &a [x]\nb: [*a, *a]\n",
}


def test_there_are_at_least_forty_bombs() -> None:
    assert len(BOMBS) >= 40


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_on_every_way_in(tmp_path: Path, name: str) -> None:
    bomb = BOMBS[name]
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.json").write_bytes(bomb)
    (tmp_path / "own" / "fine.json").write_text(json.dumps(child("fine")))
    manager = TemplateManager(user_dir=tmp_path / "own")
    found = {one.id: one for one in manager.list()}
    assert found["mine"].errors
    assert len(found["mine"].errors) <= 100
    assert found["fine"].usable
    assert manager.validate(bomb).errors
    other = TemplateManager(user_dir=tmp_path / "other")
    with pytest.raises(BigtaskError):
        other.create(bomb)
    for data in (bomb, b"[" + bomb + b"]", zipped("mine.json", bomb)):
        assert outcomes(other, data) <= {"refused"}
    assert not list((tmp_path / "other").glob("*.json"))


@pytest.mark.parametrize(
    "name", ["100,000 unknown keys", "400,000 wrong entries", "entries that must differ"]
)
def test_of_a_crowd_only_the_number_is_told(name: str) -> None:
    """Nobody is told of each: that would take a hundred times as long."""
    for bomb in (BOMBS[name], BOMBS[name] + b","):
        assert TemplateManager().validate(bomb).errors == (
            ("", "the file has more than 10,000 keys and entries: this can't be a template"),
        )


def test_as_many_entries_as_a_person_could_write_are_read() -> None:
    commands = [["true", str(number)] for number in range(3_000)]
    raw = child(
        "mine", phases={"verification": {"allowedCommands": commands}}, description="a, {b}, " * 9_000
    )
    assert not TemplateManager().validate(raw).errors


def test_a_zip_that_swells_is_refused(tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(12):
            file.writestr(f"t{number}.json", b" " * (2 * MIB))
    manager = TemplateManager(user_dir=tmp_path)
    found = manager.import_(held.getvalue())
    assert {one.outcome for one in found} == {"refused"}
    assert {one.errors[0][1].split(":")[0] for one in found} == {
        reading.TOO_LARGE.split(":")[0],
        "the members come to more than 8 MiB",
    }


@pytest.mark.parametrize("spoil", ["encrypted", "method", "crc", "many"])
def test_an_odd_zip_is_refused(tmp_path: Path, spoil: str) -> None:
    data = bytearray(zipped("mine.json", json.dumps(child("mine")).encode()))
    central = data.index(b"PK\x01\x02")
    match spoil:
        case "encrypted":
            data[central + 8] |= 1
        case "method":
            data[central + 10] = 12
        case "crc":
            data[central + 16] ^= 0xFF
        case _:
            held = io.BytesIO()
            with zipfile.ZipFile(held, "w") as file:
                for number in range(201):
                    file.writestr(f"t{number}.json", b"{}")
            data = bytearray(held.getvalue())
    manager = TemplateManager(user_dir=tmp_path)
    assert outcomes(manager, bytes(data)) <= {"refused"}
    assert not list(tmp_path.glob("*.json"))


def test_a_spoilt_zip_is_refused_or_read_and_nothing_else() -> None:
    whole, rng = packed({"a": child("a"), "b": child("b", description="x" * 300)}), random.Random(1)
    for _ in range(2_000):
        spoilt = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(spoilt))
            if rng.random() < 0.5:
                spoilt[place] = rng.randrange(256)
            else:
                del spoilt[place : place + rng.randint(1, 20)]
        with contextlib.suppress(reading.Unreadable):
            members(bytes(spoilt))
