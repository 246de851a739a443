"""The log's tables. They may share a database with others' tables, which change in the same transactions.

Decides what is stored and which columns can be searched. Every column of `log_entry` is bound by the leaf in the tree;
`kind`, `requester` and `holder` stand in clear so that an agency's entries can be found without opening boxes.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, SmallInteger, Table, Text, text

METADATA = MetaData()
# Under this name and no other SQLite takes the number for the row's own, and keeps no second tree of it.
INDEX_TYPE = BigInteger().with_variant(Integer(), "sqlite")

ENTRY = Table(
    "log_entry",
    METADATA,
    Column("idx", INDEX_TYPE, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("digests", LargeBinary, nullable=False),
    Column("box_op", LargeBinary, nullable=False),
    Column("box_req", LargeBinary, nullable=False),
    Column("box_hold", LargeBinary, nullable=False),
    Column("box_youth", LargeBinary, nullable=False),
    Column("tag", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    Column("requester", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("requester_seq", BigInteger, nullable=False),
    Column("holder_seq", BigInteger, nullable=False),
)
# In the order of the log, with what else an agency's entries are searched by: a rare kind or counterpart among
# hundreds of thousands of entries is then found without reading one of their rows.
Index("log_entry_requester", ENTRY.c.requester, ENTRY.c.idx, ENTRY.c.kind, ENTRY.c.holder)
Index("log_entry_holder", ENTRY.c.holder, ENTRY.c.idx, ENTRY.c.kind, ENTRY.c.requester)
# Partial: most entries concern no known youth, and an index row for "none" would only cost time and space.
# As text, because SQLAlchemy writes the empty value as one that no tag of SQLite equals; the search says the same.
Index("log_entry_tag", ENTRY.c.tag, sqlite_where=text("tag != x''"), postgresql_where=text(r"tag != '\x'::bytea"))
Index("log_entry_kind", ENTRY.c.kind, ENTRY.c.idx)

# Inner nodes of complete subtrees; level 0 are the leaf hashes of log_entry.
NODE = Table(
    "log_node",
    METADATA,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Exactly one row (id 1). `frontier` is the joined hashes of merkle.frontier_plan(size); `note` the newest checkpoint
# that was signed when the row was written, which may cover fewer leaves than `size`.
TREE = Table(
    "log_tree",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("log_key", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
)

# Newest sequence number of each agency and the leaf hash of the entry that carries it.
AGENCY = Table(
    "log_agency",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
)
