from __future__ import annotations

import os

import pytest

from bigtask.errors import Conflict, InvalidInput, NotFound
from bigtask.workspaces.git import Git
from bigtask.workspaces.moving import look_ahead, move
from bigtask.workspaces.values import Merged


async def worked(opened, **files: str | None):
    """A run with one merged attempt that wrote these files (`/` as `__`), or removed them (None)."""
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    for name, text in files.items():
        file = work.path / name.replace("__", "/")
        if text is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    await run.commit("one", 1, "m")
    assert isinstance(await run.merge("one", 1, "t"), Merged)
    return run


async def refused(project, run, sentence: str) -> None:
    before = project.untouched()
    with pytest.raises(Conflict, match=sentence):
        await run.apply_result()
    assert project.untouched() == before
    assert not (project.root.parent / "home/r1/applied.json").exists()


async def test_the_result_is_a_fast_forward_where_nothing_was_done_since(project, opened):
    old = project.git("rev-parse", "HEAD")
    run = await worked(opened, new="n\n", lib__b="x\n", **{"a.txt": "changed\n"})
    applied = await run.apply_result()
    assert applied.commit == (await run.result()).head == project.git("rev-parse", "trunk")
    assert {file.path for file in applied.files} == {"new", "lib/b", "a.txt"}
    assert (project.root / "a.txt").read_text() == "changed\n"
    assert project.git("status", "--porcelain") == ""
    again = await run.apply_result()
    assert (again.commit, again.files, again.already) == (applied.commit, (), True)
    undone = await run.undo_apply()
    assert undone.commit == old == project.git("rev-parse", "trunk")
    assert project.git("status", "--porcelain") == ""
    assert not (project.root / "new").exists()
    with pytest.raises(NotFound):
        await run.undo_apply()
    assert (await run.apply_result()).commit == applied.commit


async def test_the_result_is_merged_with_what_was_done_since(project, opened):
    run = await worked(opened, new="n\n")
    project.write("meanwhile", "m\n")
    own = project.commit("meanwhile")
    project.write("untracked", "u\n")
    applied = await run.apply_result()
    assert project.git("log", "-1", "--format=%P").split() == [own, (await run.result()).head]
    assert (project.root / "new").exists()
    assert project.git("status", "--porcelain") == "?? untracked"
    assert [file.path for file in applied.files] == ["new"]
    await run.undo_apply()
    assert project.git("rev-parse", "HEAD") == own


async def test_a_result_of_nothing_is_nothing(project, opened):
    run = await opened()
    await run.prepare(include_changes=True)
    assert await run.apply_result() == await run.apply_result()
    assert (await run.apply_result()).commit is None


async def test_conflicts_leave_everything_as_it_was(project, opened):
    run = await worked(opened, **{"a.txt": "theirs\n"})
    project.write("a.txt", "ours\n")
    project.commit()
    await refused(project, run, r"a\.txt changed on your branch as well")


async def test_uncommitted_changes_are_refused(project, opened):
    run = await worked(opened, new="n\n")
    project.write("a.txt", "dirty\n")
    await refused(project, run, r"a\.txt isn't committed: commit or stash it")
    project.git("add", "a.txt")
    await refused(project, run, r"a\.txt isn't committed: commit or stash it")


@pytest.mark.parametrize("path", ["new", "x.log", "build/out"])
async def test_files_that_would_be_overwritten_are_refused_also_ignored_ones(project, opened, path):
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    file = work.path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text("theirs\n")
    project.git("add", "-f", path, at=work.path)
    await run.commit("one", 1, "m")
    await run.merge("one", 1, "t")
    project.write(path, "mine\n")
    await refused(project, run, f"{path} changed since, or would be overwritten")


async def test_nothing_is_written_through_a_link_or_over_a_folder(project, opened, tmp_path):
    run = await worked(opened, deep__er__new="n\n", single="s\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    (project.root / "deep").symlink_to(outside)
    await refused(project, run, "deep")
    (project.root / "deep").unlink()
    project.write("single/build/mine", "x")
    await refused(project, run, "single")
    assert not list(outside.iterdir())


async def test_a_folder_that_becomes_a_file_is_no_obstacle(project, opened):
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "lib/b.txt").unlink()
    (work.path / "lib").rmdir()
    (work.path / "lib").write_text("file\n")
    await run.commit("one", 1, "m")
    await run.merge("one", 1, "t")
    await run.apply_result()
    assert (project.root / "lib").read_text() == "file\n"
    await run.undo_apply()
    assert (project.root / "lib/b.txt").read_text() == "b\n"


async def test_a_detached_head_and_a_merge_in_progress_are_refused(project, opened):
    run = await worked(opened, new="n\n")
    project.git("checkout", "-q", "--detach")
    await refused(project, run, "no branch is checked out")
    project.git("checkout", "-q", "trunk")
    (project.root / ".git/MERGE_HEAD").write_text(project.git("rev-parse", "HEAD") + "\n")
    await refused(project, run, "a merge is in progress")


async def test_a_branch_without_a_commit_begins_with_the_result(folder, opened):
    folder.git("init", "-q", "-b", "trunk")
    run = await worked(opened, new="n\n")
    applied = await run.apply_result()
    assert folder.git("rev-parse", "trunk") == applied.commit
    assert folder.git("status", "--porcelain") == ""
    await run.undo_apply()
    assert not (folder.root / "new").exists()
    assert folder.git("for-each-ref", "refs/heads/trunk") == ""


