"""Between the county's messages and the values of the caller side: identities in, evidence out. Pure.

Decides translation only. An identity read here goes into a `Person` and nowhere else; what is written here was
verified.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.county_names import is_county
from adapters.errors import ErrorReason, Invalid
from adapters.identity.tokenize import Person
from adapters.local.interceptor import LocalCall
from adapters.node.answers import FIELD_OF, RecordResult
from adapters.node.identifiers import Clock, RandomBytes, new_request_id
from adapters.node.receipts import Kept
from adapters.node.recording import Entry
from adapters.node.request import Question, content_digest
from adapters.node.send import Act
from adapters.staff import choose_role, reference_commitment
from gateway.protocol.names import (
    AuthorityId,
    EvidenceKind,
    FieldSet,
    Purpose,
    RequestId,
)
from gateway.protocol.policy.fieldsets import expand
from gateway.protocol.wire_names import from_wire, to_wire
from homeward.county.v1 import county_pb2
from homeward.gateway.v1.envelope_pb2 import Evidence
from homeward.gateway.v1.records_pb2 import WITHHELD_REASON_NOT_GRANTED, RecordField, WithheldField

EARLIEST_BIRTH: Final = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads requests of one county."""

    commitment_key: bytes = field(repr=False)
    now: Clock
    random_bytes: RandomBytes

    def question(self, inquiry: county_pb2.Inquiry, call: LocalCall, field_sets: tuple[FieldSet, ...]) -> Question:
        """What a user asks about one youth. Raises `Denied`, `Invalid`."""
        entry = self.entry(
            inquiry,
            call,
            request_id=inquiry.request_id,
            role=inquiry.role,
            purpose=from_wire(Purpose, inquiry.purpose),
            authority_id=inquiry.authority_id,
        )
        return Question(
            request_id=entry.request_id,
            act=entry.act,
            youth=person(inquiry.youth, self.now()),
            evidence=self._evidence(inquiry.evidence),
            field_sets=field_sets,
            content=content_digest(self.commitment_key, entry.content, ",".join(field_sets).encode()),
        )

    def entry(
        self,
        message: Message,
        call: LocalCall,
        *,
        request_id: str,
        role: str,
        purpose: Purpose,
        authority_id: str = "",
    ) -> Entry:
        """What a user says, under which identifier. Raises `Denied`, `Invalid`."""
        identifier = (
            RequestId(uuid.UUID(request_id).bytes) if request_id else new_request_id(self.now(), self.random_bytes)
        )
        chosen = choose_role(call.staff, role)
        authority = AuthorityId(bytes.fromhex(authority_id)) if authority_id else None
        return Entry(
            request_id=identifier,
            act=Act(call.staff, chosen, purpose, authority),
            # The role is part of what was said: the same words of another user in another role are another request.
            content=content_digest(
                self.commitment_key,
                message.DESCRIPTOR.full_name.encode(),
                message.SerializeToString(deterministic=True),
                chosen.encode(),
                call.staff.pseudonym.encode(),
            ),
        )

    def _evidence(self, shown: Iterable[county_pb2.EvidenceReference]) -> tuple[Evidence, ...]:
        return tuple(
            Evidence(
                kind=each.kind,
                reference_commitment=reference_commitment(
                    self.commitment_key, from_wire(EvidenceKind, each.kind), each.reference
                ),
            )
            for each in shown
        )


def page_id(request_id: RequestId, page: int, *, key: bytes) -> RequestId:
    """The identifier of one page: every page is a request of its own, and page 1 keeps the caller's identifier."""
    if page == 1:
        return request_id
    raw = bytearray(content_digest(key, b"page", request_id, page.to_bytes(4, "big"))[:16])
    # Time and version of the caller's identifier stay, so that it still sorts as a UUIDv7.
    raw[:7] = request_id[:7]
    raw[8] = 0x80 | raw[8] & 0x3F
    return RequestId(bytes(raw))


