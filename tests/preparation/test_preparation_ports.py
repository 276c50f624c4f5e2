from __future__ import annotations

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bigtask.errors import Conflict
from bigtask.host.removal import give_up_workspaces
from bigtask.workspaces import ports
from bigtask.workspaces.ports import BLOCKS, FIRST, SIZE, PortBlocks
from projects import ENV

from .scene import Scene


def test_a_block_stays_the_same_until_it_is_given_back(tmp_path):
    blocks = PortBlocks(tmp_path / "ports.json")
    first = blocks.take("one")
    assert len(first) == SIZE
    assert FIRST <= first[0] <= first[-1] < 30_000
    assert PortBlocks(tmp_path / "ports.json").take("one") == first
    assert blocks.take("two") != first
    blocks.give_back(["one", "nobody"])
    assert blocks.names() == ("two",)


def test_no_two_have_a_port_in_common_whoever_asks_at_once(tmp_path):
    def take(number: int) -> range:
        return PortBlocks(tmp_path / "ports.json").take(f"attempt {number}")

    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(take, range(60)))
    assert len({port for block in taken for port in block}) == 60 * SIZE


PROCESS = """
import sys
from pathlib import Path
from bigtask.workspaces.ports import PortBlocks
for number in range(10):
    print(PortBlocks(Path(sys.argv[1])).take(f"{sys.argv[2]}.{number}")[0])
"""


@pytest.mark.integration
def test_processes_agree(tmp_path):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path / "ports.json"), str(number)],
            env={**ENV, "PYTHONPATH": str(Path(ports.__file__).parents[2])},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    firsts = [line for process in started for line in process.communicate(timeout=60)[0].splitlines()]
    assert len(firsts) == len(set(firsts)) == 40


def test_a_block_that_somebody_uses_is_passed_over(tmp_path):
    block = PortBlocks(tmp_path / "one.json").take("x")
    with socket.create_server(("127.0.0.1", block[7])):
        assert PortBlocks(tmp_path / "two.json").take("x") != block
    assert PortBlocks(tmp_path / "three.json").take("x") == block


def test_when_all_are_taken_a_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(ports, "_free", lambda port: True)
    blocks = PortBlocks(tmp_path / "ports.json")
    blocks._write({str(number): number for number in range(BLOCKS)})
    with pytest.raises(Conflict, match="bigtask clean"):
        blocks.take("one more")


def test_a_file_that_a_power_cut_has_spoiled_is_begun_anew(tmp_path):
    (tmp_path / "ports.json").write_text('{"one"')
    assert len(PortBlocks(tmp_path / "ports.json").take("one")) == SIZE


@pytest.mark.integration
async def test_attempts_and_their_checks_are_told_their_own(tmp_path):
    scene = Scene(tmp_path, {"tasks": [{"id": "one"}, {"id": "two"}]})
    folder = await scene.create(scene.project(), setup='echo "$PORT $BIGTASK_PORTS $TMPDIR" >> "$0/told"')
    await scene.carried_out(folder)
    told = [line.split() for line in scene.left("told")]
    assert len({port for port, _, _ in told}) == len({tmp for _, _, tmp in told}) == 2
    for port, both, _ in told:
        assert both == f"{port}-{int(port) + SIZE - 1}"
    assert f"{folder.id}.main.1" in PortBlocks(folder.ports).names()
    await give_up_workspaces(folder, scene.agents)
    assert PortBlocks(folder.ports).names() == ()
