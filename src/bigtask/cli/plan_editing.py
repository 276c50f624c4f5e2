"""Editing a plan as a text: checked each time it is saved, until it can be used or the person has enough.

What was saved becomes edits of the plan that it was made from. Where somebody else edited the plan meanwhile
nothing of theirs is lost: the edits are put on top of it, and the person sees that before it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from bigtask.cli import plan_text
from bigtask.cli.editing import Knows, Way
from bigtask.cli.editor import Draft
from bigtask.cli.noted import with_notes
from bigtask.cli.run_lines import edit_words
from bigtask.core import plan as plans
from bigtask.core.commands import EditPlan, require
from bigtask.core.difference import difference, rebased, redirected
from bigtask.core.edits import Edit, SetTask
from bigtask.core.run import Run
from bigtask.core.values import Plan
from bigtask.errors import BigtaskError, Conflict, InvalidInput, InvalidPlan, NotFound, StaleRevision


@dataclass(frozen=True, kw_only=True)
class Edited:
    """What was changed, and which revision the plan has by it."""

    revision: int
    edits: tuple[Edit, ...]

    @property
    def words(self) -> str:
        return ", ".join(edit_words(edit) for edit in self.edits)


def plan_of(run: Run) -> Plan:
    """The plan of a run whose plan can be edited now. Raises Conflict for any other."""
    require(run, "edit")
    if run.plan is None:
        raise Conflict("there is no plan to edit yet: wait until the run has made one")
    return run.plan


def edits_of(run: Run, plan: Plan, text: str, *, knows: Knows) -> tuple[Edit, ...]:
    """What leads from `plan` to the one in the text, which was made from it; nothing where they are the same.

    Raises InvalidPlan with everything that is wrong, StaleRevision for a text made from an earlier plan.
    """
    written = plan_text.read(text)
    if written.revision < plan.revision:
        raise StaleRevision(given=written.revision, current=plan.revision)
    if written.revision > plan.revision:
        raise InvalidPlan(
            [f"the plan has no revision {written.revision} yet: put `revision = {plan.revision}` back"]
        )
    tasks = redirected(plan, written.tasks, written.merged)
    edits = difference(plan, tasks, written.merged)
    agents = {task.agent for task in tasks if task.agent is not None and knows(task.agent)}
    found = plans.problems(tasks, run.settings, agents=agents)
    if found:
        raise InvalidPlan(found)
    return edits


async def edit_plan(way: Way, draft: Draft, *, by: str) -> Edited | None:
    """None where the plan stays as it is. Raises what was wrong when the person has enough of a text that
    can't be used; `draft` keeps that one."""
    run = await way.run()
    base = plan_of(run)
    shown = plan_text.text_of(run)
    wrong: BigtaskError | None = None
    rebuilt = False
    while True:
        text = await draft.edited(shown)
        if not text.strip() or (text == shown and wrong is None and not rebuilt):
            return None
        draft.keep = True
        if text == shown and wrong is not None:
            raise wrong
        edits: tuple[Edit, ...] = ()
        try:
            edits = edits_of(run, base, text, knows=way.knows)
            if edits:
                await way.ask(EditPlan(revision=base.revision, edits=edits, by=by))
            draft.keep = False
            return Edited(revision=base.revision + 1, edits=edits) if edits else None
        except (InvalidInput, Conflict, NotFound) as error:
            wrong = error
        run = await way.run()
        now = plan_of(run)
        rebuilt = bool(edits) and now.revision != base.revision
        if rebuilt:
            given = base.revision
            merged, left = rebased(now, edits)
            notes = [*_news(now, base, edits, left)]
            shown, base, wrong = plan_text.text_of(run, merged, notes=notes), now, None
        else:
            notes = problems_of(wrong)
            shown = with_notes(text, notes)
        if not await way.goes_on(notes):
            draft.write(shown)
            raise wrong or StaleRevision(given=given, current=now.revision)


def problems_of(error: BigtaskError) -> list[str]:
    return list(error.problems) if isinstance(error, InvalidPlan) else [str(error)]


def _news(now: Plan, base: Plan, mine: Sequence[Edit], left: Sequence[Edit]) -> Iterator[str]:
    """What a person should know who edited `base` while others made `now` of it."""
    yield (
        f"somebody else edited the plan meanwhile: here is revision {now.revision} with your changes on top. "
        "Close to take it over like this, save an empty file to leave it"
    )
    before, theirs = ({task.id: msgspec.to_builtins(task) for task in plan.tasks} for plan in (base, now))
    for edit in mine:
        if not isinstance(edit, SetTask) or edit in left:
            continue
        for name, value in edit.fields.items():
            was, became = before[edit.id].get(name), theirs[edit.id].get(name)
            if was != became:
                yield f"both of you changed {name} of {edit.id}: it is {became} now, and yours is {value}"
    for edit in left:
        yield f"this can't be done to it any more: {edit_words(edit)}"
