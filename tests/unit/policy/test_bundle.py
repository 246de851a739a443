"""The shipped bundle is complete, and a bundle that breaks an invariant is refused whole."""

from hashlib import sha256
from importlib.resources import files

import pytest

from gateway.protocol.names import (
    REPORT_IN_ROLES,
    ROLES,
    ROLES_BY_KIND,
    ROLES_HELD_BY_KIND,
    AgencyKind,
    Basis,
    EvidenceKind,
    FieldSet,
    FlagAct,
    Notice,
    Obligation,
    Purpose,
    Retention,
    Role,
    YouthPrecondition,
)
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy import english
from gateway.protocol.policy.bundle import CALIFORNIA, load_california, parse_bundle
from gateway.protocol.policy.bundle_faults import BundleError
from gateway.protocol.policy.conditions import flag_act_gap
from gateway.protocol.policy.fieldsets import expand, mask_of, members
from gateway.protocol.policy.rules import FlagActRule, Rule

TEXT = (files("gateway.protocol.policy") / CALIFORNIA).read_text(encoding="utf-8")
POLICY = load_california()


def test_the_digest_is_over_the_exact_bytes() -> None:
    assert POLICY.digest == sha256(TEXT.encode()).digest()
    assert parse_bundle((TEXT + "# another\n").encode()).digest != POLICY.digest


def test_the_bundle_ships_unconfirmed_and_says_so() -> None:
    assert not POLICY.counsel_confirmed
    assert "NOT CONFIRMED BY COUNSEL" in english.banner(POLICY)


def test_each_of_the_ten_purposes_has_a_label_and_a_rule() -> None:
    assert len(Purpose) == 10
    assert set(POLICY.labels) == set(Purpose) == {rule.purpose for rule in POLICY.rules}


@pytest.mark.parametrize(
    ("purpose", "role", "most"),
    [
        ("MFC_LOCATE", "PROB.duty_officer", ["FS3_FLAG_CASEWORK"]),
        ("MFC_LOCATE", "LEA.missing_persons", ["FS2_FLAG_LOCATE"]),
        ("MFC_HANDOFF", "LEA.dispatch", ["FS1_FLAG_STATUS"]),
        ("HOTLINE_SCREEN", "CWA.hotline_screener", ["FS1_FLAG_STATUS", "FS6_JURISDICTION_CONTACT"]),
        ("PLACEMENT_PLANNING", "CWA.er_worker", ["FS5_PLACEMENT_DETAIL"]),
        ("PLACEMENT_SUPERVISION", "CWA.case_worker", ["FS4_PLACEMENT_SUMMARY", "FS6_JURISDICTION_CONTACT"]),
        ("CASE_TRANSFER", "TRIBE.title_ive_agency", ["FS5_PLACEMENT_DETAIL", "FS6_JURISDICTION_CONTACT"]),
        ("CFT_COORDINATION", "PROVIDER.team_member", ["FS4_PLACEMENT_SUMMARY"]),
        ("VOLUNTARY_SHELTER", "NGO.hotline", ["FS1_FLAG_STATUS"]),
        ("SUBJECT_AND_COUNSEL", "SUBJECT.youth", ["FS7_ACCOUNTING"]),
        ("SUBJECT_AND_COUNSEL", "COUNSEL.minor", ["FS5_PLACEMENT_DETAIL", "FS7_ACCOUNTING"]),
        ("OVERSIGHT_AUDIT", "OMBUDS.reviewer", ["FS7_ACCOUNTING"]),
    ],
)
def test_a_role_of_the_table_receives_its_field_sets(purpose: str, role: str, most: list[str]) -> None:
    (rule,) = POLICY.index[Purpose(purpose), Role(role)]
    assert members(rule.mask) == expand(FieldSet(each) for each in most)


def test_consent_is_required_exactly_where_the_law_rests_on_it() -> None:
    resting = {rule.purpose for rule in POLICY.rules if Basis.CONSENT in rule.bases}
    assert resting == {Purpose.CFT_COORDINATION, Purpose.VOLUNTARY_SHELTER, Purpose.PLACEMENT_PLANNING}
    assert all(not rule.needs_authority for rule in POLICY.rules if Basis.STATUTE in rule.bases)


def test_roles_that_only_report_and_kinds_that_may_not_receive_are_in_no_rule() -> None:
    ruled = {role for rule in POLICY.rules for role in rule.roles} | POLICY.emergency.roles
    assert ruled.isdisjoint(REPORT_IN_ROLES)
    assert ruled.isdisjoint(ROLES_BY_KIND[AgencyKind.FED])
    assert ruled <= set(ROLES)


