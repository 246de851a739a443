"""What a ceremony leaves for everybody to read: the public file, and the transcript that those present sign.

Decides what stands in both: who was there, the parameters, the commitments, every holder's public share, and the
SHA-256 of each file that is carried away, so that a holder can tell that it got the file that was made. Never a secret:
a share has 252 bits of entropy, and its digest tells nothing of it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field, StringConstraints, ValidationError

from gateway.protocol.ristretto import Ristretto
from gateway.protocol.sharing import Sharing, public_share
from gateway.protocol.strict_yaml import StrictModel

PUBLIC_FILE: Final = "commitments.json"
TRANSCRIPT_FILE: Final = "transcript.txt"
MAX_CHARACTERS: Final = 64 * 1024
_GROUP: Final = 8
Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class PublicFileBroken(ValueError):
    """The text is not what a ceremony wrote. Names the fields at fault."""


class PublicFile(StrictModel):
    """commitments.json: what a later refresh starts from, and what anybody may check a share against."""

    epoch: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
    generation: Annotated[int, Field(ge=1, le=65535)]
    threshold: Annotated[int, Field(ge=2, le=16)]
    holders: Annotated[int, Field(ge=2, le=255)]
    commitments: Annotated[tuple[Hex32, ...], Field(min_length=2, max_length=16)]

    @property
    def sharing(self) -> Sharing:
        """The sharing that it describes."""
        return Sharing(self.epoch, self.generation, tuple(bytes.fromhex(text) for text in self.commitments))

    def to_bytes(self) -> bytes:
        """The file."""
        return (self.model_dump_json(indent=2) + "\n").encode()


def read_public_file(text: str) -> PublicFile:
    """The public file in this text. Raises `PublicFileBroken`."""
    if len(text) > MAX_CHARACTERS:
        raise PublicFileBroken("longer than such a file can be")
    try:
        public = PublicFile.model_validate_json(text)
    except ValidationError as exc:
        faults = {".".join(map(str, error["loc"])) or "(document)" for error in exc.errors(include_url=False)}
        raise PublicFileBroken(", ".join(sorted(faults))) from None
    if public.threshold != len(public.commitments):
        raise PublicFileBroken("threshold, commitments")
    return public


@dataclass(frozen=True, slots=True)
class Ceremony:
    """One ceremony, for its transcript."""

    public: PublicFile
    made: datetime
    present: tuple[str, ...]
    carried: Mapping[str, bytes]
    """Files that holders carry away, by name; only their digests are written."""
    is_refresh: bool

    def text(self, group: Ristretto) -> str:
        """The transcript."""
        return "\n".join([*self._lines(group), ""])

    def _lines(self, group: Ristretto) -> Iterator[str]:
        public = self.public
        kind = "refresh of the shares; the key and every token stay" if self.is_refresh else "new token key"
        yield "Homeward key ceremony"
        yield ""
        yield f"what            {kind}"
        yield f"made            {self.made:%F %TZ}"
        for name in self.present or ("nobody was named",):
            yield f"present         {name}"
        yield f"epoch           {public.epoch}, generation {public.generation}"
        yield f"threshold       any {public.threshold} of {public.holders} holders make a token; fewer learn nothing"
        yield f"fingerprint     {_grouped(digest(public.to_bytes()))}  (SHA-256 of {PUBLIC_FILE}; read it aloud)"
        yield ""
        for position, commitment in enumerate(public.commitments):
            meaning = "the public key of the whole" if position == 0 else f"of the coefficient of degree {position}"
            yield f"commitment {position}    {commitment}  {meaning}"
        for index in range(1, public.holders + 1):
            yield f"public share {index:<3}{public_share(group, public.sharing.commitments, index).hex()}"
        yield ""
        for name, data in self.carried.items():
            yield f"{name:<16}{_grouped(digest(data))}  (SHA-256)"
        yield ""
        yield "Each holder compares the digest of the file it received with this page, and so do its witnesses."


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _grouped(text: str) -> str:
    return " ".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
