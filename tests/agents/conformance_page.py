"""The table of docs/agents.md, from the classes of the suite: it skips what they leave out, and the rest has
to pass.

    python tests/agents/conformance_page.py    writes it anew
"""

from __future__ import annotations

import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"
_BEGIN, _END = "<!-- made by: python tests/agents/conformance_page.py -->\n", "<!-- end -->"


def written(page: str, table: str) -> str:
    before, _, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    assert end, f"{PAGE} has no place for the table"
    return before + _BEGIN + table + end + after


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from agents.test_conformance import SUITES
    from bigtask.testing import conformance_table

    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), conformance_table(SUITES)), encoding="utf-8")


if __name__ == "__main__":
    main()
