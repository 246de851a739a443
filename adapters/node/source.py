"""What the node needs of the county's records: the port that `adapters.caseload` fills."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from adapters.records import LocalSubjectId, Youth


class SourceUnusable(Exception):
    """The county's own systems cannot vouch for their data now. Never a negative answer."""


class Source(Protocol):
    """The caseload as it stood at the last reading. Each method answers from one consistent reading."""

    def youths(self) -> Sequence[Youth]:
        """Everybody in it. Raises `SourceUnusable` before the first good reading."""
        ...

    def by_local_id(self, local_id: LocalSubjectId) -> Youth | None:
        """The youth the county's system numbers so, or None. Raises `SourceUnusable`."""
        ...

    def data_as_of(self) -> datetime:
        """The moment (UTC) as of which all of it stands: the oldest of its parts. Raises `SourceUnusable`."""
        ...

    def is_stale(self, now: datetime) -> bool:
        """Whether any part is older than the county itself tolerates, or was never read."""
        ...
