"""How a command fails: its exit status and the four things it says.

Decides the exit statuses and the printed form. Does not decide when something fails; the rooms do. Texts given here
reach a terminal or a ticket, so they never hold a name, a birth date, a token, a secret or a value from a record.
"""

import json
from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit status of `homeward` means; scripts rely on the numbers."""

    OK = 0
    FAILED = 1
    USAGE = 2  # click's own
    DENIED = 3
    WARNINGS = 4  # only where a command was asked to be strict
    UNREACHABLE = 5
    EVIDENCE = 6  # evidence did not verify


class CommandFailure(Exception):
    """Ends a command with four parts: what happened, where, why, and what to do about it.

    `code` is stable and searchable (`JOIN-003`); `what`, `where`, `why` and `fix` are one line each, for a person.
    """

    def __init__(
        self,
        code: str,
        what: str,
        *,
        where: str,
        why: str,
        fix: str,
        exit_code: ExitCode = ExitCode.FAILED,
    ) -> None:
        super().__init__(f"{code} {what}")
        self.code = code
        self.what = what
        self.where = where
        self.why = why
        self.fix = fix
        self.exit_code = exit_code

    def as_text(self) -> str:
        """Four lines; ASCII words for the verdict, because a check mark crashes on a cp1252 console."""
        parts = (("where", self.where), ("why", self.why), ("fix", self.fix))
        return "\n".join([f"FAIL  {self.code}  {self.what}", *(f"      {name:<6} {value}" for name, value in parts)])

    def as_json(self) -> str:
        """One line: `{"ok": false, "exit_code": ..., "error": {code, what, where, why, fix}}`."""
        error = {"code": self.code, "what": self.what, "where": self.where, "why": self.why, "fix": self.fix}
        return json.dumps({"ok": False, "exit_code": int(self.exit_code), "error": error})
