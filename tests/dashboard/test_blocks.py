"""What an agent says is shown as words, with the form of its answers folded away."""

from __future__ import annotations

import json

from .conftest import Sitting

START, END = "<<<ORCHESTRATOR_RESPONSE>>>", "<<<END_ORCHESTRATOR_RESPONSE>>>"


def block(**answer: object) -> str:
    return f"{START}\n{json.dumps(answer)}\n{END}"


def test_words_and_answers_are_told_apart_and_nothing_is_lost(sitting: Sitting) -> None:
    page = sitting.page()
    progress = block(phase="progress", data={"progress_percent": 44.6, "current_action": "writing a page"})
    done = block(phase="completion", data={"status": "success", "summary": "One page."})
    texts = [
        f"I begin.\n{progress}\nNearly.{done}",
        f"{START}\nno JSON\n{END}",
        f"{START} never ended",
        f"{END} {START}",
        block(phase=7, data=[1]),
        block(data={"status": {"a": 1}}),
        START * 20_000,
    ]
    module = 'import("/dashboard/core/blocks.js")'
    found = page.evaluate(
        f"async (texts) => {{ const {{ parts }} = await {module}; return texts.map(parts); }}", texts
    )
    whole, broken, open_ended, reversed_, odd, odder, many = found
    assert [one.get("words", one.get("said")) for one in whole] == [
        "I begin.",
        "progress · 45 %: writing a page",
        "Nearly.",
        "completion · success: One page.",
    ]
    assert json.loads(whole[1]["block"])["phase"] == "progress"
    assert broken == [{"block": "no JSON", "said": "an answer that isn't JSON"}]
    assert open_ended == [{"words": f"{START} never ended"}]
    assert reversed_ == [{"words": f"{END} {START}"}]
    assert [one["said"] for one in (*odd, *odder)] == ["answer", "answer"]
    assert many == [{"words": START * 20_000}]
