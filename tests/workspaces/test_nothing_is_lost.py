from __future__ import annotations

import random
from pathlib import Path

import pytest


def dirty(project, tree: Path, choose: random.Random) -> set[bytes]:
    """Leave a worktree in some state, and say which contents must be found again."""
    written: dict[str, bytes] = {}
    staged: dict[str, bytes] = {}

    def put(path: str) -> None:
        file = tree / path
        if file.is_dir() and not file.is_symlink():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        content = choose.randbytes(24).hex().encode()
        file.unlink(missing_ok=True)
        file.write_bytes(content)
        written[path] = content

    def stage() -> None:
        project.git("add", "-A", "--", ":!cloned", at=tree)
        kept = ("build/", "cloned/", "x.log")
        staged.update({path: content for path, content in written.items() if not path.startswith(kept)})

    def commit() -> None:
        stage()
        project.git("commit", "-q", "--allow-empty", "-m", "agent", at=tree)

    for _ in range(choose.randint(1, 7)):
        match choose.choice(
            ["edit", "stage", "new", "ignored", "delete", "commit", "detach", "branch", "clone", "odd"]
        ):
            case "edit":
                put("a.txt")
            case "stage":
                put("a.txt")
                stage()
            case "new":
                put(f"new{choose.randint(0, 2)}/file")
            case "ignored":
                put(choose.choice(["x.log", "build/deep/out"]))
            case "delete":
                (tree / "lib/b.txt").unlink(missing_ok=True)
            case "commit":
                commit()
            case "detach":
                commit()
                project.git("checkout", "-q", "--detach", at=tree)
            case "branch":
                commit()
                project.git("checkout", "-q", "-b", f"b{choose.randint(0, 10**9)}", at=tree)
            case "clone":
                project.git("init", "-q", "cloned", at=tree)
                put("cloned/file")
            case "odd":
                put(choose.choice(["sp ace\nline", "-rf", ":(top)x", "ünï"]))
    return {*written.values(), *staged.values()}


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("ending", ["release", "crash"])
async def test_every_last_content_is_found_again(project, opened, tmp_path, seed, ending):
    choose = random.Random(f"{ending}{seed}")
    run = await opened()
    await run.prepare()
    work = await run.acquire("one", 1)
    must = dirty(project, work.path, choose)
    before = project.untouched()
    if ending == "crash":
        run = await opened()
        await run.acquire("one", 1)
        assert project.git("status", "--porcelain", at=work.path) == ""
        assert project.git("symbolic-ref", "HEAD", at=work.path) == f"refs/heads/{work.branch}"
    await run.release("one", 1)
    assert not work.path.exists()
    ids = project.git("rev-list", "--all", "--objects").splitlines()
    reachable = set()
    for line in ids:
        at = line.split(" ")[0]
        if project.git("cat-file", "-t", at) == "blob":
            reachable.add(project.git("cat-file", "-p", at).encode())
    trash = tmp_path / "home/r1/trash"
    kept = {file.read_bytes() for file in trash.rglob("*") if file.is_file()} if trash.exists() else set()
    assert must <= reachable | kept
    assert project.untouched() == before
