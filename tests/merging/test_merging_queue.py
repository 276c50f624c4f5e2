"""How work comes into the integration branch, one after the other, and out of it again."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bigtask.errors import Conflict, GitError
from bigtask.workspaces import merging_queue, names
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.values import Conflicted, Merged, Nothing, Strategy, TakenOut
from projects import Project
from promises.scale import SEED, seconds, share
from promises.totals import record

from .work import LINES, Bench, all_of, writes

pytestmark = pytest.mark.integration

TRIAL = Strategy(trial=True)


async def test_a_merge_on_trial_is_nobodys_ground_and_no_result(bench: Bench) -> None:
    run = await bench.begin()
    await bench.work(one=writes(x_txt="1\n"))
    before = bench.project.git("rev-parse", "bigtask/r1/main")
    done = await bench.merge("one", strategy=TRIAL)
    assert isinstance(done, Merged)
    trial = await run.trial()
    assert trial is not None
    assert (trial.task_id, trial.n, trial.commit, trial.before) == ("one", 1, done.commit, before)
    assert trial.alone
    assert (bench.main / "x.txt").exists()
    assert (await run.result()).head == before
    assert (await run.acquire("two", 1)).start_commit == before
    await run.keep(trial)
    assert await run.trial() is None
    assert (await run.acquire("three", 1)).start_commit == done.commit
    assert (await run.result()).head == done.commit


async def test_what_is_taken_out_leaves_the_content_of_before_and_every_commit(bench: Bench) -> None:
    run = await bench.begin()
    await bench.work(one=writes(x_txt="1\n", b_txt=None), two=writes(y_txt="2\n"))
    await bench.merge("two")
    before = bench.tree()
    done = await bench.merge("one", strategy=TRIAL)
    assert isinstance(done, Merged)
    trial = await run.trial()
    assert trial is not None
    assert not trial.alone
    reason = "red:\n\nBigtask-Takes-Out: nonsense\nlast line"
    out = await run.take_out(trial, reason)
    assert bench.tree() == before
    assert bench.is_clean()
    assert not (bench.main / "x.txt").exists()
    assert bench.project.git("merge-base", done.commit, out.commit) == done.commit
    assert await bench.merge("one") == TakenOut(commit=out.commit, reason=reason)
    again = await bench.opened()
    assert await again.merge("one", 1, "t") == TakenOut(commit=out.commit, reason=reason)
    # The next attempt begins on what is there, and comes in with the same files.
    work = await again.acquire("one", 2)
    assert not (work.path / "x.txt").exists()
    (work.path / "x.txt").write_text("1 again\n")
    await again.commit("one", 2, "one")
    assert isinstance(await again.merge("one", 2, "t"), Merged)
    assert bench.tree()["x.txt"] == "100644 1 again"


async def test_to_look_back_changes_the_files_and_not_the_branch(bench: Bench) -> None:
    run = await bench.begin()
    await bench.work(one=writes(x_txt="1\n"))
    done = await bench.merge("one", strategy=TRIAL)
    assert isinstance(done, Merged)
    trial = await run.trial()
    assert trial is not None
    async with run.looking_back(trial):
        assert not (bench.main / "x.txt").exists()
        assert bench.project.git("rev-parse", "bigtask/r1/main") == done.commit
    assert bench.is_clean()
    assert (bench.main / "x.txt").exists()
    # A process that ends while it looks back leaves a worktree that the next one brings up.
    async with run.looking_back(trial):
        again = await bench.opened()
    assert (again.integration.path / "x.txt").exists()
    assert bench.is_clean()


async def test_who_came_in_since_an_attempt_began_is_told(bench: Bench) -> None:
    run = await bench.begin()
    await bench.work(one=writes(x_txt="1\n"), two=writes(y_txt="2\n"), three=writes(z_txt="3\n"))
    await bench.merge("one")
    await bench.merge("two", strategy=TRIAL)
    trial = await run.trial()
    assert trial is not None
    assert await run.merged_since("three", 1) == ("one", "two")
    await run.take_out(trial, "red")
    await bench.merge("three")
    assert await run.merged_since("three", 1) == ("one",)


async def test_titles_are_no_place_to_forge_what_was_done(bench: Bench) -> None:
    run = await bench.begin()
    await bench.work(one=writes(x_txt="1\n"), two=writes(y_txt="2\n"))
    done = await bench.merge("one")
    assert isinstance(done, Merged)
    title = f"Bigtask-Takes-Out: {done.commit}\n\nBigtask-Takes-Out: {done.commit}"
    assert isinstance(await run.merge("two", 1, title), Merged)
    assert isinstance(await bench.merge("one"), Merged)


# Documents


CONCATENATE = Strategy(concatenate=True, order=("one", "two", "three", "four"))


def appends(text: str, name: str = "doc.md") -> Callable[[Path], object]:
    def do(at: Path) -> None:
        with (at / name).open("a") as opened:
            opened.write(text)

    return do


@pytest.mark.parametrize("order", [("one", "two", "three"), ("three", "two", "one"), ("two", "three", "one")])
async def test_parts_come_in_plan_order_whoever_comes_first(bench: Bench, order: tuple[str, ...]) -> None:
    run = await bench.begin()
    await bench.work(**{name: appends(f"{name}\n") for name in ("one", "two", "three")})
    for name in order:
        done = await run.merge(name, 1, name, CONCATENATE)
        assert isinstance(done, Merged)
        assert await run.merge(name, 1, name, CONCATENATE) == done
    assert bench.tree()["doc.md"] == "100644 # Title\none\ntwo\nthree"
    assert bench.is_clean()


@pytest.mark.parametrize(
    ("begin", "parts", "whole"),
    [
        ("no end", ("\none\n", "\ntwo\n"), "no end\none\ntwo"),
        ("# T\n", ("one", "two"), "# T\none\ntwo"),
        ("# T\n", ("same\n", "same\n"), "# T\nsame"),
        ("# T\n", ("<<<<<<< quoted\n", "=======\n"), "# T\n<<<<<<< quoted\n=======\n".strip()),
    ],
    ids=["no newline before", "no newline after", "the same part", "what looks like markers"],
)
async def test_parts_end_in_whole_lines(bench: Bench, begin: str, parts: tuple[str, str], whole: str) -> None:
    run = await bench.begin(writes(doc_md=begin))
    await bench.work(one=appends(parts[0]), two=appends(parts[1]))
    for name in ("two", "one"):
        assert isinstance(await run.merge(name, 1, name, CONCATENATE), Merged)
    assert bench.tree()["doc.md"] == f"100644 {whole}"


async def test_who_changes_what_was_there_writes_no_part(bench: Bench) -> None:
    run = await bench.begin()
    await bench.work(one=appends("one\n"), two=writes(doc_md="# Another title\ntwo\n"))
    await run.merge("one", 1, "one", CONCATENATE)
    found = await run.merge("two", 1, "two", CONCATENATE)
    assert isinstance(found, Conflicted)
    rule = Strategy(concatenate=True, order=("one", "two"), favour="ours")
    assert isinstance(await run.merge("two", 1, "two", rule), Merged)
    assert bench.tree()["doc.md"] == "100644 # Title\none"


async def test_after_an_edit_of_the_parts_a_new_one_comes_at_the_end(bench: Bench) -> None:
    """Whose lines those were can't be told any more."""
    run = await bench.begin()
    await bench.work(one=appends("one\n"), two=appends("two\n"), four=appends("four\n"))
    for name in ("four", "two"):
        await run.merge(name, 1, name, CONCATENATE)
    work = await run.acquire("three", 1)
    (work.path / "doc.md").write_text("# Title\nTWO\nfour\n")
    await run.commit("three", 1, "three")
    await run.merge("three", 1, "three", CONCATENATE)
    assert isinstance(await run.merge("one", 1, "one", CONCATENATE), Merged)
    assert bench.tree()["doc.md"] == "100644 # Title\nTWO\nfour\none"


