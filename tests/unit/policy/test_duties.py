"""Every obligation is carried out by the exchange or said to be the county's, and never both."""

import pytest

from gateway.protocol.names import Obligation
from gateway.protocol.policy.duties import CARRIED_OUT, COUNTY_DUTIES, Side, county_duties


@pytest.mark.parametrize("obligation", Obligation)
def test_each_obligation_is_carried_out_or_is_the_countys(obligation: Obligation) -> None:
    assert (obligation in CARRIED_OUT) != (obligation in COUNTY_DUTIES)


def test_each_duty_of_a_county_is_of_one_side_and_keeps_the_order_of_the_decision() -> None:
    mine, theirs = (county_duties(Obligation, side) for side in Side)
    assert sorted((*mine, *theirs)) == sorted(COUNTY_DUTIES)
    assert not set(mine) & set(theirs)
    asked = (Obligation.REVIEW_5_BUSINESS_DAYS, Obligation.ACCOUNT, Obligation.SUPERVISOR_ACK_24_HOURS)
    assert county_duties(asked, Side.ASKING) == (asked[0], asked[2])
