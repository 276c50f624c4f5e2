from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.bounds import list_schedule_s, lower_bound_s, ranks
from kit.driving import drive
from kit.figures import Window, figures, idle_s
from kit.recording import Recording, peak, problems
from kit.workload import InvalidWorkload, Workload, load

WORKLOADS = Path(__file__).parents[2] / "bench" / "workloads"


def workload(slots: int, **tasks: tuple[float, str]) -> Workload:
    """`id=(seconds, "ids that it depends on")`."""
    return Workload(
        name="small",
        slots=slots,
        durations={id: seconds for id, (seconds, _) in tasks.items()},
        dependencies={id: needed.split() for id, (_, needed) in tasks.items()},
    )


def recorded(of: Workload, **stamps: tuple[float, float]) -> Recording:
    recording = Recording(of)
    for id, (started, ended) in stamps.items():
        recording.put(id, started, ended)
    return recording


AFTER_BOTH = workload(2, a=(1, ""), b=(2, ""), c=(1, "a b"))


def test_a_right_run_has_no_problems() -> None:
    assert problems(recorded(AFTER_BOTH, a=(0, 1), b=(0, 2), c=(2, 3))) == ()


def test_a_task_that_started_twice_is_found_however_it_is_recorded() -> None:
    recording = recorded(AFTER_BOTH, a=(0, 1), b=(0, 2), c=(2, 3))
    recording.put("a", 0, 1)
    assert problems(recording) == ("1 task started twice, a first",)
    recording = recorded(AFTER_BOTH, b=(0, 2), c=(2, 3))
    recording.start("b")
    assert problems(recording)[0] == "1 task started twice, b first"


def test_a_task_that_started_before_its_dependencies_had_ended_is_found() -> None:
    found = problems(recorded(AFTER_BOTH, a=(0, 1), b=(0, 2), c=(1.5, 3)))
    assert found == ("1 task started before a dependency had ended, c first",)


def test_a_task_that_started_without_its_dependency_is_found() -> None:
    found = problems(recorded(AFTER_BOTH, a=(0, 1), c=(2, 3)))
    assert found == (
        "2 of 3 tasks ended",
        "1 task started before a dependency had ended, c first",
    )


def test_more_tasks_at_once_than_there_are_slots_are_found() -> None:
    three = workload(2, a=(1, ""), b=(1, ""), c=(1, ""))
    assert problems(recorded(three, a=(0, 1), b=(0, 1), c=(1, 2))) == ()
    assert problems(recorded(three, a=(0, 1), b=(0, 1), c=(0.5, 2))) == (
        "3 tasks ran at once, and only 2 may",
    )


def test_a_task_that_is_nobodys_is_found() -> None:
    one = workload(1, a=(1, ""))
    found = problems(recorded(one, a=(0, 1), ghost=(1, 2)))
    assert found == ("1 task ran outside the workload, ghost first",)


def test_a_task_that_never_ended_is_found_and_counted_as_at_work() -> None:
    recording = recorded(AFTER_BOTH, b=(0, 2))
    recording.start("a")
    assert problems(recording) == ("1 of 3 tasks ended",)
    assert peak(recording) == 1


@pytest.mark.parametrize(
    ("slots", "bound_s", "list_s"),
    [(1, 4, 4), (2, 3, 3), (3, 3, 3)],
)
def test_the_bound_is_the_longer_of_path_and_work(slots: int, bound_s: float, list_s: float) -> None:
    found = workload(slots, a=(1, ""), b=(2, ""), c=(1, "a b"))
    assert lower_bound_s(found) == bound_s
    assert list_schedule_s(found) == list_s


def test_what_cannot_be_split_takes_longer_than_the_bound() -> None:
    three = workload(2, a=(2, ""), b=(2, ""), c=(2, ""))
    assert lower_bound_s(three) == 3
    assert list_schedule_s(three) == 4


