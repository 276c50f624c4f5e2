from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bigtask.errors import InvalidTemplate, NotFound
from bigtask.templates.manager import Listed, Source, TemplateManager


def write(directory: Path, name: str, content: Any) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def child(template_id: str, **more: Any) -> dict[str, Any]:
    return {"id": template_id, "name": template_id.title(), "extends": "_default", **more}


def only(listed: tuple[Listed, ...], source: Source) -> list[Listed]:
    return [entry for entry in listed if entry.source is source]


def test_the_shipped_templates_are_there_without_any_directory() -> None:
    manager = TemplateManager()
    assert [entry.id for entry in manager.list()] == [
        "_default",
        "documentation",
        "implementation",
        "research",
    ]
    documentation = manager.get("documentation")
    assert documentation.config.max_workers == 8
    assert documentation.config.auto_spawn
    assert documentation.config.spawn_delay_ms == 500
    assert documentation.phases.verification.enabled
    assert documentation.variables == {
        "OUTPUT_FORMAT": "markdown",
        "LANGUAGE": "en",
        "VERBOSITY": "full",
        "INCLUDE_EXAMPLES": True,
        "DOCS_DIR": "docs/api",
    }
    assert "spawnDelay" not in manager.get("documentation", resolved=False)["config"]


def test_loading_the_shipped_templates_does_not_import_the_checker() -> None:
    asked = (
        "import sys; from bigtask.templates.manager import TemplateManager as M; "
        "M().get('documentation'); sys.exit('jsonschema' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_missing_directories_hold_no_templates(tmp_path: Path) -> None:
    manager = TemplateManager(user_dir=tmp_path / "no", project_dir=tmp_path / "neither")
    assert {entry.source for entry in manager.load_all()} == {Source.SHIPPED}


def test_a_custom_template_may_extend_any_other(tmp_path: Path) -> None:
    write(tmp_path / "user", "base", child("base", config={"maxWorkers": 3}))
    write(tmp_path / "project", "mine", {"id": "mine", "name": "Mine", "extends": "base"})
    manager = TemplateManager(user_dir=tmp_path / "user", project_dir=tmp_path / "project")
    assert not [entry for entry in manager.list() if entry.errors]
    assert manager.get("mine").config.max_workers == 3
    assert manager.get("mine").name == "Mine"
    assert "extends" not in manager.get("mine").raw
    assert manager.get("mine", resolved=False) == {"id": "mine", "name": "Mine", "extends": "base"}


def test_changing_what_get_returned_changes_no_template(tmp_path: Path) -> None:
    write(tmp_path, "mine", child("mine", config={"maxWorkers": 3}))
    manager = TemplateManager(user_dir=tmp_path)
    manager.get("mine", resolved=False)["config"]["maxWorkers"] = 4
    assert manager.get("mine").config.max_workers == 3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "isn't JSON at line 1, column 1"),
        ('{"id": "broken",\n "name": "x",\n}', "there is a comma too many"),
        ('{"id": "broken", "id": "broken"}', '"id" stands twice'),
        ('{"id": NaN}', "NaN isn't a JSON number"),
        ("[" * 100_000, "nested too deeply"),
        (" " * (1 << 20) + "{}", "larger than 1 MiB"),
        ("[]", "must be an object"),
        ('{"id": [], "name": 3, "tags": [1]}', "must be some text"),
    ],
)
def test_a_broken_file_is_listed_and_the_others_load(tmp_path: Path, content: str, sentence: str) -> None:
    path = write(tmp_path, "broken", content)
    write(tmp_path, "fine", child("fine"))
    manager = TemplateManager(user_dir=tmp_path)
    broken, fine = only(manager.load_all(), Source.USER)
    assert (broken.id, broken.path) == ("broken", path)
    assert sentence in " ".join(text for _, text in broken.errors)
    assert not fine.errors
    with pytest.raises(InvalidTemplate):
        manager.get("broken")
    assert manager.get("fine").id == "fine"


def test_bytes_that_are_not_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_bytes(b'{"id": "\xff"}')
    (entry,) = only(TemplateManager(user_dir=tmp_path).list(), Source.USER)
    assert entry.errors == (("", "the file isn't UTF-8 at byte 8: save it as UTF-8"),)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(child("mine")).encode())
    assert TemplateManager(user_dir=tmp_path).get("mine").id == "mine"


