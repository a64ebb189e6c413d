"""Being told to stop: finish the period, keep what there is, and end."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether this process was told to stop.

    Attributes:
      is_asked: set by the first signal. A second one ends the process as soon as Python has its turn.
    """

    def __init__(self) -> None:
        self.is_asked = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal."""
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def watched(say: Callable[[str], None] = _print) -> Iterator[Interruption]:
    """Watches for Ctrl-C and for the request to end that a cluster sends; only the main thread can.

    Args:
      say: is told at once, from another thread, that the request is heard.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    # Python handles a signal when it has its turn, which is after the compiled period; a pipe wakes a thread at once.
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    listener = threading.Thread(target=_answer, args=(reading, say), daemon=True)
    listener.start()
    pipe_before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {number: signal.signal(number, interruption.ask) for number in _SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(pipe_before)
        os.close(writing)
        listener.join()
        os.close(reading)


def _answer(reading: int, say: Callable[[str], None]) -> None:
    """Says that a request to stop is heard, once, and ends when the pipe does."""
    is_told = False
    while number := os.read(reading, 1):
        if number[0] in _SIGNALS and not is_told:
            is_told = True
            say("told to stop: what is under way goes on to its next evaluation and is kept")
