"""One round of a mirror, as a process of its own: `python -m gateway.recovery.mirror_round DIR`.

Decides the one line of JSON by which whoever started it learns how the round ended: how many entries the mirror holds,
or which fault. Whoever starts it is `mirroring`; an operator types `homeward audit mirror`.
"""

import errno
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from audit.errors import EvidenceError
from audit.failpoints import arm_from
from audit.files import InUse
from gateway.protocol.strict_yaml import DocumentErrors
from gateway.recovery.repair import keep_configured, place_of
from gateway.recovery.target import MirrorFault, TargetRefused
from gateway.state import StateBroken
from gateway.store.youth_keys import YouthKeysBroken

_NICE: Final = 10
# A quota and a limit of the process leave no room either.
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def bring_up_to_date(directory: Path) -> dict[str, int | str]:
    """The mirror that the settings in this directory name is kept; how many entries it holds, or the fault."""
    try:
        return {"size": keep_configured(place_of(directory)).size}
    except TargetRefused as refused:
        return {"fault": refused.fault}
    except InUse:
        return {"fault": MirrorFault.BUSY}
    except (EvidenceError, YouthKeysBroken):
        return {"fault": MirrorFault.EVIDENCE}
    except (DocumentErrors, StateBroken):
        return {"fault": MirrorFault.SETTINGS}
    except OSError as exc:
        return {"fault": MirrorFault.FULL if exc.errno in _NO_ROOM else MirrorFault.STORAGE}


def main() -> None:
    """Says how the round ended."""
    arm_from(os.environ)
    with suppress(OSError):
        # Questions come first. A sandbox may forbid it, and a round of the usual priority is a round too.
        os.nice(_NICE)
    sys.stdout.write(json.dumps(bring_up_to_date(Path(sys.argv[1]))) + "\n")


if __name__ == "__main__":
    main()
