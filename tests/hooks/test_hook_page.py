"""The page about hooks says what is so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bigtask.core.hooks import Hook
from shipped.pages import mended, play

PAGE = Path(__file__).parents[2] / "docs" / "hooks.md"


def test_the_page_names_every_hook() -> None:
    text = PAGE.read_text()
    assert [hook for hook in Hook if f"| `{hook}` |" not in text] == []


@pytest.mark.integration
def test_what_the_page_shows_is_what_a_reader_sees(tmp_path: Path) -> None:
    text = PAGE.read_text()
    played = play(text, tmp_path)
    different = [one for one in played if not one.alike]
    if different and os.environ.get("BIGTASK_PAGES") == "write":
        PAGE.write_text(mended(text, played))
        return
    assert not different, "\n\n".join(map(str, different))
