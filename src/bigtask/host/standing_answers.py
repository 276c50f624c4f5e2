"""What a person has answered for a whole repository, as a run uses and adds to it."""

from __future__ import annotations

import re
from collections.abc import Container
from pathlib import Path

from msgspec.structs import replace

from bigtask.agents.protocol import Agent
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.permissions import REPOSITORY, exactly
from bigtask.core.run import Run
from bigtask.errors import InvalidInput
from bigtask.kept_answers import KeptAnswers
from bigtask.sink import log

_GUARDED = frozenset({".git", ".bigtask", ".gitattributes", ".gitmodules"})
"""Names by which something is run or loaded that no agent has to bring."""
_WORD = re.compile(r"[\w.-]+")


class StandingAnswers:
    def __init__(self, run: Run, kept: KeptAnswers) -> None:
        self._run = run
        self._kept = kept

    @property
    def _repository(self) -> Path:
        return Path(self._run.created.source.root)

    def known(self, asked: o.Asked, agent: Agent) -> o.Asked:
        """With what was answered before, and whether it is about what the trust gate keeps."""
        if not asked.tool:
            return asked
        rules = agent.traits.project_rules
        guarded = mentions(asked.subject, rules.names | rules.folders if rules is not None else frozenset())
        try:
            found = self._kept.about(self._repository, exactly(asked.tool, asked.subject))
        except InvalidInput as error:
            log("WorkerManager").warning("%s", error)
            found = None
        kept = None if found is None else o.Kept(answer=found.answer, by=found.by)
        return replace(asked, guarded=guarded, kept=kept)

    def keep(self, answered: e.Answered, at: int) -> None:
        if answered.scope == REPOSITORY and not answered.rule:
            self._keep(answered.covers, answered.answer, answered.by, at, answered.waiting_id)

    def catch_up(self) -> None:
        """What an earlier holder had no time to keep."""
        for covers, given in self._run.grants.items():
            for grant in given.values():
                if grant.scope == REPOSITORY:
                    self._keep(covers, grant.answer, grant.by, grant.at, grant.waiting_id)

    def _keep(self, rule: str, answer: str, by: str, at: int, waiting_id: str) -> None:
        try:
            self._kept.keep(
                self._repository,
                rule=rule,
                answer=answer,
                by=by,
                at=at,
                run_id=self._run.id,
                waiting_id=waiting_id,
            )
        except InvalidInput as error:
            log("WorkerManager").warning("%s: the answer holds for this run alone", error)


def mentions(subject: str, names: Container[str]) -> bool:
    """Whether anything in a command or path is called like that."""
    return any(word in names or word in _GUARDED for word in _WORD.findall(subject))
