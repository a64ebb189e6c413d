"""Does this machine give the results that are recorded, bit for bit, and if not, results like them?

With the processor and the versions of the records, the bits must be equal. On another processor compiled code rounds
otherwise, a run then takes another course, and only statistics over seeds agree. So this runs a few recorded cells of
studies again, into a folder of its own, and says of each whether its curves have the same bits; if not, its final score
stands beside the recorded ones of its arm, from the least to the most. Of a run that cannot be made again it says why.

    python experiments/rerun.py experiments/catch.py experiments/distributions.py            two cells of each
    python experiments/rerun.py experiments/catch.py --cells 6 --keep again

The cells are the quickest of the record, of as many arms as there are.
"""

import argparse
import contextlib
import pathlib
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np

from jaxdqn.analysis import tables
from jaxdqn.commands.errors import one_sentence
from jaxdqn.store import failures, schema, store
from jaxdqn.store.record import Run
from jaxdqn.study import execute, scripts, spec
from jaxdqn.study.spec import Study
from jaxdqn.training import devices

TIME = "wall_seconds"  # a curve that no machine has twice


def quickest(recorded: Sequence[Run], number: int) -> list[Run]:
    """Returns so many runs: the quickest of each arm, the quickest arms first, then the second of each, and so on."""
    by_cost = sorted(recorded, key=lambda run: run.facts["cost"]["wall_seconds"] / run.facts["cost"]["runs_at_once"])
    seen: dict[str, int] = {}  # runs of an arm so far
    rounds = []
    for run in by_cost:
        seen[_arm(run)] = seen.get(_arm(run), 0) + 1
        rounds.append(seen[_arm(run)])
    order = sorted(range(len(by_cost)), key=lambda place: (rounds[place], place))
    return [by_cost[place] for place in order[:number]]


def differing(recorded: Run, again: Run) -> list[str]:
    """Returns the names of the curves that differ in some bit, or are of one run only; times are not compared."""
    names = sorted((set(recorded.curves) | set(again.curves)) - {TIME})
    return [name for name in names if not _is_same(recorded.curves.get(name), again.curves.get(name))]


def row(recorded: Run, again: Run, arm: Sequence[Run]) -> tuple[str, ...]:
    """Returns what is to be said of one run that was made again.

    Args:
      recorded: the run of the record.
      again: the run made now.
      arm: all recorded runs that differ from it by seed.
    """
    apart = differing(recorded, again)
    number = len((set(recorded.curves) | set(again.curves)) - {TIME})
    same = "all" if not apart else f"{number - len(apart)} of {number}"
    return (*_described(recorded), same, _final(recorded), _final(again), _spread(arm))


def row_of_failure(recorded: Run, reason: str, arm: Sequence[Run]) -> tuple[str, ...]:
    """Returns what is to be said of one run that could not be made again, with the error that stopped it."""
    said = f"failed: {reason}".replace("|", "\\|")  # in a table
    return (*_described(recorded), "none", _final(recorded), said, _spread(arm))


def _described(run: Run) -> tuple[str, str, str]:
    return run.facts["study"], _arm(run), str(run.facts["seed"])


def _final(run: Run) -> str:
    """Returns the last score of a run; of one that crashed, that it did."""
    scores = run.curves["evaluation_return"]
    last = f"{float(scores[-1]):.4g}" if len(scores) else "no score"
    return f"{last}, crashed" if schema.crashed(run.facts) else last


def _spread(arm: Sequence[Run]) -> str:
    """Returns the least and the largest last score of the runs that have one."""
    of_arm = [float(run.curves["evaluation_return"][-1]) for run in arm if len(run.curves["evaluation_return"])]
    return f"{min(of_arm):.4g} to {max(of_arm):.4g}" if of_arm else "no score"


def _arm(run: Run) -> str:
    settings = [f"{field} {value}" for field, value in sorted(run.facts["settings"].items())]
    return ", ".join([run.facts["game"]["name"], run.facts["algorithm"], *settings])


def _is_same(first: np.ndarray | None, second: np.ndarray | None) -> bool:
    return (
        first is not None and second is not None and first.dtype == second.dtype and first.tobytes() == second.tobytes()
    )


def rows_of(study: Study, out: pathlib.Path, number: int, folder: pathlib.Path) -> Iterator[tuple[str, ...]]:
    """Yields a row for each run of a study that was made again, or could not be.

    Raises:
      ValueError: if nothing of the study is recorded.
    """
    cells = spec.by_identifier(study)
    recorded = [run for run in store.read(out / study.name / "runs").runs if run.facts["id"] in cells]
    if not recorded:
        raise ValueError(f"{out / study.name} holds no run of this study: there is nothing to compare with.")
    chosen = quickest(recorded, number)
    execute.run(study, folder, only=[run.facts["id"] for run in chosen])
    reasons = {failure.id: failure.reason for failure in failures.read(folder / study.name / "failures")}
    for run in chosen:
        arm = [other for other in recorded if _arm(other) == _arm(run)]
        again = store.find(folder / study.name / "runs", run.facts["id"])
        if again is None:
            yield row_of_failure(run, reasons.get(run.facts["id"], "no record is left"), arm)
        else:
            yield row(run, again, arm)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="+", type=pathlib.Path, metavar="SCRIPT", help="of studies")
    parser.add_argument("--cells", type=int, default=2, metavar="N", help="of each study (default: 2)")
    parser.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("results"), help="the record (default: results)"
    )
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="where the new runs stay (default: nowhere)")
    options = parser.parse_args()
    devices.use_all_cores()
    devices.keep_compiled_programs()
    heading = ("study", "arm", "seed", "curves with the same bits", "recorded", "now", "recorded, all seeds")
    rows: list[tuple[str, ...]] = [heading]
    with contextlib.ExitStack() as stack:
        folder = options.keep or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with one_sentence():
            studies = [scripts.load(script).study for script in options.scripts]
            for study in studies:
                rows += rows_of(study, options.out, options.cells, folder)
    print(tables.markdown(rows))


if __name__ == "__main__":
    main()
