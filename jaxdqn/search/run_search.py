"""Runs a search on this machine: asks for points, trains them in waves, and tells their scores, within the budget.

Files of the folder `<out>/<name>/tuning`:

    journal.log    of Optuna, with every point and every wave
    search.json    what decides the search; another search is refused in this folder
    trials.json    the points as plain numbers, for figures; derived
    runs/          records of tuning runs that reached their last step, as in a study
    checkpoints/   runs that wait, if training takes long or was interrupted
    failures/      tracebacks of points that could not be trained; these count as worse than all others

The journal alone decides what comes next, and every point has its own seed. So a search that was stopped or killed
continues with the points and scores that it would have had. A kill costs only the training since the last checkpoint.
"""

import json
import pathlib
import time
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxdqn.analysis import divergence
from jaxdqn.search import halving, samplers, summary, waiting_runs
from jaxdqn.search import spec as searches
from jaxdqn.search.halving import Ask, ScoredWave, Train
from jaxdqn.search.spec import Search
from jaxdqn.store import failures, files, schema, search_trials
from jaxdqn.store.claims import Claims
from jaxdqn.study import provenance, records, spec, stop_signals
from jaxdqn.study.execute import CHECKPOINT_SECONDS
from jaxdqn.study.spec import Cell, Study
from jaxdqn.training import device_layout

if TYPE_CHECKING:
    import optuna

_RunsOfPoint = list[tuple[Study, Cell]]  # one for each seed


class Outcome(NamedTuple):
    """The outcome of a search.

    Attributes:
      settings: of every point, in the order of asking.
      waves: in the order of training.
      spent: environment steps of all waves.
      seconds: of this call.
    """

    settings: tuple[dict[str, Any], ...]
    waves: tuple[ScoredWave, ...]
    spent: int
    seconds: float


class _Work(NamedTuple):
    """A search under way."""

    search: Search
    folder: pathlib.Path
    study: "optuna.Study"
    space: dict[str, Any]  # Optuna's distributions
    plan: halving.Plan
    runs: waiting_runs.Runs


def run(
    search: Search,
    out: str | pathlib.Path,
    *,
    programs: waiting_runs.Programs | None = None,
    is_stored: bool = True,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    memory: float | None = None,
    advanced: Callable[[int, np.ndarray], None] = lambda steps, scores: None,
    script: provenance.Script | None = None,
) -> Outcome:
    """Runs a search, or continues it until its budget is spent. With a larger budget, a finished search continues.

    Args:
      search: the search.
      out: its files go to `<out>/<search.name>/tuning`.
      programs: compiled programs that several searches share, of `waiting_runs.programs`.
      is_stored: whether tuning runs that reach their last step are recorded.
      checkpoint_seconds: of training between checkpoints of the runs that train and wait.
      memory: bytes that runs may use at once; None for half of what there is.
      advanced: is called with environment steps and `wave.scores` after each evaluation period.
      script: that runs the search, as it was when the process began; None is the script of this process as it is now.
        It is recorded with the points and their runs.

    Raises:
      ValueError: if Optuna is missing, the folder holds another search, another process runs this one, or a run of its
        configuration does not fit in the memory.
      KeyboardInterrupt: after a request to stop.
    """
    samplers.check()
    device_layout.choose(search.config, spec.game(search.game), 1, memory)
    started = time.perf_counter()
    code = provenance.code(script or provenance.script())  # now: it may change before the first wave ends
    folder = pathlib.Path(out) / search.name / "tuning"
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    with waiting_runs.programs() as own, Claims(folder / "claims") as claims, stop_signals.watched() as stop:
        if not claims.claim([search_trials.CLAIM], 1):
            raise ValueError(f"{folder}: another process runs this search.")
        _claim_folder(search, folder)
        shared = own if programs is None else programs
        runs = waiting_runs.Runs(folder, shared, {}, stop, checkpoint_seconds, memory, advanced, is_stored, code)
        waiting_runs.load(runs)
        study = samplers.opened(folder / "journal.log", search.name)
        space = samplers.distributions(search.space, searches.whole_numbers(search))
        work = _Work(search, folder, study, space, searches.plan(search), runs)
        points = _settings(work)
        done: list[ScoredWave] = []
        # The earlier process may have ended before Optuna had the scores, or before the runs were dropped.
        for wave in _waves(study):
            _tell(work, wave, done)
            done.append(wave)
            if runs.waiting:
                _drop(work, wave, _members(search, wave.rung, [points[number] for number in wave.points]))
        _advance_to_the_end(work)
        done = _waves(study)
        points = _settings(work)
        summary.write(folder, _trials(work, points, done))
    return Outcome(tuple(points), tuple(done), halving.spent(work.plan, done), time.perf_counter() - started)


