"""The processes beside a gateway: they begin before it has opened anything, and it ends when one of them does."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from audit.entry import ClassKeys
from gateway.aside import Aside
from gateway.finding import Finding
from gateway.protocol.policy.rules import Policy


@dataclass(frozen=True, slots=True)
class Beside:
    """What each of them is to the first."""

    aside: Aside
    finding: Finding

    @classmethod
    def begin(cls, database: Path, policy: Policy) -> Self:
        """They run; to be called first of all (`Apart.begin`)."""
        return cls(Aside.begin(database, policy), Finding.begin(database))

    async def attach(self, keys: ClassKeys, on_end: Callable[[], None]) -> None:
        """They can be asked; `on_end` is called when one of them ends by itself."""
        await self.aside.attach(on_end)
        await self.finding.attach(keys, on_end)

    def close(self) -> None:
        """They end."""
        self.aside.close()
        self.finding.close()
