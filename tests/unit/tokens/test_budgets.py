"""Which account pays for a batch, what it may hold, and when its alarm is due."""

import pytest

from gateway.config import Budgets
from gateway.protocol.names import AgencyId
from gateway.tokens.budgets import Account, Payer, alarm_at, allowance, is_whole, lines, names_worker
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP, EVALUATION_USE_REGISTRATION, BlindedBatch

AGENCY = AgencyId("06037.cwa")
BUDGETS = Budgets(elements_a_record=4, undeclared_caseload=100, caseload_margin_percent=25)
LOOKUP = BlindedBatch(epoch="e1", record_count=1, worker=b"w" * 16, use=EVALUATION_USE_LOOKUP)
REGISTRATION = BlindedBatch(epoch="e1", record_count=1, use=EVALUATION_USE_REGISTRATION)


def test_a_look_up_is_paid_by_the_agency_and_by_its_worker_together() -> None:
    ((agency, worker),) = lines(LOOKUP, Payer(AGENCY, 7, None), BUDGETS)
    assert (agency.account, agency.limit, agency.worker) == (Account.LOOKUPS, BUDGETS.lookups_a_day, b"")
    assert (worker.account, worker.limit) == (Account.WORKER, BUDGETS.lookups_a_worker_a_day)
    assert worker.worker == b"w" * 16
    assert (agency.day, agency.epoch) == (7, "")


def test_a_registration_is_paid_once_in_an_epoch_and_only_then_as_a_look_up() -> None:
    (once,), (daily,) = lines(REGISTRATION, Payer(AGENCY, 7, 1000), BUDGETS)
    assert (once.account, once.epoch, once.day, once.limit) == (Account.CASELOAD, "e1", 0, 1250)
    assert daily == lines(LOOKUP, Payer(AGENCY, 7, 1000), BUDGETS)[0][0]
    next_day = lines(REGISTRATION, Payer(AGENCY, 8, 1000), BUDGETS)
    assert next_day[0] == (once,)
    assert next_day[1] != (daily,)


@pytest.mark.parametrize(("declared", "records"), [(None, 125), (1, 1), (1000, 1250)])
def test_the_allowance_is_the_declared_caseload_and_a_margin(declared: int | None, records: int) -> None:
    assert allowance(BUDGETS, declared) == records


@pytest.mark.parametrize(("records", "elements", "whole"), [(1, 4, True), (2, 8, True), (1, 3, False), (1, 8, False)])
def test_a_batch_has_exactly_the_elements_of_its_records(records: int, elements: int, whole: bool) -> None:
    batch = BlindedBatch(record_count=records, elements=[bytes([each]) for each in range(elements)])
    assert is_whole(batch, BUDGETS) is whole


def test_a_worker_is_named_for_a_look_up_and_for_nothing_else() -> None:
    assert names_worker(LOOKUP)
    assert names_worker(REGISTRATION)
    for use, worker in (
        (EVALUATION_USE_LOOKUP, b""),
        (EVALUATION_USE_LOOKUP, b"w"),
        (EVALUATION_USE_REGISTRATION, b"w" * 16),
    ):
        assert not names_worker(BlindedBatch(use=use, worker=worker))


@pytest.mark.parametrize(("spent", "percent"), [(0, 0), (159, 0), (160, 80), (199, 80), (200, 100), (201, 100)])
def test_an_alarm_is_due_at_four_fifths_and_at_the_end(spent: int, percent: int) -> None:
    assert alarm_at(spent, 200, Budgets()) == percent
