"""Projections of a token-key holder, in the same database as its log.

The gateway, which holds a share too, has `evaluated` alone; a custodian has all of them. Times and days are UTC.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table

holder_metadata: Final = MetaData()
custodian_metadata: Final = MetaData()

evaluated = Table(
    "evaluated",
    holder_metadata,
    Column("agency", String(40), primary_key=True),
    Column("use", Integer, primary_key=True),
    # Days since 1970.
    Column("day", Integer, primary_key=True),
    Column("record_count", BigInteger, nullable=False),
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
