"""The slots of a machine, over seats of any runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.core.slots import SPARE_MIB, START_MS, Room, Seat, lacking

NOW = 1_000_000
GIB = 1024


def seat(*, agent: str = "claude", since: int = NOW, ready: bool = False, mib: int = 300) -> Seat:
    return Seat(agent=agent, run_id="r", memory_mib=mib, since=since, ready=ready)


def seats(*all_of_them: Seat) -> dict[str, Seat]:
    return {f"s{index}": one for index, one in enumerate(all_of_them)}


READY = seat(ready=True)


@pytest.mark.parametrize(
    ("taken", "room", "words"),
    [
        ((), Room(cores=1, free_mib=0, most=1), None),
        ((READY,), Room(cores=1, most=1), "all 1 slots of this machine are taken (machineSlots)"),
        ((READY,), Room(cores=1, most=2, most_of_agent=1), "all 1 slots of claude are taken (agentSlots)"),
        ((seat(agent="codex", ready=True),), Room(cores=1, most=2, most_of_agent=1), None),
        ((seat(),), Room(cores=1), "1 others are just starting on 1 cores"),
        ((seat(),), Room(cores=2), None),
        ((seat(since=NOW - START_MS),), Room(cores=1), None),
        ((seat(since=NOW + 5),), Room(cores=1), None),
        ((READY,), Room(cores=1, free_mib=SPARE_MIB + 300), None),
        ((READY,), Room(cores=1, free_mib=SPARE_MIB + 299), "299 MiB of memory are free"),
        ((READY,), Room(cores=1, free_mib=10), "0 MiB of memory are free"),
        ((seat(), READY), Room(cores=2, free_mib=SPARE_MIB + 599), "299 MiB of memory are free"),
        ((seat(), READY), Room(cores=2, free_mib=SPARE_MIB + 600), None),
    ],
)
def test_what_is_in_the_way_of_one_more(taken: tuple[Seat, ...], room: Room, words: str | None) -> None:
    found = lacking(seats(*taken), seat(), room)
    assert (found is None) == (words is None)
    assert found is None or found.why.startswith(words or "")


def test_a_start_is_over_after_a_while_by_time_alone() -> None:
    found = lacking(seats(seat(since=NOW - 5), seat(since=NOW - 8)), seat(), Room(cores=2))
    assert found is not None
    assert found.until == NOW - 8 + START_MS


@given(
    most=st.integers(1, 5),
    of_agent=st.integers(1, 5),
    wanted=st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 4)), max_size=20),
)
def test_no_bound_is_ever_passed_and_everybody_gets_a_seat(most, of_agent, wanted) -> None:
    room = Room(cores=1, free_mib=8 * GIB, most=most, most_of_agent=of_agent)
    taken: dict[str, tuple[Seat, int]] = {}
    waiting, now = list(enumerate(wanted)), NOW
    while waiting:
        sitting = {name: one for name, (one, _) in taken.items()}
        number, (agent, turns) = waiting[0]
        found = lacking(sitting, seat(agent=agent, since=now), room)
        if found is None:
            waiting.pop(0)
            taken[str(number)] = (seat(agent=agent, since=now), turns)
        assert len(taken) <= most
        assert sum(one.agent == agent for one, _ in taken.values()) <= of_agent
        now += START_MS
        taken = {name: (one, left - 1) for name, (one, left) in taken.items() if left > 1}
        assert now < NOW + 1000 * START_MS
