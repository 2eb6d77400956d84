"""What a task wrote, in bounded memory: the beginning and the end of it."""

__all__ = ["KEPT_BYTES", "LogEnds"]

KEPT_BYTES = 64 * 1024  # of the beginning, and as much of the end


class LogEnds:
    """The first and the last 64 KiB of a stream of bytes; it never holds more than three times as much."""

    def __init__(self) -> None:
        self._first = bytearray()
        self._last = bytearray()
        self._left_out = 0

    def add(self, data: bytes) -> None:
        """Take what comes next."""
        room = KEPT_BYTES - len(self._first)
        if room > 0:
            self._first += data[:room]
            data = data[room:]
        self._last += data
        if len(self._last) > 2 * KEPT_BYTES:  # not at each piece, or a task that prints much moves 64 KiB each time
            self._left_out += len(self._last) - KEPT_BYTES
            del self._last[:-KEPT_BYTES]

    def text(self) -> str:
        """Both ends as text, with a line between that says how many bytes are left out."""
        excess = max(len(self._last) - KEPT_BYTES, 0)
        left_out = self._left_out + excess
        if not left_out:
            return (self._first + self._last).decode(errors="replace")
        between = f"\n[{left_out:,} bytes left out here]\n"
        return self._first.decode(errors="replace") + between + self._last[excess:].decode(errors="replace")
