"""The gate before an account, on simulated time: nobody asks while it is closed, then one, then more."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.core import gate as gates
from bigtask.core.gate import GROWTH_MS, PATIENCE_MS, Gate, Held, Passage

T = 1_000_000
LIMITED = Held(about="limit", why="the account is limited (rate)", until=T + 10_000, kind="rate")


def through(gate: Gate, *names: str, now: int = T) -> Gate:
    for name in names:
        found = gates.enter(gate, name, now)
        assert isinstance(found, Gate), found
        gate = found
    return gate


def held(gate: Gate, name: str, now: int = T) -> Held:
    found = gates.enter(gate, name, now)
    assert isinstance(found, Held)
    return found


def refused(gate: Gate, name: str, reset_ms: int | None = 10_000, *, now: int = T, **more: Any) -> Gate:
    return gates.limited(gate, name, **{"kind": "rate", "jitter": 0.0, **more}, reset_ms=reset_ms, now=now)


def eight() -> Gate:
    return through(Gate(), *"abcdefgh")


def stormed(reset_ms: int | None = 10_000) -> Gate:
    gate = eight()
    for name in "abcdefgh":
        gate = refused(gate, name, reset_ms)
    return gate


def test_an_open_gate_lets_everybody_through():
    gate = eight()
    assert len(gate.through) == 8
    assert through(gate, "a") is gate
    assert not gates.idle(gate, T)
    assert gates.leave(gate, "z") is gate
    for name in "abcdefgh":
        gate = gates.leave(gate, name)
    assert gates.idle(gate, T)


def test_while_it_is_closed_nobody_gets_through_until_the_time_that_was_told():
    gate = stormed()
    assert gate.closed(T)
    assert gate.told
    assert held(gate, "a") == LIMITED
    assert held(gate, "new", T + 9_999).kind == "rate"
    assert through(gate, "new", now=T + 10_000).through == {"new": Passage(epoch=1, since=T + 10_000)}


def test_then_one_goes_and_twice_as_many_each_time_all_of_them_were_answered():
    gate, now, at_once = stormed(), T + 10_000, []
    waiting = list("abcdefghij")
    while gate.kind:
        while isinstance(found := gates.enter(gate, waiting[0], now), Gate):
            gate = found
            waiting.pop(0)
        at_once.append(len(gate.through))
        for name in list(gate.through):
            gate = gates.answered(gate, name, now)
    assert at_once == [1, 2, 4, 8]
    assert len(through(gate, *waiting, now=now).through) == 10


def test_what_those_say_who_were_through_before_is_the_same_limit():
    gate = refused(eight(), "a", 10_000)
    once = gate
    for name in "bcdefgh":
        gate = refused(gate, name, 5_000, now=T + 100)
    assert (gate.until, gate.tries, gate.epoch) == (T + 10_000, 1, 1)
    assert refused(once, "b", 20_000).until == T + 20_000
    assert refused(once, "b", None).until == T + 10_000
    assert refused(once, "never let through", 30_000).until == T + 30_000


def test_a_late_word_of_the_old_limit_does_not_count_as_limited_again():
    gate = refused(eight(), "a", 10_000)
    gate = through(gate, "a", now=T + 10_000)
    gate = refused(gate, "b", None, now=T + 10_001)
    assert not gate.closed(T + 10_001)
    assert (gate.epoch, gate.width) == (1, 1)


def test_without_a_time_it_waits_longer_each_time_with_jitter_and_not_for_ever():
    gate, now, waits = Gate(), T, []
    for _ in range(8):
        gate = refused(through(gate, "a", now=now), "a", None, now=now)
        waits.append((gate.until - now) // 1000)
        now = gate.until
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
    assert refused(through(Gate(), "a"), "a", None, jitter=0.9).until == T + 43_500
    assert refused(through(Gate(), "a"), "a", 10_000, jitter=0.5).until == T + 10_100
    year = refused(through(Gate(), "a"), "a", 10**12)
    assert year.until == T + gates.LONGEST_TOLD_MS
    assert refused(through(Gate(), "a"), "a", -5).until == T


def test_a_probe_that_is_refused_again_costs_no_place():
    gate = through(stormed(), "a", now=T + 10_000)
    gate = refused(gate, "a", 10_000, now=T + 10_500)
    assert (gate.ceiling, gate.tries, gate.epoch, gate.goal) == (None, 2, 2, 8)


def test_where_limits_come_again_only_half_of_them_go_and_one_more_each_minute():
    now = T + 10_000
    gate = gates.answered(through(stormed(), "a", now=now), "a", now)
    gate = gates.answered(through(gate, "b", now=now), "b", now)
    gate = through(gate, "c", "d", now=now)
    gate = refused(gate, "c", 10_000, now=now)
    assert (gate.ceiling, gate.goal) == (2, 8)
    gate = gates.only(gate, ())
    now = gate.until
    gate = gates.answered(through(gate, "a", now=now), "a", now)
    gate = gates.answered(through(gate, "b", now=now), "b", now)
    assert not gate.kind
    full = held(gate, "c", now + 1)
    assert (full.about, full.until) == ("ceiling", now + GROWTH_MS)
    assert full.why == "since it was limited the account takes 2 at once"
    gate = through(gate, "c", now=now + GROWTH_MS)
    assert held(gate, "d", now + GROWTH_MS)
    assert not gates.idle(gates.only(gate, ()), now + GROWTH_MS)
    later = now + 6 * GROWTH_MS
    assert len(through(gate, *"defghijk", now=later).through) == 11
    assert gates.idle(gates.only(gate, ()), later)


def test_a_limit_soon_after_it_was_open_again_is_one_that_comes_again():
    now = T + 10_000
    gate = refused(through(Gate(), "a", "b"), "a")
    gate = gates.leave(gate, "b")
    gate = gates.answered(through(gate, "a", now=now), "a", now)
    gate = through(gate, "b", now=now)
    gate = gates.answered(gate, "b", now)
    assert not gate.kind
    gate = through(gate, "c", "d", now=now)
    assert refused(gate, "a", now=now + 1).ceiling == 2
    assert refused(gate, "a", now=now + GROWTH_MS).ceiling is None
    assert not gates.idle(gates.only(gate, ()), now + 1)


def test_one_that_leaves_unanswered_is_followed_by_another():
    now = T + 10_000
    gate = through(stormed(), "a", now=now)
    waits = held(gate, "b", now)
    assert waits.until == now + PATIENCE_MS
    assert "one request tries" in waits.why
    gate = through(gates.leave(gate, "a"), "b", now=now)
    assert gates.answered(gate, "a", now) is gate


def test_one_that_never_gets_an_answer_holds_others_back_for_a_while_only():
    now = T + 10_000
    gate = through(stormed(), "a", now=now)
    gate = through(gate, "b", now=now + PATIENCE_MS)
    gate = gates.answered(gate, "b", now + PATIENCE_MS)
    assert gate.width == 2
    assert gates.answered(gate, "b", now + PATIENCE_MS) is gate
    gate = through(gate, "c", now=now + PATIENCE_MS)
    assert "2 at once" in held(gate, "d", now + PATIENCE_MS).why


def test_an_answer_to_what_was_asked_before_the_limit_opens_nothing():
    gate = refused(eight(), "a", 10_000)
    assert gates.answered(gate, "b", T).width == 1
    assert gates.answered(gate, "c", T + 10_000).width == 1


def test_while_one_of_several_is_unanswered_no_more_go():
    now = T + 10_000
    gate = gates.answered(through(stormed(), "a", now=now), "a", now)
    gate = gates.leave(gate, "a")
    gate = gates.answered(through(gate, "b", "c", now=now), "b", now)
    assert gate.width == 2


def test_on_another_clock_it_is_as_long_closed():
    gate = stormed()
    other = gates.moved(through(gate, "a", now=T + 10_000), 5)
    assert (other.until, other.through["a"].since) == (gate.until + 5, T + 10_005)
    assert gates.only(other, {"a"}) is other
    assert msgspec.json.decode(msgspec.json.encode(other), type=Gate) == other


class Account:
    """What a provider does: it refuses in the given spans, each told or not, and what is beyond `most`."""

    def __init__(self, spans: list[tuple[int, int]], most: int | None, *, tells: bool) -> None:
        self.spans, self.most, self.tells = spans, most, tells

    def refuses(self, now: int, at_work: int) -> int | None:
        for begin, end in self.spans:
            if begin <= now < end:
                return end - now
        return 60_000 if self.most is not None and at_work > self.most else None


@pytest.mark.parametrize("tells", [True, False])
@given(
    spans=st.lists(st.tuples(st.integers(0, 600), st.integers(1, 300)), max_size=4),
    most=st.none() | st.integers(1, 4),
    work=st.lists(st.integers(1, 90), min_size=1, max_size=12),
    data=st.data(),
)
def test_whatever_the_account_does_one_tries_and_all_get_through(spans, most, work, data, tells):
    account = Account([(T + 1000 * b, T + 1000 * (b + n)) for b, n in spans], most, tells=tells)
    left = {f"s{i}": seconds for i, seconds in enumerate(work)}
    gate, now, tries = Gate(), T, 0
    while left:
        for name in data.draw(st.permutations(sorted(left))) if now % 60_000 == 0 else sorted(left):
            if name not in gate.through:
                was_closed = gate.closed(now)
                found = gates.enter(gate, name, now)
                if isinstance(found, Held):
                    assert found.until is None or found.until > now
                    continue
                assert not was_closed
                gate = found
                unanswered = [p for p in gate.through.values() if p.epoch == gate.epoch and not p.answered]
                if gate.kind:
                    assert len(unanswered) <= gate.width
                tries += 1
            for_ms = account.refuses(now, len(gate.through))
            if for_ms is not None and not gate.through[name].answered:
                told = for_ms if tells else None
                gate = gates.limited(
                    gate,
                    name,
                    kind="rate",
                    reset_ms=told,
                    now=now,
                    jitter=data.draw(st.sampled_from([0, 0.9])),
                )
                continue
            gate = gates.answered(gate, name, now)
            left[name] -= 1
            if not left[name]:
                del left[name]
                gate = gates.leave(gate, name)
        now += 1_000
        assert now < T + 4 * 3_600_000, "nobody gets through any more"
    assert not gate.through


def test_who_was_let_through_before_a_limit_waits_with_all_others_before_its_next_turn():
    gate = refused(eight(), "a", 10_000)
    assert held(gate, "b") == LIMITED
    now = T + 10_000
    gate = through(gate, "b", now=now)
    assert gate.through["b"] == Passage(epoch=1, since=now)
    assert held(gate, "c", now).about == "probe"
    assert through(gate, "b", now=now) is gate
