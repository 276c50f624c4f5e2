"""`{NAME}` in the texts of a script: one pass, so that what is put in is never looked at again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"\{([A-Z_][A-Z0-9_]*)\}")


def filled(value: Any, variables: Mapping[str, Any]) -> Any:
    """The value with the texts in it filled in; a name that isn't known stays as it is."""
    if isinstance(value, str):
        return _NAME.sub(lambda name: _words(variables.get(name[1], name[0])), value)
    if isinstance(value, list):
        return [filled(item, variables) for item in value]
    if isinstance(value, dict):
        return {filled(key, variables): filled(item, variables) for key, item in value.items()}
    return value


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
