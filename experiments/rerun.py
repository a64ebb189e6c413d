"""Does this machine reproduce the recorded results bit for bit, and if not, similar results?

On the processor and with the versions of the records, all bits must be equal. On another processor, compiled code
rounds differently, so runs diverge and only statistics over seeds agree. This script runs a few recorded cells of
studies again, in a separate folder, and reports for each cell whether its curves have the same bits. It prints the new
final score beside the recorded one and the range of its arm. If a cell fails, it prints the reason.

    python experiments/rerun.py experiments/catch.py experiments/distributions.py            two cells of each
    python experiments/rerun.py experiments/catch.py --cells 6 --keep again

It selects the fastest recorded cells, from as many arms as possible.
"""

import argparse
import contextlib
import pathlib
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np

from jaxdqn.analysis import table_formats
from jaxdqn.commands.errors import one_sentence
from jaxdqn.store import failures, store
from jaxdqn.store.record import Run
from jaxdqn.study import execute, load_script, spec
from jaxdqn.study.spec import Study
from jaxdqn.training import devices

TIME = "wall_seconds"  # a curve that is never reproducible


def quickest(recorded: Sequence[Run], number: int) -> list[Run]:
    """Returns the fastest run of each arm, the fastest arms first, then the second fastest of each arm, and so on."""
    by_cost = sorted(recorded, key=lambda run: run.facts["cost"]["wall_seconds"] / run.facts["cost"]["runs_at_once"])
    counts: dict[str, int] = {}  # runs of each arm so far
    rounds = []
    for run in by_cost:
        counts[_arm(run)] = counts.get(_arm(run), 0) + 1
        rounds.append(counts[_arm(run)])
    order = sorted(range(len(by_cost)), key=lambda index: (rounds[index], index))
    return [by_cost[index] for index in order[:number]]


def differing(recorded: Run, again: Run) -> list[str]:
    """Returns the names of curves that differ in any bit or exist in one run only; times are not compared."""
    names = sorted((set(recorded.curves) | set(again.curves)) - {TIME})
    return [name for name in names if not _is_same(recorded.curves.get(name), again.curves.get(name))]


def row(recorded: Run, again: Run, arm: Sequence[Run]) -> tuple[str, ...]:
    """Returns the table row of a run that was repeated.

    Args:
      recorded: the recorded run.
      again: the new run.
      arm: all recorded runs of the same arm.
    """
    different = differing(recorded, again)
    number = len((set(recorded.curves) | set(again.curves)) - {TIME})
    same = "all" if not different else f"{number - len(different)} of {number}"
    return (*_described(recorded), same, _final(recorded), _final(again), _spread(arm))


def row_of_failure(recorded: Run, reason: str, arm: Sequence[Run]) -> tuple[str, ...]:
    """Returns the table row of a run that could not be repeated, with the error."""
    failure = f"failed: {reason}".replace("|", "\\|")  # escaped for a table
    return (*_described(recorded), "none", _final(recorded), failure, _spread(arm))


def _described(run: Run) -> tuple[str, str, str]:
    return run.facts["study"], _arm(run), str(run.facts["seed"])


def _final(run: Run) -> str:
    """Returns the last score of a run."""
    return f"{float(run.curves['evaluation_return'][-1]):.4g}"


def _spread(arm: Sequence[Run]) -> str:
    """Returns the smallest and the largest last score of the runs."""
    of_arm = [float(run.curves["evaluation_return"][-1]) for run in arm]
    return f"{min(of_arm):.4g} to {max(of_arm):.4g}"


def _arm(run: Run) -> str:
    settings = [f"{field} {value}" for field, value in sorted(run.facts["settings"].items())]
    return ", ".join([run.facts["game"]["name"], run.facts["algorithm"], *settings])


def _is_same(first: np.ndarray | None, second: np.ndarray | None) -> bool:
    return (
        first is not None and second is not None and first.dtype == second.dtype and first.tobytes() == second.tobytes()
    )


def rows_of(study: Study, out: pathlib.Path, number: int, folder: pathlib.Path) -> Iterator[tuple[str, ...]]:
    """Yields a table row for each repeated run of a study.

    Raises:
      ValueError: no run of the study is recorded.
    """
    cells = spec.by_identifier(study)
    recorded = [run for run in store.read(out / study.name / "runs").runs if run.facts["id"] in cells]
    if not recorded:
        raise ValueError(f"{out / study.name} has no run of this study: give the folder of the records with --out.")
    selected = quickest(recorded, number)
    execute.run(study, folder, only=[run.facts["id"] for run in selected])
    reasons = {failure.id: failure.reason for failure in failures.read(folder / study.name / "failures")}
    for run in selected:
        arm = [other for other in recorded if _arm(other) == _arm(run)]
        again = store.find(folder / study.name / "runs", run.facts["id"])
        if again is None:
            yield row_of_failure(run, reasons.get(run.facts["id"], "it left no record"), arm)
        else:
            yield row(run, again, arm)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="+", type=pathlib.Path, metavar="SCRIPT", help="scripts of studies")
    parser.add_argument("--cells", type=int, default=2, metavar="N", help="number of cells of each study (default: 2)")
    parser.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("results"), help="folder of the records (default: results)"
    )
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="folder for the new runs (default: not kept)")
    options = parser.parse_args()
    devices.use_all_cores()
    devices.keep_compiled_programs()
    heading = ("study", "arm", "seed", "curves with equal bits", "recorded", "now", "recorded, all seeds")

    rows: list[tuple[str, ...]] = [heading]
    with contextlib.ExitStack() as stack:
        folder = options.keep or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with one_sentence():
            studies = [load_script.load(script).study for script in options.scripts]
            for study in studies:
                rows += rows_of(study, options.out, options.cells, folder)
    print(table_formats.markdown(rows))


if __name__ == "__main__":
    main()
