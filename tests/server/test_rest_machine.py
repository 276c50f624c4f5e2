"""The REST API beside a small model of it, under any order of calls by two clients, with servers that die."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from projects import Desk, Project
from promises.scale import FULL

from .conftest import BASE, furnish
from .served import PATIENCE_S, Answered, Served, end, served

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3_600 if FULL else 300)]

EXAMPLES, STEPS = (300, 50) if FULL else (6, 20)

HANGS = {"turns": [{"when": {"task": task}, "steps": [{"do": "hang"}]} for task in ("left", "right")]}

AFTER = {
    "created": {"start": "confirming", "cancel": "cancelled", "delete": "gone"},
    "confirming": {"confirm": "running", "pause": "paused", "cancel": "cancelled", "edit": "confirming"},
    "running": {"pause": "paused", "cancel": "cancelled", "edit": "running"},
    "paused": {"resume": "", "cancel": "cancelled", "edit": "paused", "pause": "paused"},
    "cancelled": {"delete": "gone", "cancel": "cancelled"},
}
"""What each call leads to where it is possible; `resume` to where the run was before. Here a call that holds
already stands too: those are successes that change nothing."""
HOLDS = {
    "created": {"resume"},
    "confirming": {"start", "resume"},
    "running": {"start", "resume", "confirm"},
    "paused": {"start"},
}


class World:
    """One home for all examples, and the server that leads it at the moment."""

    def __init__(self, desk: Desk, project: Project) -> None:
        self.desk = desk
        self.project = project
        self._stack = ExitStack()
        self.server = self._begun()

    def _begun(self) -> Served:
        return self._stack.enter_context(served(self.desk.home.path))

    def restart(self, number: int) -> None:
        end(self.server.process, number)
        self._stack.close()
        self.server = self._begun()

    def close(self) -> None:
        self._stack.close()


class Machine(RuleBasedStateMachine):
    world: World

    @initialize()
    def create(self) -> None:
        agent = self.world.desk.script({"tasks": [{"id": "left"}, {"id": "right"}], **HANGS})
        made = self.world.server.post(
            f"{BASE}/create",
            {
                "templateId": "tested",
                "cwd": str(self.world.project.root),
                "message": "Do it",
                "options": {"agent": agent},
            },
        )
        self.id = str(made["orchestratorId"])
        self.state, self.before, self.revision = "created", "", 0
        self.seen: list[dict[str, Any]] = []
        self.done: set[str] = set()
        """What was begun or confirmed stays so: to ask for it again is a success also when all is over."""

    def call(self, verb: str) -> Answered:
        server = self.world.server
        if verb == "delete":
            return server.ask("DELETE", f"{BASE}/{self.id}")
        if verb == "edit":
            edits = [{"op": "set", "id": "right", "fields": {"title": f"At {self.revision}"}}]
            body = {"revision": self.revision, "edits": edits if self.state != "running" else []}
            return server.ask("PUT", f"{BASE}/{self.id}/plan", body)
        return server.ask("POST", f"{BASE}/{self.id}/{verb}")

    def said(self) -> dict[str, Any]:
        found = self.world.server.get(f"{BASE}/{self.id}")["orchestrator"]
        assert isinstance(found, dict)
        return found

    def try_(self, verb: str) -> None:
        before = self.state
        answered = self.call(verb)
        if before == "gone":
            assert answered.status == 404, (verb, answered.text)
            return
        following = AFTER[before].get(verb)
        if following is None:
            held = verb in HOLDS.get(before, ()) or (before == "cancelled" and verb in self.done)
            assert answered.status == (200 if held else 409), (before, verb, answered.text)
            if not held and "status" in answered.said["details"]:
                assert answered.said["details"]["status"] == self.said()["status"]
            return
        assert answered.status == 200, (before, verb, answered.text)
        self.done |= {verb} & {"start", "confirm"}
        if verb == "pause" and before != "paused":
            self.before = before
        self.state = following or self.before
        if verb == "confirm" and before == "paused":
            self.before = "running"
        self.settle()

    def settle(self) -> None:
        """Until what the call led to has happened."""
        if self.state == "gone":
            return
        until = time.monotonic() + PATIENCE_S
        while not self._there(self.said()):
            assert time.monotonic() < until, (self.state, self.said()["status"])

    def _there(self, said: dict[str, Any]) -> bool:
        self.revision = said["plan"]["revision"] if said["plan"] is not None else 0
        # A pause is complete when nothing is under way any more.
        resting = (
            self.state != "paused"
            or not self.world.server.get(f"{BASE}/{self.id}/status")["orchestrator"]["held"]
        )
        at_work = self.state != "running" or said["tasks"]["running"] == 2
        return bool(said["status"] == self.state) and resting and at_work

    @rule()
    def start(self) -> None:
        self.try_("start")

    @rule()
    def confirm(self) -> None:
        if self.state != "paused":  # whether that is possible depends on what was paused
            self.try_("confirm")

    @rule()
    def pause(self) -> None:
        self.try_("pause")

    @rule()
    def resume(self) -> None:
        self.try_("resume")

    @rule()
    def edit(self) -> None:
        if self.state != "running" and self.revision:
            self.try_("edit")

    @precondition(lambda self: self.state not in ("created", "gone"))
    @rule()
    def edit_by_an_old_revision(self) -> None:
        if self.revision and "edit" in AFTER[self.state]:
            body = {"revision": self.revision - 1, "edits": []}
            assert self.world.server.ask("PUT", f"{BASE}/{self.id}/plan", body).status == 412

    @precondition(lambda self: len(self.seen) > 5)
    @rule()
    def cancel(self) -> None:
        self.try_("cancel")

    @precondition(lambda self: self.state in ("created", "cancelled", "running"))
    @rule()
    def delete(self) -> None:
        if self.state != "created":
            self.try_("delete")

    @precondition(lambda self: self.state in ("confirming", "paused", "cancelled"))
    @rule()
    def kill_the_server(self) -> None:
        if len(self.seen) % 4 == 1:
            self.world.restart(signal.SIGKILL)
            self.settle()

    @rule()
    def read(self) -> None:
        """The log only grows, without a gap; the counts are those of the tasks."""
        if self.state == "gone":
            return
        events = self.world.server.events(self.id)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events[: len(self.seen)] == self.seen
        self.seen = events
        said = self.said()
        assert said["status"] == self.state
        assert sum(said["tasks"].values()) == 2 * said["tasks"]["total"]
        assert said["tasks"]["total"] == (len(said["plan"]["tasks"]) if said["plan"] is not None else 0)

    def teardown(self) -> None:
        if getattr(self, "state", "gone") not in ("gone", "cancelled"):
            self.call("cancel")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(*furnish(tmp_path))
    try:
        yield made
    finally:
        made.close()


def test_the_api_does_what_the_model_says(world: World) -> None:
    class InWorld(Machine):
        pass

    InWorld.world = world
    run_state_machine_as_test(
        InWorld,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            # A failure is told with its steps; to look for fewer would take longer than to read them.
            phases=[Phase.generate],
            derandomize=not FULL,
            suppress_health_check=list(HealthCheck),
        ),
    )
