"""A configuration document as somebody wrote it, which may be wrong in any respect.

Decides what a check between settings may rely on: it sees what stands in the document, whether or not the rest of it is
valid, and is not misled where a setting that seems to be missing may only be misspelled. Does not know what any setting
means (`StrictModel.between`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.protocol.setting_names import Path


@dataclass(frozen=True, slots=True)
class Written:
    """The document in plain values: mappings, lists, texts, numbers, truth values and None."""

    document: Mapping[str, object]
    misnamed: frozenset[Path] = frozenset()
    """Sections that hold a name which is none of theirs; the empty path is the document itself."""

    def lacks(self, *path: str) -> bool:
        """Whether the section is certainly left out."""
        return self.section(*path) == {}

    def section(self, *path: str) -> Mapping[str, object] | None:
        """What the section holds, nothing where it is left out; None where nobody can say what was meant."""
        found: object = self.document
        for depth, step in enumerate(path):
            if not isinstance(found, Mapping):
                return None
            if found.get(step) is None:
                return None if path[:depth] in self.misnamed else {}
            found = found[step]
        return found if isinstance(found, Mapping) else None
