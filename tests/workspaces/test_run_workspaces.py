from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from bigtask.errors import InvalidInput, NotFound
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.source import examine
from bigtask.workspaces.values import Conflicted, Merged, Nothing


async def test_a_run_from_start_to_result_touches_nothing_of_the_persons(project, opened):
    project.write("a.txt", "one\ntwo\nthree changed by hand\n")
    project.write("staged.txt", "s\n")
    project.git("add", "staged.txt")
    project.write("noise.log", "ignored\n")
    before = project.untouched()
    run = await opened()
    base = await run.prepare()
    assert base == project.git("rev-parse", "HEAD")
    first, second = await asyncio.gather(run.acquire("one", 1), run.acquire("two", 1))
    (first.path / "a.txt").write_text("ONE\ntwo\nthree\n")
    (first.path / "lib/b.txt").unlink()
    (second.path / "sub").mkdir()
    (second.path / "sub/new.txt").write_text("n\n")
    done = await run.commit("one", 1, "one's work")
    assert [(f.path, f.status, f.insertions, f.deletions) for f in done.files] == [
        ("a.txt", "modified", 1, 1),
        ("lib/b.txt", "deleted", 0, 1),
    ]
    assert (done.insertions, done.deletions) == (1, 2)
    assert await run.commit("one", 1, "again") == done
    await run.commit("two", 1, "two's work")
    merged = await run.merge("one", 1, "Do one")
    assert isinstance(merged, Merged)
    assert await run.merge("one", 1, "Do one") == merged
    assert isinstance(await run.merge("two", 1, "Do two"), Merged)
    assert "Bigtask-Task: one\nBigtask-Attempt: 1" in project.git("log", "-1", "--format=%B", merged.commit)
    assert (run.integration.path / "a.txt").read_text() == "ONE\ntwo\nthree\n"
    assert not (run.integration.path / "lib/b.txt").exists()
    assert (run.integration.path / "sub/new.txt").exists()
    assert project.git("status", "--porcelain", at=run.integration.path) == ""
    result = await run.result()
    assert {f.path for f in result.files} == {"a.txt", "lib/b.txt", "sub/new.txt"}
    assert (result.base, result.commits) == (base, 4)
    assert b"+ONE" in await run.diff()
    assert b"+ONE" in await run.diff("one")
    assert b"+ONE" not in await run.diff("two")
    assert await run.release("one", 1) is None
    assert await run.release("two", 1) is None
    assert await run.release("two", 1) is None
    kinds = [(leftover.kind, Path(leftover.name).name) for leftover in await run.leftovers()]
    assert kinds == [("worktree", "r1.main.1"), ("branch", "main"), ("branch", "1"), ("branch", "1")]
    assert project.untouched() == before


async def test_a_snapshot_takes_what_is_not_committed_and_not_ignored(project, opened):
    project.write("a.txt", "changed\n")
    project.write("staged.txt", "s\n")
    project.git("add", "staged.txt")
    project.write("dir/new.txt", "n\n")
    project.write("noise.log", "ignored\n")
    (project.root / "lib/b.txt").unlink()
    (project.root / "link").symlink_to("a.txt")
    before = project.untouched()
    run = await opened()
    base = await run.prepare(include_changes=True)
    assert project.untouched() == before
    assert project.git("rev-parse", f"{base}^") == project.git("rev-parse", "HEAD")
    names = project.git("ls-tree", "-r", "--name-only", base).splitlines()
    assert names == [".gitignore", "a.txt", "dir/new.txt", "link", "staged.txt"]
    assert (run.integration.path / "a.txt").read_text() == "changed\n"
    again = await opened()
    assert await again.prepare() == base


async def test_a_clean_snapshot_is_the_head(project, opened):
    assert await (await opened()).prepare(include_changes=True) == project.git("rev-parse", "HEAD")


