"""Several templates in one file: a JSON array, or a zip of `ID.json` members. One alone is a JSON object."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bigtask.templates.identity import ID_RULE, is_id
from bigtask.templates.reading import MAX_BYTES, TOO_LARGE, Unreadable, as_bytes, parse, parse_any

MAX_BUNDLE = 8 << 20
MOST_MEMBERS = 200
_ZIP = b"PK"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_SPOILT = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What the reader of zips raises for one that was cut or changed, as its source and 20,000 of them show."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Member:
    """`label` says where in the file it stands, `content` is a JSON value, or the `Unreadable` that reading
    it ended with. `data` is the text of its file."""

    label: str
    content: object
    data: bytes = b""


def members(data: bytes) -> tuple[Member, ...]:
    """In the order of the file. Raises `Unreadable` for what is no such file as a whole."""
    if len(data) > MAX_BUNDLE:
        raise Unreadable(f"the file is larger than {MAX_BUNDLE >> 20} MiB: import fewer templates at once")
    if data.startswith(_ZIP):
        return tuple(_of_zip(data))
    content = parse_any(data)
    if not isinstance(content, list):
        return (Member(label="", content=content, data=data),)
    if len(content) > MOST_MEMBERS:
        raise Unreadable(f"more than {MOST_MEMBERS:,} templates: import fewer at once")
    return tuple(_of_array(content))


def packed(raws: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A zip, by id. The same templates give the same bytes."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for template_id, raw in sorted(raws.items()):
            file.writestr(zipfile.ZipInfo(f"{template_id}.json", _EPOCH), as_bytes(raw))
    return held.getvalue()


def _of_array(content: list[object]) -> Iterator[Member]:
    for index, one in enumerate(content):
        data = as_bytes(one)
        held = Unreadable(TOO_LARGE) if len(data) > MAX_BYTES else one
        yield Member(label=f"/{index}", content=held, data=data)


def _of_zip(data: bytes) -> Iterator[Member]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            infos = [info for info in file.infolist() if not info.filename.endswith("/")]
            if len(infos) > MOST_MEMBERS:
                raise Unreadable(f"more than {MOST_MEMBERS:,} templates: import fewer at once")
            left = MAX_BUNDLE
            for info in infos:
                member = _of_info(file, info, left)
                left -= len(member.data)
                yield member
    except Unreadable:
        raise
    except _SPOILT as error:
        raise Unreadable(f"the zip can't be read: {error}") from error


def _of_info(file: zipfile.ZipFile, info: zipfile.ZipInfo, left: int) -> Member:
    name = info.filename
    data = b""
    try:
        # The name is only compared, never a path: nothing is unpacked.
        if not (name.endswith(".json") and is_id(name.removesuffix(".json"))):
            raise Unreadable(f"a member is called ID.json, without folders, and an id is {ID_RULE}")
        if info.flag_bits & 1 or info.compress_type not in _METHODS:
            raise Unreadable("the member is encrypted or packed in an unusual way: pack it plainly")
        if left <= 0:
            raise Unreadable(f"the members come to more than {MAX_BUNDLE >> 20} MiB: import fewer at once")
        with file.open(info) as member:
            data = member.read(MAX_BYTES + 1)
        content = parse(data)
        said = content.get("id") if isinstance(content, Mapping) else None
        if isinstance(said, str) and f"{said}.json" != name:
            raise Unreadable(f"the member is called {name} and its id is another: change either")
    except Unreadable as unreadable:
        return Member(label=name, content=unreadable, data=data)
    except _SPOILT as error:
        return Member(label=name, content=Unreadable(f"the member can't be unpacked: {error}"), data=data)
    return Member(label=name, content=content, data=data)
