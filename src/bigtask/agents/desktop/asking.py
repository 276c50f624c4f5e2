"""What the application asks its person, as our questions, and our answers as it takes them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bigtask.agents.claude.questions import ALLOW, DENY, permission_question, permission_subject
from bigtask.agents.desktop.surface import QUESTIONS, Pending
from bigtask.agents.protocol import Opening, PermissionAsked
from bigtask.core.permissions import decided
from bigtask.core.unanswered import NONE_OF_THESE

_DECIDE = "None of these. Decide it yourself, and say in your report what you assumed."
_EDITS = frozenset({"Write", "Edit", "NotebookEdit"})
_MODES: Mapping[str, str] = {
    "ask": "default",
    # `bypassPermissions` would ask nobody any more: instead each question is answered with yes.
    "acceptEdits": "acceptEdits",
    "all": "acceptEdits",
    "readOnly": "default",
}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """As `respondToToolPermission` takes it; `words` are said to the session afterwards."""

    decision: str
    given: Mapping[str, Any] | None = None
    words: str = ""


_YES, _NO = Reply(decision="once"), Reply(decision="deny")


@dataclass
class Asked:
    """One of the application's questions, and what was answered to each of ours that it was made into."""

    pending: Pending
    questions: tuple[PermissionAsked, ...]
    permission: bool = True
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def reply(self) -> Reply | None:
        """None while answers are missing."""
        if len(self.answers) < len(self.questions):
            return None
        if not self.permission:
            said = {one.question: _chosen(self.answers[one.request_id]) for one in self.questions}
            return Reply(decision="once", given={**self.pending.given, "answers": said})
        (said_once,) = self.answers.values()
        if said_once == ALLOW:
            return _YES
        return _NO if said_once == DENY else Reply(decision="deny", words=f"The person said: {said_once}")


def mode(opening: Opening) -> str:
    """The application's name for the permission mode."""
    if looks(opening):
        return _MODES["readOnly"]
    # What the mode allows isn't asked for, and then rules can't say no to it.
    return "default" if opening.rules.deny or opening.rules.ask else _MODES[opening.permission_mode]


def looks(opening: Opening) -> bool:
    return opening.read_only or opening.permission_mode == "readOnly"


def settled(pending: Pending, opening: Opening) -> Reply | None:
    """The reply to what needn't be asked, None for what a person has to be."""
    if looks(opening):
        return _NO
    if pending.tool == QUESTIONS:
        return None
    subject = permission_subject(pending.tool, pending.given, opening.cwd)
    ruled = decided(opening.rules, pending.tool, subject)
    if ruled is not None and ruled[0] != ALLOW:
        return None
    if opening.permission_mode == "all":
        return _YES
    inside = pending.tool in _EDITS and not Path(subject).is_absolute()
    return _YES if inside and opening.permission_mode == "acceptEdits" else None


def asked(pending: Pending, cwd: Path) -> Asked:
    if pending.tool == QUESTIONS and (questions := tuple(_questions(pending))):
        return Asked(pending, questions, permission=False)
    tool = pending.tool
    question = PermissionAsked(
        request_id=pending.request_id,
        question=permission_question(tool, pending.given, cwd),
        tool=tool,
        subject=permission_subject(tool, pending.given, cwd),
    )
    return Asked(pending, (question,))


def _chosen(answer: str) -> str:
    return _DECIDE if answer == NONE_OF_THESE else answer


def _questions(pending: Pending) -> Iterator[PermissionAsked]:
    given = pending.given.get("questions")
    for number, one in enumerate(given if isinstance(given, list) else ()):
        match one:
            case {"question": str(question), "options": list(options)}:
                yield PermissionAsked(
                    request_id=f"{pending.request_id}#{number}",
                    question=question,
                    options=(*_labels(options), NONE_OF_THESE),
                )


def _labels(options: Sequence[Any]) -> Iterator[str]:
    for option in options:
        match option:
            case str() | {"label": str()}:
                yield option if isinstance(option, str) else option["label"]
