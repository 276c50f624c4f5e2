"""The answer block of the response protocol, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

START = "<<<ORCHESTRATOR_RESPONSE>>>"
END = "<<<END_ORCHESTRATOR_RESPONSE>>>"


def block(phase: str, data: Mapping[str, Any], nonce: str) -> str:
    body = msgspec.json.encode({"phase": phase, "data": data, "nonce": nonce}).decode()
    # A file name may hold a delimiter. Inside JSON strings `<` can be written so that it isn't one;
    # outside strings JSON has no `<`.
    return f"{START}\n{body.replace('<', chr(92) + 'u003c')}\n{END}\n"


def said(text: str) -> str:
    """Prose around a block: on one line, without a delimiter."""
    return " ".join(text.split()).replace("<<<", "‹‹‹").replace(">>>", "›››")