def person(youth: county_pb2.YouthIdentity, now: datetime) -> Person:
    """The identity, ready to be tokenized. Raises `Invalid` as `birth_date`."""
    identity = {
        "given_name": youth.given_name,
        "surname": youth.surname,
        "date_of_birth": birth_date(youth, now).strftime("%Y%m%d"),
        "soc_sec_id": youth.ssn4 or None,
        "postcode": youth.postcode or None,
        "street_number": youth.house_number or None,
    }
    aliases = tuple({"given_name": each.given_name, "surname": each.surname} for each in youth.aliases)
    return Person(identity=identity, aliases=aliases, estimated=youth.birth_date_estimated)


def birth_date(youth: county_pb2.YouthIdentity, now: datetime) -> date:
    """The day of birth. Raises `Invalid` where the text is no day of the calendar, impossibly early, or yet to come."""
    born = past_day(youth.birth_date, "youth.birth_date", now)
    if born < EARLIEST_BIRTH:
        # As with a text that is none: nothing of it is shown with the error.
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"youth.birth_date: from {EARLIEST_BIRTH}",)) from None
    return born


def day(text: str, path: str) -> date:
    """The day, `YYYY-MM-DD`. Raises `Invalid` naming the field where the text is no day of the calendar."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        # `from None` and no text: the message of the library's own error quotes the date.
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"{path}: day of the calendar",)) from None


def past_day(text: str, path: str, now: datetime) -> date:
    """The day, which has begun somewhere. Raises `Invalid` naming the field for any other."""
    found = day(text, path)
    if found > now.date():
        # No county is east of UTC: its today is no later than this one.
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"{path}: past",)) from None
    return found


def page_position(token: str, *, lowest: int, highest: int) -> int | None:
    """What a page token says, None for the empty one. Raises `Invalid` for a text that is no such number's own."""
    if not token:
        return None
    found = int(token)
    if not lowest <= found <= highest or str(found) != token:
        raise not_a_token()
    return found


def not_a_token() -> Invalid:
    """The error for a page token that no page of this list brought."""
    return Invalid(ErrorReason.INVALID_REQUEST, fields=("page_token: own",))


def county_code(text: str, path: str) -> str:
    """The code, or the empty text. Raises `Invalid` naming the field for a code that no county has."""
    if text and not is_county(text):
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"{path}: a county's FIPS code",))
    return text


def moment(message: Timestamp, path: str) -> datetime:
    """The time, UTC. Raises `Invalid` naming the field for one beyond the years 1 to 9999, or a broken fraction."""
    try:
        return message.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"{path}: timestamp",)) from None


def stamp(value: datetime | None) -> Timestamp | None:
    """The time as a message; None for none."""
    if value is None:
        return None
    message = Timestamp()
    message.FromDatetime(value)
    return message


def receipt(kept: Kept | None, request_id: RequestId | None, policy_version: str) -> county_pb2.Receipt | None:
    """Evidence as a county system keeps it; None where nothing left the county. Not every call has an identifier."""
    if kept is None:
        return None
    return county_pb2.Receipt(
        leaf_index=kept.index,
        checkpoint=kept.receipt.checkpoint,
        request_id=str(uuid.UUID(bytes=request_id)) if request_id is not None else "",
        policy_version=policy_version,
        proof=kept.receipt.text(),
    )


def withheld(result: RecordResult, asked: tuple[FieldSet, ...]) -> Sequence[WithheldField]:
    """Each field that was not given, and why: as the source says, and every set that was asked for and not granted."""
    if result.answer is None:
        return ()
    said = list(result.answer.withheld)
    named = {each.field for each in said}
    for field_set in expand(asked):
        name = FIELD_OF.get(field_set)
        if name is not None and field_set not in result.granted and RecordField.Value(name) not in named:
            said.append(WithheldField(field=name, reason=WITHHELD_REASON_NOT_GRANTED))
    return said


def number(value: StrEnum | None) -> Any:
    """The wire number of a value of a shared list; 0 for none.

    Typed loosely, because every generated enum has a type of its own; the table behind it is tested for each list.
    """
    return 0 if value is None else to_wire(value)
