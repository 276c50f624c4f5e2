"""Text inside a paragraph: reST and Markdown markup as Markdown, everything else shown as written."""

from __future__ import annotations

import re
from collections.abc import Callable

Link = Callable[[str], str | None]
"""The address of the object that a name means, or None."""

# Each alternative stops at a character that can't be inside it, so a scan stays linear.
_MARKUP = re.compile(
    r"(?P<double>``(?:[^`]|`(?!`))+``)"
    r"|:(?P<role>[a-zA-Z][\w:.+-]{0,30}):`(?P<target>[^`]+)`"
    r"|`(?P<label>[^`<]*?)\s*<(?P<address>[^`<>\s]+)>`_{1,2}"
    r"|`(?P<single>[^`]+)`_{0,2}(?!\w)"
    r"|\[(?P<text>[^\[\]\n]+)\]\((?P<url>https?://[^()\s<>]+)\)"
    r"|\[(?P<cross>[^\[\]\n]+)\]\[(?P<crossed>[\w.]*)\]"
    r"|(?P<bare>https?://[^\s<>\"'`)\]|]+)"
    r"|\*\*(?=[^\s*])(?P<strong>[^*\n]*[^\s*])\*\*"
    r"|(?<![\w*])\*(?=[^\s*])(?P<emphasis>[^*\n]*[^\s*])\*(?![\w*])"
)
_ROLE_TARGET = re.compile(r"(?P<label>[^<]*[^<\s])\s*<(?P<target>[^<>]+)>", re.DOTALL)
_ESCAPED = re.compile(r"[\\`*\[\]<>$~#|]|&(?=[#\w])|(?<!\w)_+|_+(?!\w)")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def plain(text: str) -> str:
    """Text that Markdown and HTML show as it is."""
    return _ESCAPED.sub(
        lambda match: _ENTITIES.get(match[0]) or "".join(f"\\{character}" for character in match[0]), text
    )


def code(text: str) -> str:
    """A code span; its marker is longer than any run of backticks inside."""
    text = " ".join(text.split())
    if not text:
        return ""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    mark = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{mark}{pad}{text}{pad}{mark}"


def named(name: str, href: str | None) -> str:
    """A name as code, linked where it leads somewhere."""
    return f"[{code(name)}]({href})" if href else code(name)


def inline(text: str, link: Link) -> str:
    """One paragraph's text; lines stay lines."""
    pieces = []
    position = 0
    for match in _MARKUP.finditer(text):
        pieces += [plain(text[position : match.start()]), _markup(match, link)]
        position = match.end()
    return "".join([*pieces, plain(text[position:])])


def _markup(match: re.Match[str], link: Link) -> str:
    if match["double"]:
        name = match["double"][2:-2].strip()
        return named(name, link(name))
    if match["role"]:
        return _role(match["role"], match["target"], link)
    if match["address"]:
        label = plain(" ".join((match["label"] or match["address"]).split()))
        return f"[{label}](<{match['address']}>)" if _is_web(match["address"]) else label
    if match["single"]:
        return named(match["single"], link(match["single"]))
    if match["url"]:
        return f"[{plain(match['text'])}]({match['url']})"
    if match["cross"]:
        href = link(match["crossed"] or match["cross"].strip("`"))
        label = code(match["cross"].strip("`"))
        return f"[{label}]({href})" if href else label
    if match["bare"]:
        address = match["bare"].rstrip(".,;:!?*_")
        return f"<{address}>{plain(match['bare'][len(address) :])}"
    if match["strong"]:
        return f"**{inline(match['strong'], link)}**"
    return f"*{inline(match['emphasis'], link)}*"


def _role(role: str, written: str, link: Link) -> str:
    titled = _ROLE_TARGET.fullmatch(written.strip())
    if titled:
        target, label = titled["target"], titled["label"]
    else:
        target = written.strip().removeprefix("!")
        label = target.rpartition(".")[2] if target.startswith("~") else target.removeprefix(".")
    kind = role.rpartition(":")[2]
    if kind in {"doc", "ref", "term", "abbr", "any"} and link(target) is None:
        return plain(label)
    if kind in {"math", "code", "file", "kbd", "command", "option", "envvar"}:
        return code(written)
    if kind == "pep" and target.isdecimal():
        return f"[PEP {target}](https://peps.python.org/pep-{int(target):04d}/)"
    if kind in {"func", "meth"} and not label.endswith(")") and not titled:
        label += "()"
    return named(label, link(target))


def _is_web(address: str) -> bool:
    return address.startswith(("https://", "http://", "mailto:"))
