from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bigtask.agents.table import AgentTable
from bigtask.core.commands import Start
from bigtask.core.states import Outcome
from bigtask.errors import Conflict
from bigtask.host import cleaning, removal, strays
from bigtask.host.access import hold, read_run
from bigtask.host.home import RunFolder
from bigtask.process import proc
from bigtask.workspaces import refs
from bigtask.workspaces.disk_use import used_bytes
from bigtask.workspaces.ports import PortBlocks
from cli.here import here
from cli.person import FAILING, HANGING, PATIENCE_S, Person, Said, works_at
from projects import ENV, Project, repository

pytestmark = pytest.mark.integration

ONE = {"tasks": [{"id": "one"}]}


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


async def bigtask(person: Person, *arguments: str, stdin: str = "") -> Said:
    return await asyncio.to_thread(here, person.env, *arguments, stdin=stdin)


def project_of(person: Person, number: int = 0) -> Project:
    return Project(person.place / f"project-{number}")


def bigtask_refs(project: Project) -> list[str]:
    listed = project.lines("for-each-ref", "--format=%(refname) %(objectname)")
    return [line for line in listed if "bigtask/" in line]


def left_in(folder: RunFolder, project: Project) -> list[str]:
    """Worktrees that git knows, and folders of some."""
    listed = [line for line in project.lines("worktree", "list") if str(folder.path) in line]
    return listed + (os.listdir(folder.workspaces) if folder.workspaces.exists() else [])


async def test_workspaces_of_ended_runs_go_and_what_is_not_committed_is_rescued(person):
    folder = await person.carried_out(ONE)
    project = project_of(person)
    work = next(folder.workspaces.glob("*.main.1")) / "by-hand.txt"
    work.write_text("by hand\n")
    before, branches = project.seen(), set(bigtask_refs(project))
    said = await bigtask(person, "clean", "--yes", "--json")
    assert said.status == 0
    assert [(one["id"], one["what"]) for one in said.json["removed"]] == [(folder.id, "workspaces")]
    assert said.json["bytes"] > 0
    assert left_in(folder, project) == []
    assert (project.seen(), branches <= set(bigtask_refs(project))) == (before, True)
    (rescued,) = [line.split()[0] for line in bigtask_refs(project) if "rescue" in line]
    assert project.git("show", f"{rescued}:by-hand.txt") == "by hand"
    assert (await read_run(folder)).outcome is Outcome.COMPLETE


async def test_a_dry_run_and_a_place_without_a_person_change_nothing(person):
    folder = await person.carried_out(ONE)
    project = project_of(person)
    before = left_in(folder, project)
    dry = await bigtask(person, "clean", "last", "--branches", "--dry-run")
    assert (dry.status, "all of it" in dry.out, "would be freed" in dry.err) == (0, True, True)
    asked = await bigtask(person, "clean", "last")
    assert (asked.status, "--yes" in asked.err) == (3, True)
    assert left_in(folder, project) == before != []


async def test_a_named_run_goes_and_its_branches_stay_until_a_command_names_them(person):
    folder = await person.carried_out(ONE)
    other = await person.carried_out(ONE)
    project = project_of(person)
    before, branches = project.seen(), bigtask_refs(project)
    assert (await bigtask(person, "clean", folder.id, "--yes")).status == 0
    assert not folder.path.exists()
    assert bigtask_refs(project) == branches
    assert [name for name in PortBlocks(folder.ports).names() if folder.id in name] == []
    doctor = await bigtask(person, "doctor", "--json")
    (told,) = [one for one in doctor.json["findings"] if one["area"] == f"run {folder.id[-6:]}"]
    assert "is gone" in told["text"]
    assert told["next"].startswith(f"bigtask clean {folder.id[-6:]} --branches")
    said = await bigtask(person, "clean", folder.id[-6:], "--branches", "--yes")
    assert (said.status, bigtask_refs(project)) == (0, [])
    assert project.seen() == before
    assert other.path.exists()
    assert bigtask_refs(project_of(person, 1)) != []


async def test_a_branch_that_the_person_has_checked_out_is_not_deleted(person):
    folder = await person.carried_out(ONE)
    project = project_of(person)
    await bigtask(person, "clean", "--yes")
    project.git("switch", "-q", f"bigtask/{folder.id}/main")
    before = bigtask_refs(project)
    said = await bigtask(person, "clean", "last", "--branches", "--yes")
    assert said.status == 1
    assert f"bigtask/{folder.id}/main is checked out in {project.root}" in said.err
    assert (folder.path.exists(), bigtask_refs(project)) == (True, before)


