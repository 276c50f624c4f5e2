"""Text that arrives in pieces and of which only a bounded part is kept."""

from __future__ import annotations


class Head:
    """Keeps the first `limit` characters and counts them all."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[str] = []
        self.length = 0

    def add(self, piece: str) -> None:
        room = self._limit - self.length
        if room > 0 and piece:
            self._pieces.append(piece[:room])
        self.length += len(piece)

    @property
    def cut(self) -> bool:
        return self.length > self._limit

    @property
    def text(self) -> str:
        return "".join(self._pieces)


class Tail:
    """Keeps the last `limit` characters."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[str] = []
        self._length = 0

    def add(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._length += len(piece)
        # Cutting only when it doubled keeps the work linear, also for pieces of one character.
        if self._length > 2 * self._limit:
            self._pieces = [self.text]
            self._length = len(self._pieces[0])

    @property
    def text(self) -> str:
        return "".join(self._pieces)[-self._limit :]

    def take(self) -> str:
        """The text; after it this is empty again."""
        text = self.text
        self._pieces, self._length = [], 0
        return text
