"""What texts begin with alike."""

from __future__ import annotations

from collections.abc import Collection
from itertools import takewhile


def common_beginning(texts: Collection[str]) -> str:
    columns = zip(*texts, strict=False)
    return "".join(signs[0] for signs in takewhile(lambda signs: len(set(signs)) == 1, columns))
