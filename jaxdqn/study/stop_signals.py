"""Requests to stop, from a terminal or a cluster: training ends after the evaluation period and is saved."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """The request that this process stops.

    Attributes:
      is_requested: set by the first signal. A second signal ends the process as soon as Python handles it.
    """

    def __init__(self) -> None:
        self.is_requested = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal."""
        if self.is_requested:
            raise KeyboardInterrupt
        self.is_requested = True

    def raise_if_requested(self) -> None:
        """Raises KeyboardInterrupt if a stop is requested."""
        if self.is_requested:
            raise KeyboardInterrupt


def print_note(text: str) -> None:
    """Prints a sentence for a person."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def watched(note: Callable[[str], None] = print_note) -> Iterator[StopRequest]:
    """Yields the request to stop, which Ctrl-C and the signal of a cluster set; only in the main thread.

    Args:
      note: is called from another thread as soon as the signal comes, with a sentence that confirms it.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    # Python calls a handler only after the compiled period; a pipe wakes a thread at once.
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    listener = threading.Thread(target=_confirm, args=(reading, note), daemon=True)
    listener.start()
    pipe_before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {number: signal.signal(number, stop.handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(pipe_before)
        os.close(writing)
        listener.join()
        os.close(reading)


def _confirm(reading: int, note: Callable[[str], None]) -> None:
    """Confirms a request to stop, once; returns when the pipe is closed."""
    is_confirmed = False
    while number := os.read(reading, 1):
        if number[0] in _SIGNALS and not is_confirmed:
            is_confirmed = True
            note("stop requested: training continues to the next evaluation, and is saved")
