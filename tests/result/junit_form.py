"""The form of JUnit's XML that readers agree on, as tables: that of Apache Ant's task, in which every suite
has all its parts. What is valid here is valid for the laxer ones as well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

_NUMBER, _SECONDS = re.compile(r"\d+"), re.compile(r"\d+\.\d+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_WORD = re.compile(r"\S(.*\S)?", re.DOTALL)
_ANY = re.compile(r".*", re.DOTALL)

NEEDED = {
    "testsuites": {},
    "testsuite": {
        "id": _NUMBER,
        "name": _WORD,
        "package": _WORD,
        "timestamp": _TIME,
        "hostname": _WORD,
        "tests": _NUMBER,
        "failures": _NUMBER,
        "errors": _NUMBER,
        "skipped": _NUMBER,
        "time": _SECONDS,
    },
    "properties": {},
    "property": {"name": _WORD, "value": _ANY},
    "testcase": {"classname": _WORD, "name": _WORD, "time": _SECONDS},
    "failure": {"type": _WORD, "message": _ANY},
    "skipped": {"message": _ANY},
    "system-out": {},
    "system-err": {},
}
"""Each element with all of its attributes."""

INSIDE = {
    "testsuites": r"(testsuite )*",
    "testsuite": r"properties (testcase )*system-out system-err ",
    "properties": r"(property )*",
    "testcase": r"(skipped |failure )?",
}
"""What comes in an element, in its order; nothing in the others."""


def problems(content: bytes) -> list[str]:
    """Raises ElementTree.ParseError for what isn't XML at all."""
    root = _read(content)
    return [*_problems(root), *_miscounted(root)]


def _read(content: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(content)  # noqa: S314 - it is what we wrote just now


def _problems(element: ElementTree.Element) -> Iterator[str]:
    needed = NEEDED.get(element.tag)
    if needed is None:
        yield f"{element.tag} isn't known"
        return
    if set(element.attrib) != set(needed):
        yield f"{element.tag} has {sorted(element.attrib)}"
    for name, value in element.attrib.items():
        if name in needed and not needed[name].fullmatch(value):
            yield f"{element.tag}.{name} is {value!r}"
    inside = "".join(f"{child.tag} " for child in element)
    if not re.fullmatch(INSIDE.get(element.tag, ""), inside):
        yield f"{element.tag} has {inside}inside"
    for child in element:
        yield from _problems(child)


def _miscounted(root: ElementTree.Element) -> Iterator[str]:
    for number, suite in enumerate(root):
        found = {
            "id": number,
            "tests": len(suite.findall("testcase")),
            "failures": len(suite.findall("testcase/failure")),
            "skipped": len(suite.findall("testcase/skipped")),
            "errors": 0,
        }
        yield from (
            f"{suite.get('name')}.{name} is {suite.get(name)}, not {count}"
            for name, count in found.items()
            if suite.get(name) != str(count)
        )
        names = [(case.get("classname"), case.get("name")) for case in suite.findall("testcase")]
        if len(names) != len(set(names)):
            yield f"{suite.get('name')} has two cases of one name"


def outline(content: bytes) -> list[tuple[str, str, str, str]]:
    """Of each case its group, its name, what became of it, and what is said of that."""
    return [
        (
            case.get("classname", ""),
            case.get("name", ""),
            case[0].tag if len(case) else "",
            (case[0].get("message", "") + (case[0].text or "")) if len(case) else "",
        )
        for case in _read(content).iter("testcase")
    ]