def test_whoever_reviews_says_nothing_of_a_missing_youth_and_everybody_else_can_report_one() -> None:
    reviewers = {role for rule in POLICY.rules if rule.purpose is Purpose.OVERSIGHT_AUDIT for role in rule.roles}
    saying = {role for rule in POLICY.flag_acts for role in rule.roles}
    missing = POLICY.flag_act_roles[FlagAct.REPORT_MISSING, Purpose.MFC_LOCATE]
    assert saying == missing == set(ROLES) - reviewers
    assert missing >= REPORT_IN_ROLES
    assert POLICY.flag_act_roles[FlagAct.REPORT_LOCATED, Purpose.MFC_LOCATE] == missing, "whom the owner told of it"


@pytest.mark.parametrize("purpose", Purpose)
def test_whoever_learns_of_a_flag_in_an_emergency_can_report_the_youth_located(purpose: Purpose) -> None:
    assert POLICY.emergency.mask & mask_of([FieldSet.FS1_FLAG_STATUS])
    assert POLICY.emergency.roles <= POLICY.flag_act_roles[FlagAct.REPORT_LOCATED, purpose]


@pytest.mark.parametrize("rule", POLICY.flag_acts, ids=lambda rule: rule.rule_id)
def test_a_flag_acts_sentence_names_its_roles_purposes_and_citations(rule: FlagActRule) -> None:
    text = english.flag_act_sentence(rule, POLICY)
    assert all(english.role_text(role) in text for role in rule.roles)
    assert all(POLICY.labels[purpose] in text for purpose in rule.purposes)
    assert all(citation in text for citation in rule.citations)


def test_the_emergency_is_within_its_limits() -> None:
    rule = POLICY.emergency
    assert rule.mask == mask_of([FieldSet.FS2_FLAG_LOCATE, FieldSet.FS6_JURISDICTION_CONTACT])
    assert rule.max_life_seconds == 4 * 3600
    assert {role.partition(".")[0] for role in rule.roles} == {"CWA", "PROB", "LEA"}


def test_everything_a_rule_can_say_has_english() -> None:
    for table, values in (
        (english.NOTICES, Notice),
        (english.OBLIGATIONS, Obligation),
        (english.EVIDENCE, EvidenceKind),
        (english.RETENTIONS, Retention),
        (english.FIELD_SETS, FieldSet),
        (english.AUTHORITIES, Basis),
        (english.PRECONDITIONS, YouthPrecondition),
        (english.FLAG_ACTS, FlagAct),
    ):
        assert set(table) == set(values)  # type: ignore[call-overload]


@pytest.mark.parametrize("rule", POLICY.rules, ids=lambda rule: rule.rule_id)
def test_a_rules_sentence_names_its_roles_basis_and_citations(rule: Rule) -> None:
    text = english.sentence(rule, POLICY)
    assert all(english.role_text(role) in text for role in rule.roles)
    assert all(citation in text for citation in rule.citations)
    assert all(english.AUTHORITIES[basis] in text for basis in rule.bases)


