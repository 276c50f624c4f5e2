"""Figures in the text form of Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bigtask.core.run import Run
from bigtask.core.states import Status, TaskState
from bigtask.server.traffic import Traffic


def metrics_text(traffic: Traffic, held: Sequence[Run], by_status: Mapping[Status, int]) -> str:
    tasks = {state: sum(run.counts[state] for run in held) for state in TaskState}
    lines = [
        *_family("bigtask_held_runs", "gauge", "Runs that this server carries out, by status."),
        *(f'bigtask_held_runs{{status="{name}"}} {count}' for name, count in by_status.items()),
        *_family("bigtask_held_tasks", "gauge", "Tasks of those runs, by state."),
        *(f'bigtask_held_tasks{{state="{name}"}} {count}' for name, count in tasks.items()),
        *_family("bigtask_attempts_at_work", "gauge", "Attempts that are under way in them."),
        f"bigtask_attempts_at_work {sum(len(run.live) for run in held)}",
        *_family("bigtask_waiting_items", "gauge", "What waits for a person in them."),
        f"bigtask_waiting_items {sum(len(run.waiting) for run in held)}",
        *_family("bigtask_http_answers_total", "counter", "Answers over HTTP, by status."),
        *(f'bigtask_http_answers_total{{status="{s}"}} {n}' for s, n in sorted(traffic.answers.items())),
        *_family("bigtask_websockets", "gauge", "WebSockets that are open."),
        f"bigtask_websockets {traffic.sockets}",
        *_family("bigtask_event_streams", "gauge", "Event streams that are open."),
        f"bigtask_event_streams {traffic.streams}",
        *_family("bigtask_events_told_total", "counter", "Events sent to WebSockets and streams."),
        f"bigtask_events_told_total {traffic.told}",
        *_family("bigtask_websockets_dropped_total", "counter", "WebSockets cut because nobody read them."),
        f"bigtask_websockets_dropped_total {traffic.dropped}",
    ]
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str, words: str) -> tuple[str, str]:
    return f"# HELP {name} {words}", f"# TYPE {name} {kind}"
