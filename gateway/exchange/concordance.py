"""Which entries say what: the words of entries in memory, so that a rare one is found without opening a whole log.

What an entry says is sealed in it; a question by a purpose, a reason or a worker would have to open every entry to find
the few that have it. Here each word of an entry is one byte of a column, and whole columns are compared at once. It is
made of entries as they are read, never stored, and only proposes: whoever asks opens what it proposes and looks again.

Decides what each reader can ask by, which is what the entry would show that reader (`openings`) and nothing else, so
that neither what is found nor how long it takes tells what an answer hid:

- whoever asked finds an entry by the words it sees of it, or, while that hangs on how the call ends, by any word
- whoever holds, and an overseer, by what class `op` says; by a worker or role nobody but the agency that asked
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from audit.entry import ClassKeys, FieldClass, read_values
from audit.errors import EvidenceError
from audit.reader import Glance
from gateway.exchange.journal import Kind
from gateway.exchange.openings import asker_shows, closes, depends_on_end, texts, word_of

KIND: Final = "kind"
REQUESTER: Final = "requester"
HOLDER: Final = "holder"
COUNTERPART: Final = "counterpart"
"""The holder, as far as whoever asked may know it."""
WORKER: Final = "worker"
ROLE: Final = "role"
SAID: Final = ("decision", "reason", "purpose", "outcome", "basis")
"""Names of class `op` that can be asked by."""
_SHOWN: Final = {name: f"{name} as shown to whoever asked" for name in SAID}
_WIDTHS: Final = {REQUESTER: 2, HOLDER: 2, COUNTERPART: 2, WORKER: 3}
"""Bytes of an entry in these columns; one in all others."""
_BLOCK: Final = 1 << 16
MOST_OPEN: Final = 1 << 14
"""Decisions that are held open: far more than calls can be under way. Of what is open longer no end comes."""
_ANY: Final = 0
"""Stands for a word that is not known, and for one that found no number: either could be any."""

Condition = tuple[str, str, bool]
"""A column, a word, and whether the entry is to have it, or not to."""
Alternative = list[Condition]
"""Conditions that must all hold."""
Question = tuple[list[Alternative], list[str]]
"""Of the alternatives one is enough; of the kinds likewise, if there are any. Plain values that `marshal` carries."""


def shown_to_whoever_asked(name: str) -> str:
    """The column of a name of class `op` as far as the agency that asked can see it."""
    return _SHOWN[name]


class Concordance:
    """Of entries that are added in the order of the log. Positions count from the first that was added."""

    def __init__(self, keys: ClassKeys) -> None:
        self._keys = keys
        names = (KIND, REQUESTER, HOLDER, COUNTERPART, WORKER, ROLE, *SAID, *_SHOWN.values())
        self._columns = {name: _Column(_WIDTHS.get(name, 1)) for name in names}
        self._open: dict[int, tuple[int, str, dict[str, str]]] = {}
        """By index, the oldest first, decisions of which what is shown hangs on how the call ends: where they stand,
        who holds, and what they say."""
        self.size = 0

    def add(self, entry: Glance) -> None:
        """The entry is the last. One that does not open with the keys is proposed for any word."""
        words: dict[str, str] = {KIND: entry.kind, REQUESTER: entry.requester, HOLDER: entry.holder}
        try:
            op = texts(read_values(entry.nonce, entry.op, FieldClass.OP, self._keys.op))
            req = texts(read_values(entry.nonce, entry.req, FieldClass.REQ, self._keys.req))
        except EvidenceError:
            self._append(words)
            return
        words[WORKER], _, words[ROLE] = req.get(WORKER, "").partition(" ")
        words |= {name: word_of(op, name) for name in SAID}
        if entry.requester == entry.holder:
            # To both at once everything is open.
            words |= {_SHOWN[name]: words[name] for name in SAID} | {COUNTERPART: entry.requester}
        elif depends_on_end(entry.kind, op):
            self._open[entry.index] = self.size, entry.holder, op
        else:
            words |= _as_shown(entry.kind, op, entry.holder, came_to_nothing=False)
        self._append(words)
        self._close(entry, op)
        if len(self._open) > MOST_OPEN:
            # Long behind is what no entry closes: it is shown as what came to nothing.
            self._settle(next(iter(self._open)), came_to_nothing=True)

    def find(self, question: Question, start: int, end: int, *, limit: int) -> list[int]:
        """The first `limit` positions from `start` and before `end` that may meet the question, in order."""
        alternatives, kinds = question
        found: list[int] = []
        for low in range(start, min(end, self.size), _BLOCK):
            high = min(low + _BLOCK, end, self.size)
            met = self._met(alternatives, kinds, low, high).to_bytes(high - low, "little")
            at = met.find(1)
            while at >= 0:
                found.append(low + at)
                if len(found) == limit:
                    return found
                at = met.find(1, at + 1)
        return found

    def _met(self, alternatives: Sequence[Alternative], kinds: Sequence[str], low: int, high: int) -> int:
        met = 0
        for conditions in alternatives:
            of_all = _ones(high - low)
            for name, word, has in conditions:
                of_all &= self._columns[name].compared(word, low, high, has=has)
            met |= of_all
        return met & self._columns[KIND].among(kinds, low, high) if met and kinds else met

    def _append(self, words: Mapping[str, str]) -> None:
        for name, column in self._columns.items():
            column.append(words.get(name))
        self.size += 1

    def _close(self, entry: Glance, op: Mapping[str, str]) -> None:
        closed = closes(entry.kind, op)
        if closed is not None and closed[0] in self._open:
            self._settle(closed[0], came_to_nothing=not closed[1])

    def _settle(self, index: int, *, came_to_nothing: bool) -> None:
        at, holder, said = self._open.pop(index)
        for name, word in _as_shown(Kind.DECISION, said, holder, came_to_nothing=came_to_nothing).items():
            self._columns[name].put(at, word)


class _Column:
    """One word of each entry, as the number of the word, in so many bytes."""

    def __init__(self, width: int) -> None:
        self._bytes = [bytearray() for _ in range(width)]
        self._numbers: dict[str, int] = {}

    def append(self, word: str | None) -> None:
        """The word of the next entry; None where it may be any."""
        for at, each in enumerate(self._bytes):
            each.append(self._number(word) >> (8 * at) & 0xFF)

    def put(self, position: int, word: str) -> None:
        """The word of an entry that could have had any so far."""
        for at, each in enumerate(self._bytes):
            each[position] = self._number(word) >> (8 * at) & 0xFF

    def compared(self, word: str, low: int, high: int, *, has: bool) -> int:
        """A number with a byte for each entry between the positions, the first lowest: 1 where it may meet this."""
        if len(self._bytes) == 1 and has:
            return self.among((word,), low, high)
        number = self._numbers.get(word)
        # A word that no entry has costs what others do: how long it takes must not tell that none has it.
        same = self._equal(_ANY if number is None else number, low, high)
        same = 0 if number is None else same
        return (same if has else same ^ _ones(high - low)) | self._equal(_ANY, low, high)

    def among(self, words: Iterable[str], low: int, high: int) -> int:
        """As `compared`, where any of the words is enough. Of a column of one byte."""
        (numbers,) = self._bytes
        met = {_ANY, *(self._numbers.get(word, _ANY) for word in words)}
        table = bytes(octet in met for octet in range(256))
        return int.from_bytes(numbers[low:high].translate(table), "little")

    def _equal(self, number: int, low: int, high: int) -> int:
        met = _ones(high - low)
        for at, each in enumerate(self._bytes):
            met &= int.from_bytes(each[low:high].translate(_IS[number >> (8 * at) & 0xFF]), "little")
        return met

    def _number(self, word: str | None) -> int:
        if word is None:
            return _ANY
        number = self._numbers.get(word, len(self._numbers) + 1)
        if number >> (8 * len(self._bytes)):
            return _ANY
        self._numbers[word] = number
        return number


_IS: Final = tuple(bytes(octet == each for octet in range(256)) for each in range(256))
"""For each octet a table that makes 1 of it, and 0 of every other."""


def _ones(count: int) -> int:
    return int.from_bytes(bytes((1,)) * count, "little")


def _as_shown(kind: str, op: Mapping[str, str], holder: str, *, came_to_nothing: bool) -> dict[str, str]:
    names, names_holder = asker_shows(kind, op, came_to_nothing=came_to_nothing)
    said = op if names is None else {name: value for name, value in op.items() if name in names}
    words = {_SHOWN[name]: word_of(said, name) for name in SAID}
    return words | {COUNTERPART: holder if names_holder else ""}
