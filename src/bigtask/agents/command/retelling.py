"""What a program is told that can't continue a session: what was asked and answered before. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 64 * 1024


def retold(earlier: Sequence[tuple[str, str]], prompt: str) -> str:
    """`earlier` are prompts with their answers. Of a long answer the end is kept, where the block is."""
    if not earlier:
        return prompt
    parts = []
    for asked, answered in earlier:
        kept = answered[-_LONGEST:]
        cut = f"[{len(answered) - len(kept)} characters left out] " if len(kept) < len(answered) else ""
        parts.append(f"You were asked:\n\n{asked}\n\nYou answered:\n\n{cut}{kept}")
    return "\n\n".join((*parts, f"Now you are asked:\n\n{prompt}"))
