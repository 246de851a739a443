"""One mistake for each thing a tamper test is to find, which somebody could make without noticing; and the test."""

from __future__ import annotations

from dataclasses import dataclass

PUBLISHED = "tests/integration/test_published.py"
QUORUM = "tests/integration/test_quorum.py"
WITNESS = "tests/integration/test_witness.py"
WITNESS_PROCESSES = "tests/integration/test_witness_processes.py"
SUSPICION = "tests/integration/test_suspicion.py"
FAULTS = "tests/integration/test_log_faults.py"
SEALS = "tests/unit/exchange/test_seal_forensics.py"
ERASURE = "tests/unit/exchange/test_seal_erasure.py"
SEQUENCERS = "tests/integration/test_log_sequencers.py"
SHOWN = "tests/integration/test_shown.py"
RECORD = "tests/unit/members/test_record.py"
ATTESTATION = "tests/integration/test_attestation.py"
NOTICES = "tests/unit/exchange/test_seal_notices.py"
TOLD = "tests/unit/exchange/test_told.py"
BOUND_NOTICES = "tests/unit/exchange/test_bound_notices.py"
CLOCK = "tests/integration/test_log_clock.py"
POWER = "tests/integration/test_power_loss.py"


@dataclass(frozen=True)
class Mutant:
    """In `file`, of `audit/` unless it says otherwise, `before` reads `after` instead; `test` must fail."""

    file: str
    before: str
    after: str
    test: str


