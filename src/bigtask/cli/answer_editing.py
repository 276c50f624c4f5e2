"""Writing an agent's answer by hand, in an editor: checked each time it is saved, until it can be used or the
person has enough."""

from __future__ import annotations

from bigtask.cli.answer_text import problems_of, read, text_of
from bigtask.cli.editing import Way
from bigtask.cli.editor import Draft
from bigtask.cli.noted import with_notes
from bigtask.core.commands import Answer
from bigtask.core.run import Run
from bigtask.core.states import WaitingKind
from bigtask.core.values import Waiting
from bigtask.errors import InvalidInput
from bigtask.host.handwritten import as_read


def by_hand(run: Run, waiting_id: str) -> Waiting | None:
    """What waits under that id, where an answer to it can be written by hand."""
    waiting = run.waiting.get(waiting_id)
    if waiting is None or waiting.kind is not WaitingKind.ANSWER or "edit" not in waiting.options:
        return None
    return waiting


async def edit_answer(way: Way, draft: Draft, waiting: Waiting, *, scope: str = "once", by: str) -> bool:
    """False where the question stays open. Raises what was wrong when the person has enough of a text that
    can't be used, or when the question was settled meanwhile; `draft` keeps the text then."""
    run = await way.run()
    assert waiting.task_id is not None
    shown = text_of(run, waiting, waiting.task_id)
    wrong: InvalidInput | None = None
    while True:
        text = await draft.edited(shown)
        if text == shown and wrong is not None:
            raise wrong
        draft.keep = False
        if text == shown:
            return False
        try:
            data = read(text)
            if data is None:
                return False
            draft.keep = True
            answer = Answer(waiting_id=waiting.id, answer="edit", scope=scope, data=data, by=by)
            # Read here first: this lists everything that is wrong, the holder would say it in one sentence.
            as_read(run, answer, way.knows)
            await way.ask(answer)
            draft.keep = False
            return True
        except InvalidInput as error:
            wrong, draft.keep = error, True
        notes = problems_of(wrong)
        shown = with_notes(text, notes)
        if not await way.goes_on(notes):
            draft.write(shown)
            raise wrong
