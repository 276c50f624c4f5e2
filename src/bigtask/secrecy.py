"""What must not be kept: secrets that are known, and what looks like one. Pure, and linear in the text.

`Secrecy` stands before everything that bigtask writes down. Known are values of the environment by the names
of their variables; the shapes are those that large vendors document for their keys. A secret is replaced by
`[redacted: kind]`. What has neither a known value nor a known shape can't be found.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

T = TypeVar("T")

_SHORTEST = 8
_LONGEST_PLAIN_WORD = 16
_HELD = 4_096
"""Characters that a stream holds back at most, unless a secret has begun before them."""
_WORDS_HELD = 3
"""`NAME = value`: so many words can belong together."""


class _Shape(NamedTuple):
    """`begins`: one of them is in every text that holds one. The secret is the pattern's group `s`."""

    kind: str
    begins: tuple[str, ...]
    pattern: re.Pattern[str]


def _shape(kind: str, begins: str, pattern: str) -> _Shape:
    return _Shape(kind, tuple(begins.split(" ")), re.compile(pattern))


_END_OF_KEY = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----"
_NAME = r"[A-Z0-9_]{0,60}(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)"
_NAME_BEGINS = "KEY TOKEN SECRET PASSW PASSPHRASE CREDENTIAL secret_access_key"
_VALUE_LETTER = r"[^\s\"',;<>(){}$\[\]`\\]"
_BREAK = r"(?:[\s>|]|\\[nr])"


@cache
def _shapes() -> tuple[_Shape, ...]:
    return (
        _shape("Anthropic key", "sk-ant-", r"(?<![A-Za-z0-9])(?P<s>sk-ant-[A-Za-z0-9_-]{20,512})"),
        _shape(
            "OpenAI key",
            "sk-",
            r"(?<![A-Za-z0-9_-])(?P<s>sk-(?!ant-)(?=[A-Za-z_-]{0,200}[0-9])[A-Za-z0-9_-]{24,512})",
        ),
        _shape("Google key", "AIza ya29.", r"\b(?P<s>AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{27,512})"),
        _shape("AWS key", "AKIA ASIA", r"\b(?P<s>A[KS]IA[0-9A-Z]{16})\b"),
        _shape(
            "GitHub token",
            "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
            r"\b(?P<s>gh[pousr]_[A-Za-z0-9]{23,255}|github_pat_[A-Za-z0-9_]{20,255})",
        ),
        _shape("GitLab token", "glpat-", r"\b(?P<s>glpat-[A-Za-z0-9_.-]{16,255})"),
        _shape("Slack token", "xox", r"\b(?P<s>xox[abeoprs]-[A-Za-z0-9-]{22,255})"),
        _shape("Stripe key", "k_live_ k_test_ whsec_", r"\b(?P<s>(?:[rs]k_(?:live|test)|whsec)_\w{16,255})"),
        _shape(
            "registry token",
            "npm_ pypi- hf_",
            r"\b(?P<s>npm_[A-Za-z0-9]{30,255}|pypi-[A-Za-z0-9_-]{30,512}|hf_[A-Za-z0-9]{30,255})",
        ),
        _shape("xAI or Groq key", "xai- gsk_", r"\b(?P<s>(?:xai-|gsk_)[A-Za-z0-9]{30,255})"),
        _shape(
            "JWT",
            "eyJ",
            r"(?<![A-Za-z0-9_-])(?P<s>eyJ[\w-]{8,8192}\.eyJ[\w-]{4,8192}\.[\w-]{0,4096})",
        ),
        _shape(
            "private key",
            "PRIVATE",
            r"(?P<s>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
            rf"(?:{_BREAK}|(?:Proc-Type|DEK-Info|Comment):[^\n\\]{{0,200}}|[A-Za-z0-9+/=]{{16,}})*+"
            rf"[A-Za-z0-9+/=]{{0,100}}{_BREAK}{{0,8}}(?:{_END_OF_KEY})?)",
        ),
        _shape(
            "password in an address",
            "://",
            r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/@:\"'<>]{0,256}:(?P<s>[^\s/@\"'<>${}\[][^\s/@\"'<>]{0,255})@",
        ),
        _shape(
            "bearer token",
            "earer EARER asic BASIC",
            r"(?i)\b(?:bearer|basic)[ \t]{1,4}(?=[A-Za-z._~+/=-]{0,200}[0-9])"
            r"(?P<s>[A-Za-z0-9._~+/=-]{16,4096})",
        ),
        # As `env` prints them; and as they are written in other places, where a word alone is rather code.
        _shape(
            "value of a variable",
            _NAME_BEGINS,
            rf"(?m)^(?:export |declare -x )?{_NAME}=\"?(?P<s>{_VALUE_LETTER}{{8,4096}}+)\"?\r?$",
        ),
        _shape(
            "value of a variable",
            _NAME_BEGINS,
            rf"(?<![A-Za-z0-9_])(?:{_NAME}|aws_secret_access_key)[\"']?[ \t]?[=:][ \t]?[\"']?"
            rf"(?=[^0-9\s]{{0,200}}[0-9])(?P<s>{_VALUE_LETTER}{{8,4096}}+)(?![(\[])",
        ),
    )


