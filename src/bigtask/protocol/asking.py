"""What is said to an agent about its answer: the nonce to send back, and what was wrong with the last one."""

from __future__ import annotations

from collections.abc import Sequence

from bigtask.protocol.delimiters import neutralise
from bigtask.protocol.fields import response_format


def with_nonce(text: str, nonce: str) -> str:
    """The prompt with its nonce at the very end, so that what comes before it stays the same for every turn
    and a model's prompt cache can serve it."""
    return f'{text.rstrip()}\n\nThe nonce of your answer, to be copied into "nonce": {nonce}\n'


def ask_again(errors: Sequence[str], phase: str, start_delimiter: str, end_delimiter: str) -> str:
    """A prompt for the same session: exactly what was wrong, then the form wanted. It takes a fresh nonce
    through `with_nonce`. The errors may quote the agent; delimiters in them are neutralised.

    Raises `InvalidInput` for an unknown phase or unusable delimiters.
    """
    listed = "\n".join(f"- {neutralise(error, start_delimiter, end_delimiter)}" for error in errors)
    return (
        "Your answer can't be used as it is:\n\n"
        f"{listed}\n\n"
        "The work itself needn't be done again. Give the answer again, whole and corrected.\n\n"
        f"{response_format(phase, start_delimiter, end_delimiter)}"
    )
