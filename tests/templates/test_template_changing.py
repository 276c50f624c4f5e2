"""Creating, changing, deleting, sharing: what is saved, what is refused, and who wins."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bigtask.errors import Conflict, Forbidden, InvalidInput, InvalidTemplate, NotFound, StaleRevision
from bigtask.templates.bundle import packed
from bigtask.templates.manager import Source, TemplateManager


def child(template_id: str, **more: Any) -> dict[str, Any]:
    return {"id": template_id, "name": template_id.title(), "extends": "_default", **more}


@pytest.fixture
def manager(tmp_path: Path) -> TemplateManager:
    return TemplateManager(
        user_dir=tmp_path / "own", project_dir=tmp_path / "repo" / ".bigtask" / "templates"
    )


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "repo").mkdir()
    return tmp_path / "repo"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*") if not path.name.startswith(".")}


def test_what_is_created_is_there_for_everybody(manager: TemplateManager, tmp_path: Path) -> None:
    one = manager.create(child("mine", config={"maxWorkers": 3}))
    assert one.path == tmp_path / "own" / "mine.json"
    assert (one.source, one.usable, len(one.revision)) == (Source.USER, True, 64)
    assert TemplateManager(user_dir=tmp_path / "own").get("mine").config.max_workers == 3
    assert one.path.stat().st_mode & 0o777 == 0o600
    assert one.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_text_is_kept_as_its_author_wrote_it(manager: TemplateManager) -> None:
    text = b'{"id": "mine",   "name": "\xc3\xa9",\n\n "extends": "_default"}'
    one = manager.create(text)
    assert one.path is not None
    assert one.path.read_bytes() == text
    assert manager.text("mine") == (text.decode(), one.revision)


def test_what_is_wrong_is_refused_whole_and_nothing_is_written(
    manager: TemplateManager, tmp_path: Path
) -> None:
    with pytest.raises(InvalidTemplate) as caught:
        manager.create(child("mine", config={"maxWorkers": 0}, nope=1))
    assert [where for where, _ in caught.value.problems] == ["/config/maxWorkers", "/nope"]
    with pytest.raises(InvalidTemplate, match="reserved"):
        manager.create(child("documentation"))
    assert files(tmp_path / "own") == {}


def test_an_id_that_is_taken_is_a_conflict(manager: TemplateManager, repo: Path, tmp_path: Path) -> None:
    manager.create(child("mine"))
    with pytest.raises(Conflict, match="there is a template mine already"):
        manager.create(child("mine"))
    manager.create(child("shared"), into=Source.PROJECT)
    with pytest.raises(Conflict, match="there is a template shared already"):
        manager.create(child("shared"))
    (tmp_path / "own" / "odd.json").symlink_to("nowhere")
    with pytest.raises(Conflict, match="odd already"):
        manager.create(child("odd"))


def test_an_update_needs_the_revision_that_was_read(manager: TemplateManager) -> None:
    first = manager.create(child("mine"))
    second = manager.update("mine", child("mine", config={"maxWorkers": 2}), revision=first.revision)
    assert second.revision != first.revision
    with pytest.raises(StaleRevision, match=f"{first.revision[:12]} was edited meanwhile") as caught:
        manager.update("mine", child("mine", config={"maxWorkers": 3}), revision=first.revision)
    assert caught.value.current == second.revision
    assert manager.get("mine").config.max_workers == 2
    with pytest.raises(StaleRevision):
        manager.delete("mine", revision=first.revision)
    manager.delete("mine", revision=second.revision)
    with pytest.raises(NotFound):
        manager.get("mine")


def test_an_editor_that_saved_the_file_itself_counts_as_somebody_else(manager: TemplateManager) -> None:
    first = manager.create(child("mine"))
    assert first.path is not None
    first.path.write_text(json.dumps(child("mine", config={"maxWorkers": 7})))
    with pytest.raises(StaleRevision):
        manager.update("mine", child("mine"), revision=first.revision)
    assert manager.get("mine").config.max_workers == 7


def test_an_update_keeps_the_id(manager: TemplateManager) -> None:
    one = manager.create(child("mine"))
    with pytest.raises(InvalidTemplate, match="must be mine, the name of its file, not yours"):
        manager.update("mine", child("yours"), revision=one.revision)


def test_a_broken_file_can_be_mended_and_deleted(manager: TemplateManager, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for name in ("one", "two"):
        (tmp_path / "own" / f"{name}.json").write_text('{"id": ')
    text, revision = manager.text("one")
    assert text == '{"id": '
    assert manager.update("one", child("one"), revision=revision).usable
    manager.delete("two", revision=manager.find("two").revision)
    assert list(files(tmp_path / "own")) == ["one.json"]


def test_what_others_extend_is_not_deleted(manager: TemplateManager) -> None:
    base = manager.create(child("base"))
    manager.create({"id": "kid", "name": "Kid", "extends": "base"})
    manager.create({"id": "also", "name": "Also", "extends": "base"})
    with pytest.raises(Conflict, match="base is extended by also, kid"):
        manager.delete("base", revision=base.revision)
    for name in ("kid", "also"):
        manager.delete(name, revision=manager.find(name).revision)
    manager.delete("base", revision=base.revision)


def test_shipped_templates_stay_as_they_are(manager: TemplateManager) -> None:
    with pytest.raises(Forbidden, match="template duplicate documentation NEW_ID"):
        manager.update("documentation", child("documentation"), revision="")
    with pytest.raises(Forbidden):
        manager.delete("documentation", revision="")
    with pytest.raises(Forbidden):
        manager.text("documentation")
    with pytest.raises(Forbidden):
        manager.create(child("mine"), into=Source.SHIPPED)


def test_a_duplicate_is_a_template_of_its_own(manager: TemplateManager) -> None:
    one = manager.duplicate("documentation", "our-docs")
    assert (one.name, one.extends) == ("Documentation (copy)", "_default")
    assert manager.get("our-docs").config == manager.get("documentation").config
    assert manager.duplicate("our-docs", "third", name="Third").name == "Third"


def test_the_repositorys_templates_are_changed_where_they_lie(manager: TemplateManager, repo: Path) -> None:
    one = manager.create(child("team"), into=Source.PROJECT)
    assert one.path == repo / ".bigtask" / "templates" / "team.json"
    assert one.approved is False
    later = manager.update("team", child("team", tags=["x"]), revision=one.revision)
    assert (later.path, later.tags) == (one.path, ("x",))
    assert list(files(repo / ".bigtask" / "templates")) == ["team.json"]
    assert [path.name for path in repo.rglob("*") if path.name.startswith(".")] == [".bigtask"]


def test_a_users_template_that_was_hidden_takes_over_when_the_other_goes(
    manager: TemplateManager, repo: Path
) -> None:
    manager.create(child("mine", config={"maxWorkers": 2}))
    top = manager.create(child("mine", config={"maxWorkers": 3}), into=Source.PROJECT)
    manager.create({"id": "kid", "name": "Kid", "extends": "mine"})
    manager.delete("mine", revision=top.revision)
    assert manager.get("kid").config.max_workers == 2


def test_without_a_folder_nothing_can_be_written() -> None:
    with pytest.raises(InvalidInput, match="no folder"):
        TemplateManager().create(child("mine"))


def test_what_a_program_hands_in_passes_the_bounds_of_a_file(manager: TemplateManager) -> None:
    deep: Any = "x"
    for _ in range(5_000):
        deep = {"x": deep}
    round_about: dict[str, Any] = child("mine")
    round_about["variables"] = round_about
    for content in (
        child("mine", variables={"A": float("nan")}),
        child("mine", prompts={"taskPlanning": {"format": {"taskSchema": {"x": deep}}}}),
        child("mine", description="\ud800"),
        child("mine", description=b"bytes"),
        child("mine", description="x" * (1 << 20)),
        round_about,
    ):
        with pytest.raises(InvalidTemplate):
            manager.create(content)
        assert manager.validate(content).errors


def test_events_tell_what_became_of_the_files_whoever_changed_them(
    manager: TemplateManager, tmp_path: Path
) -> None:
    heard: list[str] = []
    off = manager.on("*", lambda event, one: heard.append(f"{event} {one.id}"))
    errors: list[str] = []
    manager.on("template:error", lambda _, one: errors.append(one.errors[0][0]))

    def since() -> list[str]:
        manager.list()
        told = heard.copy()
        heard.clear()
        return told

    assert "template:loaded documentation" in since()
    one = manager.create(child("mine"))
    assert since() == ["template:created mine"]
    manager.update("mine", child("mine", tags=["x"]), revision=one.revision)
    assert since() == ["template:updated mine"]
    path = tmp_path / "own" / "mine.json"
    path.write_text("{")
    assert since() == ["template:error mine"]
    assert since() == []
    path.write_text(json.dumps(child("mine")))
    assert since() == ["template:updated mine"]
    path.unlink()
    assert since() == ["template:deleted mine"]
    off()
    off()
    manager.create(child("mine"))
    assert since() == []
    assert errors == [""]
    with pytest.raises(InvalidInput, match="did you mean template:updated"):
        manager.on("template:update", print)


def test_a_change_that_breaks_another_template_is_told(manager: TemplateManager) -> None:
    base = manager.create(child("base"))
    manager.create(
        {
            "id": "kid",
            "name": "Kid",
            "extends": "base",
            "phases": {"taskPlanning": {"validation": {"minTasks": 9}}},
        }
    )
    broken: list[str] = []
    manager.on("template:error", lambda _, one: broken.append(one.id))
    later = manager.update(
        "base",
        child("base", phases={"taskPlanning": {"validation": {"maxTasks": 5}}}),
        revision=base.revision,
    )
    assert broken == ["kid"]
    mended: list[str] = []
    manager.on("template:updated", lambda _, one: mended.append(one.id))
    manager.update("base", child("base"), revision=later.revision)
    assert mended == ["base", "kid"]


def import_all(manager: TemplateManager, data: bytes, **options: Any) -> dict[str, tuple[str, str]]:
    return {
        one.id or one.label: (one.outcome, one.errors[0][1] if one.errors else "")
        for one in manager.import_(data, **options)
    }


def test_one_or_many_are_imported_and_parents_come_first(manager: TemplateManager) -> None:
    several = [{"id": "kid", "name": "Kid", "extends": "base"}, child("base"), child("bad", nope=1), 3]
    found = import_all(manager, json.dumps(several).encode())
    assert {id: outcome for id, (outcome, _) in found.items()} == {
        "base": "created",
        "kid": "created",
        "bad": "refused",
        "/3": "refused",
    }
    assert "nope isn't known here" in found["bad"][1]
    assert import_all(manager, json.dumps(child("alone")).encode()) == {"alone": ("created", "")}


def test_an_import_replaces_only_when_told_to(manager: TemplateManager) -> None:
    manager.create(child("mine"))
    data = json.dumps(child("mine", tags=["new"])).encode()
    assert import_all(manager, data)["mine"][0] == "refused"
    assert import_all(manager, data, replacing=True)["mine"] == ("replaced", "")
    assert manager.find("mine").tags == ("new",)
    refused = import_all(manager, json.dumps(child("documentation")).encode(), replacing=True)
    assert "reserved" in refused["documentation"][1]


def test_a_cycle_is_refused_and_named(manager: TemplateManager) -> None:
    found = import_all(
        manager, json.dumps([{"id": a, "name": a, "extends": b} for a, b in ("ab", "bc", "ca")]).encode()
    )
    assert {outcome for outcome, _ in found.values()} == {"refused"}


def test_what_is_exported_can_be_imported(manager: TemplateManager, tmp_path: Path) -> None:
    manager.create(child("one", config={"maxWorkers": 3}))
    manager.create({"id": "two", "name": "Two", "extends": "one"})
    exported = manager.export(["one", "two"])
    for data in (packed(exported), json.dumps(list(exported.values())).encode()):
        other = TemplateManager(user_dir=tmp_path / str(len(data)))
        assert {one.outcome for one in other.import_(data)} == {"created"}
        assert other.get("two").config.max_workers == 3
    assert packed(exported) == packed(exported)
    alone = manager.export(["two"], resolved=True)["two"]
    assert "extends" not in alone
    assert not TemplateManager().validate(alone).errors
    alone["config"]["maxWorkers"] = 9
    assert manager.get("two").config.max_workers == 3


def zipped(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return held.getvalue()


def test_members_of_a_zip_are_called_after_their_ids(manager: TemplateManager) -> None:
    mine = json.dumps(child("mine")).encode()
    found = import_all(
        manager, zipped(**{"mine.json": mine, "other.json": mine, "sub/mine.json": mine, "readme.txt": b"x"})
    )
    assert found["mine"] == ("created", "")
    assert "its id is another" in found["other.json"][1]
    assert "without folders" in found["sub/mine.json"][1]
    assert "without folders" in found["readme.txt"][1]


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04" + b"\0" * 50, b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_template_file_is_one_sentence(manager: TemplateManager, data: bytes) -> None:
    with pytest.raises(InvalidInput, match="nothing can be imported: "):
        manager.import_(data)


def _race(own: Path, revision: str, begin: Any, who: int, won: Any) -> None:
    manager = TemplateManager(user_dir=own)
    begin.wait()
    try:
        # Whoever writes what is there already changes nothing, and doesn't make others stale.
        manager.update("mine", child("mine", tags=[str(who)], author=revision), revision=revision)
    except StaleRevision:
        return
    won.put(who)


def test_of_several_writers_with_the_same_revision_one_wins(tmp_path: Path) -> None:
    manager = TemplateManager(user_dir=tmp_path)
    spawning = multiprocessing.get_context("spawn")
    for _ in range(3):
        revision = (
            manager.find("mine").revision
            if (tmp_path / "mine.json").exists()
            else manager.create(child("mine")).revision
        )
        begin, won = spawning.Barrier(4), spawning.Queue()
        writers = [
            spawning.Process(target=_race, args=(tmp_path, revision, begin, who, won)) for who in range(4)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        winner = won.get(timeout=30)
        assert won.empty()
        assert manager.find("mine").tags == (str(winner),)


def test_of_several_threads_with_the_same_revision_one_wins(tmp_path: Path) -> None:
    revision = TemplateManager(user_dir=tmp_path).create(child("mine")).revision
    begin = threading.Barrier(8)
    won: list[int] = []

    def race(who: int) -> None:
        manager = TemplateManager(user_dir=tmp_path)
        begin.wait()
        try:
            manager.update("mine", child("mine", tags=[str(who)]), revision=revision)
            won.append(who)
        except StaleRevision:
            pass

    racers = [threading.Thread(target=race, args=(who,)) for who in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert TemplateManager(user_dir=tmp_path).find("mine").tags == (str(won[0]),)
    assert len(won) == 1


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInput, match=r"can't be written"):
        TemplateManager(user_dir=tmp_path / "file" / "own").create(child("mine"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InvalidInput, match="Permission denied"):
        TemplateManager(user_dir=tmp_path).create(child("mine"))