async def test_a_run_that_is_not_over_keeps_everything(person):
    folder = await person.left(HANGING, works_at("one"))
    project = project_of(person)
    before = left_in(folder, project)
    for arguments in (("clean", "last", "--branches", "--yes"), ("clean", "--keep", "0", "--yes")):
        said = await bigtask(person, *arguments)
        assert said.status == (1 if "last" in arguments else 0)
        assert left_in(folder, project) == before != []


async def test_a_run_that_somebody_holds_stays_and_the_others_go(person):
    folder = await person.carried_out(FAILING)
    other = await person.carried_out(ONE)
    async with hold(folder, AgentTable(), who="the test", idle=True):
        said = await bigtask(person, "clean", folder.id, other.id, "--yes")
    assert (said.status, "is held by" in said.err) == (1, True)
    assert (folder.path.exists(), other.path.exists()) == (True, False)


async def test_a_result_that_exists_only_with_the_run_stays_unless_it_is_said(person):
    plain = person.place / "plain"
    plain.mkdir()
    (plain / "a.txt").write_text("a\n")
    folder = await person.desk.create(Project(plain), agent=person.desk.script(ONE))
    async with person.carrying_out(folder, lambda run, _: run.outcome is not None):
        pass
    ruled = await bigtask(person, "clean", "--keep", "0", "--yes")
    assert (ruled.status, folder.path.exists()) == (0, True)
    named = await bigtask(person, "clean", "last", "--yes")
    assert (named.status, "exists only with the run" in named.err) == (1, True)
    uninstalled = await bigtask(person, "uninstall", stdin="uninstall\n")
    assert (uninstalled.status, folder.path.exists()) == (1, True)
    assert (await bigtask(person, "clean", "last", "--branches", "--yes")).status == 0
    assert not folder.path.exists()
    assert sorted(os.listdir(plain)) == ["a.txt"]


async def test_a_run_whose_project_is_gone_goes_only_with_a_word_about_its_work(person):
    folder = await person.carried_out(ONE)
    project_of(person).root.rename(person.place / "elsewhere")
    said = await bigtask(person, "clean", "last", "--yes")
    assert (said.status, "its workspaces can't be given up" in said.err) == (1, True)
    assert folder.workspaces.exists()
    assert (await bigtask(person, "clean", "last", "--branches", "--yes")).status == 0
    assert not folder.path.exists()


async def test_a_run_that_cannot_be_read_is_left_alone(person):
    folder = await person.carried_out(ONE)
    folder.log.write_bytes(b"no log" * 500)
    assert (await bigtask(person, "clean", "--keep", "0", "--yes")).status == 0
    assert folder.workspaces.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--older-than", "soon"), "isn't an age"),
        (("--keep", "-1"), "range"),
        (("last", "--keep", "1"), "give one of them"),
        (("--branches",), "needs the runs"),
        (("nothing",), "isn't the id of a run"),
        (("zzzzzz", "--branches"), "there is no run"),
    ],
)
def test_what_cannot_be_meant_is_refused(person, arguments, said):
    found = here(person.env, "clean", *arguments)
    assert (found.status, said in found.err) == (2, True)


CLEANER = """
import asyncio, os, signal, sys
from pathlib import Path
from bigtask.agents.table import AgentTable
from bigtask.host import cleaning, removal
from bigtask.host.home import Home
from bigtask.host.retention import Removal, What
from bigtask.workspaces import refs, worktree
at, home, run_id = sys.argv[1:]
def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
async def die_soon(*arguments, **options):
    die()
if at == "rescue":
    worktree.Worktree.remove = die_soon
elif at == "refs":
    refs.delete = die_soon
elif at == "forget":
    removal.PortBlocks.give_back = die
elif at == "rename":
    Path.rename = die
else:
    removal.remove_tree = die
removal_of = Removal(id=run_id, what=What.RUN, used=0, why="")
asyncio.run(cleaning.carry_out(Home(Path(home)), AgentTable(), removal_of, branches=True))
"""


