"""Every fault of a mirror can be said: in the status message, in the operator's words, on the page that explains it."""

import re
from pathlib import Path

import pytest

from gateway.protocol.parse import MalformedMessage, check
from gateway.recovery.mirror_lines import mirror_lines
from gateway.recovery.target import MirrorFault
from homeward.gateway.v1.admin_pb2 import MirrorStatus

PAGE = Path(__file__).resolve().parents[3] / "audit/README.md"


@pytest.mark.parametrize("fault", MirrorFault)
def test_a_fault_passes_the_rules_of_the_message_and_has_words(fault: MirrorFault) -> None:
    status = MirrorStatus(kept=True, mirrored_size=7, behind_count=2, age_seconds=90, fault=fault, failing_seconds=60)
    check(status)
    behind, failing = mirror_lines(status)
    assert behind == "mirror      7 entries, 2 behind; brought up to date 90 s ago"
    assert failing.startswith(f"NO MIRROR   for 60 s [{fault}]: ")


def test_a_fault_that_is_not_in_the_list_is_refused() -> None:
    with pytest.raises(MalformedMessage) as refused:
        check(MirrorStatus(fault="RUSTY"))
    assert [field.split(":")[0] for field in refused.value.fields] == ["fault"]


def test_the_page_explains_every_fault_and_no_other() -> None:
    table = PAGE.read_text(encoding="utf-8").split("| fault | because |")[1].split("\n\n")[0]
    named = re.findall(r"`([A-Z_]+)`", "".join(row.split("|")[1] for row in table.splitlines() if row.count("|") > 2))
    assert sorted(named) == sorted(MirrorFault)


def test_before_the_first_round_has_ended_nothing_is_claimed() -> None:
    assert list(mirror_lines(MirrorStatus())) == ["mirror      the first round since the start is under way"]
    missing = MirrorStatus(behind_count=9, fault="MISSING", failing_seconds=1)
    assert [line.split(" for ")[0] for line in mirror_lines(missing)] == ["NO MIRROR  "]
