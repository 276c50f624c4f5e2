"""What is said to an agent about its answer: the nonce to send back, and what was wrong with the last one."""

from __future__ import annotations

from collections.abc import Sequence

from bigtask.protocol.delimiters import neutralise
from bigtask.protocol.fields import response_format
from bigtask.protocol.heuristics import suggest


def with_nonce(text: str, nonce: str) -> str:
    """The prompt with its nonce at the very end, so that what comes before it stays the same for every turn
    and a model's prompt cache can serve it."""
    return f'{text.rstrip()}\n\nThe nonce of your answer, to be copied into "nonce": {nonce}\n'


def no_block(phase: str, said: str) -> str:
    """The sentence about a last message, of which `said` is the end, that holds no block."""
    suggestion = suggest(said)
    sentence = f"there is no {phase} block in your last message"
    if suggestion is None:
        return sentence
    if suggestion.phase == phase:
        return f"{sentence}: what you say in words doesn't count, say it in the block"
    if suggestion.phase == "progress":
        return f"{sentence}: finish the work first if it isn't finished, and then give the block"
    return f"{sentence}, and your words read like another phase's: only the {phase} is asked for"


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


def go_on(phase: str, start_delimiter: str, end_delimiter: str) -> str:
    """A prompt for a session whose turn ended before its work did, through nobody's fault. As `ask_again`
    it takes a fresh nonce and raises."""
    return (
        "Your turn was cut off by a limit of your account, which is over. Go on where you stopped: what you "
        "did before still counts.\n\n"
        f"{response_format(phase, start_delimiter, end_delimiter)}"
    )


def time_is_up(phase: str, start_delimiter: str, end_delimiter: str) -> str:
    """A prompt for a session that has no active time left and may still say what it has. As `ask_again` it
    takes a fresh nonce and raises."""
    partial = ""
    if phase == "completion":
        partial = (
            " The status is success only if all of the task is done, and partial if what there is can be "
            "used as it is."
        )
    return (
        "Your time is up, and your turn was ended for it. Begin nothing new. Answer now with what you have: "
        f"say what is done and what isn't.{partial}\n\n"
        f"{response_format(phase, start_delimiter, end_delimiter)}"
    )


def nudge(quiet_s: float, phase: str, start_delimiter: str, end_delimiter: str) -> str:
    """A prompt for a session whose turn was ended because nothing was noticed of it for `quiet_s`. As
    `ask_again` it takes a fresh nonce and raises."""
    return (
        f"{nudge_words(quiet_s)} Your turn was ended for it, and with it whatever hung. Go on where you "
        "stopped, in another way where it hung: what you did before still counts.\n\n"
        f"{response_format(phase, start_delimiter, end_delimiter)}"
    )


def nudge_words(quiet_s: float) -> str:
    """The same in the middle of a turn."""
    return f"For {quiet_s:.0f} seconds nothing was heard of you, and no process of yours did anything."
