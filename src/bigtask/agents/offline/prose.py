"""The prose of a docstring as Markdown blocks: reST directives, literal blocks, doctests, lists, tables."""

from __future__ import annotations

import ast
import re
import textwrap

from bigtask.agents.offline.inline import Link, inline, plain

_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*([\w+-]*)")
_DIRECTIVE = re.compile(r"\s*\.\. +([\w:-]+)::\s*(.*)")
_COMMENT = re.compile(r"\s*\.\.(\s|$)")
_OPTION = re.compile(r"\s*:[\w-]+:(\s|$)")
_ITEM = re.compile(r"(\s*)([-*+•]|\d{1,4}[.)]|#\.)(\s+)(\S.*)")
_UNDERLINE = re.compile(r"\s*([=\-~^\"'`#*+])\1{2,}\s*$")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(\S.*?)\s*#*\s*$")
_GRID = re.compile(r"\s*(\+[-=+]{3,}\+|={2,}( +={2,})+)\s*$")
_CODE_DIRECTIVES = frozenset(
    {"code-block", "code", "sourcecode", "doctest", "testcode", "parsed-literal", "literalinclude"}
)
_ADMONITIONS = {
    "note": "Note",
    "tip": "Tip",
    "hint": "Hint",
    "warning": "Warning",
    "caution": "Caution",
    "danger": "Danger",
    "error": "Error",
    "attention": "Attention",
    "important": "Important",
    "seealso": "See also",
    "todo": "To do",
}
_VERSIONS = {
    "versionadded": "Added in version",
    "versionchanged": "Changed in version",
    "versionremoved": "Removed in version",
    "deprecated": "Deprecated since version",
}
# Deeper nesting than people write is shown as text: recursion stays bounded for any docstring.
_MAX_DEPTH = 6


def blocks(text: str, link: Link, *, examples: bool = True) -> list[str]:
    """Markdown lines, blank ones between blocks, none at the ends. `examples` keeps doctests."""
    return _Blocks(link, examples=examples).convert(text, 0)


def fence(lines: list[str], language: str) -> list[str]:
    """A fenced block whose marker can't be ended by what is inside."""
    longest = max((len(run) for line in lines for run in re.findall(r"`{3,}", line)), default=2)
    mark = "`" * (longest + 1)
    return [f"{mark}{language}", *lines, mark]


def callout(title: str, body: list[str]) -> list[str]:
    lines = [f"**{title}**", "", *body] if body else [f"**{title}**"]
    return [f"> {line}".rstrip() for line in lines]


def flat(text: str, link: Link) -> str:
    """A description for a table cell: one line, breaks as `<br>`."""
    parts: list[str] = []
    literal = False
    for line in textwrap.dedent(text).strip().splitlines():
        if _FENCE.match(line):
            literal = not literal
            continue
        stripped = line.strip()
        if literal or stripped.startswith(">>>"):
            parts += ["<br>", f"`{stripped.replace('`', chr(39))}`" if stripped else ""]
            continue
        item = _ITEM.fullmatch(line)
        directive = _DIRECTIVE.fullmatch(line)
        if not stripped:
            parts.append("<br>")
        elif directive:
            title = _ADMONITIONS.get(directive[1]) or _VERSIONS.get(directive[1], "")
            parts += ["<br>", " ".join(part for part in (title, directive[2]) if part)]
        elif item:
            parts += ["<br>", f"• {item[4]}"]
        else:
            parts.append(stripped.removesuffix("::") + ":" if stripped.endswith("::") else stripped)
    cells: list[str] = []
    run: list[str] = []
    for part in [*parts, "<br>"]:
        if part != "<br>":
            run.append(part)
            continue
        if run:
            cells.append(inline(" ".join(run), link))
            run = []
    return cell("<br>".join(cells))