MARKED = [
    ('purpose = "MFC_HANDOFF"', 'purpose = "IMMIGRATION"', 'unknown value "IMMIGRATION" (one of: MFC_LOCATE'),
    ('roles = ["LEA.missing_persons"]', 'roles = ["LEA.sheriff"]', "no such role"),
    ('roles = ["LEA.missing_persons"]', 'roles = ["FED.*"]', "no such role"),
    ('roles = ["LEA.missing_persons"]', 'roles = ["EDU.report_in"]', "only reports in"),
    ('prohibited_kinds = ["FED"]', 'prohibited_kinds = ["FED", "OMBUDS"]', "prohibited kind"),
    ('roles = ["LEA.missing_persons"]', 'roles = ["AUDITOR.internal"]', "may do nothing but review"),
    (
        'evidence_all = ["REVIEW_MANDATE"]\nfield_sets = ["FS7_ACCOUNTING"]',
        'evidence_all = ["REVIEW_MANDATE"]\nfield_sets = ["FS7_ACCOUNTING", "FS4_PLACEMENT_SUMMARY"]',
        "may do nothing but review",
    ),
    ('basis = ["AGREEMENT"]', 'basis = ["STATUTE", "CONSENT"]', "STATUTE stands alone"),
    ('basis = ["AGREEMENT"]', 'basis = ["EMERGENCY"]', "not a rule's basis"),
    ('id = "MFC_LOCATE.police"', 'id = "MFC_LOCATE.tribe"', "used twice"),
    ('id = "MFC_LOCATE.police"', 'id = "MFC_HANDOFF.police"', "does not begin with its purpose"),
    ('OVERSIGHT_AUDIT = "Review how the exchange is used"', "", "has no label"),
    ("max_life_seconds = 14400", "max_life_seconds = 14401", "less than or equal"),
    (
        'field_sets = ["FS2_FLAG_LOCATE", "FS6_JURISDICTION_CONTACT"]',
        'field_sets = ["FS5_PLACEMENT_DETAIL"]',
        "more than FS2 and FS6",
    ),
    ("\ncounsel_confirmed = false\n", '\ncounsel_confirmed = "no"\n', "should be a valid boolean"),
    ("\ncounsel_confirmed = false\n", "\ncounsel_confirmed = false\nnote = 1\n", 'unknown key "note"'),
    ('roles = ["CWA.hotline_screener"]\ncitations = ["PC 11165.9", "PC 11166"]\n\n', "", "missing"),
    (
        '    "CWA.*", "PROB.*", "LEA.*", "SHELTER.*"',
        '    "CWA.cook", "PROB.*", "LEA.*", "SHELTER.*"',
        "no such role",
    ),
    ('"STATE.icpc_office", "STATE.licensing"', '"STATE.*"', "STATE.cdss_oversight reviews"),
    (
        'purposes = ["VOLUNTARY_SHELTER"]',
        'purposes = ["PLACEMENT_PLANNING"]',
        "PLACEMENT_PLANNING nobody learns of a flag",
    ),
    (
        'purposes = ["VOLUNTARY_SHELTER"]',
        'purposes = ["MFC_LOCATE"]',
        "for VOLUNTARY_SHELTER, and not report the youth located",
    ),
    (
        '"SHELTER.county_tscf", "HOSP.social_work"]\ncitations = ["PC 11165.9", "PC 14213", "WIC 305"]',
        '"SHELTER.county_tscf"]\ncitations = ["PC 11165.9", "PC 14213", "WIC 305"]',
        "HOSP.social_work may learn of a flag for MFC_HANDOFF",
    ),
    (
        '"HOTLINE_SCREEN", "PLACEMENT_PLANNING", "PLACEMENT_SUPERVISION", "CASE_TRANSFER",',
        '"HOTLINE_SCREEN", "PLACEMENT_PLANNING", "CASE_TRANSFER",',
        "LEA.patrol may learn of a flag for PLACEMENT_SUPERVISION, and not report the youth located",
    ),
    (
        'roles = ["CWA.*", "PROB.*"]\ncitations = ["42 USC 671(a)(35)", "WIC 16501.35"]\n',
        'roles = ["CWA.*", "STRTP.*"]\ncitations = ["42 USC 671(a)(35)", "WIC 16501.35"]\n',
        "STRTP.administrator keeps flags for MFC_LOCATE, and no rule lets it claim that",
    ),
    ('    "CWA.*", "PROB.*", "LEA.*", "SHELTER.*"', '    "CWA.*", "LEA.*", "SHELTER.*"', "and has no REPORT_MISSING"),
    ('id = "KEEP_OWN_FLAG.casework"', 'id = "REPORT_MISSING.casework"', "does not begin with its act"),
    ('id = "REPORT_LOCATED.finding"', 'id = "REPORT_LOCATED.screening"', "used twice"),
    ('mode = "VIEW_ONLY"\nretention = "NONE"', 'mode = "COPY_PERMITTED"\nretention = "NONE"', "go together"),
]


@pytest.mark.parametrize(("found", "planted", "said"), MARKED)
def test_a_bundle_that_breaks_an_invariant_is_refused(found: str, planted: str, said: str) -> None:
    assert found in TEXT
    with pytest.raises(BundleError) as refused:
        parse_bundle(TEXT.replace(found, planted, 1).encode())
    assert said in str(refused.value)


EARLIER = TEXT[: TEXT.index("# What staff may say")] + TEXT[TEXT.index("# Break-glass: a modality") :]
"""A bundle of before there were flag acts."""


@pytest.mark.parametrize("text", [EARLIER, EARLIER.replace("max_life_seconds = 14400", "max_life_seconds = 14401")])
def test_a_bundle_without_flag_acts_is_not_served(text: str) -> None:
    with pytest.raises(BundleError, match="flag_acts: missing"):
        parse_bundle(text.encode())


def test_a_bundle_of_before_flag_acts_is_read_to_replay_and_by_it_nobody_says_anything() -> None:
    earlier = parse_bundle(EARLIER.encode(), to_replay=True)
    assert (earlier.digest, earlier.rules) == (sha256(EARLIER.encode()).digest(), POLICY.rules)
    assert not earlier.flag_acts
    for role in sorted(ROLES_HELD_BY_KIND[AgencyKind.CWA]):
        gaps = {
            flag_act_gap(earlier, act, kind=AgencyKind.CWA, role=role, purpose=purpose)
            for act in FlagAct
            for purpose in Purpose
        }
        assert gaps == {Reason.ROLE_NOT_PERMITTED_FOR_PURPOSE}