MUTANTS = {
    "1 files are written in place": Mutant(
        "files.py",
        "temporary = target.with_name(target.name + TEMPORARY)",
        "temporary = target",
        f"{PUBLISHED}::test_1_killed_at_every_step_the_last_checkpoint_holds_and_publishing_completes",
    ),
    "1 the checkpoint goes before its tiles": Mutant(
        "publish.py",
        "        self._write(edge.partial())\n",
        "        self._files.write(CHECKPOINT, self._signer.sign(edge.size, edge.root()).encode())\n"
        "        self._write(edge.partial())\n",
        f"{PUBLISHED}::test_1_killed_at_every_step_the_last_checkpoint_holds_and_publishing_completes",
    ),
    "1 a commit is acknowledged before it is on the disk": Mutant(
        "store_sqlite.py",
        "_SYNCHRONOUS_FULL = 2\n",
        "_SYNCHRONOUS_FULL = 1\n",
        f"{POWER}::test_after_a_power_failure_every_acknowledged_entry_is_there",
    ),
    "2 a log that a disk error stopped starts again as if nothing had been": Mutant(
        "log.py",
        "        self._mark.make(self.stopped_for)\n",
        "",
        f"{FAULTS}::test_failing_disk_stops_the_log_for_good",
    ),
    "3 what a full disk refused counts as written": Mutant(
        "publish.py",
        "            self._write(files)\n",
        "            self._edge = edge\n            self._write(files)\n",
        f"{PUBLISHED}::test_3_a_full_disk_leaves_the_last_checkpoint_and_recovers",
    ),
    "4 damage is not repaired": Mutant(
        "publish.py",
        "        damaged += self._differing(edge.partial())\n",
        "",
        f"{PUBLISHED}::test_4_a_torn_lost_or_lengthened_file_is_found_and_written_again",
    ),
    "4 a temporary file stays": Mutant(
        "files.py",
        "            left.unlink()\n",
        "            left.exists()\n",
        f"{PUBLISHED}::test_4_a_torn_lost_or_lengthened_file_is_found_and_written_again",
    ),
    "5 tiles are not compared": Mutant(
        "published.py",
        "        if shown != data:\n",
        "        if False:\n",
        f"{PUBLISHED}::test_5_a_flipped_bit_anywhere_is_found",
    ),
    "6 the leaf is taken from the row": Mutant(
        "publish.py",
        "    if merkle.leaf_hash(leaf) != row[2]:\n",
        "    if False:\n",
        f"{PUBLISHED}::test_6_rows_that_do_not_hold_together_are_neither_signed_nor_published",
    ),
    "6 the body is not looked at": Mutant(
        "publish.py",
        "    check_entry(entry)\n",
        "",
        f"{PUBLISHED}::test_6_rows_that_do_not_hold_together_are_neither_signed_nor_published",
    ),
    "6 inner nodes are believed": Mutant(
        "publish.py",
        "    check_nodes(tx, completed)\n",
        "",
        f"{PUBLISHED}::test_6_rows_that_do_not_hold_together_are_neither_signed_nor_published",
    ),
    "6 the root is not compared": Mutant(
        "publish.py",
        "    if edge.root() != (tree.root if whole else root_at(tx, edge.size)):\n",
        "    if False:\n",
        f"{PUBLISHED}::test_6_rows_that_do_not_hold_together_are_neither_signed_nor_published",
    ),
    "6 another history replaces the published one": Mutant(
        "publish.py",
        "        if edge.root() != known.root:\n",
        "        if False:\n",
        f"{PUBLISHED}::test_6_published_evidence_is_not_overwritten_with_another_history",
    ),
    "7 an older store goes on": Mutant(
        "publish.py",
        "        if known.size > tree.size:\n",
        "        known = known if known.size <= tree.size else Checkpoint(known.origin, tree.size, tree.root)\n"
        "        if False:\n",
        f"{PUBLISHED}::test_7_an_older_store_is_refused",
    ),
    "7 a witness signs any size": Mutant(
        "witness.py",
        "        if submission.old_size != size:\n",
        "        if before is not None and checkpoint.size < size:\n"
        "            before = None\n            size = 0\n            submission = Submission(0, (), submission.note)\n"
        "        if submission.old_size != size and False:\n",
        f"{QUORUM}::test_7_a_store_put_back_is_told_so_and_its_regrown_tree_is_never_cosigned",
    ),
    "8 what another sequencer wrote is built upon": Mutant(
        "sequencer.py",
        "if self._store.exclusive and (size, root) != self._known:",
        "if False:",
        f"{SEQUENCERS}::test_8_of_two_processes_on_one_file_one_is_refused_and_there_is_no_fork",
    ),
    "8 a tree that moved under the lock is written over": Mutant(
        "sequencer.py",
        "        if tx.run(_ADVANCE, state) != 1:\n",
        "        if tx.run(_ADVANCE, state) > 1:\n",
        f"{SEQUENCERS}::test_8_tree_that_moves_under_the_lock_is_not_written_over",
    ),
    "9 a clock that leapt is believed": Mutant(
        "timekeeping.py",
        "if max(behind_ms, abs(step_ms)) > self._bound_ms:",
        "if False:",
        f"{CLOCK}::test_09_step_beyond_the_bound_stops_the_log_before_anything_is_written",
    ),
    "9 a clock behind the log is believed at the start": Mutant(
        "timekeeping.py",
        "if last_ms - int(now.timestamp() * 1000) > BOUND_MS:",
        "if False:",
        f"{CLOCK}::test_09_clock_behind_the_newest_entry_keeps_the_log_shut",
    ),
    "10 a witness does not check the proof": Mutant(
        "witness.py",
        "if before is not None and size and not continues(",
        "if before is not None and size and False and not continues(",
        f"{QUORUM}::test_10_of_two_histories_only_one_reaches_the_quorum_and_both_notes_are_kept",
    ),
    "10 a witness forgets what it answered": Mutant(
        "witness_state.py",
        '        connection.execute("COMMIT")\n',
        '        connection.execute("ROLLBACK")\n',
        f"{WITNESS}::test_a_continuation_is_cosigned_and_kept",
    ),
    "10 a witness stores what it checked without having had the file to itself": Mutant(
        "witness_state.py",
        '        connection.execute("BEGIN IMMEDIATE")\n        try:\n            yield\n',
        '        try:\n            yield\n            connection.execute("BEGIN IMMEDIATE")\n',
        f"{WITNESS_PROCESSES}::test_of_two_histories_shown_to_two_processes_at_once_one_is_cosigned",
    ),
    "10 a fork is forgotten": Mutant(
        "witness.py",
        "    state.put_fork(origin, fork)\n",
        "",
        f"{WITNESS}::test_a_fork_is_kept_with_both_notes_and_ends_the_cosigning_for_good",
    ),
    "10 a witness open to anybody goes on after a fork from a power of two": Mutant(
        "witness.py",
        "        self._state.put_suspicion(checkpoint.origin, doubt)\n",
        "",
        f"{SUSPICION}::test_a_fork_from_a_power_of_two_stops_it_and_both_notes_are_kept",
    ),
    "10 half of the proof settles a doubt": Mutant(
        "suspicion.py",
        "if shown == [checkpoint, checkpoint] or",
        "if checkpoint in shown or",
        f"{SUSPICION}::test_a_fork_from_a_power_of_two_stops_it_and_both_notes_are_kept",
    ),
    "10 proofs of two histories settle a doubt": Mutant(
        "suspicion.py",
        "if shown == [checkpoint, checkpoint] or",
        "if all(shown) or",
        f"{SUSPICION}::test_proofs_of_different_checkpoints_settle_nothing",
    ),
    "11 one witness is a quorum": Mutant(
        "policy.py",
        "sum(met[member] for member in group.members) >= group.threshold",
        "sum(met[member] for member in group.members) >= 1",
        f"{QUORUM}::test_11_a_checkpoint_of_one_witness_is_no_quorum",
    ),
    "11 old cosignatures count": Mutant(
        "published.py",
        "if each.seconds >= not_before",
        "if each.seconds >= 0",
        f"{QUORUM}::test_11_a_frozen_view_is_noticed_by_the_age_of_its_cosignatures",
    ),
    "12 a line under a known key is believed": Mutant(
        "quorum.py",
        "            cosigned = check_cosignature(own[0], key, checkpoint)\n",
        "            cosigned = Cosigned(key, 1, own[0])\n",
        f"{QUORUM}::test_12_a_hostile_witness_costs_its_own_voice_and_nobody_elses",
    ),
    "13 a file that was replaced in use goes on being written": Mutant(
        "store_sqlite.py",
        "            if _identity(path) != known:\n",
        "            if False:\n",
        f"{FAULTS}::test_file_changed_while_in_use_stops_the_log_before_it_answers",
    ),
    "14 an entry need not name the one before": Mutant(
        "continuity.py",
        "if entry.before != last.hashed or entry.index <= last.index:",
        "if False:",
        "tests/unit/audit/test_continuity.py::test_whatever_is_withheld_or_exchanged_is_noticed",
    ),
    "14 a tail that is withheld is vouched for": Mutant(
        "gateway/publishing/attested.py",
        "        return head == (message.number, message.leaf_hash)\n",
        "        return True\n",
        f"{ATTESTATION}::test_a_withheld_tail_is_found_by_a_receipt_and_by_whoever_holds_the_log",
    ),
    "14 an entry of which there is a receipt need not be shown": Mutant(
        "adapters/node/attest.py",
        "        if missing is not None:\n",
        "        if False:\n",
        f"{ATTESTATION}::test_a_withheld_tail_is_found_by_a_receipt_and_by_whoever_holds_the_log",
    ),
    "14 an entry may be told of another agency than asked": Mutant(
        "adapters/node/accesses.py",
        "    if opened is not None and opened != said.requester.encode():\n",
        "    if False:\n",
        "tests/integration/test_local_views.py",
    ),
    "14 a source discloses though no log took the decision": Mutant(
        "adapters/node/order.py",
        "        receipt.verify(LogKey(here.directory.message.log_origin, here.directory.message.log_key))\n",
        "",
        "tests/unit/node/test_order.py::test_one_thing_wrong_is_refused_for_that_reason",
    ),
    "14 a head may be as old as it likes": Mutant(
        "gateway/publishing/attested.py",
        "AttestationStanding.STALE if now - kept.created > self._limit else AttestationStanding.COMPLETE",
        "AttestationStanding.COMPLETE",
        f"{ATTESTATION}::test_silence_is_an_alarm_after_the_limit",
    ),
    "14 an alert that an entry names need not be there": Mutant(
        "gateway/store/told.py",
        "    compared.missing += [Untold(index, said) for said in sorted(named)]\n",
        "",
        f"{TOLD}::test_what_somebody_is_told_is_what_the_log_says",
    ),
    "14 an alert may be by an entry that names none": Mutant(
        "gateway/store/told.py",
        "        _refuse(compared, rows)\n",
        "",
        f"{TOLD}::test_an_alert_that_no_entry_names_is_found",
    ),
    "14 an alert's agency and number are not in what its entry names": Mutant(
        "gateway/store/told.py",
        "    said = _digest(_SAID_LABEL, open_part)\n",
        "    said = _digest(_SAID_LABEL, open_part[2:])\n",
        f"{TOLD}::test_what_somebody_is_told_is_what_the_log_says",
    ),
    "14 a lost alert may be put back in the place of another": Mutant(
        "gateway/store/told.py",
        "if untold_digest(gone) == untold else missing",
        "if untold or not gone else missing",
        f"{TOLD}::test_no_alert_is_taken_out_in_the_place_of_one_that_comes_back",
    ),
    "14 digests may be blank before their epoch ends": Mutant(
        "gateway/store/told.py",
        "is_named = then == ending or (_is_blank(row) and until in _until(said, gone))",
        "is_named = said in named and (then == ending or _is_blank(row))",
        f"{TOLD}::test_digests_end_with_their_epoch_and_not_before",
    ),
    "14 digests may be blank when another epoch ends": Mutant(
        "gateway/store/told.py",
        "until in _until(said, gone)",
        "gone and said in named",
        f"{TOLD}::test_digests_end_with_their_epoch_and_not_before",
    ),
    "14 a notice may be another than the one that was sent": Mutant(
        "gateway/store/notice_rows.py",
        "sha256(copy.sealed).digest() != sent_as.digest",
        "False",
        f"{BOUND_NOTICES}::test_a_lost_notice_is_lost_with_its_alert",
    ),
    "14 whoever was sent a notice may be said to have answered": Mutant(
        "gateway/store/told.py",
        "compared.copies, compared.notices = dict(notices.wrong_copies()), dict(notices.wrong_sent())",
        "compared.notices = dict(notices.wrong_sent())",
        f"{BOUND_NOTICES}::test_what_entries_say_of_notices_is_written_from_them",
    ),
    "14 the exchange says which alerts are lost": Mutant(
        "adapters/node/alerts.py",
        "if first > logs_of(connection).first_alert:",
        "if False:",
        "tests/integration/test_source_link.py::test_no_exchange_says_that_an_alert_of_its_log_is_lost",
    ),
    "14 a lost alert is not missed by the adapter it was for": Mutant(
        "gateway/store/alerts.py",
        "following is not None and following != sequence + 1 and",
        "False and",
        f"{TOLD}::test_an_adapter_that_lacks_a_lost_alert_hears_that_it_is_lost",
    ),
    "14 a replay asks nobody whether the owner was told": Mutant(
        "replay.py",
        "    if owed and step.told is not None and owed not in step.told:\n",
        "    if False:\n",
        "tests/unit/exchange/test_replay.py::test_an_exchange_that_told_no_owner_contradicts_its_policy",
    ),
    "15 whoever was refused is told of a recall": Mutant(
        "gateway/exchange/notices.py",
        '    if said.get("decision") != ALLOW.encode():\n        return []\n',
        "",
        f"{NOTICES}::test_an_agency_that_was_refused_hears_of_no_recall_and_so_of_no_youth",
    ),
    "15 whoever was permitted is told of a recall though nothing was released": Mutant(
        "gateway/exchange/notices.py",
        "    return [entry.index] if is_flag_check(said) else []\n",
        "    return [entry.index]\n",
        f"{NOTICES}::test_an_agency_that_was_permitted_and_got_nothing_hears_of_no_recall",
    ),
    "15 a recall names the release and not the decision": Mutant(
        "gateway/exchange/notices.py",
        '        return [int(said["decided"]), entry.index]\n',
        "        return [entry.index]\n",
        f"{NOTICES}::test_exactly_those_who_were_told_get_a_notice_with_their_own_entries",
    ),
    "15 whoever was told where a youth is hears of no recall": Mutant(
        "gateway/exchange/notices.py",
        "    if entry.kind in (Kind.FLAG_LOCATED, Kind.LOCATED_PRESENTED):\n        return [entry.index]\n",
        "",
        f"{NOTICES}::test_an_agency_that_reported_a_youth_located_hears_of_a_recall",
    ),
    "15 a seal leaves the key where it was": Mutant(
        "gateway/store/escrow.py",
        '            connection.executemany("DELETE FROM youth_key WHERE name = ?", [(each,) for each in gone])\n',
        "",
        f"{SEALS}::test_nothing_that_was_taken_from_the_exchange_opens_or_links_a_sealed_youth",
    ),
    "15 a key that waits to leave seals its youth before the entry": Mutant(
        "gateway/store/escrow.py",
        " for name, seal_id in waiting if is_on_record(seal_id)}",
        " for name, _ in waiting}",
        "tests/unit/exchange/test_seal_gap.py",
    ),
    "15 a closed entry stands for any authority": Mutant(
        "followed.py",
        "        elif self._issuers.get(kept.index) != kept.issuer:\n",
        "        elif False:\n",
        "tests/unit/exchange/test_closed_authorities.py::test_a_permit_names_an_authority_that_nobody_recorded",
    ),
    "15 a seal explains whatever is closed": Mutant(
        "followed.py",
        "        self._keys_gone.check_counted(counted, before)\n",
        "",
        "tests/unit/exchange/test_closed_counts.py",
    ),
    "15 the count of a seal stays open": Mutant(
        "gateway/store/closed_counts.py",
        '                connection.execute("DELETE FROM closed_count WHERE salt != ?", salts)\n',
        "",
        "tests/unit/exchange/test_closed_counts.py",
    ),
    "15 a loss makes any file of keys good": Mutant(
        "gateway/store/closed_counts.py",
        "said.order < said.lost and said.commitment in",
        "said.order < said.lost or said.commitment in",
        "tests/unit/exchange/test_closed_counts.py::test_no_loss_makes_a_file_of_before_the_last_order_good",
    ),
    "15 a loss of rows loses seals": Mutant(
        "own_entries.py",
        "or int(kept) < int(size)",
        "or int(kept) <= int(size)",
        "tests/unit/exchange/test_closed_counts.py::test_a_loss_of_rows_alone_excuses_no_key_that_is_gone",
    ),
    "15 who asks oversees": Mutant(
        "gateway/exchange/access.py",
        "return caller.member.kind in OVERSEERS",
        'return caller.member.kind in {*OVERSEERS, "STATE"}',
        "tests/unit/exchange/test_overseers.py",
    ),
    "15 who oversees asks": Mutant(
        "gateway/protocol/policy/conditions.py",
        "return Reason.OVERSEER_ONLY_REVIEWS if kind in OVERSEERS else None",
        "return None",
        "tests/unit/exchange/test_overseers.py",
    ),
    "15 what a seal deletes is overwritten where the build of SQLite sees to it": Mutant(
        "gateway/store/keys_file.py",
        '    connection.execute("PRAGMA secure_delete = ON")\n',
        "",
        f"{ERASURE}::test_a_key_is_overwritten_where_it_lay_before_its_file_can_be_rewritten",
    ),
    "15 the file of keys is not rewritten after a seal": Mutant(
        "gateway/store/escrow.py",
        '    connection.execute("VACUUM")\n',
        "",
        f"{ERASURE}::test_copies_that_sqlite_left_elsewhere_in_the_file_go_with_the_row[keys.db-youth_key]",
    ),
    "15 the log's database is not rewritten after a seal": Mutant(
        "gateway/store/erase_sqlite.py",
        '            if rewrite:\n                connection.execute("VACUUM")\n            cut_log(connection)\n\n',
        "            cut_log(connection)\n\n",
        f"{ERASURE}::test_copies_that_sqlite_left_elsewhere_in_the_file_go_with_the_row[gateway.db-flag]",
    ),
    "15 the log's database overwrites where the build of SQLite sees to it": Mutant(
        "store_sqlite.py",
        '("secure_delete", 1), ',
        "",
        f"{FAULTS}::test_durability_settings_are_on_and_read_back",
    ),
    "7 what an adapter shows counts only where most say so": Mutant(
        "gateway/publishing/shown.py",
        "if size > stored:",
        "if False:",
        f"{SHOWN}::test_one_note_of_the_logs_own_key_is_enough_and_is_known_at_the_next_start",
    ),
    "7 the first adapter that knows more is the last that is heard": Mutant(
        "gateway/publishing/shown.py",
        "if size > stored:",
        "if size > stored and self._log.state is LogState.OPEN:",
        f"{SHOWN}::test_of_what_adapters_show_the_most_must_come_back",
    ),
    "7 a note is believed by its size": Mutant(
        "gateway/publishing/shown.py",
        "return parse_checkpoint(note, key).size",
        "return read_checkpoint(note).size",
        f"{SHOWN}::test_what_the_log_did_not_sign_or_already_has_stops_nobody",
    ),
    "7 seconds alone begin a start": Mutant(
        "gateway/publishing/shown.py",
        "(self._unheard or self._enough(self._vouching))",
        "True",
        f"{SHOWN}::test_seconds_alone_begin_nothing_and_one_that_cosigned_since_does",
    ),
    "7 an adapter that knows nothing is an answer": Mutant(
        "gateway/publishing/shown.py",
        "if agency not in self._attested or _is_of_entries(note, self._key.origin):",
        "if True:",
        f"{SHOWN}::test_an_adapter_made_anew_knows_nothing_and_is_no_answer",
    ),
    "7 whoever knows a closed log is an answer": Mutant(
        "gateway/publishing/shown.py",
        "shown.origin == origin and shown.size > 0",
        "shown.size > 0",
        f"{SHOWN}::test_an_adapter_made_anew_knows_nothing_and_is_no_answer",
    ),
    "7 a revocation overtakes those that were kept": Mutant(
        "gateway/publishing/shown.py",
        "        await shown.begun.wait()\n",
        "        pass\n",
        f"{SHOWN}::test_a_revocation_does_not_overtake_what_a_late_start_has_to_write",
    ),
    "7 a start waits for nobody": Mutant(
        "gateway/publishing/shown.py",
        "self._log.may_begin = self._may_begin",
        "pass",
        f"{SHOWN}::test_nothing_is_written_before_those_who_may_know_more_were_heard",
    ),
    "7 nobody is asked again while a start waits": Mutant(
        "gateway/publishing/rounds.py",
        "await self._gather(self._publisher.published.note)",
        "pass",
        "tests/integration/test_rounds.py::test_7_whoever_is_asked_while_a_start_waits_is_told_of_one_history",
    ),
    "7 what was shown is forgotten at the next start": Mutant(
        "log.py",
        "run_in_executor(self._thread, self._high_water.write, note)",
        "run_in_executor(self._thread, len, note)",
        f"{SHOWN}::test_one_note_of_the_logs_own_key_is_enough_and_is_known_at_the_next_start",
    ),
    "7 a claim of the only linked witness is believed": Mutant(
        "gateway/publishing/rounds.py",
        "(ahead > 1 and 2 * ahead > len(gathered.standings))",
        "(2 * ahead > len(gathered.standings))",
        "tests/integration/test_rounds.py::test_12_the_only_witness_that_is_linked_stops_nobody_by_a_claim",
    ),
    "7 taking a record over lowers it": Mutant(
        "gateway/recovery/record.py",
        "if not state.high_water.exists() or read_high_water(state.high_water, key).size < checkpoint.size:",
        "if True:",
        f"{RECORD}::test_of_two_records_the_larger_counts",
    ),
    "7 a record is made where its storage should be": Mutant(
        "gateway/recovery/record.py",
        "    if not directory.is_dir():\n",
        "    directory.mkdir(exist_ok=True)\n    if not directory.is_dir():\n",
        f"{RECORD}::test_a_log_whose_record_is_not_there_is_not_opened_and_gets_none",
    ),
    "7 a record that was taken over stays to be put back": Mutant(
        "gateway/recovery/record.py",
        "        left.unlink()\n",
        "",
        f"{RECORD}::test_a_record_is_taken_over_once_with_its_stop_mark",
    ),
    "7 moving its record opens a stopped log": Mutant(
        "gateway/recovery/record.py",
        "    if reason is not None:\n",
        "    if False:\n",
        f"{RECORD}::test_a_record_is_taken_over_once_with_its_stop_mark",
    ),
    "7 a record is made anew without a mark": Mutant(
        "gateway/recovery/record.py",
        "        StopMark(state.high_water).make(StopReason.RECORD)\n",
        "",
        f"{RECORD}::test_an_explanation_cut_short_leaves_the_log_shut",
    ),
    "12 a witness that was put back goes on to count": Mutant(
        "quorum.py",
        "            self._remembered[key] = replace(before, has_forgotten=True)\n",
        "            pass\n",
        f"{QUORUM}::test_12_a_witness_that_was_put_back_has_no_voice_until_it_has_another_key",
    ),
    "12 one witness's junk ends the round": Mutant(
        "quorum.py",
        "            except EvidenceError as fault:\n",
        "            except ZeroDivisionError as fault:\n",
        f"{QUORUM}::test_12_a_hostile_witness_costs_its_own_voice_and_nobody_elses",
    ),
}