def test_what_is_not_a_file_is_listed_with_the_reason_and_what_is_not_json_is_left_out(
    tmp_path: Path,
) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.json").write_text("x")
    found = {entry.id: entry.errors for entry in only(TemplateManager(user_dir=tmp_path).list(), Source.USER)}
    assert list(found) == ["folder", "gone", "pipe"]
    assert "only files are read" in found["folder"][0][1]
    assert "symbolic link" in found["gone"][0][1]
    assert "only files are read" in found["pipe"][0][1]


def test_a_file_is_called_after_its_id(tmp_path: Path) -> None:
    write(tmp_path, "one", child("other"))
    manager = TemplateManager(user_dir=tmp_path)
    (entry,) = only(manager.list(), Source.USER)
    assert entry.errors == (("/id", "must be one, the name of its file, not other: change either"),)
    with pytest.raises(NotFound):
        manager.get("other")


def test_a_shipped_id_is_reserved(tmp_path: Path) -> None:
    write(tmp_path, "documentation", child("documentation", config={"maxWorkers": 1}))
    manager = TemplateManager(project_dir=tmp_path)
    (entry,) = only(manager.list(), Source.PROJECT)
    assert "reserved" in entry.errors[0][1]
    assert entry.hidden_by is Source.SHIPPED
    assert manager.get("documentation").config.max_workers == 8
    assert "reserved" in manager.validate(child("documentation")).errors[0][1]


def test_a_project_template_hides_the_users_also_when_it_is_broken(tmp_path: Path) -> None:
    write(tmp_path / "user", "mine", child("mine", config={"maxWorkers": 2}))
    write(tmp_path / "project", "mine", child("mine", config={"maxWorkers": 3}))
    manager = TemplateManager(user_dir=tmp_path / "user", project_dir=tmp_path / "project")
    assert only(manager.list(), Source.USER)[0].hidden_by is Source.PROJECT
    assert only(manager.list(), Source.PROJECT)[0].hidden_by is None
    assert manager.get("mine").config.max_workers == 3
    write(tmp_path / "project", "mine", child("mine", config={"maxWorkers": 0}))
    manager.load_all()
    with pytest.raises(InvalidTemplate, match="/config/maxWorkers"):
        manager.get("mine")


def test_what_extends_a_broken_template_cannot_be_used_either(tmp_path: Path) -> None:
    write(tmp_path, "base", child("base", nope=1))
    write(tmp_path, "mine", {"id": "mine", "name": "Mine", "extends": "base"})
    manager = TemplateManager(user_dir=tmp_path)
    with pytest.raises(InvalidTemplate, match="mine -> base"):
        manager.get("mine")


def test_a_change_on_the_disk_is_seen_at_the_next_look(tmp_path: Path) -> None:
    manager = TemplateManager(user_dir=tmp_path)
    assert not only(manager.list(), Source.USER)
    for number in range(1, 10):
        # Of the same length, as fast as it goes: neither size nor time need tell them apart.
        write(tmp_path, "mine", child("mine", config={"maxWorkers": number}))
        assert manager.get("mine").config.max_workers == number
    (tmp_path / "mine.json").unlink()
    assert not only(manager.list(), Source.USER)


def test_files_that_have_not_changed_are_not_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, "mine", child("mine"))
    manager = TemplateManager(user_dir=tmp_path)
    long_ago = 1_000_000_000
    os.utime(path, (long_ago, long_ago))
    until = time.monotonic() + 30
    while (before := manager.find("mine")) is not manager.find("mine"):
        assert time.monotonic() < until, "the folder never settles"
    assert before is manager.find("mine")


def test_an_unknown_template_is_not_found() -> None:
    with pytest.raises(NotFound, match="no template is called nope"):
        TemplateManager().get("nope")


def test_validate_saves_nothing(tmp_path: Path) -> None:
    manager = TemplateManager(user_dir=tmp_path)
    assert not manager.validate(child("mine")).errors
    assert manager.validate(child("mine", config={"maxWorkers": 0})).errors
    assert not list(tmp_path.iterdir())
    with pytest.raises(NotFound):
        manager.get("mine")
