"""The sandbox's recording of every message received: proof by inspection of what a gateway sees.

Off unless the configuration of a demonstration names a directory. Decides nothing else.
"""

from pathlib import Path

from google.protobuf.message import Message


class MessageRecorder:
    """Writes each message to a file of its own, `NNNNNN-<method>.bin`, in order of arrival."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._count = sum(1 for _ in directory.iterdir())

    def record(self, method: str, message: Message) -> None:
        """The message is on disk, exactly as it was received or re-serialized by the library that parsed it."""
        self._count += 1
        service, _, name = method.strip("/").rpartition("/")
        path = self._directory / f"{self._count:06d}-{service.rpartition('.')[2]}.{name}.bin"
        path.write_bytes(message.SerializeToString())
