"""The commands' way to the local endpoint: TLS with the adapter's own CA, a staff token from a file.

Decides how a status becomes a failure of a command: what an engineer or auditor can act on, never the content of a
request. The same way is open to any county system; nothing here is privileged.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc import aio
from grpc_status import rpc_status

from adapters.local.tls import CA_FILE
from gateway.protocol.channel import client_options
from gateway.protocol.violations import fields_in
from homeward.failure import CommandFailure, ExitCode

R = TypeVar("R", bound=Message)
CALL_SECONDS: Final = 30.0
_MAX_TOKEN_BYTES: Final = 16 * 1024

EXITS: Final[dict[grpc.StatusCode, ExitCode]] = {
    grpc.StatusCode.UNAVAILABLE: ExitCode.UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: ExitCode.UNREACHABLE,
    grpc.StatusCode.PERMISSION_DENIED: ExitCode.DENIED,
    grpc.StatusCode.DATA_LOSS: ExitCode.EVIDENCE,
}
"""Exit statuses; any other code is a plain failure."""

FIXES: Final[dict[str, str]] = {
    "UNAUTHENTICATED": "get a fresh token of the county's identity provider, for this adapter's audience",
    "ROLE_NOT_HELD": "ask for the group that gives the role, or name a role you hold with --role",
    "INVALID_REQUEST": "correct the fields named above",
    "GATEWAY_UNAVAILABLE": "try again; homeward adapter status shows whether the link is up",
    "NOT_READY": "wait until homeward adapter status shows the adapter ready",
    "EVIDENCE_INVALID": "do not use the answer; tell the exchange's operator and your privacy officer",
    "IDENTITY_INCOMPLETE": "give the youth's names and birth date",
    "YOUTH_NOT_IN_CASELOAD": "check the number; homeward adapter check shows whether the source's row is refused",
    "YOUTH_SEALED": "answer as the court's order says; homeward adapter seal list names the seals",
    "FLAG_NOT_FOUND": "check the identifier; only its owner changes or ends a flag",
    "AUTHORITY_NOT_FOUND": "check the identifier with homeward authority list",
    "REVIEW_NOT_FOUND": "check the identifier with homeward adapter reviews",
    "SOURCE_UNAVAILABLE": "homeward adapter check names the county's source that cannot be read, and why",
    "QUESTIONS_EXHAUSTED": "try again tomorrow (UTC), and call until then; the exchange's operator sets the figure",
    "LOOKUPS_HELD": "call the exchange's operator, who looks at it and releases them",
    "BUDGET_EXHAUSTED": "try again tomorrow, and call until then; each key holder's operator sets its figure",
    "ID_REUSED": "ask again under a new request_id",
    "EXPIRED_REFETCH": "ask again under a new request_id",
}
"""What to do at each reason of `adapters.errors`; any other is the transport's, such as DEADLINE_EXCEEDED."""

CAUSES: Final[dict[str, str]] = {
    "UNAUTHENTICATED": "the token is missing, or fails a check",
    "ROLE_NOT_HELD": "the groups in the token give no role that may call this, or not the one that was named",
    "INVALID_REQUEST": "a field breaks its rule",
    "GATEWAY_UNAVAILABLE": "the exchange did not answer the adapter",
    "NOT_READY": "the adapter lacks something that it fetches by itself",
    "EVIDENCE_INVALID": "a signature, a proof or a field of the exchange's answer contradicts another",
    "IDENTITY_INCOMPLETE": "a search needs more of the identity than was given",
    "YOUTH_NOT_IN_CASELOAD": "the county's source holds no such youth, or its row was refused",
    "YOUTH_SEALED": "a court ordered it",
    "FLAG_NOT_FOUND": "the exchange has no such flag, or it is another agency's",
    "AUTHORITY_NOT_FOUND": "the exchange has no such authority, or it is another agency's",
    "REVIEW_NOT_FOUND": "this adapter was sent no such possible match",
    "SOURCE_UNAVAILABLE": "the county's own source cannot be read",
    "LOOKUPS_HELD": "this agency asked in a way that looks like trying names, and its look-ups are held",
    "BUDGET_EXHAUSTED": "as many look-ups as a day allows were made",
    "QUESTIONS_EXHAUSTED": "as many questions as a day allows were asked",
    "ID_REUSED": "an earlier request had this identifier and other content",
    "EXPIRED_REFETCH": "the answer to this identifier is no longer kept",
}
"""Why, for each of the same reasons."""


