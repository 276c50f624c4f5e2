from __future__ import annotations

import shutil
from typing import Any

import pytest

from bigtask.core.states import Outcome
from bigtask.host import space
from bigtask.host.access import read_run
from bigtask.host.space import GIB, Space

from .scene import ENDS, Scene, answered, until


@pytest.mark.integration
async def test_workspaces_that_take_too_much_are_a_question_before_the_next_one_is_made(tmp_path):
    scene = Scene(tmp_path, {"tasks": [{"id": "one"}, {"id": "two", "dependencies": ["one"]}]})
    folder = await scene.create(scene.project({"large": "x" * 300_000}), workspaces_gib=200_000 / GIB)
    async with scene.held(folder) as link:
        asked = (await until(link, "orchestrator:waiting")).data.waiting
        assert "the workspaces of this run take" in asked.question
        assert "workspacesGib allows" in asked.question
        await answered(link, "without")
        await until(link, *ENDS)
    run = await read_run(folder)
    assert run.outcome is Outcome.COMPLETE
    assert [len(record.attempts) for record in run.tasks.values()].count(1) == 1


def disk(monkeypatch: pytest.MonkeyPatch, *, free: int, total: int = 1_000 * GIB) -> None:
    usage = type(shutil.disk_usage("/"))(total, total - free, free)
    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: usage)


async def test_some_of_the_disk_stays_free_and_of_a_small_disk_a_part(tmp_path, monkeypatch):
    disk(monkeypatch, free=100 << 20)
    assert await Space(tmp_path / "none" / "yet").lack(None) == (
        "the disk that workspaces are made on has only 100 MiB left"
    )
    disk(monkeypatch, free=100 << 20, total=1 * GIB)
    assert await Space(tmp_path).lack(None) is None


async def test_nothing_is_measured_again_before_the_disk_has_become_fuller(tmp_path, monkeypatch):
    measured: list[Any] = []

    def measure(path: Any) -> int:
        measured.append(path)
        return 2 * GIB

    monkeypatch.setattr(space, "used_bytes", measure)
    watched = Space(tmp_path)
    disk(monkeypatch, free=500 * GIB)
    assert await watched.lack(10) is None
    disk(monkeypatch, free=497 * GIB)
    assert (await watched.lack(10), len(measured)) == (None, 1)
    disk(monkeypatch, free=495 * GIB)
    assert (await watched.lack(10), len(measured)) == (None, 2)
    assert "workspacesGib allows 1" in (await Space(tmp_path).lack(1) or "")
