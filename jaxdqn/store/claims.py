"""Claims of cells: several processes share the folder of a study, and each claims the cells that it runs.

Files of a study's folder `claims/`, in any file system that several machines share and that has hard links:

    <process>.alive        host and number of the process; its modification time is renewed while the process lives
    <cell>-<n>.claim       the process that runs a cell; the highest n counts

A claim is a new file, which only one process can create. The claim of a dead process is not removed: another process
creates one with the next n, which again only one can. A process is dead if its machine reports so, or, on another
machine, if it has given no sign of life for `EXPIRY` seconds by the clock of the file system. A process that was silent
for so long and continues has lost its claims; it learns this from `holds`, and leaves the claims of others alone. Files
of processes that have been dead for a day are removed. The last process that ends removes the empty folder.
"""

import contextlib
import json
import os
import pathlib
import secrets
import socket
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, NamedTuple

from jaxdqn.store import files

EXPIRY = 120.0  # seconds without a sign of life after which a process on another machine counts as dead
HEARTBEAT = 10.0  # seconds between signs of life
_ATTEMPTS = 10  # to create a file in the folder, which other processes may remove at the same moment


class Holder(NamedTuple):
    """A living process, and the cells that it has claimed."""

    host: str
    pid: int
    cells: tuple[str, ...]


