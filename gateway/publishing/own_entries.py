"""An agency's own entries with their places in the tree, for its adapter to follow (AUDIT §2.5).

Decides what of them is open: the agency's own number and the hash before it, and nothing else, so that this tells no
more than that there is an entry. Reading blocks.
"""

from audit import merkle
from audit.entry import ClassKeys, FieldClass, StoredEntry, open_class
from audit.reader import Reader, Selection, read_nodes, root_at, select_entries, tree_state
from audit.transaction import Tx
from gateway.protocol.names import AgencyId
from homeward.audit.v1.log_pb2 import LogEntry, Opening
from homeward.gateway.v1.link_pb2 import OwnEntries, OwnEntriesQuery, OwnEntry

PAGE = 64
_OPEN = frozenset({"seq", "prev"})


class OwnHeads:
    """Where the entries of agencies end, by the log of one gateway. Usable from any thread."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def root(self, size: int) -> bytes | None:
        """The root of the first `size` entries; None where there are not so many."""
        return self._reader.read(lambda tx: root_at(tx, size) if size <= tree_state(tx).size else None)

    def head(self, agency: AgencyId, size: int) -> tuple[int, bytes]:
        """Number and leaf hash of the agency's newest among the first `size` entries; 0 and nothing for none."""
        entry = self._reader.read(lambda tx: _newest(tx, agency, size))
        return (_number(entry, agency), merkle.leaf_hash(entry.leaf)) if entry is not None else (0, b"")

    def close(self) -> None:
        """The connection is closed."""
        self._reader.close()


def page_of(tx: Tx, keys: ClassKeys, agency: AgencyId, query: OwnEntriesQuery) -> OwnEntries | None:
    """The agency's next entries; None where the log has not grown to that tree, as after a restored backup.

    Raises `EvidenceError` where one of them cannot be opened.
    """
    if tree_state(tx).size < query.tree_size:
        return None
    wanted = Selection(agency=agency, start=query.start_index, end=query.tree_size)
    found = select_entries(tx, wanted, limit=PAGE + 1)
    plans = {each.index: merkle.inclusion_plan(each.index, query.tree_size) for each in found[:PAGE]}
    # Neighbors share most of their paths.
    nodes = read_nodes(tx, set().union(*map(merkle.needed, plans.values())))
    entries = [
        OwnEntry(entry=_opened(each, agency, keys), inclusion_hashes=merkle.assemble(plans[each.index], nodes))
        for each in found[:PAGE]
    ]
    return OwnEntries(entries=entries, more=len(found) > PAGE)


def _opened(entry: StoredEntry, agency: AgencyId, keys: ClassKeys) -> LogEntry:
    asked = entry.requester == agency
    opened = open_class(entry, FieldClass.REQ, keys.req) if asked else open_class(entry, FieldClass.HOLD, keys.hold)
    openings = [
        Opening(slot=each.slot, name=each.name, value=each.value, salt=each.salt)
        for each in opened
        if each.name in _OPEN
    ]
    return LogEntry(index=entry.index, leaf=entry.leaf, digests=entry.digests, openings=openings)


def _newest(tx: Tx, agency: AgencyId, size: int) -> StoredEntry | None:
    """The agency's last entry before `size`, looked for backwards in ever longer stretches."""
    end, stretch = size, PAGE
    while end > 0:
        start = max(0, end - stretch)
        selection = Selection(agency=agency, start=start, end=end)
        last = None
        while page := select_entries(tx, selection, limit=PAGE):
            last = page[-1]
            selection = Selection(agency=agency, start=last.index + 1, end=end)
        if last is not None:
            return last
        end, stretch = start, stretch * 4
    return None


def _number(entry: StoredEntry, agency: AgencyId) -> int:
    return entry.requester_seq if entry.requester == agency else entry.holder_seq