async def test_what_builds_on_a_part_comes_after_it(bench: Bench) -> None:
    run = await bench.begin()
    await bench.work(two=appends("two\n"), three=appends("three\n"))
    await run.merge("two", 1, "two", CONCATENATE)
    await bench.work(four=appends("four, after two\n"))
    await run.merge("four", 1, "four", CONCATENATE)
    assert isinstance(await run.merge("three", 1, "three", CONCATENATE), Merged)
    assert bench.tree()["doc.md"] == "100644 # Title\ntwo\nthree\nfour, after two"


# @aggregation, and what others leave behind


async def test_what_aggregation_writes_is_told_whole_however_often(bench: Bench) -> None:
    run = await bench.begin()
    (bench.main / "left.txt").write_text("by an analysis\n")
    await run.begin_phase(1)
    assert not (bench.main / "left.txt").exists()
    assert bench.project.git("show", "refs/bigtask/rescue/r1/main/1:left.txt") == "by an analysis"
    (bench.main / "own.txt").write_text("o\n")
    at = Project(bench.main)
    at.git("add", "-A")
    at.git("commit", "-q", "-m", "its own")
    (bench.main / "RESULT.md").write_text("r\n")
    # Begun again by the next holder: what is there is its own work.
    again = await bench.opened()
    await again.begin_phase(1)
    done = await again.commit("@aggregation", 1, "What it wrote")
    assert [file.path for file in done.files] == ["RESULT.md", "own.txt"]
    assert await (await bench.opened()).commit("@aggregation", 1, "What it wrote") == done
    assert {"RESULT.md", "own.txt"} <= set(bench.tree())
    assert bench.is_clean()


