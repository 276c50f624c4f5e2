"""The pages say what is so: their files and commands are played, and what is printed is compared.

`BIGTASK_PAGES=write` puts what was printed into the pages instead, for an author to look at and to commit.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .pages import Command, File, mended, parts, play

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (
    "templates/_default.md",
    "templates/documentation.md",
    "templates/implementation.md",
    "templates/research.md",
    "modules.md",
    "troubleshooting.md",
)


@pytest.mark.integration
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_shows_is_what_a_reader_sees(name: str, tmp_path: Path) -> None:
    page = DOCS / name
    text = page.read_text()
    assert any(isinstance(part, Command) for part in parts(text)), f"{name} shows nothing"
    played = play(text, tmp_path)
    different = [one for one in played if not one.alike]
    if different and os.environ.get("BIGTASK_PAGES") == "write":
        page.write_text(mended(text, played))
        return
    assert not different, "\n\n".join(map(str, different))


def test_a_page_that_shows_something_else_is_found_and_mended(tmp_path: Path) -> None:
    page = "```text a.txt\none\ntwo\n```\nSee:\n```console\n$ cat a.txt\none\nthree\n$ echo done\ndone\n```\n"
    played = play(page, tmp_path)
    assert [one.alike for one in played] == [False, True]
    assert played[0].printed == ("one", "two")
    assert mended(page, played) == page.replace("three", "two")
    assert str(played[0]) == "$ cat a.txt\n--- page\none\nthree\n--- printed\none\ntwo"


def test_what_an_author_cut_stays_cut_where_it_is_right(tmp_path: Path) -> None:
    page = "```console\n$ printf '1\\n2\\n3\\n'\n…\n3\n$ printf '1\\n2\\n'\n…\n3\n```\n"
    played = play(page, tmp_path)
    assert [one.alike for one in played] == [True, False]
    assert (
        mended(page, played) == "```console\n$ printf '1\\n2\\n3\\n'\n…\n3\n$ printf '1\\n2\\n'\n1\n2\n```\n"
    )


@pytest.mark.parametrize(
    ("shown", "printed", "alike"),
    [
        ("took 1.5 s", "took 0.2 s", True),
        ("took 1.5 s", "took 1.5 m", False),
        ("run 01k8zkkwjv3h3c2fpt7y0q3m5e", "run 01m8263as2b3j174sext383d1f", True),
        ("first\n…", "first\nsecond\nthird", True),
        ("first\n…\nthird", "first\nsecond", False),
        ("on (main, 1a2b3c4d)", "on (main, 99aabbcc)", True),
        ("", "something", False),
        ("something\nmore", "something", False),
        ("done", "12:00:01 one  starts\ndone", True),
        ("12:00:01 one  starts\ndone", "13:30:59 one  starts\ndone", True),
        ("12:00:01 one  starts\ndone", "13:30:59 two  starts\ndone", False),
    ],
)
def test_only_what_differs_from_run_to_run_may_differ(
    shown: str, printed: str, alike: bool, tmp_path: Path
) -> None:
    lines = f"{shown}\n" if shown else ""
    page = f"```text printed\n{printed}\n```\n```console\n$ cat printed\n{lines}```\n"
    (played,) = play(page, tmp_path)
    assert played.alike is alike


def test_a_reader_goes_into_folders_sees_statuses_and_continues_lines(tmp_path: Path) -> None:
    page = (
        "```console\n$ mkdir in && cd .\n$ cd in\n```\n```json x/data.json\n{}\n```\n"
        "```console\n$ false\n$ echo $?\n1\n$ cat \\\n  x/data.json\n{}\n$ pwd\n/home/ada/in\n```\n"
    )
    assert all(one.alike for one in play(page, tmp_path))
    assert [type(part) for part in parts(page)] == [Command, Command, File, *[Command] * 4]