class CallRefused(CommandFailure):
    """A call was answered with a refusal. `fields` are the paths it named, with the rule that each one broke."""

    def __init__(
        self, reason: str, what: str, *, where: str, why: str, fix: str, exit_code: ExitCode, fields: tuple[str, ...]
    ) -> None:
        super().__init__(f"CALL-{reason}", what, where=where, why=why, fix=fix, exit_code=exit_code)
        self.reason = reason
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an adapter listens for its county's systems."""

    address: str
    ca: bytes
    token: str | None = field(default=None, repr=False)

    def call(self, path: str, request: Message, response: type[R]) -> R:
        """The adapter's answer. Raises `CommandFailure`."""
        return asyncio.run(self._call(path, request, response))

    async def _call(self, path: str, request: Message, response: type[R]) -> R:
        credentials = grpc.ssl_channel_credentials(root_certificates=self.ca)
        metadata = (("authorization", f"Bearer {self.token}"),) if self.token is not None else ()
        async with aio.secure_channel(self.address, credentials, options=client_options(self.address)) as channel:
            method = channel.unary_unary(path, request_serializer=_serialize, response_deserializer=response.FromString)
            try:
                answer: R = await method(request, timeout=CALL_SECONDS, metadata=metadata)
            except aio.AioRpcError as error:
                raise failure_of(error, self.address, method=path) from None
            return answer


def endpoint(state: Path, address: str, token_file: Path | None) -> Endpoint:
    """The endpoint of the adapter with this state directory. Raises `CommandFailure`."""
    try:
        ca = (state / "local-tls" / CA_FILE).read_bytes()
    except OSError as exc:
        raise CommandFailure(
            "CALL-001",
            "the adapter's certificate cannot be read",
            where=str(state / "local-tls" / CA_FILE),
            why="the adapter has not run yet, or this user may not read it",
            fix="start the adapter: homeward adapter run",
            exit_code=ExitCode.UNREACHABLE,
        ) from exc
    return Endpoint(address, ca, _token(token_file) if token_file is not None else None)


def failure_of(error: aio.AioRpcError, address: str, *, method: str) -> CommandFailure:
    """The failure of a command whose call failed. `method` is its full name."""
    info, fields = _details(error)
    reason = info.reason if info is not None else error.code().name
    fault = info.metadata.get("fault", "") if info is not None else ""
    if info is None and error.code() is grpc.StatusCode.UNAVAILABLE:
        return CommandFailure(
            "CALL-002",
            "the adapter cannot be reached",
            where=address,
            why="nothing accepts the connection, or its certificate is another",
            fix="check that the adapter runs and listens there: homeward adapter run; --address names another place",
            exit_code=ExitCode.UNREACHABLE,
        )
    details = ", ".join(part for part in (fault, *fields) if part)
    cause = CAUSES.get(reason, reason)
    return CallRefused(
        reason,
        # Constant text of the adapter's own table (`local/status`).
        error.details() or "the call failed",
        where=f"{method.rpartition('.')[2]} at {address}",
        why=f"{cause}: {details}" if details else cause,
        fix=FIXES.get(reason, "try again; if it stays, look into the adapter's log"),
        exit_code=EXITS.get(error.code(), ExitCode.FAILED),
        fields=tuple(fields),
    )


def _details(error: Any) -> tuple[error_details_pb2.ErrorInfo | None, list[str]]:
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        return None, []
    found: error_details_pb2.ErrorInfo | None = None
    fields: list[str] = []
    for detail in status.details if status is not None else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            found = info
        elif detail.Unpack(bad):
            fields += fields_in(bad)
    return found, fields


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def _token(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as exc:
        raise _unreadable_token(path) from exc
    if not text.strip() or len(text) > _MAX_TOKEN_BYTES:
        raise _unreadable_token(path)
    return text.strip()


def _unreadable_token(path: Path) -> CommandFailure:
    return CommandFailure(
        "CALL-003",
        "the token file cannot be used",
        where=str(path),
        why="it cannot be read, is empty, or is no token",
        fix="write the token of the county's identity provider into it, alone, readable for you only",
    )