async def test_another_base_may_be_chosen(project, opened):
    first = project.git("rev-parse", "HEAD")
    project.git("tag", "v1")
    project.write("later.txt", "x")
    project.commit()
    run = await opened()
    for hostile in ("nowhere", "--upload-pack=touch x", "-h", "HEAD:a.txt"):
        with pytest.raises(InvalidInput, match="choose a branch"):
            await run.prepare(base=hostile)
    assert await run.prepare(base="v1") == first


async def test_a_repository_without_a_commit_gets_an_empty_base(folder, opened):
    folder.git("init", "-q", "-b", "trunk")
    folder.write("new.txt", "n\n")
    before = folder.untouched()
    run = await opened()
    base = await run.prepare()
    assert folder.git("ls-tree", "-r", base) == ""
    work = await run.acquire("one", 1)
    (work.path / "x").write_text("x")
    await run.commit("one", 1, "m")
    assert isinstance(await run.merge("one", 1, "t"), Merged)
    assert folder.untouched() == before


async def test_repositories_inside_are_refused_by_name(project, opened):
    project.write("inner/file", "x")
    project.git("init", "-q", at=project.root / "inner")
    with pytest.raises(InvalidInput, match="inner/ are repositories of their own"):
        await (await opened()).prepare(include_changes=True)
    assert await (await opened()).prepare()


async def test_the_runs_folder_may_not_lie_in_the_project(project):
    with pytest.raises(InvalidInput, match="inside the project"):
        RunWorkspaces("r1", await examine(project.root), project.root / "runs")


async def test_a_branch_in_the_way_is_named(project, opened):
    project.git("branch", "bigtask")
    with pytest.raises(InvalidInput, match="the branch bigtask stands"):
        await (await opened()).prepare()


async def test_paths_are_relative_to_where_the_run_works(project, opened):
    run = await opened("lib")
    await run.prepare()
    work = await run.acquire("one", 1)
    assert work.path.name == "lib"
    (work.path / "b.txt").write_text("B\n")
    (work.path.parent / "a.txt").write_text("outside\n")
    done = await run.commit("one", 1, "m")
    assert {file.path for file in done.files} == {"b.txt", "../a.txt"}


async def test_conflicts_are_told_before_anything_is_touched(project, opened):
    run = await opened()
    await run.prepare()
    for task in ("one", "two"):
        work = await run.acquire(task, 1)
        (work.path / "a.txt").write_text(f"{task}\n")
        await run.commit(task, 1, "m")
    assert isinstance(await run.merge("one", 1, "t"), Merged)
    before = project.git("rev-parse", run.integration.branch)
    conflict = await run.merge("two", 1, "t")
    assert isinstance(conflict, Conflicted)
    (file,) = conflict.files
    assert file.path == "a.txt"
    assert file.ours is not None
    assert [project.git("cat-file", "-p", blob or "") for blob in (file.base, file.ours, file.theirs)] == [
        "one\ntwo\nthree",
        "one",
        "two",
    ]
    assert project.git("rev-parse", run.integration.branch) == before
    assert project.git("status", "--porcelain", at=run.integration.path) == ""


async def test_an_attempt_without_work_has_nothing_to_merge(project, opened):
    run = await opened()
    await run.prepare()
    await run.acquire("one", 1)
    assert (await run.commit("one", 1, "m")).commit is None
    assert isinstance(await run.merge("one", 1, "t"), Nothing)
    with pytest.raises(NotFound):
        await run.merge("two", 1, "t")
    with pytest.raises(NotFound):
        await run.commit("two", 1, "m")


async def test_an_attempt_starts_with_the_work_that_was_merged_before(project, opened):
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "new").write_text("x")
    await run.commit("one", 1, "m")
    await run.merge("one", 1, "t")
    later = await run.acquire("two", 1)
    assert (later.path / "new").exists()
    earlier = await run.acquire("three", 1, start=work.start_commit)
    assert not (earlier.path / "new").exists()
    with pytest.raises(NotFound, match="no commit"):
        await run.acquire("four", 1, start="--force")


