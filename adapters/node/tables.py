"""Tables of the adapter's own database (`store`).

Decides what is kept. The only thing in it that names a youth is the county's own number (`local_id`), beside the opaque
handle the exchange knows; no identity and no record is kept. Receipts are kept as long as the county keeps its file.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

metadata: Final = MetaData()  # Times in its tables are milliseconds since 1970, UTC.

setting = Table(
    "setting",
    metadata,
    # Names are constants of the modules that use them; one begins with such a constant (`receipts`).
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

subject = Table(
    "subject",
    metadata,
    Column("local_id", String(128), primary_key=True),
    Column("handle", LargeBinary, nullable=False, unique=True),
)

registration = Table(
    "registration",
    metadata,
    # A youth that is listed, or being listed; one row for each epoch of the token key.
    Column("handle", LargeBinary, primary_key=True),
    Column("epoch", String(32), primary_key=True),
    # Keyed digest of what the tokens were made of; tells a changed youth from an unchanged one.
    Column("fingerprint", LargeBinary, nullable=False),
    # Serialized TokenSet.
    Column("tokens", LargeBinary, nullable=False),
    # When the gateway confirmed it; NULL until then: the same tokens are sent again, not made again.
    Column("register_ms", BigInteger, nullable=True),
)

own_flag = Table(
    "own_flag",
    metadata,
    Column("flag_id", LargeBinary, primary_key=True),
    Column("handle", LargeBinary, nullable=False),
    Column("state", String(24), nullable=False),
    Column("handling_code", String(40), nullable=False),
    Column("version", BigInteger, nullable=False),
    # Serialized FlagLocate (FS2) and FlagCasework (FS3); they leave only inside a sealed answer.
    Column("locate", LargeBinary, nullable=False),
    Column("casework", LargeBinary, nullable=False),
    Column("learn_ms", BigInteger, nullable=False),
    # Serialized SignedEnvelope with the newest FlagStatement.
    Column("statement", LargeBinary, nullable=False),
    Column("statement_expire_ms", BigInteger, nullable=False),
    # 1: the gateway has recorded this flag; 0: not yet.
    Column("recorded", Integer, nullable=False),
    # 1: recorded in entries of the log that may since have been declared lost, and not stated again.
    Column("unheard", Integer, nullable=False, server_default="0"),
    Index("own_flag_by_handle", "handle"),
)

stated_flag = Table(
    "stated_flag",
    metadata,
    # Of a flag whose newest version nobody has heard to be on record: the one heard last, and each that a report has
    # stated since and that was not refused (`stated_flags`); deleted with the flag.
    Column("flag_id", LargeBinary, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("handle", LargeBinary, nullable=False),
    # As in own_flag.
    Column("state", String(24), nullable=False),
    Column("handling_code", String(40), nullable=False),
    Column("locate", LargeBinary, nullable=False),
    Column("casework", LargeBinary, nullable=False),
    Column("learn_ms", BigInteger, nullable=False),
    Column("recorded", Integer, nullable=False),
    Index("stated_flag_by_handle", "handle"),
)

own_authority = Table(
    "own_authority",
    metadata,
    Column("authority_id", LargeBinary, primary_key=True),
    # Serialized SignedEnvelope with the Authority; empty for another agency's, which this one revoked.
    Column("envelope", LargeBinary, nullable=False),
    # Of its youth where this agency lists the youth; else the epochs of the tokens that name the youth, with spaces.
    Column("handle", LargeBinary, nullable=True),
    Column("epochs", String(120), nullable=False),
    Column("expire_ms", BigInteger, nullable=False),
    # 1: the gateway has it on record.
    Column("recorded", Integer, nullable=False),
    Column("revoke_ms", BigInteger, nullable=True),
    # Whether it is to be presented again (`own_authorities`).
    Column("state", Integer, nullable=False),
)

alert = Table(
    "alert",
    metadata,
    Column("sequence", BigInteger, primary_key=True),
    # Serialized Alert.
    Column("message", LargeBinary, nullable=False),
    Column("store_ms", BigInteger, nullable=False),
)

alert_run = Table(
    "alert_run",
    metadata,
    # Of the alert that tells of the run.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    # Digest of what the alerts of a run have in common (alert_runs); deleted with the youth.
    Column("likeness", LargeBinary, nullable=False),
    # When it was told, and when what it tells of happened first and last.
    Column("told_ms", BigInteger, nullable=False),
    Column("act_count", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Index("alert_run_by_likeness", "likeness", "sequence"),
)

repeated_alert = Table(
    "repeated_alert",
    metadata,
    # A stored alert that another one tells of.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
)

review = Table(
    "review",
    metadata,
    Column("review_id", LargeBinary, primary_key=True),
    # Of the alert that opened it.
    Column("sequence", BigInteger, nullable=False),
    Column("handle", LargeBinary, nullable=False),
    # Serialized Alert that opened it.
    Column("opened", LargeBinary, nullable=False),
    # ReviewState as last heard, and the Verdict of this agency; 0 for none.
    Column("state", Integer, nullable=False),
    Column("verdict", Integer, nullable=False),
    Column("verdict_ms", BigInteger, nullable=False),
    Index("review_by_handle", "handle"),
)

review_epoch = Table(
    "review_epoch",
    metadata,
    # An alert whose review names another agency's youth by digests of tokens, and their epoch: they go with it.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", String(32), nullable=False),
)

work = Table(
    "work",
    metadata,
    Column("work_id", LargeBinary, primary_key=True),
    # DECISION leaf that permitted it: one leaf is answered once. NULL until it was verified.
    Column("decision_index", BigInteger, nullable=True, unique=True),
    # Empty until the order was verified.
    Column("requester", String(40), nullable=False),
    # STARTED, ANSWERED, or why not.
    Column("result", String(48), nullable=False),
    # Serialized decision receipt of an answered order; NULL for a refused one.
    Column("receipt", LargeBinary, nullable=True),
    Column("create_ms", BigInteger, nullable=False),
    Index("work_by_time", "create_ms"),
)

request = Table(
    "request",
    metadata,
    # UUIDv7, written before the request is sent (AIP-155).
    Column("request_id", LargeBinary, primary_key=True),
    Column("method", String(48), nullable=False),
    # Keyed digest of what the county system asked, so that a repeated id with other content is refused.
    Column("digest", LargeBinary, nullable=False),
    # Exact bytes that were sent: tokens and commitments, never an identity. Empty once they must go (`erase`).
    Column("payload", LargeBinary, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)

request_epoch = Table(
    "request_epoch",
    metadata,
    # An epoch of the token key that a request's bytes may hold something of: they go with it.
    Column("request_id", LargeBinary, primary_key=True),
    Column("epoch", String(32), primary_key=True),
)

own_report = Table(
    "own_report",
    metadata,
    # A request on record that reports about an episode, with whose bytes it goes; whether it is due (`own_reports`).
    Column("request_id", LargeBinary, primary_key=True),
    Column("assertion", String, nullable=False),
    Column("state", Integer, nullable=False),
)

receipt = Table(
    "receipt",
    metadata,
    Column("request_id", LargeBinary, primary_key=True),
    Column("leaf_index", BigInteger, primary_key=True),
    # C2SP tlog-proof text.
    Column("proof", String, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)

own_entry = Table(
    "own_entry",
    metadata,
    # Of the log's entries in which this agency takes part, as they were shown to it without a gap (`attest`).
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False),
)

awaited_entry = Table(
    "awaited_entry",
    metadata,
    # An entry of which this agency has a receipt, and that is yet to be found among those it is shown.
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False),
)

local_event = Table(
    "local_event",
    metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=True),
    # What was refused inside the county and never sent: a constant kind and reason.
    Column("kind", String(48), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("role", String(64), nullable=False),
    # Keyed pseudonym of the worker.
    Column("worker", String(64), nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)

sealed_subject = Table(
    "sealed_subject",
    metadata,
    # Keyed digest of the county's own number: keeps the youth off the list, and does not say who it is.
    Column("local_digest", LargeBinary, primary_key=True),
    # Empty until the exchange has carried out the order.
    Column("seal_id", LargeBinary, nullable=False),
    # Until the entries were destroyed: a seal that is lifted gives the youth its handle back. NULL for one taken up.
    Column("handle", LargeBinary, nullable=True),
    # 1: the seal was lifted.
    Column("lifted", Integer, nullable=False),
)

taken_up_seal = Table(
    "taken_up_seal",
    metadata,
    # A mark whose seal this adapter had forgotten, and which seal it was nobody can tell it: when one is lifted, the
    # exchange names the handle, and this keyed digest of it knows whose mark it is.
    Column("local_digest", LargeBinary, primary_key=True),
    Column("handle_digest", LargeBinary, nullable=False),
)

acted_notice = Table(
    "acted_notice",
    metadata,
    Column("notice_id", LargeBinary, primary_key=True),
    Column("kind", Integer, nullable=False),
    Column("finding", Integer, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)

recalled_request = Table(
    "recalled_request",
    metadata,
    # A request whose answer must not be relied on any more.
    Column("request_id", LargeBinary, primary_key=True),
    Column("notice_id", LargeBinary, primary_key=True),
    Column("kind", Integer, nullable=False),
)
