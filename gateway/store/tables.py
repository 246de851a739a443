"""Projections of the gateway, in the same database as the log.

The log is the source of truth; every row here was written in the transaction of a leaf, which its `leaf_index` names
where it has one, and can be derived again (ARCHITECTURE §5 row 10). No column holds an identity or a record value.
Times are milliseconds since 1970, UTC; truth values are 0 and 1 (statements bind only integers, text and bytes).

A row that names a youth, by handle or through another row, says nothing in the clear that leads to an entry of the log:
neither an index nor an exact time nor an identifier that an entry holds. What it must say of that kind stands in a
column `sealed` (store/row_seal). Nor may the order in which such rows were written show: they are kept in the order of
their keys (`sqlite_with_rowid`).
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

from audit.tables import INDEX_TYPE

metadata: Final = MetaData()

# --- members (members/) -------------------------------------------------------------------

county = Table(
    "county",
    metadata,
    Column("fips", String(5), primary_key=True),
    Column("root_key", LargeBinary, nullable=True),
    Column("duty_line", String(16), nullable=False),
    Column("hotline", String(16), nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
    Column("invitation_index", BigInteger, nullable=False),
)

member = Table(
    "member",
    metadata,
    Column("agency", String(40), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("suspended", Integer, nullable=False),
    Column("has_sources", Integer, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)

key_statement = Table(
    "key_statement",
    metadata,
    Column("key_id", LargeBinary, primary_key=True),
    Column("county", String(5), nullable=False),
    # Empty for a flag key, which speaks for the county as a whole.
    Column("agency", String(40), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)

ticket = Table(
    "ticket",
    metadata,
    # SHA-256 of the ticket: the database does not hold what redeems it.
    Column("ticket_digest", LargeBinary, primary_key=True),
    Column("agency", String(40), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("duty_line", String(16), nullable=False),
    Column("hotline", String(16), nullable=False),
    Column("changes_lines", Integer, nullable=False),
    Column("expire_ms", BigInteger, nullable=False),
    # SHA-256 of the public key that redeemed it, and the certificate it got; NULL until then.
    Column("redeemed_by", LargeBinary, nullable=True),
    Column("serial", String(40), nullable=True),
    Column("leaf_index", BigInteger, nullable=False),
)

certificate = Table(
    "certificate",
    metadata,
    Column("serial", String(40), primary_key=True),
    Column("uri", String(255), nullable=False),
    Column("generation", BigInteger, nullable=False),
    # SHA-256 of its public key (DER): a renewal brings a new one.
    Column("key_digest", LargeBinary, nullable=False),
    Column("expire_ms", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
    Index("certificate_by_uri", "uri", "generation", unique=True),
)

denied = Table(
    "denied",
    metadata,
    # A channel identity (URI) or an agency id: either denies.
    Column("name", String(255), primary_key=True),
    Column("leaf_index", BigInteger, nullable=False),
)

holder = Table(
    "holder",
    metadata,
    Column("share_index", Integer, primary_key=True),
    Column("operator", String(32), nullable=False),
    Column("address", String(255), nullable=False),
    Column("ca_certificate", LargeBinary, nullable=False),
    Column("directory_key", LargeBinary, nullable=False),
    Column("share_commitment", LargeBinary, nullable=False),
    Column("log_origin", String(127), nullable=False),
    Column("log_key", LargeBinary, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)

directory = Table(
    "directory",
    metadata,
    Column("version", BigInteger, primary_key=True),
    # Serialized SignedDirectory, complete once every holder has signed.
    Column("signed", LargeBinary, nullable=False),
    Column("complete", Integer, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)

pepper = Table(
    "pepper",
    metadata,
    Column("epoch", String(32), primary_key=True),
    Column("agency", String(40), primary_key=True),
    Column("commitment", LargeBinary, nullable=False),
    # Serialized SignedEnvelope of the offer, and this member's part of it.
    Column("offer", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)

epoch = Table(
    "epoch",
    metadata,
    # Every epoch of the token key that a rotation ever named; before the first rotation there is none.
    Column("name", String(32), primary_key=True),
    # `EpochState`; a name is never used again.
    Column("state", String(12), nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)

# --- questions (exchange/tally) -------------------------------------------------------------

tally = Table(
    "tally",
    metadata,
    # The agency, or the agency and the pseudonym of one of its workers.
    Column("account", String(300), primary_key=True),
    Column("agency", String(40), nullable=False, index=True),
    # Of the last question, since 1970, UTC; how many were asked on that day, and how many were only possible.
    Column("day", Integer, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("possible", Integer, nullable=False),
    # One bit for each of the agency's last look-ups, the newest lowest; set where it was a miss. Of a worker: none.
    Column("misses", LargeBinary, nullable=False),
    Column("length", Integer, nullable=False),
    # Leaf of the hold; 0 while look-ups are not held.
    Column("hold_index", BigInteger, nullable=False),
)

# --- the blind index (tokens/) ------------------------------------------------------------

subject = Table(
    "subject",
    metadata,
    Column("owner", String(40), primary_key=True),
    Column("handle", LargeBinary, primary_key=True),
    # Eight random bytes by which the index means this youth: with owner and handle in some fifty rows a look-up among
    # ten million tokens would read a page more for each. Random: a number would say in which order youths were listed.
    Column("ref", LargeBinary, nullable=False, unique=True),
    Column("restriction", String(16), nullable=False),
    Column("placement_county", String(5), nullable=False),
    # Which match keys the youth's data carry (`KeyScheme.presence`): a key that one side lacks is no disagreement.
    Column("presence", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

index_token = Table(
    "index_token",
    metadata,
    # HMAC of the token under a key that is not in this database (TOKENS §4.2).
    Column("token", LargeBinary, primary_key=True),
    # `subject.ref`.
    Column("ref", LargeBinary, primary_key=True),
    # Place of the match key in its scheme, as in `presence`.
    Column("key", Integer, nullable=False),
    Column("epoch", String(32), nullable=False),
    # With the epoch: which youths have tokens in one is asked of the index alone.
    Index("index_token_by_subject", "ref", "epoch"),
    sqlite_with_rowid=False,
)

listing = Table(
    "listing",
    metadata,
    Column("owner", String(40), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("scope", String(24), nullable=False),
    # Epochs in which everybody of the scope is listed, ascending, with one space between two.
    Column("epochs", String(65), nullable=False),
    Column("data_as_of_ms", BigInteger, nullable=False),
    Column("heartbeat_ms", BigInteger, nullable=False),
)

# --- missing episodes (missing/) ----------------------------------------------------------

flag = Table(
    "flag",
    metadata,
    Column("flag_id", LargeBinary, primary_key=True),
    Column("owner", String(40), nullable=False),
    Column("handle", LargeBinary, nullable=False),
    Column("state", String(24), nullable=False),
    Column("version", BigInteger, nullable=False),
    # The owner's statement and times (store/flags), under the youth's key.
    Column("sealed", LargeBinary, nullable=False),
    Index("flag_by_subject", "owner", "handle"),
    sqlite_with_rowid=False,
)

duty = Table(
    "duty",
    metadata,
    # Was done, or does not apply.
    Column("flag_id", LargeBinary, primary_key=True),
    Column("duty", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

alert = Table(
    "alert",
    metadata,
    Column("agency", String(40), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("kind", Integer, nullable=False),
    Column("acting_agency", String(40), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("create_ms", BigInteger, nullable=False),
    # Of a notice; empty for any other kind.
    Column("notice_id", LargeBinary, nullable=False),
    # Which youth it is about only the holder of its key can tell (store/alert_keys); empty where it is about none.
    Column("mark", LargeBinary, nullable=False),
    # What it says of the youth, under the youth's key: a serialized Alert. Of a notice, how its copy was sent.
    Column("sealed", LargeBinary, nullable=False),
    # Of a review's alert to the listing agency, sealed likewise: digests of tokens, and the epoch they end with.
    Column("digests", LargeBinary, nullable=False),
    Column("epoch", String(32), nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
    Index("alert_by_entry", "leaf_index"),
)

# --- possible matches ---------------------------------------------------------------------

review = Table(
    "review",
    metadata,
    Column("review_id", LargeBinary, primary_key=True),
    # Who asked.
    Column("asking", String(40), nullable=False),
    # The youth that may be meant.
    Column("owner", String(40), nullable=False),
    Column("handle", LargeBinary, nullable=False),
    # Which match keys agreed and which differed (`KeyScheme.presence`); what a judged pair teaches.
    Column("scheme", String(16), nullable=False),
    Column("agreeing", BigInteger, nullable=False),
    Column("differing", BigInteger, nullable=False),
    # `Said` of each side.
    Column("asking_said", String(16), nullable=False),
    Column("owner_said", String(16), nullable=False),
    # Grows with every verdict.
    Column("version", BigInteger, nullable=False),
    # The question's identifier, and when each side said so (store/reviews), under the youth's key.
    Column("sealed", LargeBinary, nullable=False),
    Index("review_by_subject", "owner", "handle"),
    sqlite_with_rowid=False,
)

review_token = Table(
    "review_token",
    metadata,
    # By which the agency's next question about the youth is known: tokens of the naming key as at rest, and dummies.
    Column("asking", String(40), primary_key=True),
    Column("token", LargeBinary, primary_key=True),
    Column("review_id", LargeBinary, primary_key=True),
    # Of the token: links end with it.
    Column("epoch", String(32), nullable=False),
    sqlite_with_rowid=False,
)

relied_link = Table(
    "relied_link",
    metadata,
    # An entry told of a youth while this review's two agencies said SAME; whoever it told hears when that ends.
    Column("review_id", LargeBinary, primary_key=True),
    # Which entry (store/reliance), under the youth's key.
    Column("sealed", LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)

# --- authorities --------------------------------------------------------------------------

authority = Table(
    "authority",
    metadata,
    Column("authority_id", LargeBinary, primary_key=True),
    Column("issuer", String(40), nullable=False),
    # Serialized SignedEnvelope with the Authority, which names a youth: under a key of the authority's own
    # (store/authority_keys), because whose tokens it may name is not known here. Empty where the youth was sealed.
    Column("sealed", LargeBinary, nullable=False),
    # When it was revoked, under the same key; which entry says so is in no row. None while it is not.
    Column("revocation", LargeBinary, nullable=True),
    Column("leaf_index", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

authority_party = Table(
    "authority_party",
    metadata,
    Column("agency", String(40), primary_key=True),
    # No entry: one that is presented again stands under another, and its two would be known as one authority's.
    Column("authority_id", LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)

emergency_use = Table(
    "emergency_use",
    metadata,
    Column("leaf_index", INDEX_TYPE, primary_key=True, autoincrement=False),
    Column("agency", String(40), nullable=False),
    # Keyed pseudonym of the worker, as the assertion gives it.
    Column("worker", String(256), nullable=False),
    Column("create_ms", BigInteger, nullable=False),
    Index("emergency_use_by_worker", "agency", "worker"),
)

# --- decisions ----------------------------------------------------------------------------

decision_input = Table(
    "decision_input",
    metadata,
    # The DECISION leaf whose field `input` is the SHA-256 of what is kept here. Not derived from the log: its body.
    Column("leaf_index", INDEX_TYPE, primary_key=True, autoincrement=False),
    # Sealed (store/inputs); destroying the youth's key ends what can be read here, too.
    Column("sealed", LargeBinary, nullable=False),
)

# --- seals, recalls and who was told (exchange/sealing) -----------------------------------

seal = Table(
    "seal",
    metadata,
    # Random: a seal names no youth.
    Column("seal_id", LargeBinary, primary_key=True),
    Column("owner", String(40), nullable=False),
    Column("state", String(12), nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)

seal_case = Table(
    "seal_case",
    metadata,
    # The entry whose court-only field opens with this key, which is sealed to the court custodian.
    Column("leaf_index", INDEX_TYPE, primary_key=True, autoincrement=False),
    Column("seal_id", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

sent_notice = Table(
    "sent_notice",
    metadata,
    Column("notice_id", LargeBinary, primary_key=True),
    Column("owner", String(40), nullable=False),
    Column("kind", Integer, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)

notice_copy = Table(
    "notice_copy",
    metadata,
    Column("notice_id", LargeBinary, primary_key=True),
    Column("agency", String(40), primary_key=True),
    # Sealed to the agency: which entries it means is read by nobody here. Empty once it was acknowledged.
    Column("sealed", LargeBinary, nullable=False),
    Column("key_id", LargeBinary, nullable=False),
    # What its agency answered, and by which entry; 0, and the notice's own entry, until it has.
    Column("finding", Integer, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)

# --- single use ---------------------------------------------------------------------------

spent = Table(
    "spent",
    metadata,
    # Of a request, an assertion or a confirmation (store/projections).
    Column("identifier", LargeBinary, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