def cell(markdown: str) -> str:
    """Markdown inside a table cell: a bar ends a cell even within code."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(markdown.split()))


class _Blocks:
    def __init__(self, link: Link, *, examples: bool) -> None:
        self._link = link
        self._examples = examples

    def convert(self, text: str, depth: int) -> list[str]:
        lines = textwrap.dedent(text.expandtabs(8)).splitlines()
        out: list[list[str]] = []
        position = 0
        while position < len(lines):
            if not lines[position].strip():
                position += 1
                continue
            block, position = self._block(lines, position, depth)
            if block:
                out.append(block)
        return [line for number, block in enumerate(out) for line in ([""] if number else []) + block]

    def _block(self, lines: list[str], start: int, depth: int) -> tuple[list[str], int]:
        line = lines[start]
        if opened := _FENCE.match(line):
            return self._fenced(lines, start, opened)
        if line.lstrip().startswith(">>>"):
            return self._doctest(lines, start)
        if directive := _DIRECTIVE.fullmatch(line):
            return self._directive(lines, start, directive, depth)
        if _COMMENT.match(line):
            return [], _indented(lines, start + 1, _indent(line))[1]
        if _GRID.fullmatch(line):
            end = start
            while end < len(lines) and lines[end].strip():
                end += 1
            return fence(lines[start:end], "text"), end
        if line.lstrip().startswith("|") and start + 1 < len(lines) and _is_table_rule(lines[start + 1]):
            return self._table(lines, start)
        if (
            start + 1 < len(lines)
            and _UNDERLINE.fullmatch(lines[start + 1])
            and not _UNDERLINE.fullmatch(line)
        ):
            return [f"**{inline(line.strip(), self._link)}**"], start + 2
        if heading := _HEADING.fullmatch(line):
            return [f"**{inline(heading[1], self._link)}**"], start + 1
        if _UNDERLINE.fullmatch(line):
            return [], start + 1
        if depth < _MAX_DEPTH:
            if item := _ITEM.fullmatch(line):
                return self._list(lines, start, item, depth)
            if _indent(line):
                body, end = _indented(lines, start, 0)
                return self._quoted(body, depth), end
        return self._paragraph(lines, start)

    def _fenced(self, lines: list[str], start: int, opened: re.Match[str]) -> tuple[list[str], int]:
        end = start + 1
        while end < len(lines) and not lines[end].strip().startswith(opened[1]):
            end += 1
        # Without its closing mark a fence would swallow the rest of the page: it ends with the docstring.
        body = textwrap.dedent("\n".join(lines[start + 1 : end])).splitlines()
        return fence(body, opened[2]), end + 1

    def _doctest(self, lines: list[str], start: int) -> tuple[list[str], int]:
        end = start
        while end < len(lines) and lines[end].strip():
            end += 1
        if not self._examples:
            return [], end
        return fence(textwrap.dedent("\n".join(lines[start:end])).splitlines(), "pycon"), end

    def _directive(
        self, lines: list[str], start: int, directive: re.Match[str], depth: int
    ) -> tuple[list[str], int]:
        name, argument = directive[1].rpartition(":")[2], directive[2].strip()
        body, end = _indented(lines, start + 1, _indent(lines[start]))
        while body and _OPTION.match(body[0]):
            body = body[1:]
        inner = "\n".join(body)
        if name in _CODE_DIRECTIVES:
            return (fence(_trimmed(body), argument or "python") if body else []), end
        if name in _VERSIONS:
            version, _, rest = argument.partition(" ")
            title = f"{_VERSIONS[name]} {plain(version)}".strip()
            return callout(title, self._nested(f"{rest}\n{inner}", depth)), end
        if name in _ADMONITIONS or name in {"admonition", "rubric", "topic"}:
            own_title = name in {"admonition", "rubric", "topic"}
            title = plain(argument) if own_title else _ADMONITIONS[name]
            text = inner if own_title else f"{argument}\n{inner}"
            return callout(title or "Note", self._nested(text, depth)), end
        return fence([lines[start].strip(), *(f"    {line}".rstrip() for line in body)], "text"), end

    def _list(self, lines: list[str], start: int, item: re.Match[str], depth: int) -> tuple[list[str], int]:
        margin = len(item[1])
        out: list[str] = []
        position = start
        number = 0
        while position < len(lines):
            found = _ITEM.fullmatch(lines[position])
            if not found or len(found[1]) != margin:
                break
            number += 1
            body, end = _indented(lines, position + 1, margin)
            mark = f"{number}. " if found[2][0].isdigit() or found[2] == "#." else "- "
            inner = self._nested("\n".join([found[4], *_trimmed(body)]), depth)
            pad = " " * len(mark)
            out += [(mark if not at else pad if line else "") + line for at, line in enumerate(inner)]
            position = end
            while end < len(lines) and not lines[end].strip():
                end += 1
            following = _ITEM.fullmatch(lines[end]) if end < len(lines) else None
            if following and len(following[1]) == margin:
                position = end
        return out, position

    def _quoted(self, body: list[str], depth: int) -> list[str]:
        dedented = _trimmed(body)
        if dedented and dedented[0].startswith((">>>", "```", "~~~", ".. ")):
            return self._nested("\n".join(dedented), depth)
        if _is_python(dedented):
            return fence(dedented, "python")
        return [f"> {line}".rstrip() for line in self._nested("\n".join(dedented), depth)]

    def _paragraph(self, lines: list[str], start: int) -> tuple[list[str], int]:
        margin = _indent(lines[start])
        end = start + 1
        while end < len(lines) and lines[end].strip() and not self._starts_block(lines, end, margin):
            end += 1
        text = "\n".join(line.strip() for line in lines[start:end])
        if not text.endswith("::"):
            return _guarded(inline(text, self._link)), end
        body, after = _indented(lines, end, margin)
        text = "" if text == "::" else text[:-1] if not text.endswith(" ::") else text[:-3].rstrip()
        shown = _guarded(inline(text, self._link)) if text else []
        if not body:
            return shown, end
        literal = _trimmed(body)
        if literal[0].startswith(">>>"):
            if not self._examples:
                return shown, after
            language = "pycon"
        else:
            language = "python" if _is_python(literal) else "text"
        return [*shown, *([""] if shown else []), *fence(literal, language)], after

    def _starts_block(self, lines: list[str], at: int, margin: int) -> bool:
        line = lines[at]
        if _FENCE.match(line) or line.lstrip().startswith(">>>") or _DIRECTIVE.fullmatch(line):
            return True
        item = _ITEM.fullmatch(line)
        if item and (len(item[1]) == margin or lines[at - 1].rstrip().endswith(":")):
            return not item[2][0].isdigit() or lines[at - 1].rstrip().endswith(":")
        return _indent(line) >= margin + 2 and lines[at - 1].rstrip().endswith(":")

    def _table(self, lines: list[str], start: int) -> tuple[list[str], int]:
        out: list[str] = []
        end = start
        while end < len(lines) and lines[end].lstrip().startswith("|"):
            row = lines[end].strip()
            if _is_table_rule(row):
                out.append(row)
            else:
                cells = row.strip("|").split("|")
                out.append("| " + " | ".join(inline(text.strip(), self._link) for text in cells) + " |")
            end += 1
        return out, end

    def _nested(self, text: str, depth: int) -> list[str]:
        return self.convert(text.strip("\n"), depth + 1)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _indented(lines: list[str], start: int, margin: int) -> tuple[list[str], int]:
    """The lines from `start` that are blank or deeper than `margin`, and where they end."""
    end = last = start
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > margin):
        end += 1
        if lines[end - 1].strip():
            last = end
    return _trimmed(lines[start:last]), last


def _trimmed(lines: list[str]) -> list[str]:
    return textwrap.dedent("\n".join(lines)).strip("\n").splitlines()


def _guarded(text: str) -> list[str]:
    """Lines of a paragraph, none of which starts a list, a heading or a rule."""
    return [re.sub(r"^([-+=])|^(\d{1,9})([.)])(?=\s|$)", _escape_start, line) for line in text.split("\n")]


def _escape_start(match: re.Match[str]) -> str:
    return f"\\{match[1]}" if match[1] else f"{match[2]}\\{match[3]}"


def _is_table_rule(line: str) -> bool:
    stripped = line.strip()
    return stripped.startswith("|") and "-" in stripped and not stripped.strip("|-: ")


def _is_python(lines: list[str]) -> bool:
    """Whether an indented block is code rather than a quotation."""
    if not lines or len(lines) > 300:
        return False
    try:
        body = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    told = (ast.Call, ast.Await, ast.Yield)
    return any(
        not isinstance(node, ast.Expr | ast.AnnAssign) or isinstance(getattr(node, "value", None), told)
        for node in body
    )
