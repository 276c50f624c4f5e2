"""The person's rules hold for the real Claude Code in every mode, also for what it wouldn't ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from bigtask.agents.protocol import PermissionAsked, SessionEvent
from bigtask.core.values import Permissions
from claude.rows import BYE, done
from claude.setting import PROMPT, Setting, needs_claude, of, setting
from claude.stub import Call, Reply, in_order
from claude.test_claude_session import ANALYSIS

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _with_claude() -> None:
    needs_claude()


async def asked(
    place: Setting, rules: Permissions, *, answer: str, mode: str = "acceptEdits"
) -> list[PermissionAsked]:
    """What is asked, where each question is answered like this."""
    events: list[SessionEvent] = []
    opening = replace(place.opening(permission_mode=mode), rules=rules)
    async with place.agent().session(opening) as session:
        async for event in session.turn(PROMPT):
            events.append(event)
            if isinstance(event, PermissionAsked):
                await session.answer(event.request_id, answer)
    return [event for event in of(PermissionAsked, events) if isinstance(event, PermissionAsked)]


def writing(path: Path | str) -> Reply:
    return Reply(blocks=[Call(name="Write", input={"file_path": str(path), "content": "x"})])


@pytest.mark.parametrize("mode", ["acceptEdits", "all"])
async def test_what_a_rule_is_about_is_asked_although_the_mode_allows_it(mode: str) -> None:
    with setting(in_order(BYE)) as place:
        place.stub.script = in_order(
            writing(place.cwd / "secrets" / "a"), writing(place.cwd / "b"), Reply(blocks=[done()]), BYE
        )
        (question,) = await asked(place, Permissions(deny=("Write(secrets/*)",)), answer="deny", mode=mode)
        assert (question.tool, question.subject) == ("Write", "secrets/a")
        assert "The person said no." in place.stub.requests[1].results[0]
        assert not (place.cwd / "secrets").exists()
        assert (place.cwd / "b").exists()


async def test_what_is_asked_names_its_tool_and_all_of_its_subject() -> None:
    command = "make " + "x" * 3_000
    with setting(in_order(BYE)) as place:
        bash = Reply(blocks=[Call(name="Bash", input={"command": command, "description": "d"})])
        outside = place.folder / "outside"
        place.stub.script = in_order(bash, writing(outside), Reply(blocks=[done()]), BYE)
        first, second = await asked(place, Permissions(), answer="deny")
        assert (first.tool, first.subject) == ("Bash", command)
        assert (second.tool, second.subject) == ("Write", str(outside))
        assert not outside.exists()


async def test_what_a_rule_denies_is_denied_to_those_that_only_look() -> None:
    with setting(in_order(BYE)) as place:
        (place.cwd / "secret").write_text("the word")
        answer = Call(name="StructuredOutput", input={"summary": "s", "recommended_splits": 1})
        read = [Call(name="Read", input={"file_path": str(place.cwd / "secret")})]
        place.stub.script = in_order(Reply(blocks=read), Reply(blocks=[answer]))
        opening = replace(place.opening(read_only=True), rules=Permissions(ask=("Read(secret)",)))
        async with place.agent().session(opening) as session:
            async for _ in session.turn(ANALYSIS):
                pass
        (told,) = place.stub.requests[1].results
        assert "A rule of the person's says ask: Read(secret)" in told
        assert "the word" not in told
