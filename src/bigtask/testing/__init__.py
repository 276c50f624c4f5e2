"""The suite that every agent of bigtask passes, for one of your own. It needs pytest.

from contextlib import nullcontext

from bigtask.testing import AgentConformance


class TestMine(AgentConformance):
    cannot = {"uses tools"}

    def showing(self, behaviour):
        return nullcontext(MyAgent(behaviour))
"""

import pytest

pytest.register_assert_rewrite("bigtask.testing.conformance")

from bigtask.testing.behaviours import ANSWERS, BEHAVIOURS, HOSTILE, IN_WORDS  # noqa: E402 - rewritten first
from bigtask.testing.conformance import AgentConformance  # noqa: E402
from bigtask.testing.table import conformance_table  # noqa: E402

__all__ = ["ANSWERS", "BEHAVIOURS", "HOSTILE", "IN_WORDS", "AgentConformance", "conformance_table"]