@pytest.mark.parametrize("at", ["rescue", "refs", "forget", "rename", "tree"])
async def test_a_cleaning_that_is_killed_anywhere_can_be_repeated_and_has_lost_nothing(person, at):
    folder = await person.carried_out(ONE)
    project = project_of(person)
    (next(folder.workspaces.glob("*.main.1")) / "by-hand.txt").write_text("by hand\n")
    before = project.seen()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CLEANER,
        at,
        str(person.home.path),
        folder.id,
        env={**ENV, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == -signal.SIGKILL
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if at in ("rescue", "refs"):
        assert any("rescue" in line for line in bigtask_refs(project))
    said = await bigtask(person, "clean", "--keep", "0", "--yes")
    assert said.status == 0, said.err
    assert project.seen() == before
    assert [path.name for path in person.home.runs.iterdir()] == []
    assert PortBlocks(folder.ports).names() == ()
    assert project.lines("worktree", "list")[1:] == []


async def test_a_doctor_finds_what_is_left_over_and_names_the_command(person, monkeypatch):
    folder = await person.carried_out(ONE)
    project = project_of(person)
    (person.home.runs / f"{folder.id}.deleted").mkdir()
    PortBlocks(person.home.ports).take("01hzzzzzzzzzzzzzzzzzzzzzzz.one.1")
    for path in folder.workspaces.iterdir():
        removal.remove_tree(path)
    found = (await bigtask(person, "doctor", "--json")).json["findings"]
    texts = {one["next"]: one["text"] for one in found if one["area"] == "left over"}
    assert set(texts) == {"bigtask clean", f"git -C {project.root} worktree prune"}
    project.git("worktree", "prune")
    assert (await bigtask(person, "clean", "--yes")).status == 0
    found = (await bigtask(person, "doctor", "--json")).json["findings"]
    assert [one["level"] for one in found if one["area"] == "left over"] == ["ok"]


async def test_processes_that_nobody_carries_out_are_found_and_those_of_a_holder_are_not(person, monkeypatch):
    if not proc.pids():
        pytest.skip("this system has no /proc")
    monkeypatch.setattr(strays, "_SETTLED_S", -1.0)
    marked = {**ENV, proc.TAG: f"{'0' * 32}:abc", "TMPDIR": str(person.home.runs.resolve() / "x" / "tmp")}
    begin = ["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"]
    done = await asyncio.to_thread(subprocess.run, begin, env=marked, check=True, capture_output=True)
    pid = int(done.stdout)
    try:
        folder = await person.create({**HANGING, "process": True})
        async with person.carrying_out(folder, works_at("one")):
            found = strays.processes(person.home)
            ours = {one for one in proc.pids() if proc.tag(one) and os.getpid() in strays._line(one)}
            assert found == [pid]
            assert ours
    finally:
        os.kill(pid, signal.SIGKILL)


async def test_open_tells_where_a_task_is_worked_at_and_later_how_to_get_at_it(person):
    folder = await person.create(HANGING)
    project = project_of(person)
    async with person.carrying_out(folder, works_at("one")):
        said = await bigtask(person, "open", "last", "one")
        assert (said.status, Path(said.out.strip()).is_dir()) == (0, True)
        editing = {**person.env, "VISUAL": f"touch {person.place}/edited"}
        assert (await asyncio.to_thread(here, editing, "open", "last", "one", "--editor")).status == 0
        assert (person.place / "edited").exists()
        whole = await bigtask(person, "open", "last", "--json")
        assert whole.json["branch"] == f"bigtask/{folder.id}/main"
    for task, words in (("nope", "no task 'nope'"),):
        said = await bigtask(person, "open", "last", task)
        assert (said.status, words in said.err) == (2, True)
    done = await person.carried_out(ONE)
    await bigtask(person, "clean", "--yes")
    said = await bigtask(person, "open", "last", "one")
    assert said.status == 2
    command = said.err.split("`")[1].replace("~", str(person.place))
    assert f"bigtask/{done.id}/one/1" in command
    project.git(*shlex.split(command)[1:])


async def test_uninstalling_takes_everything_of_ours_and_nothing_of_the_person_s(person):
    done = await person.carried_out(ONE)
    unfinished = await person.left(HANGING, works_at("one"))
    first, second = project_of(person), project_of(person, 1)
    work = next(unfinished.workspaces.glob("*.one.1")) / "half.txt"
    work.write_text("half\n")
    (person.home.path / "notes.txt").write_text("mine\n")
    (first.root / ".bigtask").mkdir()
    (first.root / ".bigtask" / "config.toml").write_text("")
    before = first.seen(), second.seen()
    dry = await bigtask(person, "uninstall", "--dry-run", "--json")
    assert {left["runId"] for left in dry.json["branches"]} == {done.id, unfinished.id}
    assert str(person.home.templates) in dry.json["yours"]
    listed = await bigtask(person, "uninstall", "--dry-run")
    assert f"goes   what bigtask keeps in {person.home.path}" in listed.out
    refused = await bigtask(person, "uninstall", stdin="yes\n")
    assert (refused.status, done.path.exists()) == (1, True)
    said = await bigtask(person, "uninstall", stdin="uninstall\n")
    assert said.status == 0, said.err
    assert (first.seen(), second.seen()) == before
    left = sorted(path.name for path in person.home.path.iterdir() if not path.match("script-*.json"))
    assert left == ["notes.txt", "templates"]
    for project in (first, second):
        assert project.lines("worktree", "list")[1:] == []
        assert bigtask_refs(project) != []
    (rescued,) = [line.split()[0] for line in bigtask_refs(second) if "rescue" in line]
    assert second.git("show", f"{rescued}:half.txt") == "half"


async def test_uninstalling_with_branches_leaves_nothing_in_any_repository(person):
    await person.carried_out(ONE)
    gone = await person.carried_out(ONE)
    assert (await bigtask(person, "clean", gone.id, "--yes")).status == 0
    said = await bigtask(person, "uninstall", "--branches", stdin="uninstall\n")
    assert said.status == 0, said.err
    for number in (0, 1):
        assert bigtask_refs(project_of(person, number)) == []


async def test_uninstalling_is_refused_while_somebody_works(person):
    folder = await person.create(HANGING)
    async with person.carrying_out(folder, works_at("one")):
        said = await bigtask(person, "uninstall", stdin="uninstall\n")
    assert (said.status, "is being carried out" in said.err) == (1, True)
    assert folder.path.exists()


async def test_a_tree_is_removed_whatever_lies_in_it_and_nothing_outside(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "hers").write_text("hers")
    tree = tmp_path / "tree"
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "link").symlink_to(outside)
    (tree / "deep" / "file").symlink_to(outside / "hers")
    os.link(outside / "hers", tree / "hard")
    os.mkfifo(tree / "pipe")
    (tree / "deep").chmod(0o500)
    removal.remove_tree(tree)
    removal.remove_tree(tree)
    assert not tree.exists()
    assert (outside / "hers").read_text() == "hers"


