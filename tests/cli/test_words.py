from __future__ import annotations

import pytest

from bigtask import words


def test_words_cannot_move_the_cursor_or_turn_the_direction_of_writing() -> None:
    assert words.plain("a\x1b[31mb\u202ec\td\n\x00") == "a[31mbc\td\n"
    assert words.one_line("a\x1b[31mb\u202e \r\n c\td") == "a[31mb c d"


@pytest.mark.parametrize(
    ("text", "limit", "line"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a  b", 3, "a b"), ("abc", 0, "…"), ("x" * 10**6, 4, "xxx…")],
)
def test_a_line_is_cut_where_it_is_too_long(text: str, limit: int, line: str) -> None:
    assert words.one_line(text, limit) == line


def test_of_what_went_wrong_the_beginning_and_the_end_are_kept() -> None:
    said = words.both_ends("its check failed: " + "trace " * 100 + "Error: 4120 != 41.2", 60)
    assert said.startswith("its check failed")
    assert said.endswith("Error: 4120 != 41.2")
    assert len(said) <= 60
    assert words.both_ends("short ------------ enough", 60) == "short --- enough"


TIMES = (0, 420, 12_400, 200_000, 7_500_000, 273_600_000)


def test_times_and_amounts_are_short() -> None:
    assert [words.duration(ms) for ms in TIMES] == [
        "0.0 s",
        "0.4 s",
        "12 s",
        "3 min 20 s",
        "2 h 5 min",
        "3 d 4 h",
    ]
    assert [words.clock(ms) for ms in TIMES[:5]] == ["0:00", "0:00", "0:12", "3:20", "2:05:00"]
    assert words.duration(9_970) == "10 s"
    assert [words.age(ms) for ms in (-5, 59_000, 3_599_000, 90_000_000)] == ["0 s", "59 s", "59 min", "1 d"]
    assert [words.money(usd) for usd in (0, 0.0012, 1234.5)] == ["–", "$0.0012", "$1,234.50"]
    assert [words.counted(number, "file") for number in (0, 1, 1000)] == ["0 files", "1 file", "1,000 files"]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.0, 0.0, "<1 min"),
        (0.2, 0.99, "<1 min"),
        (0.3, 1.2, "≈1 min"),
        (1.2, 1.6, "≈1–2 min"),
        (40, 89, "≈40–89 min"),
        (50, 100, "≈1–2 h"),
        (10, 100, "≈1–2 h"),
    ],
)
def test_a_range_of_minutes_is_as_rough_as_it_is(low: float, high: float, said: str) -> None:
    assert words.span(low, high) == said


def test_a_command_is_shown_as_it_would_be_typed() -> None:
    assert words.command_line(["/opt/x/bin/python", "-c", "a b"]) == "python -c 'a b'"
    assert words.command_line([]) == ""
