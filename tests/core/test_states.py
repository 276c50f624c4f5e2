from __future__ import annotations

import pytest

from bigtask.core.states import (
    ATTEMPT_MOVES,
    ENDED,
    FELL,
    LIVE,
    NOT_BEGUN,
    RESTING,
    TASK_MOVES,
    AttemptState,
    IllegalMove,
    TaskState,
    require_move,
)


def _reachable(table, start):
    found, stack = {start}, [start]
    while stack:
        for state in table[stack.pop()] - found:
            found.add(state)
            stack.append(state)
    return found


def test_every_task_state_is_reached_from_pending():
    assert _reachable(TASK_MOVES, TaskState.PENDING) == set(TaskState) == set(TASK_MOVES)


def test_every_attempt_state_is_reached_from_spawning():
    assert _reachable(ATTEMPT_MOVES, AttemptState.SPAWNING) == set(AttemptState) == set(ATTEMPT_MOVES)


def test_nothing_leaves_a_superseded_attempt():
    assert ATTEMPT_MOVES[AttemptState.SUPERSEDED] == frozenset()


def test_no_attempt_that_is_over_becomes_live_again():
    over = set(AttemptState) - LIVE - RESTING - {AttemptState.REPORTED}
    assert not any(ATTEMPT_MOVES[state] & LIVE for state in over)
    assert ATTEMPT_MOVES[AttemptState.REPORTED] & LIVE == frozenset()


def test_of_the_resting_attempts_only_a_paused_one_goes_on():
    goes_on = {state for state in RESTING if ATTEMPT_MOVES[state] & LIVE}
    assert goes_on == {AttemptState.PAUSED}


@pytest.mark.parametrize("state", sorted(LIVE))
def test_a_live_attempt_may_report_pause_or_end_whatever_it_was_doing(state):
    wanted = {AttemptState.REPORTED, AttemptState.PAUSED, AttemptState.LOST, AttemptState.CANCELLED}
    assert wanted <= ATTEMPT_MOVES[state]


@pytest.mark.parametrize("state", sorted(LIVE))
def test_what_an_agent_meets_while_it_works_may_come_in_any_order_and_twice(state):
    assert LIVE - {AttemptState.SPAWNING} <= ATTEMPT_MOVES[state]


@pytest.mark.parametrize("state", sorted(ENDED))
def test_an_ended_task_only_comes_back_by_waiting_again(state):
    ended_otherwise = {TaskState.SKIPPED, TaskState.PARTIAL}
    assert TASK_MOVES[state] - ended_otherwise == NOT_BEGUN


def test_a_task_is_either_waiting_at_work_or_ended():
    at_work = {TaskState.RUNNING, TaskState.INTEGRATING}
    assert NOT_BEGUN | at_work | ENDED == set(TaskState)
    assert not NOT_BEGUN & ENDED
    assert FELL < ENDED


def test_a_task_that_waits_runs_only_when_it_is_ready():
    assert [state for state in NOT_BEGUN if TaskState.RUNNING in TASK_MOVES[state]] == [TaskState.READY]


def test_a_move_that_the_table_lacks_names_both_states():
    with pytest.raises(IllegalMove, match="TaskState: completed -> running"):
        require_move(TASK_MOVES, TaskState.COMPLETED, TaskState.RUNNING)
