"""Cores of a machine, shared out among the processes that compute on it."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from jaxdqn.training import devices

try:
    import fcntl
except ImportError:  # nobody is kept to its cores there
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def kept_to(number: int, kind: str) -> Iterator[None]:
    """Keeps this thread, and the threads and processes that it starts, to `number` cores that no other of its kind has.

    If fewer such cores are free than requested, some are shared.

    Args:
      number: how many cores.
      kind: of what runs on them; a task of one study can hold runs of it.
    """
    if fcntl is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = devices.cores()
    folder = pathlib.Path(tempfile.gettempdir()) / f"jaxdqn-cores-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as held:
        free: list[int] = []
        for core in before:
            if len(free) < number and _is_locked(held, folder / f"{kind}-{core}"):
                free.append(core)
        start = os.getpid() % len(before)  # so that processes which share cores do not all share the same
        shared = [core for core in before[start:] + before[:start] if core not in free]
        os.sched_setaffinity(0, [*free, *shared][:number])
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def _is_locked(held: contextlib.ExitStack, path: pathlib.Path) -> bool:
    """Returns whether this process now holds the lock of a file, until `held` ends or the process does."""
    file = held.enter_context(path.open("a"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another one has it
        return False
    return True
