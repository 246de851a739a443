"""A county with its keys and a signed directory, for tests. Agencies and numbers are invented."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.protocol.directory import Pins, certify, sign_directory
from gateway.protocol.sealing import SealKey
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1 import directory_pb2 as pb
from homeward.gateway.v1.codes_pb2 import AGENCY_KIND_CWA

NOW = datetime(2026, 3, 14, 10, 10, tzinfo=UTC)
FIPS = "06037"
AGENCY = "06037.cwa"


def stamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def statement(
    key: bytes, use: "pb.KeyUse.ValueType", *, agency: str = AGENCY, start: datetime = NOW, days: int = 1
) -> pb.KeyStatement:
    return pb.KeyStatement(
        use=use,
        agency="" if use == pb.KEY_USE_FLAG else agency,
        county=FIPS,
        public_key=key,
        effective_time=stamp(start - timedelta(minutes=5)),
        expire_time=stamp(start + timedelta(days=days)),
    )


@dataclass(frozen=True, slots=True)
class CountyKeys:
    root: SigningKey
    assertion: SigningKey
    envelope: SigningKey
    flag: SigningKey
    seal: SealKey
    gateway: SigningKey
    holder: SigningKey

    @classmethod
    def make(cls) -> "CountyKeys":
        keys = [SigningKey.generate() for _ in range(6)]
        return cls(keys[0], keys[1], keys[2], keys[3], SealKey.generate(), keys[4], keys[5])

    @property
    def pins(self) -> Pins:
        return Pins(self.gateway.public_bytes, (self.holder.public_bytes,))

    def directory(self, version: int = 1) -> pb.Directory:
        member = [
            certify(statement(self.assertion.public_bytes, pb.KEY_USE_ASSERTION), self.root),
            certify(statement(self.envelope.public_bytes, pb.KEY_USE_ENVELOPE), self.root),
            certify(statement(self.seal.public_bytes, pb.KEY_USE_SEAL), self.root),
        ]
        flags = [certify(statement(self.flag.public_bytes, pb.KEY_USE_FLAG), self.root)]
        return pb.Directory(
            trust_domain="exchange.example",
            version=version,
            create_time=stamp(NOW),
            counties=[
                pb.County(
                    fips=FIPS,
                    root_key=self.root.public_bytes,
                    duty_line="+15550100101",
                    hotline="+15550100102",
                    flag_keys=flags,
                )
            ],
            members=[pb.Member(agency=AGENCY, kind=AGENCY_KIND_CWA, keys=member, has_sources=True)],
            log_key=bytes(32),
            log_origin="exchange.example/log",
            policy_version="p1",
            policy_digest=bytes(32),
            epoch="e1",
            counties_without_agreement=["06031/06037"],
        )

    def signed(self, directory: pb.Directory | None = None) -> pb.SignedDirectory:
        raw = (directory or self.directory()).SerializeToString()
        return pb.SignedDirectory(
            directory=raw, signatures=[sign_directory(raw, self.gateway), sign_directory(raw, self.holder)]
        )