class Claims:
    """The claims of this process, for a `with` statement; leaving it releases all of them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._token = secrets.token_hex(8)
        self._alive = folder / f"{self._token}.alive"
        self._held: dict[str, int] = {}  # n of the claim by cell
        self._signed_at = time.time()  # time of the last sign of life
        self._was_silent = False  # for so long that other processes may consider this one dead
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Claims":
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._sign()
        with contextlib.suppress(OSError):  # files that cannot be removed stay
            self._sweep()
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._heart.join()
        self.release(tuple(self._held))
        self._alive.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another process uses the folder, or has removed it
            self._folder.rmdir()

    def claim(self, cells: Iterable[str], most: int) -> tuple[str, ...]:
        """Claims cells that no living process holds, at most `most`, and returns them in their order.

        A cell may have been finished between its caller's check and the claim: check again after claiming.
        """
        self._sign()  # the file of this process keeps the folder from being removed
        latest = _latest(self._folder)
        claimed: list[str] = []
        for cell in cells:
            if len(claimed) == most:
                break
            generation, token = latest.get(cell, (0, None))
            if cell in self._held or (token not in (None, self._token) and self._lives(str(token))):
                continue
            if token == self._token or self._create(cell, generation, token):
                self._held[cell] = generation if token == self._token else generation + 1
                claimed.append(cell)
        return tuple(claimed)

    def holds(self, cells: Iterable[str]) -> bool:
        """Returns whether this process still holds all of these cells; another may have claimed them after silence."""
        if not self._was_silent and time.time() - self._signed_at < EXPIRY:
            return True
        for cell in cells:
            generation = self._held.get(cell, 0)
            try:
                is_own = self._path(cell, generation).read_text() == self._token
                if not is_own or self._path(cell, generation + 1).exists():
                    return False
            except FileNotFoundError:
                return False
            except OSError:  # the claim stays valid if the file system does not answer
                continue
        return True

    def release(self, cells: Iterable[str]) -> None:
        """Releases cells that are done, or that will not be run here."""
        for cell in cells:
            generation = self._held.pop(cell, 0)
            if _token(self._path(cell, generation)) != self._token:  # lost; the process with the next n removes them
                continue
            for path in sorted(self._folder.glob(f"{cell}-*.claim"), key=_generation):
                if _generation(path) <= generation:  # older claims first, so that this claim counts until the end
                    path.unlink(missing_ok=True)

    def others(self) -> tuple[Holder, ...]:
        """Returns the other living processes that hold claims in the folder."""
        return _holders(self._folder, without=self._token)

    def _path(self, cell: str, generation: int) -> pathlib.Path:
        return self._folder / f"{cell}-{generation}.claim"

    def _create(self, cell: str, generation: int, token: str | None) -> bool:
        """Creates the claim after that of a dead process, or the first one; returns whether this process holds it."""
        path = self._path(cell, generation + 1)
        try:
            files.write_new(path, self._token.encode())
        except FileExistsError:
            # Another process was quicker; or a file server created the file twice, since its first answer was lost.
            if _token(path) != self._token:
                return False
        # The last claim may have been released since it was read, and a third process may have claimed the cell.
        newest = max(map(_generation, self._folder.glob(f"{cell}-*.claim")), default=0)
        if newest == generation + 1 and (token is None or _token(self._path(cell, generation)) == token):
            return True
        path.unlink(missing_ok=True)
        return False

    def _sweep(self) -> None:
        """Removes files of processes that have been dead for a day."""
        files.remove_old_temporaries(self._folder)
        for path in filter(files.is_abandoned, self._folder.glob("*.claim")):
            if not self._lives(str(_token(path))):
                path.unlink(missing_ok=True)
        for path in filter(files.is_abandoned, self._folder.glob("*.alive")):
            if not self._lives(path.stem):
                path.unlink(missing_ok=True)

    def _lives(self, token: str) -> bool:
        return _lives(self._folder / f"{token}.alive", self._now())

    def _now(self) -> float:
        """Returns the time by the clock of the file system, which all processes share."""
        self._sign()
        return self._alive.stat().st_mtime

    def _sign(self) -> None:
        """Gives a sign of life."""
        try:
            os.utime(self._alive)
        except FileNotFoundError:  # the first sign; or the file was removed, since this process was silent for a day
            self._create_alive()
        now = time.time()
        self._was_silent |= now - self._signed_at >= EXPIRY
        self._signed_at = now

    def _create_alive(self) -> None:
        content = json.dumps(_identity()).encode()
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                self._folder.mkdir(exist_ok=True)
                files.write_new(self._alive, content)
            if self._alive.exists():
                return
        raise OSError(f"{self._alive} cannot be created: perhaps {self._folder.parent} was deleted.")

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT):
            with contextlib.suppress(OSError):  # a full disk, or a network that is down for a moment
                self._sign()


def holders(folder: pathlib.Path) -> tuple[Holder, ...]:
    """Returns the living processes that hold claims in a folder, by the clock of this machine."""
    return _holders(folder)


def _holders(folder: pathlib.Path, without: str | None = None) -> tuple[Holder, ...]:
    cells: dict[str, list[str]] = {}
    for cell, (_, token) in _latest(folder).items():
        if token != without:
            cells.setdefault(token, []).append(cell)
    found = []
    for token, held in cells.items():
        path = folder / f"{token}.alive"
        if _lives(path, time.time()):
            who = _read(path)
            found.append(Holder(str(who.get("host")), int(who.get("pid", 0)), tuple(sorted(held))))
    return tuple(found)


def _latest(folder: pathlib.Path) -> dict[str, tuple[int, str]]:
    """Returns number and process of the claim that counts, by cell."""
    newest: dict[str, pathlib.Path] = {}
    for path in folder.glob("*.claim"):
        cell = path.stem.rpartition("-")[0]
        if cell not in newest or _generation(path) > _generation(newest[cell]):
            newest[cell] = path
    found = {}
    for cell, path in newest.items():
        token = _token(path)
        if token is not None:  # None: it has just been released
            found[cell] = (_generation(path), token)
    return found


def _token(claim: pathlib.Path) -> str | None:
    """Returns the process that created a claim, or None if there is no such claim."""
    try:
        return claim.read_text()
    except OSError:
        return None


def _generation(path: pathlib.Path) -> int:
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def _lives(alive: pathlib.Path, now: float) -> bool:
    try:
        age = now - alive.stat().st_mtime
    except OSError:  # it has ended, and one of its claims is left over
        return False
    who, here = _read(alive), _identity()
    if here["started"] is None or any(who.get(name) != here[name] for name in ("host", "processes")):
        return age < EXPIRY
    if who.get("boot") != here["boot"]:
        # A process before this machine restarted; or one on a machine with the same name, if it has signed since.
        return age < min(EXPIRY, _uptime())
    return _started(who.get("pid")) == who.get("started")


def _read(path: pathlib.Path) -> dict[str, Any]:
    try:
        who = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return who if isinstance(who, dict) else {}


def _identity() -> dict[str, Any]:
    """Returns the facts that identify this process; its number alone does not, since machines reuse numbers."""
    boot = processes = None
    with contextlib.suppress(OSError):  # only on Linux
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        processes = os.readlink("/proc/self/ns/pid")  # containers on a machine have process numbers of their own
    return {
        "host": socket.gethostname(),
        "boot": boot,
        "processes": processes,
        "pid": os.getpid(),
        "started": _started(os.getpid()),
    }


def _started(pid: Any) -> str | None:
    """Returns the start time of a process of this machine, in clock ticks as text; None if it does not run."""
    try:
        state, *facts = pathlib.Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()
        # A dead process stays in the list until its parent has read its status.
        return None if state in "ZX" else facts[18]
    except (OSError, ValueError, TypeError, IndexError):
        return None


def _uptime() -> float:
    """Returns the seconds since this machine started."""
    try:
        return float(pathlib.Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return EXPIRY