def test_the_list_schedule_starts_the_longest_path_first() -> None:
    trap = workload(2, s1=(1, ""), s2=(1, ""), s3=(1, ""), x1=(1, ""), x2=(1, "x1"), x3=(1, "x2"))
    assert sorted(ranks(trap), key=ranks(trap).__getitem__) == ["x1", "x2", "s1", "s2", "s3", "x3"]
    assert list_schedule_s(trap) == lower_bound_s(trap) == 3  # in the order of the file it would be 4


def test_tasks_that_take_no_time_are_ordered_by_how_many_follow() -> None:
    chain = workload(1, alone=(0, ""), first=(0, ""), last=(0, "first"))
    assert min(ranks(chain), key=ranks(chain).__getitem__) == "first"
    assert lower_bound_s(chain) == list_schedule_s(chain) == 0


@pytest.mark.parametrize(
    ("name", "bound_s", "list_s"),
    [("W3", 3.553, 3.555), ("W5", 0.54, 0.54), ("W6", 2.5, 2.5), ("W4", 0, 0)],
)
def test_the_bounds_of_the_workloads_are_as_published(name: str, bound_s: float, list_s: float) -> None:
    found = load(WORKLOADS / f"{name}.json")
    assert lower_bound_s(found) == pytest.approx(bound_s, abs=0.001)
    assert list_schedule_s(found) == pytest.approx(list_s, abs=0.001)


def test_idle_time_is_that_of_slots_that_a_ready_task_could_have_used() -> None:
    # From 0 to 1 one slot is free and b is ready; from 3 to 5 both are, and only c is ready.
    recording = recorded(AFTER_BOTH, a=(0, 2), b=(1, 3), c=(5, 6))
    assert idle_s(recording, 0) == pytest.approx(1 + 2)


def test_figures_follow_from_the_recording_and_the_window() -> None:
    recording = recorded(AFTER_BOTH, a=(10, 11), b=(10, 12), c=(12.25, 13.25))
    window = Window(began=10, ended=13.5, cpu_s=0.75, peak_mb=20)
    found = figures(recording, window, system="one", variant="way", version="1.2")
    assert found["errors"] == []
    assert found["wall_s"] == 3.5
    assert found["wall_us_per_task"] == pytest.approx(3.5e6 / 3, abs=0.1)
    assert found["cpu_us_per_task"] == 250_000
    assert found["over_bound"] == pytest.approx(3.5 / 3, abs=0.0001)
    assert found["gap_p50_us"] == 250_000
    assert found["most_at_once"] == 2
    assert found["version"] == "1.2"
    json.dumps(found)


def test_figures_of_a_wrong_run_carry_what_was_wrong() -> None:
    window = Window(began=0, ended=3, cpu_s=0, peak_mb=0)
    assert figures(recorded(AFTER_BOTH), window, system="one", variant="way")["errors"] == [
        "0 of 3 tasks ended"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "isn't a workload"),
        ('{"name": "x"}', "isn't a workload"),
        ('{"name": "x", "maxWorkers": 1, "tasks": [{"id": "a", "dur": 0, "deps": ["b"]}]}', "depends on b"),
        ('{"name": "x", "maxWorkers": 1, "tasks": [{"id": "a", "dur": 0, "deps": ["a"]}]}', "circle"),
        (
            '{"name": "x", "maxWorkers": 1, "tasks": [{"id": "a", "deps": []}, {"id": "a", "deps": []}]}',
            "used twice",
        ),
    ],
)
def test_what_is_no_workload_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(text)
    with pytest.raises(InvalidWorkload, match=said):
        load(tmp_path / "one.json")


async def test_driving_starts_a_task_when_its_dependencies_are_done() -> None:
    recording = Recording(load(WORKLOADS / "G100.json"))

    async def run(id: str) -> None:
        recording.start(id)
        recording.end(id)

    await drive(recording.workload, run)
    assert problems(recording) == ()
