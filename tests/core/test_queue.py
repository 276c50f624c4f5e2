from __future__ import annotations

from bigtask.core.queue import ReadyQueue


def free(id: str) -> None:
    """Clashes with nobody."""


def test_less_is_more_urgent_by_priority_then_path_then_place():
    queue = ReadyQueue()
    ranks = {"a": (5, -1.0, 0), "b": (1, -1.0, 3), "c": (5, -9.0, 2), "d": (5, -1.0, 1)}
    for id, rank in ranks.items():
        queue.push(id, rank)
    taken = []
    while id := queue.peek(0, free):
        queue.discard(id)
        taken.append(id)
    assert taken == ["b", "c", "a", "d"]
    assert len(queue) == 0


def test_looking_takes_nothing_away():
    queue = ReadyQueue()
    queue.push("a", (1, 0.0, 0))
    assert queue.peek(0, free) == queue.peek(0, free) == "a"
    assert len(queue) == 1


def test_a_task_is_held_until_it_is_due():
    queue = ReadyQueue()
    queue.push("a", (1, 0.0, 0), not_before=100)
    queue.push("b", (2, 0.0, 1), not_before=50)
    assert queue.next_due() == 50
    assert queue.peek(49, free) is None
    assert queue.peek(50, free) == "b"
    assert queue.next_due() == 100
    assert queue.peek(100, free) == "a"
    assert queue.next_due() is None


def test_what_was_taken_out_while_it_was_held_is_not_waited_for():
    queue = ReadyQueue()
    queue.push("a", (1, 0.0, 0), not_before=100)
    queue.discard("a")
    assert queue.next_due() is None
    queue.push("a", (1, 0.0, 0))
    assert queue.peek(200, free) == "a"


def test_an_entry_from_before_does_not_stand_for_the_one_of_now():
    queue = ReadyQueue()
    queue.push("a", (1, 0.0, 0))
    queue.discard("a")
    queue.push("a", (1, 0.0, 0), not_before=100)
    assert queue.peek(0, free) is None
    assert queue.peek(100, free) == "a"


def test_a_task_that_clashes_stands_back_until_the_other_is_released():
    queue = ReadyQueue()
    queue.push("a", (1, 0.0, 0))
    queue.push("b", (2, 0.0, 1))
    assert queue.peek(0, {"a": "x"}.get) == "b"
    assert queue.peek(0, free) == "b"
    queue.release("x")
    queue.release("x")
    assert queue.peek(0, free) == "a"


def test_nothing_is_held_by_time_after_a_release_of_all():
    queue = ReadyQueue()
    queue.push("a", (1, 0.0, 0), not_before=10**15)
    queue.release_all()
    assert queue.next_due() is None
    assert queue.peek(0, free) == "a"
