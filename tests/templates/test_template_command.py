"""`bigtask template …` as people and programs use it."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from bigtask.cli.template import COMMANDS
from bigtask.host.home import Home
from cli.here import here
from cli.person import Said
from cli.terminal import Program
from projects import Desk, Project, repository


def child(template_id: str, **more: Any) -> dict[str, Any]:
    return {"id": template_id, "name": template_id.title(), "extends": "_default", **more}


class Desktop:
    def __init__(self, place: Path) -> None:
        self.place = place
        self.project = repository(place / "project")
        self.home = place / "home"
        self.home.mkdir()

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.place),
            "BIGTASK_HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
        }

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> Said:
        return here({**self.env, **env}, "template", *arguments, cwd=self.project.root, stdin=stdin)

    def json(self, *arguments: str, stdin: str = "") -> Any:
        said = self(*arguments, "--json", stdin=stdin)
        assert said.status == 0, said.err
        return said.json

    def team(self, **more: Any) -> Path:
        path = self.project.root / ".bigtask" / "templates" / "team.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(child("team", **more)))
        return path

    def editor(self, *replacements: str) -> str:
        """An editor that, each time it is opened, makes the next replacement (`old=new`)."""
        program = self.place / "editor.py"
        program.write_text(
            "import sys, pathlib\n"
            "left = pathlib.Path(__file__).with_suffix('.txt')\n"
            "todo = left.read_text().splitlines()\n"
            "left.write_text('\\n'.join(todo[1:]))\n"
            "file = pathlib.Path(sys.argv[1])\n"
            "old, new = todo[0].split('=', 1) if todo else ('', '')\n"
            "if old: file.write_text(file.read_text().replace(old, new))\n"
        )
        program.with_suffix(".txt").write_text("\n".join(replacements))
        return f"{sys.executable} {program}"


@pytest.fixture
def desk(tmp_path: Path) -> Desktop:
    return Desktop(tmp_path)


def test_the_group_lists_its_commands_and_says_what_was_meant(desk: Desktop) -> None:
    said = desk("--help")
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", said.out, re.MULTILINE)
        help_page = desk(name, "--help")
        assert help_page.status == 0
        assert "Example" in help_page.out
    said = desk("lst")
    assert (said.status, "Did you mean list?" in said.err) == (2, True)
    assert "--help lists them" in desk("xyzzy").err


def test_the_list_shows_every_template_with_what_is_wrong(desk: Desktop) -> None:
    desk.team()
    desk("create", "mine", "--name", "Mine")
    (desk.home / "templates" / "broken.json").write_text('{"id": "broken", "nme": 1}')
    (desk.home / "templates" / "team.json").write_text(json.dumps(child("team")))
    said = desk("list")
    rows = {line.split()[0]: line for line in said.out.splitlines() if line[:1].isalpha() or line[:1] == "_"}
    assert "shipped" in rows["documentation"]
    assert re.search(r"mine\s+yours\s+_default\s+ok", said.out)
    assert re.search(r"broken\s+yours\s+–\s+broken", said.out)
    assert re.search(r"team\s+yours\s+_default\s+hidden", said.out)
    assert re.search(r"team\s+repository\s+_default\s+not approved", said.out)
    assert "error /nme: nme isn't known here: did you mean name?" in said.out
    assert "bigtask template approve team" in said.err
    found = {(one["source"], one["id"]): one for one in desk.json("list")["templates"]}
    assert found["project", "team"]["approved"] is False
    assert found["user", "team"]["hiddenBy"] == "project"
    assert found["user", "broken"]["errors"][0] == {
        "pointer": "/name",
        "message": "name is missing: every template has one of its own",
    }
    assert found["shipped", "documentation"]["usable"]


def test_a_template_is_created_shown_copied_and_deleted(desk: Desktop) -> None:
    said = desk("create", "--name", "API docs", "--extends", "documentation", "--description", "Ours")
    assert (said.status, said.out) == (0, "")
    assert "api-docs is created: " in said.err
    assert "bigtask template edit api-docs" in said.err
    page = desk("show", "api-docs").out
    assert "API docs" in page
    assert "extends documentation -> _default" in page
    assert re.search(r"/config/maxWorkers\s+8", page)
    assert re.search(r"LANGUAGE\s+en", page)
    assert json.loads(desk("show", "api-docs", "--raw").out) == {
        "$schema": "urn:bigtask:template",
        "id": "api-docs",
        "name": "API docs",
        "description": "Ours",
        "extends": "documentation",
    }
    resolved = json.loads(desk("show", "api-docs", "--resolved").out)
    assert "extends" not in resolved
    assert resolved["config"]["maxWorkers"] == 8
    assert desk.json("show", "api-docs")["template"] == resolved
    assert desk.json("duplicate", "api-docs", "copy")["name"] == "API docs (copy)"
    assert desk.json("create", "third", "--from", "copy")["extends"] == "documentation"
    asked = desk("delete", "copy")
    assert (asked.status, "nobody can be asked" in asked.err) == (3, True)
    assert desk("delete", "copy", "--revision", "0" * 64).status == 1
    assert desk.json("delete", "copy", "--yes")["deleted"]
    assert "no template is called copy" in desk("show", "copy").err
    assert desk("delete", "documentation", "--yes").status == 2


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("create", "../x", "--name", "x"), 2, "can't be the id of a template"),
        (("create", "documentation"), 2, "reserved"),
        (("create",), 2, "give the new template an ID"),
        (("create", "--name", "…"), 2, "no id can be made"),
        (("create", "x", "--from", "documentation", "--extends", "_default"), 2, "choose one of them"),
        (("create", "x", "--extends", "documentaton"), 2, "did you mean documentation?"),
        (("show", "documentaton"), 2, "did you mean documentation?"),
        (("show", "../../etc/passwd"), 2, "can't be the id of a template"),
        (("preview", "documentation", "--phase", "planing"), 2, "isn't a phase"),
        (("preview", "documentation", "--phase", "taskPlaning"), 2, "did you mean taskPlanning?"),
        (("preview", "documentation", "--var", "x"), 2, "isn't NAME=VALUE"),
        (("validate", "gone.json"), 2, "gone.json can't be read"),
        (("validate", "gone"), 2, "no template is called gone"),
        (("import", "gone.zip"), 2, "gone.zip can't be read"),
        (("export",), 2, "name the templates"),
        (("edit", "documentation"), 2, "template duplicate documentation NEW_ID"),
        (("approve", "gone"), 2, "no template is called gone"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    desk: Desktop, arguments: tuple[str, ...], status: int, said: str
) -> None:
    found = desk(*arguments)
    assert (found.status, found.out) == (status, "")
    assert said in found.err
    assert len(found.err.strip().splitlines()) == 1


def test_validate_names_every_place_and_exits_with_one(desk: Desktop) -> None:
    path = desk.team(config={"maxWorker": 1}, hooks={"onEror": ["x"]})
    said = desk("validate", str(path))
    assert said.status == 1
    assert "error /config/maxWorker: maxWorker isn't known here: did you mean maxWorkers?" in said.out
    assert "error /hooks/onEror: onEror isn't known here: did you mean onError?" in said.out
    assert said.err == "1 template: 2 errors, 0 warnings\n"
    assert desk("validate").status == 1
    found = desk("validate", "--json", "-", stdin=json.dumps(child("mine"))).json
    assert found == {"valid": True, "templates": [{"name": "-", "valid": True, "errors": [], "warnings": []}]}
    path.rename(path.with_name("other.json"))
    desk.team()
    path.rename(path.with_name("other.json"))
    assert "the name of its file" in desk("validate", str(path.with_name("other.json"))).out


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "bomb", ["[" * 100_000, "9" * 100_000, '{"a": "\\ud800"}', '{"a":1,"a":2}', "", " " * (1 << 21)]
)
def test_bombs_on_standard_input_are_refused(desk: Desktop, bomb: str) -> None:
    assert desk("validate", "-", stdin=bomb).status == 1
    refused = desk("import", "-", stdin=bomb)
    assert refused.status in (1, 2)
    assert refused.out == ""
    desk("create", "mine")
    assert desk("edit", "mine", "--from", "-", stdin=bomb).status == 2
    assert desk.json("show", "mine")["usable"]


def test_a_preview_is_the_prompt_and_its_warnings(desk: Desktop) -> None:
    found = desk.json("preview", "documentation", "--phase", "worker", "--var", "LANGUAGE=fr")
    assert found["phase"] == "workerExecution"
    assert 'language "fr"' in found["user"]
    assert (found["unknown"], found["warnings"]) == ([], [])
    said = desk("preview", "documentation", "--var", "LANGUAG=fr")
    assert said.out.startswith("You are one of several agents")
    assert said.err == "warning: no prompt of documentation uses LANGUAG: did you mean LANGUAGE?\n"


def test_templates_are_shared_as_files(desk: Desktop) -> None:
    desk("create", "one")
    desk("create", "two", "--extends", "one")
    assert [one["id"] for one in json.loads(desk("export", "one", "two").out)] == ["one", "two"]
    assert json.loads(desk("export", "two").out)["extends"] == "one"
    assert "extends" not in json.loads(desk("export", "two", "--resolved").out)
    packed = desk.place / "team.zip"
    assert desk("export", "--all", "-o", str(packed)).status == 0
    assert "exists already" in desk("export", "--all", "-o", str(packed)).err
    again = desk("import", str(packed))
    assert again.status == 1
    assert "team.zip one.json one is refused:\n  /id: there is a template one already" in again.err
    assert desk.json("import", str(packed), "--replace")["imported"] == 2
    for name in ("two", "one"):
        desk("delete", name, "--yes")
    assert "two is imported" in desk("import", str(packed)).err
    assert desk.json("import", str(packed), "--project")["results"][0]["outcome"] == "created"


def test_an_editor_changes_a_copy_that_is_checked(desk: Desktop) -> None:
    desk("create", "mine", "--name", "M")
    editor = desk.editor('"mine",="mine", "tags": ["edited"],')
    assert "mine is saved" in desk("edit", "mine", EDITOR=editor).err
    assert desk.json("show", "mine")["tags"] == ["edited"]
    assert "stays as it is" in desk("edit", "mine", EDITOR=desk.editor()).err
    wrong = desk("edit", "mine", EDITOR=desk.editor('edited=edited", "x"], "nope": ["'))
    assert wrong.status == 2
    kept = re.search(r"what you wrote is kept: bigtask template edit mine --from (\S+)", wrong.err)
    assert kept is not None
    assert "/nope: nope isn't known here" in wrong.err
    draft = Path(kept[1])
    draft.write_text(draft.read_text().replace("nope", "author").replace('[""]', '"Ada"'))
    assert "mine is saved" in desk("edit", "mine", "--from", str(draft)).err
    draft.unlink()
    assert desk.json("show", "mine")["author"] == "Ada"
    assert "can't be started" in desk("edit", "mine", EDITOR="/nowhere/editor").err


def test_what_an_edit_breaks_is_told(desk: Desktop) -> None:
    desk("create", "base")
    desk("create", "kid", "--extends", "base")
    text = json.dumps({**child("base"), "extends": "kid"})
    assert "a template can't extend itself" in desk("edit", "base", "--from", "-", stdin=text).err
    limits = {"taskPlanning": {"validation": {"minTasks": 60}}}
    desk("edit", "kid", "--from", "-", stdin=json.dumps({**child("kid"), "extends": "base"}))
    raised = child("base", phases={"taskPlanning": {"validation": {"maxTasks": 100}}})
    desk("edit", "base", "--from", "-", stdin=json.dumps(raised))
    desk("edit", "kid", "--from", "-", stdin=json.dumps({**child("kid", phases=limits), "extends": "base"}))
    said = desk("edit", "base", "--from", "-", stdin=json.dumps(child("base")))
    assert "this breaks kid: /phases/taskPlanning/validation/minTasks" in said.err


def test_a_repositorys_template_is_refused_until_it_is_approved(desk: Desktop) -> None:
    desk.team(hooks={"onError": ["/opt/evil/../make", "a b"]})
    run = ("create", "team", "Do it", "--agent", "scripted:none.json")
    refused = here(desk.env, *run, cwd=desk.project.root)
    assert refused.status == 2
    assert "bigtask template approve team" in refused.err
    said = desk("approve", "team")
    assert said.status == 3
    assert "/hooks/onError: /opt/evil/../make 'a b'" in said.err, "programs are shown with where they lie"
    assert desk.json("approve", "team", "--yes")["state"] == "approved"
    assert "bigtask template approve" not in here(desk.env, *run, cwd=desk.project.root).err
    assert desk.json("approve", "team")["state"] == "approved"
    assert desk.json("approve", "team", "--withdraw")["state"] == "withdrawn"
    assert desk("approve", "team").status == 3
    assert desk.json("approve", "documentation")["state"] == "nothing to approve"


def test_what_cannot_be_seen_is_spelled_out_before_it_is_allowed(desk: Desktop) -> None:
    desk.team(hooks={"onError": ["make", "safe\u202e", "\u200b", "x" * 5_000 + "END"]})
    said = desk("approve", "team")
    assert '"safe\\u202e", "\\u200b"' in said.err
    assert "xEND" in said.err


@pytest.mark.integration
def test_at_a_terminal_a_run_asks_for_approval(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    project = repository(tmp_path / "project")
    folder = project.root / ".bigtask" / "templates"
    folder.mkdir(parents=True)
    (folder / "team.json").write_text(json.dumps(child("team", hooks={"onError": ["./tools/notify"]})))
    program = Program(Project(project.root), Desk(home))
    script = tmp_path / "script.json"
    script.write_text("{}")
    arguments = ("create", "team", "Do it", "--agent", f"scripted:{script}", "--without-changes")
    with program.at_terminal(*arguments) as terminal:
        shown = terminal.until("on this machine?")
        assert "/hooks/onError: ./tools/notify" in shown
        terminal.type("n\n")
        assert terminal.ended() == 2
    with program.at_terminal(*arguments) as terminal:
        terminal.until("on this machine?")
        terminal.type("y\n")
        assert terminal.ended() == 0
    assert program("list", "--json").json["runs"][0]["template"] == "team"


@pytest.mark.integration
def test_at_a_terminal_a_person_goes_on_editing(tmp_path: Path) -> None:
    desk = Desktop(tmp_path)
    desk("create", "mine", "--name", "M")
    program = Program(desk.project, Desk(Home(desk.home)))
    editor = desk.editor('"mine",="mine", "nme": 1,', '"nme": 1=  "author": "Ada"')
    os_env = {**program.env, "EDITOR": editor}

    class Edited(Program):
        @property
        def env(self) -> dict[str, str]:
            return os_env

    with Edited(desk.project, Desk(Home(desk.home))).at_terminal("template", "edit", "mine") as terminal:
        assert "/nme: nme isn't known here: did you mean name?" in terminal.until("Go on editing?")
        terminal.type("y\n")
        terminal.until("mine is saved")
        assert terminal.ended() == 0
    assert desk.json("show", "mine")["author"] == "Ada"


def test_ids_are_completed(desk: Desktop) -> None:
    desk("create", "docs-of-mine")
    desk.team()
    (desk.project.root / "sub").mkdir()
    env = {
        **desk.env,
        "_BIGTASK_COMPLETE": "bash_complete",
        "COMP_WORDS": "bigtask template show ",
        "COMP_CWORD": "3",
    }
    said = here(env, cwd=desk.project.root / "sub")
    assert set(said.out.split()) == {
        "plain,docs-of-mine",
        "plain,documentation",
        "plain,implementation",
        "plain,research",
        "plain,team",
    }
