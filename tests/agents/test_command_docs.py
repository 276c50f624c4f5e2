"""docs/agents.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bigtask.agents.acp.catalogue import known
from bigtask.agents.table import AGENTS
from bigtask.configuration.agent_definitions import AcpDefinition, CommandDefinition, definitions
from bigtask.configuration.layers import Rank, of_file

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.S)
_TOKENS = {"turn": "of the turn", "session": "of the session", "last": "of the last call", "none": "no"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_used_as_it_stands(example: str) -> None:
    found = of_file(example, rank=Rank.USER, name="config.toml")
    assert (found.problems, found.warnings) == ((), ())
    assert len(definitions(found.said["agents"].value)) == 1


def test_a_repository_s_file_defines_no_agent() -> None:
    found = of_file(EXAMPLES[0], rank=Rank.REPOSITORY, name="config.toml")
    assert not found.said
    assert "a repository can't set agents" in found.warnings[0]


def test_the_table_of_known_agents_is_the_product_s() -> None:
    table = PAGE[PAGE.index("| name | installed by |") :].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert rows == [_row(name, one) for name, one in known().items()]


def _row(name: str, one: AcpDefinition) -> list[str]:
    return [
        f"`{name}`",
        f"`{one.install}`",
        f"{one.session_mib} MiB",
        _TOKENS[one.usage],
        "yes" if one.cost == "session" else "no",
        "yes" if one.resume else "begins anew",
    ]


def test_every_agent_and_every_key_is_named() -> None:
    for name in (*AGENTS, *known()):
        assert f"`{name}`" in PAGE
    for key in CommandDefinition.__struct_encode_fields__:
        assert f"`{key}`" in PAGE
    for key in AcpDefinition.__struct_encode_fields__:
        assert key in PAGE or key == "quirks"