@pytest.mark.parametrize("moved", ["some files", "files and index"])
async def test_a_crash_half_way_is_gone_on_with(project, opened, moved):
    run = await worked(opened, **{"a.txt": "changed\n", "new": "n\n", "other": "o\n"})
    old = project.git("rev-parse", "HEAD")
    head = (await run.result()).head
    record = f'{{"state":"begun","old":"{old}","new":"{head}","branch":"trunk"}}'
    (project.root.parent / "home/r1/applied.json").write_text(record)
    if moved == "some files":
        project.write("a.txt", "changed\n")
        project.write("new", "n\n")
    else:
        project.git("read-tree", "-m", "-u", old, head)
    assert (await run.apply_result()).commit == head
    assert project.git("status", "--porcelain") == ""
    assert project.git("rev-parse", "trunk") == head


async def test_a_crash_before_the_record_was_finished_is_gone_on_with(project, opened):
    run = await worked(opened, new="n\n")
    applied = await run.apply_result()
    record = project.root.parent / "home/r1/applied.json"
    record.write_text(record.read_text().replace("done", "begun"))
    assert (await run.apply_result()).already
    assert "done" in record.read_text()
    assert applied.commit == project.git("rev-parse", "HEAD")


async def test_undo_refuses_when_something_changed_since(project, opened):
    run = await worked(opened, new="n\n")
    await run.apply_result()
    project.write("new", "edited\n")
    with pytest.raises(Conflict, match="new isn't committed"):
        await run.undo_apply()
    project.commit()
    with pytest.raises(Conflict, match="isn't where the merge left it"):
        await run.undo_apply()
    assert (project.root / "new").read_text() == "edited\n"


async def test_a_folder_gets_the_result_and_gives_it_back(folder, opened):
    folder.write("doc.txt", "d\n")
    folder.write("gone.txt", "g\n")
    folder.write(".gitignore", "*.log\n")
    folder.write("x.log", "l\n")
    script = folder.write("run.sh", "#!/bin/sh\n")
    script.chmod(0o755)
    before = folder.untouched()
    run = await worked(opened, **{"doc.txt": "D\n", "gone.txt": None, "sub__new.txt": "n\n"})
    assert folder.untouched() == before
    assert not (folder.root / ".git").exists()
    assert os.access(run.integration.path / "run.sh", os.X_OK)
    assert not (run.integration.path / "x.log").exists()
    again = await opened()
    assert await again.prepare() == (await run.result()).base
    applied = await again.apply_result()
    assert (applied.commit, {file.path: file.status for file in applied.files}) == (
        None,
        {"doc.txt": "modified", "gone.txt": "deleted", "sub/new.txt": "added"},
    )
    assert (folder.root / "doc.txt").read_text() == "D\n"
    assert not (folder.root / "gone.txt").exists()
    assert (await again.apply_result()).already
    assert not (folder.root / ".git").exists()
    await again.undo_apply()
    assert (folder.root / "doc.txt").read_text() == "d\n"
    assert {name: seen.split()[-1] for name, seen in folder.untouched().items()} == {
        name: seen.split()[-1] for name, seen in before.items()
    }
    assert (await again.apply_result()).files == applied.files


async def test_a_folder_with_other_changes_is_refused_and_named(folder, opened):
    folder.write("doc.txt", "d\n")
    folder.write("mine.txt", "m\n")
    run = await worked(opened, **{"doc.txt": "D\n", "new.txt": "n\n"})
    folder.write("mine.txt", "unrelated\n")
    folder.write("doc.txt", "edited\n")
    await refused(folder, run, r"doc\.txt changed since")
    folder.write("doc.txt", "d\n")
    folder.write("new.txt", "mine\n")
    await refused(folder, run, r"new\.txt changed since")
    (folder.root / "new.txt").unlink()
    await run.apply_result()
    assert (folder.root / "mine.txt").read_text() == "unrelated\n"
    folder.write("new.txt", "edited\n")
    with pytest.raises(Conflict, match=r"new\.txt"):
        await run.undo_apply()
    assert (folder.root / "doc.txt").read_text() == "D\n"


async def test_a_folder_half_way_is_gone_on_with(folder, opened):
    folder.write("doc.txt", "d\n")
    folder.write("gone.txt", "g\n")
    run = await worked(opened, **{"doc.txt": "D\n", "gone.txt": None, "new.txt": "n\n"})
    folder.write("doc.txt", "D\n")
    (folder.root / "gone.txt").unlink()
    await run.apply_result()
    assert (folder.root / "new.txt").read_text() == "n\n"
    await run.undo_apply()
    assert (folder.root / "gone.txt").read_text() == "g\n"


async def test_a_folder_with_repositories_in_it_is_refused(folder, opened):
    folder.write("inner/file", "x")
    folder.git("init", "-q", at=folder.root / "inner")
    with pytest.raises(InvalidInput, match="inner/ are repositories"):
        await (await opened()).prepare()


async def test_an_empty_folder_is_a_project(folder, opened):
    run = await worked(opened, new="n\n")
    await run.apply_result()
    assert (folder.root / "new").read_text() == "n\n"


async def test_without_our_own_look_git_overwrites_ignored_files(project, opened, tmp_path):
    """The defence that `move` is: the same step by git alone loses the file."""
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "x.log").write_text("theirs\n")
    project.git("add", "-f", "x.log", at=work.path)
    await run.commit("one", 1, "m")
    await run.merge("one", 1, "t")
    project.write("x.log", "mine\n")
    result = await run.result()
    git = Git(git_dir=project.root / ".git", work_tree=project.root)
    seen = await look_ahead(git, result.base, result.head)
    with pytest.raises(Conflict):
        await move(git, seen, tmp_path / "place")
    assert (project.root / "x.log").read_text() == "mine\n"
    project.git("merge", "-q", "--ff-only", result.head)
    assert (project.root / "x.log").read_text() == "theirs\n"