_KEY_BEGUN = re.compile(r"-----BEGIN(?: [A-Z0-9 ]{0,40}PRIVATE KEY-----|[A-Z0-9 ]{0,60}-{0,5}\Z)")
_KEY_CUT = re.compile(_END_OF_KEY)
_BODY_LINE = re.compile(r"[A-Za-z0-9+/=]{1,100}")
_SECRET_PARTS = frozenset(
    {"APIKEY", "CREDENTIAL", "CREDENTIALS", "KEY", "PASSPHRASE", "PASSWD", "PASSWORD", "PAT", "SECRET"}
    | {"SECRETS", "TOKEN", "TOKENS"}
)


# For a quick look. Nearly every secret has so many letters of one kind in a row (ids of runs have one less).
# What has fewer follows a name in capitals, or one of a few words. To translate and to look for a few bytes
# costs a nanosecond a byte each; a regular expression for the same costs two hundred.
_RUN_LENGTH = 27
_RUN = re.compile(rf"[A-Za-z0-9_.-]{{{_RUN_LENGTH}}}")
_RUN_MARK = b"x" * _RUN_LENGTH
_RUNS = bytes(120 if (chr(n).isalnum() and n < 128) or n in b"_.-" else 32 for n in range(256))
_NAME_MARKS = (b"AAA=", b"=//")
_NAMES = bytes(65 if 65 <= n <= 90 else 61 if n in b":=" else 47 if n == 47 else 32 for n in range(256))
_NOT_IN_NAMES = b"\\\"' \t"
_WORDS = (b"AKIA", b"ASIA", b"PRIVATE ", b"glpat-", b"ess_key", b"earer ", b"asic ", b"EARER ", b"BASIC ")


class Known(NamedTuple):
    value: str
    kind: str


def of_environment(environ: Mapping[str, str]) -> tuple[Known, ...]:
    """The values of variables whose names speak of a secret, and passwords in addresses.

    Paths aren't secret, and neither is a short plain word: `APP_TOKEN=development` would take that word out
    of everything.
    """
    found = []
    for name, value in environ.items():
        if not _SECRET_PARTS.isdisjoint(re.split(r"[_-]", name.upper())) and _may_be_secret(value):
            found.append(Known(value, f"value of {name}"))
        elif "://" in value and (password := _password(value)) is not None:
            found.append(Known(password, f"password in {name}"))
    return tuple(found)


def _may_be_secret(value: str) -> bool:
    if len(value) < _SHORTEST or value.startswith(("/", "./", "~/")):
        return False
    return len(value) >= _LONGEST_PLAIN_WORD or not value.isalpha()