def test_the_space_of_a_folder_follows_no_link_and_counts_names_once(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 1_000_000)
    alone = used_bytes(tmp_path)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "link").symlink_to("/usr")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert 1_000_000 <= alone <= used_bytes(tmp_path) <= alone + 65_536
    assert used_bytes(tmp_path / "nothing") == 0


async def test_refs_that_are_not_called_like_ours_are_nobody_s(tmp_path):
    from bigtask.workspaces.source import examine

    project = repository(tmp_path / "project")
    for name in ("refs/heads/bigtask/mine", "refs/bigtask/base/short", "refs/heads/bigtask/01h/main"):
        project.git("update-ref", name, "HEAD")
    source = await examine(project.root)
    assert await refs.kept(source.git) == {}
    assert await refs.delete(source.git, "01hzzzzzzzzzzzzzzzzzzzzzzz", own=tmp_path) == 0


async def test_the_rules_come_from_the_configuration(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("keepRuns = 3\nkeepGib = 0.5\n")
    found = cleaning.rules({"BIGTASK_CONFIG": str(config), "BIGTASK_KEEP_DAYS": "2"})
    assert (found.runs, found.days, found.gib, found.trash_days) == (3, 2, 0.5, 7)


async def test_deleting_a_run_that_has_not_ended_is_refused(person):
    folder = await person.create(ONE)
    async with hold(folder, AgentTable(), who="the test", idle=True) as link:
        await link.ask(Start())
    with pytest.raises(Conflict, match="delete isn't possible"):
        await removal.delete(folder, AgentTable())
    assert folder.path.exists()


async def test_once_a_day_a_new_run_cleans_up_after_old_ones(person, monkeypatch):
    folder = await person.carried_out(ONE)
    project = project_of(person)
    before, branches = project.seen(), bigtask_refs(project)
    rules = {"BIGTASK_KEEP_RUNS": "0", "BIGTASK_CONFIG": "/dev/null"}
    agents = AgentTable()
    (person.home.path / "cleaned").touch()
    assert await cleaning.now_and_then(person.home, agents, rules) == []
    (person.home.path / "cleaned").unlink()
    # What has just ended may still be looked at.
    assert await cleaning.now_and_then(person.home, agents, {**rules, "BIGTASK_KEEP_RUNS": "9"}) == []
    (person.home.path / "cleaned").unlink()
    agent = person.desk.script(ONE)
    said = await person.bigtask("create", "tested", "More", "--agent", agent, cwd=project.root, env=rules)
    assert (said.status, "cleaned up after 1 ended run" in said.err) == (0, True)
    assert not folder.path.exists()
    assert (project.seen(), bigtask_refs(project)) == (before, branches)
