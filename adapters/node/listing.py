"""Whom a county lists and as what: its settings, and a youth's identity in the form tokens are made from. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from adapters.identity.tokenize import Person
from adapters.records import YouthIdentity
from gateway.protocol.names import Restriction


class Restricted(StrEnum):
    """What happens to youths whose record is restricted."""

    REGISTER = "register"
    """Listed with the restriction: found by nobody, but a flag raised for one still counts."""
    DROP = "drop"
    """Not listed at all."""


@dataclass(frozen=True, slots=True)
class IndexPolicy:
    """The county's choice of what it lists (ARCHITECTURE §5 row 4)."""

    flagged_only: bool = False
    sealed: Restricted = Restricted.REGISTER
    sensitive: Restricted = Restricted.REGISTER
    heartbeat_seconds: float = 60.0

    def drops(self, restriction: Restriction) -> bool:
        """Whether youths under this restriction are left out."""
        rule = {Restriction.SEALED: self.sealed, Restriction.SENSITIVE: self.sensitive}.get(restriction)
        return rule is Restricted.DROP


def person_of(identity: YouthIdentity) -> Person:
    """The identity as match keys are made of it."""
    birth_date = identity.birth_date.isoformat().replace("-", "") if identity.birth_date is not None else None
    return Person(
        identity={
            "given_name": identity.given_name,
            "surname": identity.surname,
            "date_of_birth": birth_date,
            "postcode": identity.postcode,
            "street_number": identity.house_number,
            "soc_sec_id": identity.ssn4,
        },
        aliases=tuple({"given_name": name.given_name, "surname": name.surname} for name in identity.aliases),
        estimated=identity.birth_date_estimated,
    )
