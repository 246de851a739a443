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

from audit.entry import FieldClass, read_values
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
MOST_OPEN: Final = 1 << 17
"""Decisions that are held open, some 100 bytes each: more than a gateway decides in the minute that a call may take, so
that the oldest is one that no entry closes."""
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

    def __init__(self, op_key: bytes, req_key: bytes) -> None:
        """The keys of classes `op` and `req`; nobody can ask by what stands in others."""
        self._op_key, self._req_key = op_key, req_key
        names = (KIND, REQUESTER, HOLDER, COUNTERPART, WORKER, ROLE, *SAID, *_SHOWN.values())
        self._columns = {name: _Column(_WIDTHS.get(name, 1)) for name in names}
        self._open: dict[int, int] = {}
        """Index and position of decisions of which what is shown hangs on how the call ends; the oldest first."""
        self.size = 0

    def add(self, entry: Glance) -> None:
        """The entry is the last. One that does not open with the keys is proposed for any word."""
        words: dict[str, str] = {KIND: entry.kind, REQUESTER: entry.requester, HOLDER: entry.holder}
        try:
            op = texts(read_values(entry.nonce, entry.op, FieldClass.OP, self._op_key))
            req = texts(read_values(entry.nonce, entry.req, FieldClass.REQ, self._req_key))
        except EvidenceError:
            self._append(words)
            return
        words[WORKER], _, words[ROLE] = req.get(WORKER, "").partition(" ")
        words |= {name: word_of(op, name) for name in SAID}
        if entry.requester == entry.holder:
            # To both at once everything is open.
            words |= {_SHOWN[name]: words[name] for name in SAID} | {COUNTERPART: entry.requester}
        elif depends_on_end(entry.kind, op):
            self._open[entry.index] = self.size
        else:
            words |= _as_shown(words, *asker_shows(entry.kind, op, came_to_nothing=False))
        self._append(words)
        self._close(entry, op)
        if len(self._open) > MOST_OPEN:
            # It is shown as what came to nothing.
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
        at = self._open.pop(index)
        found = {name: self._columns[name].word(at) for name in (HOLDER, *SAID)}
        words = {name: word for name, word in found.items() if word is not None}
        if len(words) < len(found):
            # One of them found no number: the entry goes on to be proposed for any word.
            return
        shows = asker_shows(Kind.DECISION, words, came_to_nothing=came_to_nothing)
        for name, word in _as_shown(words, *shows).items():
            self._columns[name].put(at, word)


class _Column:
    """One word of each entry, as the number of the word, in so many bytes."""

    def __init__(self, width: int) -> None:
        self._bytes = [bytearray() for _ in range(width)]
        self._numbers: dict[str, int] = {}
        self._words: list[str | None] = [None]
        """By number."""

    def append(self, word: str | None) -> None:
        """The word of the next entry; None where it may be any."""
        number = self._number(word)
        for at, each in enumerate(self._bytes):
            each.append(number >> (8 * at) & 0xFF)

    def put(self, position: int, word: str) -> None:
        """The word of an entry that could have had any so far."""
        number = self._number(word)
        for at, each in enumerate(self._bytes):
            each[position] = number >> (8 * at) & 0xFF

    def word(self, position: int) -> str | None:
        """The word of an entry; None where it may be any."""
        return self._words[sum(each[position] << (8 * at) for at, each in enumerate(self._bytes))]

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
        number = self._numbers.get(word)
        if number is not None:
            return number
        if len(self._words) >> (8 * len(self._bytes)):
            return _ANY
        self._words.append(word)
        number = self._numbers[word] = len(self._words) - 1
        return number


_IS: Final = tuple(bytes(octet == each for octet in range(256)) for each in range(256))
"""For each octet a table that makes 1 of it, and 0 of every other."""


def _ones(count: int) -> int:
    return int.from_bytes(bytes((1,)) * count, "little")


def _as_shown(words: Mapping[str, str], names: frozenset[str] | None, names_holder: bool) -> dict[str, str]:
    shown = {name: words[name] if names is None or name in names else "" for name in SAID}
    return {_SHOWN[name]: word for name, word in shown.items()} | {COUNTERPART: words[HOLDER] if names_holder else ""}
