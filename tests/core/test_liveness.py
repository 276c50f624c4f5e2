"""What counts as a sign of life, and what silence adds up to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.core.liveness import BUSY, Activity, Silence, listen

SEEN = Activity(cpu_s=10.0, pids=frozenset({7, 8}), printed=100)


def seen(**changes: Any) -> Activity:
    return Activity(**{"cpu_s": 10.0, "pids": frozenset({7, 8}), "printed": 100, **changes})


def after(silence: Silence, now: Activity | None, **more: Any) -> Silence:
    return listen(silence, now, **{"heard": False, "passed_s": 2.0, "most_s": 4.0, **more})


@pytest.mark.parametrize(
    "now",
    [
        seen(printed=101),
        seen(pids=frozenset({7})),
        seen(pids=frozenset({7, 9})),
        seen(cpu_s=10.01 + 2.0 * BUSY),
        seen(cpu_s=None),
    ],
    ids=["prints", "a process ended", "another process", "reckons", "can't be seen"],
)
def test_a_sign_of_life_ends_the_silence(now):
    assert after(Silence(quiet_s=5.0, last=SEEN), now) == Silence(last=now)


@pytest.mark.parametrize(
    "now", [seen(), seen(cpu_s=10.09), None], ids=["nothing", "what waiting takes", "no process"]
)
def test_where_there_is_none_it_goes_on(now):
    assert after(Silence(quiet_s=5.0, last=SEEN), now) == Silence(quiet_s=7.0, last=now)


def test_what_was_said_ends_it_whatever_the_processes_do():
    assert after(Silence(quiet_s=5.0, last=SEEN), None, heard=True) == Silence()
    assert after(Silence(quiet_s=5.0, last=SEEN), SEEN, heard=True) == Silence(last=SEEN)


def test_the_first_look_says_nothing_of_the_processor():
    assert after(Silence(quiet_s=1.0), SEEN).quiet_s == 3.0
    assert after(Silence(quiet_s=1.0, last=seen(cpu_s=None)), SEEN).quiet_s == 3.0


def test_a_machine_that_slept_says_nothing_about_the_session():
    night = after(Silence(last=SEEN), SEEN, passed_s=8 * 3600.0)
    assert night.quiet_s == 4.0


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0.1, 100.0)), max_size=60),
    st.floats(0.1, 10.0),
)
def test_silence_is_never_longer_than_the_looks_since_the_last_sign_of_life(looks, most_s):
    silence, cpu_s, since = Silence(), 0.0, 0.0
    for share, heard, passed_s in looks:
        first = silence.last is None
        cpu_s += share * passed_s
        busy = share * passed_s >= BUSY * passed_s
        silence = listen(silence, seen(cpu_s=cpu_s), heard=heard, passed_s=passed_s, most_s=most_s)
        since = 0.0 if heard else since + passed_s
        assert silence.quiet_s <= since + 1e-6
        if heard or (share >= BUSY * 1.01 and not first):
            assert silence.quiet_s == 0.0
            since = 0.0
        elif not busy:
            assert silence.quiet_s > 0.0