def best(outcome: Outcome) -> dict[str, Any]:
    """Returns the chosen settings: the winner of the final, or without a final the best over tuning seeds.

    Raises:
      ValueError: if all points diverged or could not be trained.
    """
    found = halving.incumbents(outcome.waves)[-1]
    if found is not None:
        return outcome.settings[found[0]]
    number, diverged = len(outcome.settings), len(halving.diverged(outcome.waves))
    if diverged == number:
        raise ValueError(
            f"All {number} points diverged, so none is chosen: search smaller learning rates, or clip gradients with "
            "--set max_gradient_norm=10."
        )
    raise ValueError(
        f"No point is left to choose: of {number} points {diverged} diverged, and others could not be trained; the "
        "folder `failures` of the search holds the tracebacks."
    )


def _advance_to_the_end(work: _Work) -> None:
    """Advances the search until its budget is spent, with checkpoints of the waiting runs.

    Raises:
      KeyboardInterrupt: after a request to stop.
    """
    runs, saved_at = work.runs, time.perf_counter()
    while _advance(work):
        is_stop_requested = runs.stop.is_requested
        if is_stop_requested or time.perf_counter() - saved_at >= runs.checkpoint_seconds:
            waiting_runs.save(runs)
            saved_at = time.perf_counter()
        if is_stop_requested:
            raise KeyboardInterrupt
    waiting_runs.save(runs)  # usually no run waits, so that this removes the checkpoints


def _advance(work: _Work) -> bool:
    """Asks for a point, or trains a wave; returns whether the budget allowed one of them."""
    search, points, done = work.search, _settings(work), _waves(work.study)
    groups = [searches.group(search, settings) for settings in points]
    match halving.following(work.plan, groups, done, search.budget):
        case Ask():
            samplers.ask(work.study, search.sampler, _seed(search.seed, len(points)), work.space)
        case Train(rung, numbers):
            members = _members(search, rung, [points[number] for number in numbers])
            scores = _train(work, rung, members)
            kept = halving.promoted(work.plan, rung, numbers, scores, done)
            wave = ScoredWave(rung, numbers, tuple(map(tuple, scores.tolist())), tuple(kept))
            work.study.set_user_attr(f"wave-{len(done):05}", wave._asdict())
            _tell(work, wave, done)
            _drop(work, wave, members)
            search_trials.write(work.folder, _trials(work, points, [*done, wave]))
        case None:
            return False
    return True


def _train(work: _Work, rung: int, members: Sequence[_RunsOfPoint]) -> np.ndarray:
    """Returns the scores of the runs of points at the end of a rung, float64 `[points, seeds]`.

    The score is NaN if a point cannot be trained, and minus infinity if a run diverges. The final is the rung after
    the last.
    """
    try:
        return _scores(work, rung, members)
    except OSError:  # a full disk is not the fault of a point
        raise
    except Exception:
        if len(members) > 1:  # one of them may be the cause: try halves
            middle = len(members) // 2
            return np.concatenate([_train(work, rung, half) for half in (members[:middle], members[middle:])])
        text = traceback.format_exc()
        for _, cell in members[0]:
            failures.write(work.folder / "failures", cell.id, records.about_failure(cell), text)
        return np.full((1, len(members[0])), np.nan)


