"""Limits and trouble of the provider: what they look like from a session, and how many requests they cost."""

from __future__ import annotations

import asyncio

import pytest

from bigtask.agents.protocol import Limited, Reported, SessionEvent, Text, TurnEnded
from claude.rows import BYE, done
from claude.setting import PROMPT, Setting, needs_claude, of, setting, turn_of
from claude.stub import Reply, in_order

pytestmark = pytest.mark.integration
RATE = {"status": 429, "error": "rate_limit_error"}
GOOD = (Reply(blocks=[done()]), BYE)


@pytest.fixture(autouse=True)
def _with_claude() -> None:
    needs_claude()


async def one_turn(place: Setting) -> list[SessionEvent]:
    return await turn_of(place.agent(), place.opening())


async def test_a_limited_account_is_asked_once_and_the_session_goes_on_when_it_may() -> None:
    with setting(in_order(Reply(**RATE, headers={"retry-after": "30"}), *GOOD)) as place:
        async with asyncio.timeout(90), place.agent().session(place.opening()) as session:
            limited = [event async for event in session.turn(PROMPT)]
            assert len(place.stub.requests) == 1
            later = [event async for event in session.turn(PROMPT)]
        (limit,) = of(Limited, limited)
        assert isinstance(limit, Limited)
        assert limit.kind == "rate"
        assert limit.reset_s is not None
        assert 30 <= limit.reset_s < 60
        assert limited[-1] == TurnEnded(
            reason="limited", detail=f"the account is limited (rate) for {limit.reset_s:.0f} s"
        )
        assert of(Reported, later)
        assert later[-1] == TurnEnded()


async def test_a_long_limit_is_a_limit() -> None:
    with setting(in_order(Reply(**RATE, headers={"retry-after": "3600"}))) as place:
        events = await one_turn(place)
        assert of(Limited, events) == [Limited(kind="rate")]
        assert isinstance(events[-1], TurnEnded)
        assert events[-1].reason == "limited"
        assert of(Text, events) == []
        assert len(place.stub.requests) == 1


async def test_an_overloaded_service_is_a_limit_after_three_tries() -> None:
    with setting(in_order(Reply(status=529, error="overloaded_error"))) as place:
        events = await one_turn(place)
        assert of(Limited, events) == [Limited(kind="overloaded")]
        assert isinstance(events[-1], TurnEnded)
        assert events[-1].reason == "limited"
        assert len(place.stub.requests) == 3


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=529, error="overloaded_error"),
        Reply(status=500, error="api_error"),
        Reply(blocks=["half a"], fault="broken"),
        Reply(fault="garbage"),
    ],
    ids=["overloaded", "internal error", "broken stream", "garbage"],
)
async def test_passing_trouble_is_overcome(trouble: Reply) -> None:
    with setting(in_order(trouble, *GOOD)) as place:
        events = await one_turn(place)
        assert of(Reported, events)
        assert events[-1] == TurnEnded()


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (Reply(status=401, error="authentication_error"), "sign in"),
        (Reply(status=403, error="permission_error"), "sign in"),
        (
            Reply(
                status=400, error="invalid_request_error", message="Your credit balance is too low to do it."
            ),
            "top it up",
        ),
        (
            Reply(
                status=400,
                error="invalid_request_error",
                message="prompt is too long: 200001 tokens > 200000 maximum",
            ),
            "split the task",
        ),
    ],
    ids=["401", "403", "credit", "too long"],
)
async def test_trouble_that_stays_ends_the_turn_at_once_with_what_to_do(trouble: Reply, words: str) -> None:
    with setting(in_order(trouble)) as place:
        events = await one_turn(place)
        assert len(place.stub.requests) == 1
        end = events[-1]
        assert isinstance(end, TurnEnded)
        assert end.reason == "error"
        assert words in end.detail
        assert of(Limited, events) == []
