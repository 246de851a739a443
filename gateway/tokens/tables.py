"""Projections of a token-key holder, in the same database as its log.

The gateway, which holds a share too, has the first two; a custodian has all of them. Times and days are UTC.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table

holder_metadata: Final = MetaData()
custodian_metadata: Final = MetaData()

budget = Table(
    "budget",
    holder_metadata,
    Column("agency", String(40), primary_key=True),
    Column("account", String(16), primary_key=True),
    # Pseudonym of the day; empty for accounts of the whole agency.
    Column("worker", LargeBinary, primary_key=True),
    # Epoch of the token key; empty for accounts of a day.
    Column("epoch", String(32), primary_key=True),
    # Days since 1970; 0 for accounts of an epoch.
    Column("day", Integer, primary_key=True),
    Column("record_count", BigInteger, nullable=False),
    Column("element_count", BigInteger, nullable=False),
    # Percentage at which the highest alarm was written; 0 for none.
    Column("alarm_percent", Integer, nullable=False),
)

caseload = Table(
    "caseload",
    holder_metadata,
    Column("agency", String(40), primary_key=True),
    Column("figure", BigInteger, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)

admitted = Table(
    "admitted",
    custodian_metadata,
    Column("fips", String(5), primary_key=True),
    # SHA-256 of the county root that the operator compared out of band.
    Column("root_fingerprint", LargeBinary, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)

countersigned = Table(
    "countersigned",
    custodian_metadata,
    Column("version", BigInteger, primary_key=True),
    # Serialized SignedDirectory with the gateway's and this holder's signature.
    Column("signed", LargeBinary, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
)