def test_what_a_bundle_to_replay_lets_staff_say_need_not_be_what_is_served_today() -> None:
    narrower = TEXT.replace('"HOTLINE_SCREEN", "PLACEMENT_PLANNING", "PLACEMENT_SUPERVISION"', '"HOTLINE_SCREEN"', 1)
    assert narrower != TEXT
    assert parse_bundle(narrower.encode(), to_replay=True).rules == POLICY.rules
    with pytest.raises(BundleError):
        parse_bundle(TEXT.replace("max_life_seconds = 14400", "max_life_seconds = 14401").encode(), to_replay=True)


def test_a_later_rule_may_not_allow_more_than_an_earlier_one() -> None:
    head, mark, tail = TEXT.partition('id = "PLACEMENT_PLANNING.probation_authorized"')
    wider = tail.replace('"FS5_PLACEMENT_DETAIL"', '"FS5_PLACEMENT_DETAIL", "FS6_JURISDICTION_CONTACT"', 1)
    with pytest.raises(BundleError, match="more than an earlier rule"):
        parse_bundle((head + mark + wider).encode())


def line_of(text: str, part: str) -> int:
    """The first line that holds the part, from 1."""
    return text[: text.index(part)].count("\n") + 1


def test_every_problem_is_named_at_once_with_its_line() -> None:
    broken = (
        TEXT.replace('"LEA.missing_persons"', '"LEA.sheriff"', 1)
        .replace('roles = ["HOSP.social_work"]', 'roles = [\n  "HOSP.nurse",\n]', 1)
        .replace('id = "HOTLINE_SCREEN.screener"\n', 'id = "HOTLINE_SCREEN.screener"\ncomment = """\n[[rules]]\n"""\n')
        .replace('field_sets = ["FS3_FLAG_CASEWORK"]', 'field_sets = ["FS3_FLAG_CASEWROK"]', 1)
        .replace('basis = ["AGREEMENT"]', 'basis = ["EMERGENCY"]', 1)
        .replace("max_life_seconds = 14400", "max_life_seconds = 14401")
    )
    with pytest.raises(BundleError) as refused:
        parse_bundle(broken.encode(), origin="bundle.toml")
    told = [(each.line, each.field, each.sentence.partition(" (")[0]) for each in refused.value.problems]
    allowed = 'unknown value "FS3_FLAG_CASEWROK" - did you mean "FS3_FLAG_CASEWORK"?'
    nurse = 'no such role "HOSP.nurse"; homeward policy show lists them'
    assert told == [
        (line_of(broken, '"FS3_FLAG_CASEWROK"'), "MFC_LOCATE.casework.field_sets.0", allowed),
        (line_of(broken, '"LEA.sheriff"'), "MFC_LOCATE.police.roles.0", nurse.replace("HOSP.nurse", "LEA.sheriff")),
        (line_of(broken, '  "HOSP.nurse"') - 1, "MFC_HANDOFF.hospital.roles.0", nurse),
        (line_of(broken, "comment ="), "HOTLINE_SCREEN.screener.comment", 'unknown key "comment"'),
        (line_of(broken, "max_life_seconds"), "emergency.max_life_seconds", "should be less than or equal to 14400"),
    ]
    assert str(refused.value.problems[0]).startswith(f"bundle.toml:{told[0][0]}:1: error: MFC_LOCATE.casework")


def test_a_rule_whose_form_is_right_is_looked_at_although_another_rules_is_not() -> None:
    broken = TEXT.replace('"LEA.missing_persons"', '"LEA.sheriff"', 1).replace('["AGREEMENT"]', '["EMERGENCY"]', 1)
    with pytest.raises(BundleError) as refused:
        parse_bundle(broken.encode())
    assert [each.field for each in refused.value.problems] == [
        "MFC_LOCATE.police.roles.0",
        "MFC_HANDOFF.hospital.basis",
    ]


def test_a_bundle_that_is_no_toml_is_told_with_the_place_where_it_ends_to_be() -> None:
    with pytest.raises(BundleError) as refused:
        parse_bundle(TEXT.replace("\ncounsel_confirmed = false", "\ncounsel_confirmed = no", 1).encode())
    (problem,) = refused.value.problems
    assert problem.line == line_of(TEXT, "\ncounsel_confirmed = false") + 1
    assert "at line" not in problem.sentence


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"not toml", b"#" * 300_000])
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        parse_bundle(data)
