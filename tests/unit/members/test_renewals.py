"""What a listener's library is told of its certificate: at the start, while it is good, and once when it is renewed."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.members.ca import Issuer, make_intermediate, make_root
from gateway.members.service_identity import server_credential
from gateway.rpc.tls import SETTLING_SECONDS, Renewals


class Clock:
    """Stands still."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def renewals(clock: Clock) -> Renewals:
    root = make_root("a root", now=clock(), random_bytes=os.urandom)
    below = make_intermediate("an intermediate", root, now=clock(), random_bytes=os.urandom)
    issuer = Issuer(below, now=clock, random_bytes=os.urandom)
    credential = server_credential(issuer, "spiffe://exchange.example/gateway/gw1", ["127.0.0.1"], now=clock)
    return Renewals(credential, root.certificate.public_bytes(Encoding.PEM))


def test_a_certificate_that_is_good_is_not_handed_over_again(renewals: Renewals, clock: Clock) -> None:
    assert isinstance(renewals.first(), grpc.ServerCertificateConfiguration)
    clock.at += timedelta(hours=11)
    assert renewals.newer() is None


def test_a_renewed_one_is_handed_over_once_and_to_one_of_all_that_ask(renewals: Renewals, clock: Clock) -> None:
    before = renewals.given
    clock.at += timedelta(hours=12)
    told: list[object] = []
    asking = [threading.Thread(target=lambda: told.append(renewals.newer())) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(told) == 8
    assert sum(each is not None for each in told) == 1
    assert renewals.given is not before
    assert renewals.newer() is None


def test_handshakes_that_asked_before_have_their_time_before_theirs_is_replaced(
    renewals: Renewals, clock: Clock
) -> None:
    clock.at += timedelta(hours=12)
    started = time.monotonic()
    assert renewals.newer() is not None
    assert time.monotonic() - started >= SETTLING_SECONDS
