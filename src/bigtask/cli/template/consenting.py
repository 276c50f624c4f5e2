"""The question whether a template may be used here, as it is now."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bigtask.cli.mode_words import may
from bigtask.cli.screen import note
from bigtask.words import counted, one_line

if TYPE_CHECKING:
    from bigtask.templates.consent import Consent
    from bigtask.templates.manager import TemplateManager


def show(templates: TemplateManager, consent: Consent) -> None:
    """Everything that would be allowed, on stderr."""
    template = templates.get(consent.template_id)
    note(f"{template.id}: {one_line(template.name, 100)} ({consent.path})")
    if len(consent.chain) > 1:
        note(f"  extends {' -> '.join(consent.chain[1:])}")
    if consent.whole:
        note(f"  agents may: {may(template.config.permission_mode)}")
        note(f"  read what agents are told: bigtask template show {template.id} --resolved")
    if consent.commands:
        note(f"  {counted(len(consent.commands), 'command')} that bigtask would run or allow:")
    for where, command in consent.commands:
        note(f"    {where}: {whole(command)}")


def asked(templates: TemplateManager, consent: Consent) -> bool:
    """Whether the person at the terminal allows what is shown."""
    show(templates, consent)
    what = "this template" if consent.whole else "these commands"
    return click.confirm(f"Allow {what}, as it is now, on this machine?", default=False, err=True)


def whole(command: Sequence[str]) -> str:
    """The command as it would be typed. What a person allows is shown to its last sign: nothing is cut, and
    what can't be seen is spelled out."""
    typed = shlex.join(command)
    return typed if one_line(typed) == typed else json.dumps(list(command))