def _password(value: str) -> str | None:
    try:
        password = urlsplit(value).password
    except ValueError:
        return None
    return password if password and _may_be_secret(password) else None


class Secrecy:
    """Finds what `known` names and what has the shape of a secret. The same text always gives the same."""

    def __init__(self, known: Iterable[Known] = ()) -> None:
        forms = {form: secret.kind for secret in known for form in _forms(secret.value)}
        # The longest first: a longer secret may contain a shorter one.
        self._forms = dict(sorted(forms.items(), key=lambda pair: -len(pair[0])))
        self._words = _WORDS + tuple(form.encode() for form in self._forms if not _RUN.search(form))
        self.longest = max((len(form) for form in self._forms), default=0)
        self.blanks = any(blank in form for form in self._forms for blank in " \t\n")
        """Whether a known secret has blanks in it."""

    def may_hold(self, encoded: bytes) -> bool:
        """A quick look at UTF-8 or JSON: false only where there is no secret."""
        if _RUN_MARK in encoded.translate(_RUNS):
            return True
        names = encoded.translate(_NAMES, _NOT_IN_NAMES)
        if any(mark in names for mark in _NAME_MARKS):
            return True
        return any(word in encoded for word in self._words)

    def text(self, text: str) -> str:
        """Without secrets. Most texts are done with after a quick look."""
        if len(text) < _SHORTEST or not self.may_hold(text.encode(errors="surrogatepass")):
            return text
        return self.replaced(text, lambda kind: f"[redacted: {kind}]")

    def value(self, value: T) -> T:
        """A JSON value or a msgspec struct, with its texts and keys as `text` leaves them; the same object
        where nothing was found."""
        try:
            encoded = msgspec.json.encode(value)
        except UnicodeEncodeError:
            encoded = None  # half of a character in it: the place that would keep it refuses it
        if encoded is not None and not self.may_hold(encoded):
            return value
        cleaned: T = self._walked(value)
        return cleaned

    def kinds(self, value: object) -> tuple[str, ...]:
        """Of the secrets in a JSON value or struct."""
        found: dict[str, None] = {}
        for text in _texts(msgspec.to_builtins(value)):
            found.update(dict.fromkeys(kind for _, _, kind in self.found(text)))
        return tuple(found)

    def replaced(self, text: str, mark: Callable[[str], str]) -> str:
        """With `mark(kind)` in the place of each secret."""
        parts, at = [], 0
        for start, end, kind in self.found(text):
            parts += [text[at:start], mark(kind)]
            at = end
        return "".join((*parts, text[at:])) if parts else text

    def found(self, text: str) -> list[tuple[int, int, str]]:
        """`(start, end, kind)` of each secret, in order; none overlaps another."""
        apart: list[tuple[int, int, str]] = []
        for _, start, end, kind in sorted(self.spans(text), key=lambda span: (span[1], -span[2])):
            if apart and start < apart[-1][1]:
                first, last, known = apart[-1]
                apart[-1] = (first, max(last, end), known)
            else:
                apart.append((start, end, kind))
        return apart

    def spans(self, text: str) -> Iterator[tuple[int, int, int, str]]:
        """`(from, start, end, kind)` of what was found, in no order: `from` is where that begins by which the
        secret is known for one."""
        for form, kind in self._forms.items():
            start = text.find(form)
            while start >= 0:
                yield start, start, start + len(form), kind
                start = text.find(form, start + len(form))
        for shape in _shapes():
            if any(begin in text for begin in shape.begins):
                for match in shape.pattern.finditer(text):
                    yield match.start(), *match.span("s"), shape.kind
        for start, end in _cut_keys(text):
            yield start, start, end, "private key"

    def _walked(self, value: Any) -> Any:
        # Not members of enumerations, which are texts as well.
        if type(value) is str:
            return self.text(value)
        if isinstance(value, msgspec.Struct):
            changed = {}
            for name in value.__struct_fields__:
                old = getattr(value, name)
                new = self._walked(old)
                if new is not old:
                    changed[name] = new
            return msgspec.structs.replace(value, **changed) if changed else value
        if isinstance(value, dict):
            pairs = [(self._walked(key), self._walked(item)) for key, item in value.items()]
            same = all(old is new for old, new in zip(_flat(value.items()), _flat(pairs), strict=True))
            return value if same else dict(pairs)
        if isinstance(value, list) or type(value) is tuple:
            items = [self._walked(item) for item in value]
            if all(old is new for old, new in zip(value, items, strict=True)):
                return value
            return items if isinstance(value, list) else tuple(items)
        return value