async def test_commits_that_an_agent_made_itself_count(project, opened):
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "own").write_text("x")
    project.git("add", "-A", at=work.path)
    project.git("commit", "-q", "-m", "own", at=work.path)
    project.git("checkout", "-q", "-b", "elsewhere", at=work.path)
    (work.path / "strayed").write_text("x")
    project.git("add", "-A", at=work.path)
    project.git("commit", "-q", "-m", "strayed", at=work.path)
    strayed = project.git("rev-parse", "elsewhere")
    (work.path / "left").write_text("x")
    done = await run.commit("one", 1, "m")
    assert {file.path for file in done.files} == {"own", "strayed", "left"}
    assert project.git("symbolic-ref", "HEAD", at=work.path) == f"refs/heads/{work.branch}"
    assert project.git("rev-parse", "elsewhere") == strayed
    assert await run.commit("one", 1, "m") == done
    assert await run.release("one", 1) is None


async def test_a_reserved_task_writes_in_the_integration_workspace(project, opened):
    run = await opened()
    await run.prepare()
    (run.integration.path / "RESULT.md").write_text("r\n")
    done = await run.commit("@aggregation", 1, "Result")
    assert [file.path for file in done.files] == ["RESULT.md"]
    assert project.git("rev-parse", run.integration.branch) == done.commit
    assert project.git("status", "--porcelain", at=run.integration.path) == ""


async def test_uncommitted_work_of_an_ended_attempt_is_kept(project, opened):
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "a.txt").write_text("staged\n")
    project.git("add", "-A", at=work.path)
    (work.path / "a.txt").write_text("unstaged\n")
    (work.path / "new").write_text("new\n")
    (work.path / "x.log").write_text("log\n")
    (work.path / "build").mkdir()
    (work.path / "build/out").write_text("out\n")
    (work.path / "cloned").mkdir()
    project.git("init", "-q", at=work.path / "cloned")
    (work.path / "cloned/file").write_text("cloned\n")
    (work.path / ".git").read_text()
    lock = project.root / ".git/worktrees/r1.one.1/index.lock"
    lock.touch()
    rescue = await run.release("one", 1)
    assert rescue is not None
    assert project.git("show", f"{rescue.ref}:a.txt") == "unstaged"
    assert project.git("show", f"{rescue.ref}^2:a.txt") == "staged"
    assert project.git("show", f"{rescue.ref}:new") == "new"
    assert not list((run.integration.path.parent).glob("r1.one*"))
    kept = {
        file.name: file.read_text()
        for file in run.integration.path.parent.parent.glob("trash/**/*")
        if file.is_file()
    }
    assert kept.items() >= {"x.log": "log\n", "out": "out\n", "file": "cloned\n"}.items()
    assert project.git("rev-parse", work.branch) == work.start_commit
    assert not work.tmp.exists()


async def test_a_merge_conflict_left_in_a_workspace_is_kept_as_it_lies(project, opened):
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    project.write("a.txt", "theirs\n")
    project.commit()
    (work.path / "a.txt").write_text("ours\n")
    await run.commit("one", 1, "m")
    with pytest.raises(Exception, match="merge"):
        project.git("merge", "-q", "trunk", at=work.path)
    rescue = await run.release("one", 1)
    assert rescue is not None
    assert "<<<<<<<" in project.git("show", f"{rescue.commit}:a.txt")
    assert not work.path.exists()


async def test_what_a_dead_process_left_is_rescued_and_its_commits_go_on(project, opened):
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "kept").write_text("x")
    await run.commit("one", 1, "m")
    (work.path / "half").write_text("first")
    again = await opened()
    await again.prepare()
    resumed = await again.acquire("one", 1)
    assert resumed == work
    assert (resumed.path / "kept").exists()
    assert not (resumed.path / "half").exists()
    assert project.git("show", "refs/bigtask/rescue/r1/one/1:half") == "first"
    (resumed.path / "half").write_text("second")
    assert await again.acquire("one", 1) == resumed
    assert (resumed.path / "half").read_text() == "second"
    third = await opened()
    await third.acquire("one", 1)
    assert project.git("show", "refs/bigtask/rescue/r1/one/1:half") == "second"
    assert "first" in project.git("log", "-p", "--format=", "refs/bigtask/rescue/r1/one/1")


