"""Cores of a machine, shared out among the tasks on it: a cluster counts them, but does not say which."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from jaxdqn.training import devices

try:
    import fcntl
except ImportError:  # no task is kept to its cores there
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def kept_to(number: int) -> Iterator[None]:
    """Keeps this thread, and the threads and processes that it starts, to so many cores that no other task here has.

    Where there are fewer such cores than asked for, some are shared.
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
            if len(free) < number and _is_locked(held, folder / str(core)):
                free.append(core)
        chosen = [*free, *(core for core in before if core not in free)][:number]
        os.sched_setaffinity(0, chosen)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def _is_locked(held: contextlib.ExitStack, path: pathlib.Path) -> bool:
    """Returns whether this process now holds the lock of a file, until `held` ends or the process does."""
    file = held.enter_context(path.open("a"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another task has it
        return False
    return True
