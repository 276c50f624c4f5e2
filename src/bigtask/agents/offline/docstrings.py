"""The sections of a docstring, whatever style it is written in.

Styles and section names are those of griffe's parsers (google, numpy, sphinx). The style is found per
docstring, since projects mix them; text that belongs to no section stays where it was.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import griffe

_SPHINX = re.compile(
    r"^:(param|parameter|arg|argument|key|keyword|raises?|except|exception|returns?|rtype|type|[ic]?var)\b[^:\n]*:",
    re.MULTILINE,
)
_NUMPY = re.compile(
    r"^(Parameters|Other Parameters|Returns|Yields|Receives|Raises|Warns|Attributes|Methods|Examples?)[ ]*\n"
    r"-{3,}[ ]*$",
    re.MULTILINE,
)
_GOOGLE = re.compile(
    r"^(Args|Arguments|Params|Parameters|Keyword Args|Keyword Arguments|Other Parameters|Attributes|Returns?"
    r"|Yields?|Raises|Exceptions|Warns|Warnings?|Notes?|Examples?|Tips?|Important|Methods|Receives|See Also"
    r"|References|Todo)[ ]*:.*\n[ ]+\S",
    re.MULTILINE | re.IGNORECASE,
)
_TYPE_FIRST = re.compile(r"\(([^()\n]{1,80})\):\s+")
# Over this length, the parsers' per-line regular expressions are no longer worth it: shown as prose.
_MAX_LENGTH = 200_000


@dataclass(frozen=True, kw_only=True)
class Item:
    """One documented parameter, exception, value…; what the docstring doesn't say is empty."""

    name: str = ""
    type: str = ""
    default: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """`kind` is griffe's: text, parameters, returns, raises, examples, admonition, …"""

    kind: str
    title: str = ""
    text: str = ""
    items: tuple[Item, ...] = ()


def sections(docstring: str) -> tuple[Section, ...]:
    """In the order of the docstring. `docstring` is as `inspect.cleandoc` leaves it."""
    text = inspect.cleandoc(docstring)
    style = _style(text)
    if style is None or len(text) > _MAX_LENGTH:
        return (Section(kind="text", text=text),) if text else ()
    if style == "sphinx":
        return tuple(_sphinx(text))
    return tuple(_parsed(text, style))


def _style(text: str) -> str | None:
    if _SPHINX.search(text):
        return "sphinx"
    if _NUMPY.search(text):
        return "numpy"
    return "google" if _GOOGLE.search(text) else None


def _sphinx(text: str) -> Iterable[Section]:
    """Fields are parsed by griffe; it takes all that follows a field for its description, we don't."""
    prose: list[list[str]] = [[]]
    fields: list[str] = []
    inside = False
    for line in text.split("\n"):
        if _SPHINX.match(line):
            inside = True
        elif line.strip() and not line.startswith((" ", "\t")):
            inside = False
        (fields if inside else prose[-1]).append(line)
    before = "\n".join(prose[0]).strip("\n")
    if before:
        yield Section(kind="text", text=before)
    yield from (
        section for section in _parsed("\n".join(fields).strip("\n"), "sphinx") if section.kind != "text"
    )


def _parsed(text: str, style: str) -> Iterable[Section]:
    library = _griffe()
    docstring = library.Docstring(text, lineno=1)
    options: dict[str, Any] = {"warnings": False}
    if style == "google":
        options |= {"returns_multiple_items": False, "returns_named_value": False}
        options |= {"receives_multiple_items": False, "receives_named_value": False}
    for section in docstring.parse(style, **options):
        yield _section(section)


def _section(section: griffe.DocstringSection) -> Section:
    kind = section.kind.value
    value: Any = section.value
    title = section.title or ""
    if isinstance(value, str):
        return Section(kind=kind, title=title, text=value)
    if kind == "examples":
        # Pairs of (kind, text): prose and doctest sessions in turn.
        return Section(kind=kind, title=title, text="\n\n".join(str(text) for _, text in value))
    if kind in {"admonition", "deprecated"}:
        return Section(
            kind=kind,
            title=title,
            text=str(value.description or ""),
            items=(Item(name=str(value.annotation or "")),),
        )
    return Section(kind=kind, title=title, items=tuple(_item(element) for element in value))


def _item(element: Any) -> Item:
    annotation = str(element.annotation or "")
    text = str(element.description or "")
    if annotation and not _is_type(annotation):
        # "A list of names: sorted" has a colon, not a type.
        annotation, text = "", f"{annotation}: {text}".strip()
    elif (misplaced := _TYPE_FIRST.match(text)) and not annotation:
        # `name: (int, optional): Text` is a common slip of the pen.
        annotation, text = misplaced[1].removesuffix(", optional"), text[misplaced.end() :]
    default = getattr(element, "value", None)
    return Item(
        name=str(getattr(element, "name", "") or ""),
        type=annotation,
        default="" if default is None else str(default),
        text=text,
    )


def _is_type(text: str) -> bool:
    try:
        ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return (
            bool(re.match(r"[\w.\[\], |]+( or |, optional| of |, default)|\{.*\}$", text)) and len(text) < 120
        )
    return True


@functools.cache
def _griffe() -> Any:
    # Importing it takes a tenth of a second, and planning and checking don't need it.
    import griffe

    return griffe
