"""Every reply to an adapter, and every reply of one, carries the receipt of the entry that it left.

A method without one says here why; one that is added without a receipt and without a reason is found.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from google.protobuf.descriptor import Descriptor, MethodDescriptor

import homeward.audit.v1
import homeward.county.v1
import homeward.gateway.v1
from gateway.rpc.methods import METHODS, Proof

RECEIPTS = frozenset({"homeward.audit.v1.Receipt", "homeward.county.v1.Receipt"})
LEAVES_NONE = "leaves no entry"
INSIDE = "never leaves the county"
ASKED_BY_THE_GATEWAY = "no adapter asks it; what comes back is itself a signature"
WITHOUT: Mapping[str, str] = {
    "homeward.gateway.v1.MembershipService.GetDirectory": LEAVES_NONE,
    "homeward.gateway.v1.MembershipService.FetchPepper": LEAVES_NONE,
    "homeward.audit.v1.AuditService.GetCheckpoint": LEAVES_NONE,
    "homeward.audit.v1.AuditService.GetConsistencyProof": LEAVES_NONE,
    "homeward.gateway.v1.CountersignService.Countersign": ASKED_BY_THE_GATEWAY,
    "homeward.county.v1.StatusService.GetStatus": INSIDE,
    "homeward.county.v1.MissingService.WatchAlerts": INSIDE,
    "homeward.county.v1.MissingService.AcknowledgeAlerts": INSIDE,
    "homeward.county.v1.ReviewService.ListReviews": INSIDE,
}
"""Operators' own commands (`Proof.LOCAL`) beside these: they are given on the machine that has the log."""


def methods() -> Iterator[MethodDescriptor]:
    """Every method of every service."""
    for package in (homeward.gateway.v1, homeward.county.v1, homeward.audit.v1):
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.endswith("_pb2"):
                described = importlib.import_module(f"{package.__name__}.{module.name}").DESCRIPTOR
                for service in described.services_by_name.values():
                    yield from service.methods


def carries(message: Descriptor, above: tuple[str, ...] = ()) -> bool:
    """Whether a receipt stands somewhere in this message."""
    if message.full_name in RECEIPTS:
        return True
    within = (each.message_type for each in message.fields if each.message_type is not None)
    return any(carries(each, (*above, message.full_name)) for each in within if each.full_name not in above)


def is_local(method: MethodDescriptor) -> bool:
    row = METHODS.get(f"/{method.containing_service.full_name}/{method.name}")
    return row is not None and row.proof is Proof.LOCAL


def test_every_reply_carries_a_receipt_or_says_why_not() -> None:
    without = {each.full_name for each in methods() if not is_local(each) and not carries(each.output_type)}
    assert without == set(WITHOUT)


def test_what_carries_none_is_found_and_what_carries_one_is_seen() -> None:
    by_name = {each.full_name: each for each in methods()}
    assert len(by_name) > 40
    assert carries(by_name["homeward.gateway.v1.IndexService.RegisterAll"].output_type), "within another message"
    assert not carries(by_name["homeward.gateway.v1.MembershipService.GetDirectory"].output_type)
