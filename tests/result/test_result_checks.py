"""Commands that bigtask runs itself, and the excerpt of a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from bigtask.host.checking import check
from bigtask.host.patch_excerpt import excerpt
from bigtask.sink import nothing_secret
from bigtask.workspaces.values import Workspace

pytestmark = pytest.mark.integration


def workspace(place: Path) -> Workspace:
    (place / "work").mkdir()
    (place / "tmp").mkdir()
    return Workspace(path=place / "work", branch="", start_commit="", tmp=place / "tmp")


async def test_a_check_runs_where_the_work_is_with_no_secret_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s3cr3t")
    (result,) = await check((("sh", "-c", "pwd; env"),), workspace(tmp_path), nothing_secret)
    assert result.passed
    assert result.output.startswith(f"{tmp_path / 'work'}\n")
    assert f"TMPDIR={tmp_path / 'tmp'}\n" in result.output
    assert "s3cr3t" not in result.output


async def test_a_check_that_does_not_end_is_ended_and_red(tmp_path: Path) -> None:
    commands = (("sh", "-c", "echo begun; sleep 300"), ("true",))
    slow, quick = await check(commands, workspace(tmp_path), nothing_secret, timeout_s=0.3)
    assert (slow.exit_status, slow.passed, slow.output) == (None, False, "begun\n")
    assert slow.took_ms >= 300
    assert quick.passed


@pytest.mark.parametrize("command", [("no-such-program-here",), ("true", "a\0b")])
async def test_what_cannot_be_begun_is_red_and_says_why(tmp_path: Path, command: tuple[str, ...]) -> None:
    (result,) = await check((command,), workspace(tmp_path), nothing_secret)
    assert (result.exit_status, result.passed) == (127, False)
    assert result.output


async def test_the_end_of_what_a_check_printed_is_kept_without_secrets(tmp_path: Path) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo line $i s3cr3t; i=$((i+1)); done; exit 3"
    (result,) = await check(
        (("sh", "-c", script),), workspace(tmp_path), lambda text: text.replace("s3cr3t", "[secret]")
    )
    assert result.exit_status == 3
    assert result.output.endswith("line 2999 [secret]\n")
    assert len(result.output.encode()) <= 8 * 1024
    assert "s3cr3t" not in result.output


def patch(name: str, lines: int) -> str:
    return f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n" + "+line\n" * lines


def test_a_short_change_is_shown_whole() -> None:
    whole = patch("a", 3) + patch("b", 3)
    assert excerpt(whole, len(whole)) == whole


def test_long_files_share_what_short_ones_leave_over() -> None:
    short, long, longer = patch("a", 3), patch("b", 3_000), patch("c", 6_000)
    shown = excerpt(short + long + longer, 4_000)
    assert shown.startswith(short)
    parts = shown.removeprefix(short).split("diff --git ")[1:]
    assert [part.startswith(f"a/{name} ") for part, name in zip(parts, "bc", strict=True)] == [True, True]
    assert abs(len(parts[0]) - len(parts[1])) < 10
    assert len(shown) <= 4_000 + 2 * 60
    for part, lines in zip(parts, (3_000, 6_000), strict=True):
        assert f"[{lines - part.count('+line')} more lines of this file are left out here]" in part


def test_of_very_many_files_each_has_its_line() -> None:
    shown = excerpt("".join(patch(f"file-{number}", 50) for number in range(100)), 20_000)
    assert shown.count("diff --git ") == 100
