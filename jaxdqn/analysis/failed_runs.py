"""Failed runs: they have no record, so figures and tables of the other runs say how many are left out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from jaxdqn.analysis import by_arm
from jaxdqn.analysis.by_arm import Arm
from jaxdqn.spelling import counted
from jaxdqn.store import failures, store
from jaxdqn.store.failures import Failure
from jaxdqn.store.manifest import Manifest
from jaxdqn.store.record import Run

_MOST_SHOWN = 5  # kinds of errors


def read(folder: Path, requested: Manifest | None = None) -> tuple[Failure, ...]:
    """Returns the failures of a study whose runs have no record.

    Args:
      folder: of the study.
      requested: the expected runs, and the names of their arms; None means all runs, with the names in the failures.
    """
    done = store.ids(folder / "runs")
    found = [failure for failure in failures.read(folder / "failures") if failure.id not in done]
    if requested is not None:
        found = [
            failure._replace(about=failure.about | requested.cells[failure.id])
            for failure in found
            if failure.id in requested.cells
        ]
    return tuple(found)


def sentence(failed: Iterable[Failure], runs: Iterable[Run]) -> str:
    """Returns a sentence for each arm with failed runs, with their number; an empty string if there are none.

    Args:
      failed: of the arms that are shown.
      runs: that are shown.
    """
    arms = by_arm.arms(runs)
    numbers = Counter(map(_arm, failed))
    labels = by_arm.labels([*arms, *numbers])
    sentences = []
    for arm, number in numbers.items():
        # A failure names the settings of its study only: runs of another study in the folder may differ in others.
        is_known = arm in arms or not any((other.game, other.algorithm) == (arm.game, arm.algorithm) for other in arms)
        of_arm = counted(number + len(arms.get(arm, ())), "run")
        runs_of_arm = f"{number} of {of_arm}" if is_known else counted(number, "run")
        verb = "is" if number == 1 else "are"
        sentences.append(f"{runs_of_arm} of {labels[arm]} on {arm.game} failed and {verb} left out.")
    return " ".join(sentences)


def reasons(failed: Sequence[Failure], folder: Path) -> list[str]:
    """Returns a sentence for each error: its game and number of runs, its last line, the file, and the remedy.

    Args:
      failed: the failures.
      folder: that holds them.
    """
    alike: dict[tuple[str, str], list[Failure]] = {}
    for failure in failed:
        alike.setdefault((_arm(failure).game, failure.reason), []).append(failure)
    sentences = [
        f"{game}: {counted(len(members), 'run')} failed with {reason.rstrip('.')} ({folder / members[0].id}.json); "
        "fix it, then run the same command with --retry-failed"
        for (game, reason), members in alike.items()
    ]
    hidden = len(sentences) - _MOST_SHOWN
    more = [f"{counted(hidden, 'more error')} in {folder}"] if hidden > 0 else []
    return [*sentences[:_MOST_SHOWN], *more]


def _arm(failure: Failure) -> Arm:
    about = failure.about  # empty if the file cannot be read
    return by_arm.arm(about.get("game", "an unknown game"), about.get("algorithm", "?"), about.get("settings", {}))
