"""PNG files with a palette, still or moving: pixels as numbers of colours in, a small file out.

A moving one (APNG) is an ordinary PNG to whoever doesn't know better: its first frame is the picture. Each
later frame holds only the rectangle that changed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE_OF_BYTES = bytes([8, 3, 0, 0, 0])
_DELAY_UNITS = 1000


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """`colours` are RGB, at most 256; each frame is `width * height` bytes, numbers of colours."""

    width: int
    height: int
    colours: bytes
    frames: Sequence[bytes]


def still(pixels: Pixels) -> bytes:
    head, palette = _begun(pixels)
    lines = _lines(pixels, pixels.frames[0], (0, 0, pixels.width, pixels.height))
    return b"".join([_SIGNATURE, head, palette, _chunk(b"IDAT", _packed(lines)), _chunk(b"IEND", b"")])


def moving(pixels: Pixels, *, frame_ms: int, last_ms: int) -> bytes:
    """Each frame is shown for `frame_ms`, the last for `last_ms`; then it begins anew."""
    head, palette = _begun(pixels)
    shown = list(_changes(pixels))
    found = [_SIGNATURE, head, _chunk(b"acTL", struct.pack(">II", len(shown), 0)), palette]
    number = 0
    for at, (frame, box, times) in enumerate(shown):
        x, y, width, height = box
        delay = times * frame_ms if at + 1 < len(shown) else last_ms
        control = struct.pack(
            ">IIIIIHHBB", number, width, height, x, y, min(delay, 65535), _DELAY_UNITS, 0, 0
        )
        found.append(_chunk(b"fcTL", control))
        number += 1
        data = _packed(_lines(pixels, frame, box))
        if at == 0:
            found.append(_chunk(b"IDAT", data))
        else:
            found.append(_chunk(b"fdAT", struct.pack(">I", number) + data))
            number += 1
    return b"".join([*found, _chunk(b"IEND", b"")])


def _begun(pixels: Pixels) -> tuple[bytes, bytes]:
    head = struct.pack(">II", pixels.width, pixels.height) + _PALETTE_OF_BYTES
    return _chunk(b"IHDR", head), _chunk(b"PLTE", pixels.colours)


def _changes(pixels: Pixels) -> Iterator[tuple[bytes, tuple[int, int, int, int], int]]:
    """Frames that differ from the one before, with the rectangle that does and for how many they stand."""
    before, box, times = pixels.frames[0], (0, 0, pixels.width, pixels.height), 1
    for frame in pixels.frames[1:]:
        changed = _changed(pixels, before, frame)
        if changed is None:
            times += 1
            continue
        yield before, box, times
        before, box, times = frame, changed, 1
    yield before, box, times


def _changed(pixels: Pixels, before: bytes, after: bytes) -> tuple[int, int, int, int] | None:
    width = pixels.width
    rows = [
        row
        for row in range(pixels.height)
        if before[row * width : (row + 1) * width] != after[row * width : (row + 1) * width]
    ]
    if not rows:
        return None
    left, right = width, 0
    for row in rows:
        old, new = before[row * width : (row + 1) * width], after[row * width : (row + 1) * width]
        differing = [column for column in range(width) if old[column] != new[column]]
        left, right = min(left, differing[0]), max(right, differing[-1])
    return left, rows[0], right - left + 1, rows[-1] - rows[0] + 1


def _lines(pixels: Pixels, frame: bytes, box: tuple[int, int, int, int]) -> bytes:
    x, y, width, height = box
    starts = (row * pixels.width + x for row in range(y, y + height))
    return b"".join(b"\0" + frame[start : start + width] for start in starts)


def _packed(lines: bytes) -> bytes:
    return zlib.compress(lines, 9)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
