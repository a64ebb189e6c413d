"""Being told to stop: finish the period, keep what there is, and end."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interruption:
    """Whether this process was told to stop.

    Attributes:
      is_asked: set by the first signal. A second one ends the process at once.
    """

    def __init__(self) -> None:
        self.is_asked = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal."""
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True


@contextlib.contextmanager
def watched() -> Iterator[Interruption]:
    """Watches for Ctrl-C and for the request to end that a cluster sends; only the main thread can."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