def _flat(pairs: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
    for pair in pairs:
        yield from pair


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


class Stream:
    """Text that comes in pieces: a secret is found wherever it was cut."""

    def __init__(self, secrecy: Secrecy) -> None:
        self._secrecy = secrecy
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be let go of by now; it may hold earlier pieces."""
        self._held += piece
        cut = self._cut()
        let_go, self._held = self._held[:cut], self._held[cut:]
        return self._secrecy.text(let_go)

    def end(self, piece: str = "") -> str:
        """The rest of the text, the last piece included, without secrets."""
        left, self._held = self._held + piece, ""
        return self._secrecy.text(left)

    def _cut(self) -> int:
        """A place that no secret can lie across. Secrets have no blanks in them, but for private keys, what
        belongs to a name before it, and known ones."""
        text = self._held
        cut = _before_words(text)
        if self._secrecy.blanks:
            cut = min(cut, len(text) - self._secrecy.longest)
        begun = text.rfind("-----BEGIN")
        if begun >= 0 and _KEY_BEGUN.match(text, begun) and _KEY_CUT.search(text, begun) is None:
            cut = min(cut, begun)
        most = max(_HELD, 2 * self._secrecy.longest)
        if len(text) - cut > 4 * most:
            cut = len(text) - most
        if cut <= 0:
            return 0
        if not self._secrecy.may_hold(text.encode(errors="surrogatepass")):
            return cut
        # A secret that reaches the end may continue in the next piece, but not without bound.
        longest = 8 * most
        for first, _, end, _ in sorted(self._secrecy.spans(text), reverse=True):
            if first < cut < end:
                cut = first if len(text) - first < longest else end
        return cut


def _before_words(text: str) -> int:
    line = text.rfind("\n") + 1
    at = len(text)
    for _ in range(_WORDS_HELD):
        at = len(text[line:at].rstrip(" \t")) + line
        at = max(text.rfind(" ", line, at), text.rfind("\t", line, at)) + 1
        if at <= line:
            return line
    return at


def _cut_keys(text: str) -> Iterator[tuple[int, int]]:
    """Private keys whose beginning was cut off."""
    if "-----END" not in text:
        return
    for match in _KEY_CUT.finditer(text):
        start = match.start()
        while start > 0:
            line = text.rfind("\n", 0, start - 1) + 1
            if not _BODY_LINE.fullmatch(text[line:start].strip()):
                break
            start = line
        if start < match.start():
            yield start, match.end()


def _forms(value: str) -> Iterator[str]:
    """The value as it is, and as it looks in JSON, in an address and in base 64, wherever it begins there."""
    yield value
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="")
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + value.encode(errors="surrogateescape")).decode()
        # The first and the last letters hold bits of what stands beside the value.
        inner = encoded[(0, 2, 3)[before] :].rstrip("=")
        inner = inner[: -1 if (len(value.encode(errors="surrogateescape")) + before) % 3 else None]
        if len(inner) >= _SHORTEST:
            yield inner
            yield inner.translate(_URL_SAFE)


_URL_SAFE = str.maketrans("+/", "-_")