def _scores(work: _Work, rung: int, members: Sequence[_RunsOfPoint]) -> np.ndarray:
    search, plan = work.search, work.plan
    of_all = [one for of_point in members for one in of_point]
    last = search.last or 0  # [-0:] is all
    until = search.steps if rung == plan.final else plan.ends[rung]
    trained = waiting_runs.train(work.runs, of_all, until, plan.batch * plan.num_seeds)
    runs = [trained[cell.id] for _, cell in of_all]
    scores = [divergence.search_score(run.returns[-last:], run.diverged_at) for run in runs]
    return np.array(scores).reshape(len(members), -1)


def _members(search: Search, rung: int, points: Sequence[dict[str, Any]]) -> list[_RunsOfPoint]:
    """Returns the runs of each point on a rung."""
    studies = [searches.tuning_study(search, settings, rung) for settings in points]
    return [[(study, cell) for cell in spec.cells(study)] for study in studies]


def _tell(work: _Work, wave: ScoredWave, earlier: Sequence[ScoredWave]) -> None:
    """Tells Optuna the scores of a wave, unless it has them; it needs none of the final.

    A point with a diverged run gets the worst score of its rung so far, so that the sampler avoids it.
    """
    if wave.rung == work.plan.final:
        return
    same_rung = [one for one in (*earlier, wave) if one.rung == wave.rung]
    worst = min((mean for one in same_rung for _, mean in halving.scored(one)), default=np.nan)
    trials = samplers.complete_trials(work.study, work.space)
    is_last = wave.rung == work.plan.final - 1
    for point, score in zip(wave.points, halving.means(wave), strict=True):
        ending = "complete" if is_last else None if point in wave.kept else "dropped"
        finite = worst if score == -np.inf else score
        samplers.tell(work.study, trials[point], work.plan.ends[wave.rung], finite, ending)


def _drop(work: _Work, wave: ScoredWave, members: Sequence[_RunsOfPoint]) -> None:
    """Frees the runs of the points of a wave that are not promoted."""
    for number, of_point in zip(wave.points, members, strict=True):
        if number not in wave.kept:
            for _, cell in of_point:
                work.runs.waiting.pop(cell.id, None)


def _settings(work: _Work) -> list[dict[str, Any]]:
    trials = samplers.complete_trials(work.study, work.space)
    return [samplers.settings(work.search.space, trial.params) for trial in trials]


def _waves(study: "optuna.Study") -> list[ScoredWave]:
    """Returns the waves in the journal."""
    known = study.user_attrs
    found = [known[name] for name in sorted(known) if name.startswith("wave-")]
    return [
        ScoredWave(wave["rung"], tuple(wave["points"]), tuple(map(tuple, wave["scores"])), tuple(wave["kept"]))
        for wave in found
    ]


def _seed(seed: int, number: int) -> int:
    """Returns the seed of the sampler for one point."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] % 2**31)


def _claim_folder(search: Search, folder: pathlib.Path) -> None:
    """Writes what decides the search.

    Raises:
      ValueError: if the folder holds another search.
    """
    path, about = folder / "search.json", json.loads(json.dumps(searches.about(search)))
    if path.exists():
        before = json.loads(path.read_bytes())
        changed = [name for name in about if schema.without_none(before.get(name)) != schema.without_none(about[name])]
        if changed:
            raise ValueError(f"{folder} holds a search with another {', '.join(changed)}: give this one another name.")
    else:
        files.replace(path, json.dumps(about, indent=1).encode())


def _trials(work: _Work, points: Sequence[dict[str, Any]], done: Sequence[ScoredWave]) -> search_trials.Trials:
    parameters = [trial.params for trial in samplers.complete_trials(work.study, work.space)]
    return summary.of(work.search, points, parameters, done, work.runs.code)