# Crashes


class Shim:
    """Git, that ends its caller's luck: from the call with the number `at` on, it fails; that one before it
    has done anything, or after."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = place / "bin"
        self._folder.mkdir()
        self._plan, self._calls = place / "plan", place / "calls"
        real = next(Path(at) / "git" for at in os.environ["PATH"].split(":") if (Path(at) / "git").exists())
        shim = self._folder / "git"
        shim.write_text(
            f"#!/bin/sh\necho x >> {self._calls}\nn=$(wc -l < {self._calls})\nread at after < {self._plan}\n"
            f'[ "$n" -lt "$at" ] && exec {real} "$@"\n'
            f'[ "$n" = "$at" ] && [ "$after" = after ] && {real} "$@" > /dev/null\nexit 137\n'
        )
        shim.chmod(0o755)
        self.heal()
        monkeypatch.setenv("PATH", f"{self._folder}:{os.environ['PATH']}")

    def fail(self, at: int, when: str) -> None:
        self._calls.write_text("")
        self._plan.write_text(f"{at} {when}\n")

    def heal(self) -> int:
        """How many calls there were."""
        count = len(self._calls.read_text().splitlines()) if self._calls.exists() else 0
        self._calls.write_text("")
        self._plan.write_text("1000000 never\n")
        return count


async def settles(run: RunWorkspaces) -> str:
    strategy = Strategy(favour="ours", trial=True)
    done = await run.merge("two", 1, "Do two", strategy)
    trial = await run.trial()
    if trial is not None:
        await run.keep(trial)
    assert isinstance(done, Merged)
    return f"{done.settled} {done.side}"


async def takes_out(run: RunWorkspaces) -> str:
    done = await run.merge("two", 1, "Do two", Strategy(favour="theirs", trial=True))
    trial = await run.trial()
    if trial is not None:
        await run.take_out(trial, "red")
    done = await run.merge("two", 1, "Do two")
    assert isinstance(done, TakenOut)
    return done.reason


async def begins(run: RunWorkspaces) -> str:
    """Up to the question."""
    await run.commit("two", 1, "two")
    found = await run.merge("two", 1, "Do two")
    assert isinstance(found, Conflicted)
    begun = await run.begin_merge("two", 1)
    text = (begun.workspace.path / "a.txt").read_text()
    status = Project(begun.workspace.path).git("status", "--porcelain")
    assert "UU a.txt" in status.splitlines()
    return text


async def resolves(run: RunWorkspaces) -> str:
    """From the answer on; what a person has written lies in the workspace."""
    done = await run.commit("two", 1, "two", resolves=True)
    merged = await run.merge("two", 1, "Do two")
    assert isinstance(merged, Merged)
    return " ".join(file.path for file in done.files)


async def joins(run: RunWorkspaces) -> str:
    done = await run.merge(
        "two", 1, "Do two", Strategy(concatenate=True, favour="ours", order=("two", "one"))
    )
    assert isinstance(done, Merged)
    return f"{done.settled} {done.joined}"


async def aggregates(run: RunWorkspaces) -> str:
    await run.begin_phase(1)
    (run.integration.path / "RESULT.md").write_text("r\n")
    return " ".join(file.path for file in (await run.commit("@aggregation", 1, "What it wrote")).files)


Step = Callable[[RunWorkspaces], Awaitable[str]]


async def set_up(bench: Bench, step: Step) -> None:
    run = await bench.begin()
    one, two = LINES.replace("seven", "7 of one"), LINES.replace("seven", "7 of two")
    await bench.work(
        one=all_of(writes(a_txt=one), appends("one\n")),
        two=all_of(writes(a_txt=two), *([appends("two\n")] if step is joins else [])),
    )
    await bench.merge("one")
    if step is resolves:
        begun = await run.begin_merge("two", 1)
        (begun.workspace.path / "a.txt").write_text("both\n")


def seen(bench: Bench) -> object:
    log = bench.project.lines("log", "--first-parent", "--format=%s|%T", "bigtask/r1/main")
    trial = bench.project.git("for-each-ref", "refs/bigtask/trial")
    return bench.tree(), log, trial, bench.is_clean()


@pytest.mark.timeout(seconds(300))
@pytest.mark.parametrize("step", [settles, takes_out, begins, resolves, joins, aggregates])
async def test_whatever_git_call_is_the_last_one_the_next_process_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    shim = Shim(tmp_path, monkeypatch)
    whole = Bench(tmp_path / "whole")
    whole.place.mkdir()
    await set_up(whole, step)
    run = await whole.opened()
    shim.heal()
    told = await step(run)
    calls = shim.heal()
    assert calls > 3
    points = [(at, when) for at in range(1, calls + 1) for when in ("before", "after")]
    chosen = random.Random(SEED).sample(points, share(len(points), part=10))
    for at, when in chosen:
        bench = Bench(tmp_path / f"{at}-{when}")
        bench.place.mkdir()
        await set_up(bench, step)
        run = await bench.opened()
        shim.fail(at, when)
        with pytest.raises((GitError, Conflict)):
            await step(run)
        shim.heal()
        assert await step(await bench.opened()) == told, (at, when)
        assert seen(bench) == seen(whole), (at, when)
    name = f"git's last call while a merge {step.__name__.replace('_', ' ')}"
    record(11, name=name, unit="crashes", count=len(chosen), violations=0)


async def test_work_without_a_change_is_nothing_to_put_on_trial(bench: Bench) -> None:
    run = await bench.begin()
    await bench.work(one=lambda place: None)
    assert isinstance(await bench.merge("one", strategy=TRIAL), Nothing)
    assert await run.trial() is None


# Without the defences


async def test_to_begin_on_a_trial_is_noticed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: nobody finds the ref that says where the branch was before."""
    monkeypatch.setattr(names, "trial_ref", lambda run_id: f"refs/bigtask/nowhere/{os.urandom(4).hex()}")
    with pytest.raises(AssertionError):
        await test_a_merge_on_trial_is_nobodys_ground_and_no_result(bench)


async def test_to_merge_without_looking_is_noticed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: what was taken out isn't found, and so it counts as merged."""
    monkeypatch.setattr(merging_queue, "_TAKES_OUT", "Bigtask-Whatever")
    run = await bench.begin()
    await bench.work(one=writes(x_txt="1\n"))
    await bench.merge("one", strategy=TRIAL)
    trial = await run.trial()
    assert trial is not None
    await run.take_out(trial, "red")
    monkeypatch.setattr(merging_queue, "_TAKES_OUT", "Bigtask-Takes-Out")
    assert isinstance(await bench.merge("one"), Merged)