@pytest.mark.parametrize("damage", ["locked", "no index", "no record", "no folder"])
async def test_a_worktree_that_was_never_finished_is_made_again(project, opened, damage):
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    record = project.root / ".git/worktrees/r1.one.1"
    match damage:
        case "locked":
            (record / "locked").write_text("initializing")
        case "no index":
            (record / "index").unlink()
        case "no record":
            record.rename(project.root.parent / "moved")
        case "no folder":
            work.path.rename(project.root.parent / "moved")
    again = await opened()
    assert await again.acquire("one", 1) == work
    assert (work.path / "a.txt").exists()
    assert project.git("status", "--porcelain", at=work.path) == ""
    assert await again.release("one", 1) is None


async def test_a_crash_between_branch_and_worktree_is_made_good(project, opened):
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "new").write_text("x")
    await run.commit("one", 1, "m")
    await run.merge("one", 1, "t")
    project.git("read-tree", "-m", "-u", "HEAD", "HEAD^", at=run.integration.path)
    assert not (run.integration.path / "new").exists()
    again = await opened()
    await again.prepare()
    assert (run.integration.path / "new").exists()
    assert project.git("status", "--porcelain", at=run.integration.path) == ""
    assert project.git("for-each-ref", "refs/bigtask/rescue") == ""


async def test_what_lies_in_the_way_in_the_integration_workspace_is_kept(project, opened):
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "a.txt").write_text("merged\n")
    await run.commit("one", 1, "m")
    (run.integration.path / "a.txt").write_text("left here\n")
    assert isinstance(await run.merge("one", 1, "t"), Merged)
    assert (run.integration.path / "a.txt").read_text() == "merged\n"
    assert project.git("show", "refs/bigtask/rescue/r1/main/1:a.txt") == "left here"


async def test_hooks_and_programs_of_the_repository_are_not_run(project, opened, tmp_path):
    canary = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {canary}\n")
    script.chmod(0o755)
    for hook in (
        "post-checkout",
        "pre-commit",
        "post-commit",
        "reference-transaction",
        "post-merge",
        "post-index-change",
    ):
        (project.root / ".git/hooks" / hook).symlink_to(script)
    project.git("config", "core.fsmonitor", str(script))
    project.git("config", "diff.external", str(script))
    project.git("config", "commit.gpgSign", "true")
    project.git("config", "gpg.program", str(script))
    canary.unlink(missing_ok=True)
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "a.txt").write_text("x\n")
    await run.commit("one", 1, "m")
    assert isinstance(await run.merge("one", 1, "t"), Merged)
    await run.result()
    await run.diff()
    await run.release("one", 1)
    await run.apply_result()
    await run.undo_apply()
    assert not canary.exists()
    project.git("checkout", "-q", "-b", "the-canary-lives")
    assert canary.exists()


async def test_an_acquired_workspace_costs_few_git_processes(project, opened, tmp_path, monkeypatch):
    run = await opened()
    await run.prepare()
    (tmp_path / "bin").mkdir()
    real = next(Path(at) / "git" for at in os.environ["PATH"].split(":") if (Path(at) / "git").exists())
    shim = tmp_path / "bin/git"
    shim.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nexec {real} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    await run.acquire("one", 1)
    assert len((tmp_path / "calls").read_text().splitlines()) == 3


async def test_many_at_once(project, opened):
    run = await opened()
    await run.prepare()
    works = await asyncio.gather(*(run.acquire(f"t{i}", 1) for i in range(8)))
    for i, work in enumerate(works):
        (work.path / f"f{i}").write_text("x")
    await asyncio.gather(*(run.commit(f"t{i}", 1, "m") for i in range(8)))
    merged = await asyncio.gather(*(run.merge(f"t{i}", 1, "t") for i in range(8)))
    assert all(isinstance(outcome, Merged) for outcome in merged)
    assert len((await run.result()).files) == 8
    await asyncio.gather(*(run.release(f"t{i}", 1) for i in range(8)))
