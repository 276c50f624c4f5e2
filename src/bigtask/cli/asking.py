"""What waits for a person, as a question at the terminal, and what was typed, as a command."""

from __future__ import annotations

from dataclasses import dataclass

from bigtask.core.commands import Answer, AnyCommand, Confirm, EditPlan, Resume, SkipTask
from bigtask.core.edits import DropTask, SetTask
from bigtask.core.permissions import ONCE, covered, scopes_of
from bigtask.core.run import Run
from bigtask.core.states import TaskState, WaitingKind
from bigtask.core.values import Waiting
from bigtask.errors import BigtaskError, InvalidInput
from bigtask.words import counted, one_line

PLAN_KEYS = "[c]onfirm  [e]dit  [d]rop TASK  [p]riority TASK N  [s]kip TASK  [q] cancel the run"
RESUME_KEYS = "[r]esume   Ctrl-C leaves it paused"
_QUESTION = 600
_COVERED = 80


@dataclass(frozen=True, kw_only=True)
class Question:
    """`keys` says what can be typed. `more` counts the others that wait."""

    who: str
    text: str
    keys: str
    id: str
    more: int = 0


def question_of(run: Run) -> Question | None:
    """What a person is asked now; None when nothing waits."""
    if run.outcome is not None:
        return None
    waiting = _about_the_cap(run) or next(iter(run.waiting.values()), None)
    if run.paused and (waiting is None or waiting.kind is not WaitingKind.BUDGET):
        return Question(who="run", text="paused", keys=RESUME_KEYS, id="")
    if waiting is None:
        return None
    about_plan = waiting.kind is WaitingKind.PLAN
    # The plan may have been edited since the question was put.
    text = f"start {counted(_to_do(run), 'task')} as planned?" if about_plan else waiting.question
    return Question(
        who=waiting.task_id or "run",
        text=one_line(text, _QUESTION),
        keys=PLAN_KEYS if about_plan else _numbered(waiting),
        id=waiting.id,
        more=len(run.waiting) - 1,
    )


def _about_the_cap(run: Run) -> Waiting | None:
    """Its answer takes the run up again, which rests until then: nothing else can be asked meanwhile."""
    return next((each for each in run.waiting.values() if each.kind is WaitingKind.BUDGET), None)


def _to_do(run: Run) -> int:
    return len(run.tasks) - run.counts[TaskState.SKIPPED]


def _numbered(waiting: Waiting) -> str:
    keys = "  ".join(f"[{number}] {one_line(option)}" for number, option in enumerate(waiting.options, 1))
    wider = [scope for scope in scopes_of(waiting) if scope != ONCE]
    if waiting.kind is not WaitingKind.PERMISSION or not wider:
        return keys
    longer = ", ".join(f"1 {scope}" for scope in wider)
    return f"{keys}  or for longer: {longer} (covers {one_line(covered(waiting), _COVERED)})"


def command_of(run: Run, typed: str, *, who: str) -> AnyCommand:
    """Raises InvalidInput with a sentence for the person who typed it. An id before the answer (`w3 allow`)
    says which of several questions is meant."""
    words = typed.split()
    if run.paused and not _about_the_cap(run):
        if words and "resume".startswith(words[0].lower()):
            return Resume(by=who)
        raise InvalidInput("the run is paused: r goes on")
    waiting = _about_the_cap(run) or next(iter(run.waiting.values()), None)
    if words and words[0] in run.waiting:
        waiting = run.waiting[words.pop(0)]
    if waiting is None:
        raise InvalidInput("nothing waits for an answer any more")
    if waiting.kind is WaitingKind.PLAN:
        return _about_plan(run, waiting, words, who)
    return _answer(waiting, " ".join(words), who)


def to_edit(run: Run, typed: str) -> Waiting | None:
    """What is to be written in an editor, where that is what was typed, which is no command by itself: the
    plan, or an answer in an agent's place."""
    words = typed.split()
    waiting = next(iter(run.waiting.values()), None)
    if words and words[0] in run.waiting:
        waiting = run.waiting[words.pop(0)]
    if waiting is None or run.paused:
        return None
    said = " ".join(words).lower()
    wanted = said in ("e", "edit") if waiting.kind is WaitingKind.PLAN else _chosen(waiting, said) == ["edit"]
    return waiting if wanted else None


def _answer(waiting: Waiting, said: str, who: str) -> AnyCommand:
    scope = ONCE
    chosen = _chosen(waiting, said)
    shorter, _, last = said.rpartition(" ")
    if not chosen and last.lower() in scopes_of(waiting):
        chosen, scope = _chosen(waiting, shorter), last.lower()
    if len(chosen) != 1:
        raise InvalidInput(f"type a number from 1 to {len(waiting.options)}, or the beginning of an answer")
    return Answer(waiting_id=waiting.id, answer=chosen[0], scope=scope, by=who)


def _chosen(waiting: Waiting, said: str) -> list[str]:
    """Every option that may be meant: by its number, by its name, or by the beginning of that."""
    options = waiting.options
    if said.isdecimal() and 1 <= int(said) <= len(options):
        return [options[int(said) - 1]]
    return [option for option in options if option == said] or [
        option for option in options if said and option.lower().startswith(said.lower())
    ]


def _about_plan(run: Run, waiting: Waiting, words: list[str], who: str) -> AnyCommand:
    assert run.plan is not None
    revision = run.plan.revision
    match [word.lower() for word in words[:1]] + words[1:]:
        case ["c" | "confirm" | "y" | "yes"]:
            return Confirm(revision=revision, by=who)
        case ["q" | "cancel"]:
            return Answer(waiting_id=waiting.id, answer="cancel", by=who)
        case ["d" | "drop", id]:
            return EditPlan(revision=revision, edits=(DropTask(id=_task(run, id)),), by=who)
        case ["s" | "skip", id]:
            return SkipTask(task_id=_task(run, id), by=who)
        case ["p" | "priority", id, number]:
            if not number.isdecimal() or not 1 <= int(number) <= 10:
                raise InvalidInput("a priority is a number from 1 (most urgent) to 10")
            edit = SetTask(id=_task(run, id), fields={"priority": int(number)})
            return EditPlan(revision=revision, edits=(edit,), by=who)
        case _:
            raise InvalidInput("type c, e, d TASK, p TASK N, s TASK or q")


def _task(run: Run, given: str) -> str:
    """The id of the task that `given` names: by its id, a unique beginning of one, or a number in the
    table."""
    if given in run.tasks:
        return given
    ids = list(run.tasks)
    if given.isdecimal() and 1 <= int(given) <= len(ids):
        return ids[int(given) - 1]
    fits = [id for id in ids if id.startswith(given)]
    if len(fits) != 1:
        raise InvalidInput(f"the plan has {'no' if not fits else 'more than one'} task {given!r}")
    return fits[0]


def sentence(error: BigtaskError) -> str:
    return one_line(str(error), _QUESTION)
