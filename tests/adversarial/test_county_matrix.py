"""Every method of the local endpoint by every role of a county's staff, and everything that can be said of a missing
youth by every role, kind of agency and purpose, against the checked-in matrix.

The request is no message at all. Whoever may not call is refused before it is looked at; whoever may call gets as far
as the message. A method without a row fails here, and a server without a row for a method does not start.
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from grpc import aio

from adapters.local import methods
from adapters.local.methods import METHODS, MethodTableIncomplete, declared
from gateway.protocol.names import (
    OVERSEERS,
    ROLES,
    ROLES_HELD_BY_KIND,
    AgencyKind,
    FlagAct,
    Purpose,
    Role,
)
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.conditions import flag_act_gap
from homeward.county.v1 import access_pb2, authority_pb2, review_pb2, sealing_pb2
from homeward.gateway.v1.review_pb2 import VERDICT_SAME
from homeward.gateway.v1.sealing_pb2 import SEAL_OPERATION_RESTRICT
from tests.integration.local_kit import County, county, refusal, refused

MATRIX: Final = Path(__file__).with_name("county_matrix.toml")
PACKAGE: Final = "/homeward.county.v1."
NO_MESSAGE: Final = b"\xff\xff\xff"
MAY: Final = "INVALID_REQUEST"
MAY_NOT: Final = "ROLE_NOT_HELD"
NO_TOKEN: Final = "no token"
NO_ROLE: Final = "no role"
CALLERS: Final = (*ROLES, NO_ROLE, NO_TOKEN)
GROUPS: Final[dict[str, tuple[str, ...]]] = {role: (role,) for role in ROLES}
"""The identity provider's groups: one for each role, of the same name."""


def matrix() -> Mapping[str, Any]:
    """Classes of staff to their roles, methods to the classes that may call, acts and purposes to who may do them."""
    return tomllib.loads(MATRIX.read_text(encoding="utf-8"))


def expected(method: str, caller: str) -> str:
    """What the matrix says becomes of a call."""
    classes, found = matrix()["methods"][method], matrix()
    if classes == ["*"]:
        return MAY
    if caller == NO_TOKEN:
        return "UNAUTHENTICATED"
    return MAY if any(caller in found["staff"][each] for each in classes) else MAY_NOT


async def result(at: County, channel: aio.Channel, method: str, caller: str) -> str:
    """The reason for which a call without a message is refused."""
    token = () if caller == NO_TOKEN else (("authorization", f"Bearer {at.token(caller)}"),)
    try:
        if declared()[PACKAGE + method].server_streaming:
            stream: Any = channel.unary_stream(PACKAGE + method)
            await stream(NO_MESSAGE, metadata=token, timeout=10).read()
        else:
            unary: Any = channel.unary_unary(PACKAGE + method)
            await unary(NO_MESSAGE, metadata=token, timeout=10)
    except aio.AioRpcError as error:
        return refused(error).reason or error.code().name
    return "OK"


def test_every_method_and_every_role_is_in_the_matrix_once() -> None:
    found = matrix()
    assert {PACKAGE + method for method in found["methods"]} == set(declared()) == set(METHODS)
    listed = [role for roles in found["staff"].values() for role in roles]
    assert sorted(listed) == sorted(ROLES)


async def test_each_call_in_each_role_ends_as_the_matrix_says(tmp_path: Path) -> None:
    wrong = {}
    async with county(tmp_path, groups=GROUPS) as at, at.channel() as channel:
        for method in matrix()["methods"]:
            for caller in CALLERS:
                found = await result(at, channel, method, caller)
                if found != expected(method, caller):
                    wrong[method, caller] = found
        assert at.gateway.calls == []
    assert wrong == {}


REQUESTS: Final[Mapping[str, Callable[[str], Any]]] = {
    "AccessLogService/ListAccesses": lambda role: access_pb2.ListAccessesRequest(role=role),
    "AuthorityService/ListAuthorities": lambda role: authority_pb2.ListAuthoritiesRequest(role=role),
    "AuthorityService/RevokeAuthority": lambda role: authority_pb2.RevokeAuthorityRequest(
        authority_id="0" * 32, role=role
    ),
    "ReviewService/GiveVerdict": lambda role: review_pb2.GiveVerdictRequest(
        review_id="0" * 32, verdict=VERDICT_SAME, role=role
    ),
    "SealingService/ListNotices": lambda role: sealing_pb2.ListNoticesRequest(role=role),
    "SealingService/Seal": lambda role: sealing_pb2.SealRequest(
        operation=SEAL_OPERATION_RESTRICT, local_id="invented-0001", case_reference="REF-77-1234", role=role
    ),
}


@pytest.mark.parametrize("method", REQUESTS)
async def test_who_holds_a_second_role_cannot_act_in_it_where_it_may_not_call(method: str, tmp_path: Path) -> None:
    """A worker who is privacy officer, too, is let in by one role and names the other."""
    officer, worker = "COUNTY.privacy_officer", "CWA.case_worker"
    named = worker if expected(method, worker) == MAY_NOT else officer
    async with county(tmp_path, groups=GROUPS) as at:
        found = await refusal(at, method, REQUESTS[method](named), officer, worker)
        assert at.gateway.calls == []
    assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, MAY_NOT)


@pytest.mark.parametrize("act", FlagAct)
@pytest.mark.parametrize("kind", AgencyKind)
def test_of_a_missing_youth_each_role_says_for_each_purpose_what_the_matrix_lets_it(
    act: FlagAct, kind: AgencyKind
) -> None:
    found, policy = matrix(), load_california()
    assert set(found["flag_acts"]) == set(FlagAct)
    for purpose in Purpose:
        named = found["flag_acts"][act].get(purpose, [])
        classes = found["staff"] | found["emergency"]
        listed = {role for each in named for role in classes.get(each, [each])}
        assert listed <= set(ROLES)
        for role in ROLES:
            gap = flag_act_gap(policy, act, kind=kind, role=Role(role), purpose=purpose)
            held = role in ROLES_HELD_BY_KIND[kind] and kind not in OVERSEERS
            assert (gap is None) is (held and role in listed), (role, purpose, gap)
            if held and gap is not None:
                assert gap is Reason.ROLE_NOT_PERMITTED_FOR_PURPOSE


async def test_an_endpoint_without_a_row_for_a_method_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = {name: row for name, row in METHODS.items() if not name.endswith("/Seal")}
    monkeypatch.setattr(methods, "METHODS", short)
    with pytest.raises(MethodTableIncomplete, match=r"/homeward\.county\.v1\.SealingService/Seal"):
        async with county(tmp_path):
            raise AssertionError("it started")
