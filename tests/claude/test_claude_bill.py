from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("claude_agent_sdk", reason="Claude Code isn't installed: pip install 'bigtask[claude]'")

from claude_agent_sdk import ResultMessage

from bigtask.agents.claude.bill import Bill
from bigtask.agents.claude.kept_count import kept_count
from bigtask.agents.protocol import UsageReported

NOTHING = UsageReported()


def start(model: str = "claude-opus-5-5", tokens: int = 100, **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": tokens, "output_tokens": 1, **more}
    return {"type": "message_start", "message": {"model": model, "usage": usage}}


def delta(tokens: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {}, "usage": {"output_tokens": tokens}}


def result(cost: float, **usage: int) -> ResultMessage:
    models = {"claude-opus-5-5": {"costUSD": cost, **usage}}
    return ResultMessage(
        subtype="success",
        duration_ms=1,
        duration_api_ms=1,
        is_error=False,
        num_turns=1,
        session_id="s",
        total_cost_usd=cost,
        model_usage=models,
    )


def test_answers_are_counted_as_they_come() -> None:
    bill = Bill(before=NOTHING, restored=NOTHING)
    assert bill.hear(start()) == UsageReported(
        input_tokens=100, output_tokens=1, cost_usd=pytest.approx(0.00042)
    )
    assert bill.hear({"type": "message_stop"}) is None
    assert bill.hear(delta(20)) == UsageReported(
        input_tokens=100, output_tokens=20, cost_usd=pytest.approx(0.0008)
    )


def test_the_end_of_a_turn_replaces_our_count() -> None:
    bill = Bill(before=NOTHING, restored=NOTHING)
    bill.hear(start())
    bill.hear(delta(20))
    assert bill.close_turn(result(0.9, inputTokens=300, outputTokens=60)) == UsageReported(
        input_tokens=300, output_tokens=60, cost_usd=0.9
    )


def test_a_price_that_was_told_is_used_from_then_on() -> None:
    bill = Bill(before=NOTHING, restored=NOTHING)
    bill.close_turn(result(2.0, inputTokens=500, outputTokens=100))
    found = bill.hear(start(tokens=95))
    assert found is not None
    assert found.cost_usd == pytest.approx(2.0 + 0.2)


def test_the_cache_has_prices_of_its_own() -> None:
    bill = Bill(before=NOTHING, restored=NOTHING)
    kinds = {"ephemeral_1h_input_tokens": 100, "ephemeral_5m_input_tokens": 200}
    found = bill.hear(
        start(
            tokens=0,
            cache_read_input_tokens=1000,
            cache_creation_input_tokens=300,
            cache_creation=kinds,
            output_tokens=0,
        )
    )
    assert found is not None
    assert found.input_tokens == 1300
    assert found.cost_usd == pytest.approx((0.1 * 1000 + 2 * 100 + 1.25 * 200) * 4e-6)


@pytest.mark.parametrize("restored", [NOTHING, UsageReported(input_tokens=50, output_tokens=5, cost_usd=0.3)])
def test_a_resumed_session_costs_what_it_cost_before_and_what_came_since(restored: UsageReported) -> None:
    """Claude Code goes on from its last count in good order, or from none: the sum is the same."""
    bill = Bill(before=UsageReported(input_tokens=70, output_tokens=7, cost_usd=0.4), restored=restored)
    counted = result(
        restored.cost_usd + 0.2,
        inputTokens=restored.input_tokens + 10,
        outputTokens=restored.output_tokens + 1,
    )
    total = bill.close_turn(counted)
    assert (total.input_tokens, total.output_tokens) == (80, 8)
    assert total.cost_usd == pytest.approx(0.6)


def test_the_last_count_of_a_conversation_is_found_and_nothing_else_is(tmp_path: Path) -> None:
    folder = tmp_path / "projects" / "-project"
    folder.mkdir(parents=True)
    env = {"CLAUDE_CONFIG_DIR": str(tmp_path)}
    assert kept_count(env, "s") == NOTHING
    lines = [
        '{"type":"user","message":"x"}',
        '{"type":"cost-state","totalCostUSD":1,"modelUsage":{"m":{"inputTokens":1,"outputTokens":1}}}',
        '{"type":"cost-state","totalCostUSD":2.5,"modelUsage":{"m":{"inputTokens":7,"outputTokens":3}}}',
        '{"type":"assistant"}',
    ]
    (folder / "s.jsonl").write_text("\n".join(lines))
    assert kept_count(env, "s") == UsageReported(input_tokens=7, output_tokens=3, cost_usd=2.5)
    assert kept_count(env, "other") == NOTHING
    (folder / "s.jsonl").write_text('{"type":"cost-state","totalCostUSD":"much"}')
    assert kept_count(env, "s") == NOTHING
