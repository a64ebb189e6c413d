"""A search on this machine: points are asked for, trained in waves, told, until the budget is spent.

Files of the folder `<out>/<name>/tuning`:

    journal.log    Optuna's, with every point and every wave: all that has happened
    search.json    what decides the search; another one is refused in this folder
    trials.json    the points as plain numbers, for figures; derived
    runs/          tuning runs that reached their end, like those of any study
    checkpoints/   runs that wait, if training takes long or was interrupted
    failures/      the tracebacks of points that could not be trained; they count as worse than any other

The journal alone says what comes next, and every point has a seed of its own, so that a search that was stopped, or
killed, goes on with the points and scores that it would have had. What it loses is the wave under way.
"""

import contextlib
import json
import pathlib
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxdqn.analysis import divergence
from jaxdqn.search import halving, samplers, search_waves
from jaxdqn.search import spec as searches
from jaxdqn.search.halving import Ask, Train, Wave
from jaxdqn.search.spec import Search
from jaxdqn.store import failures, files, trials
from jaxdqn.store.claims import Claims
from jaxdqn.study import provenance, records, signals, spec
from jaxdqn.study.execute import CHECKPOINT_SECONDS
from jaxdqn.study.spec import Cell, Study

if TYPE_CHECKING:
    import optuna


class Outcome(NamedTuple):
    """What a search found.

    Attributes:
      settings: of every point, in the order of asking.
      waves: in the order of training.
      spent: environment steps of all waves.
      seconds: that this call took.
    """

    settings: tuple[dict[str, Any], ...]
    waves: tuple[Wave, ...]
    spent: int
    seconds: float


class _Work(NamedTuple):
    search: Search
    folder: pathlib.Path
    study: "optuna.Study"
    space: dict[str, Any]  # Optuna's distributions
    plan: halving.Plan
    runs: search_waves.Runs


def run(
    search: Search,
    out: str | pathlib.Path,
    *,
    programs: search_waves.Programs | None = None,
    is_stored: bool = True,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    memory: float | None = None,
    advanced: Callable[[int, np.ndarray], None] = lambda steps, scores: None,
    script: provenance.Script | None = None,
) -> Outcome:
    """Runs a search, or goes on with it.

    A search whose budget is spent is not run again; with a larger budget it goes on.

    Args:
      search: what to search.
      out: its files go to `<out>/<search.name>/tuning`.
      programs: compiled ones, shared with other searches; as `search_waves.programs` makes them.
      is_stored: whether tuning runs that reach their end are stored as records.
      checkpoint_seconds: of training after which the runs under way and waiting are written to disk.
      memory: bytes that runs may use at once; None for half of what there is.
      advanced: is called with environment steps and scores as they come.
      script: that asks for the search, as it was when the process began; None is the one that this process runs, as it
        is now. It is recorded with the points and their runs.

    Raises:
      ValueError: if Optuna is missing, the folder holds another search, or another process is at it.
      KeyboardInterrupt: told to stop.
    """
    samplers.check()
    started = time.perf_counter()
    code = provenance.code(script or provenance.script())  # as it is now, not as it may be when the first wave ends
    folder = pathlib.Path(out) / search.name / "tuning"
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    with search_waves.programs() as own, Claims(folder / "claims") as mine, signals.watched() as told:
        if not mine.claim(["search"], 1):
            raise ValueError(f"{folder}: another process is at this search.")
        _claim_folder(search, folder)
        made = own if programs is None else programs
        runs = search_waves.Runs(folder, made, {}, told, checkpoint_seconds, memory, advanced, is_stored, code)
        search_waves.load(runs)
        study = samplers.opened(folder / "journal.log", search.name)
        space = samplers.distributions(search.space, searches.whole_numbers(search))
        work = _Work(search, folder, study, space, searches.plan(search), runs)
        points = _settings(work)
        done: list[Wave] = []
        for wave in _waves(study):  # what a kill may have cut off
            _tell(work, wave, done)
            done.append(wave)
            if runs.kept:
                _forget(work, wave, points)
        saved_at = time.perf_counter()
        while _go_on(work):
            is_due = time.perf_counter() - saved_at >= checkpoint_seconds
            if is_due or told.is_asked:
                search_waves.save(runs)
                saved_at = time.perf_counter()
            if told.is_asked:
                raise KeyboardInterrupt
        search_waves.save(runs)  # as a rule nothing waits any more, and what was written goes
        done = _waves(study)
        points = _settings(work)
        _write(folder, _trials(work, points, done))
    return Outcome(tuple(points), tuple(done), halving.spent(work.plan, done), time.perf_counter() - started)


def best(outcome: Outcome) -> dict[str, Any]:
    """Returns the settings that a search ends with: the winner of the final, or else the best over tuning seeds.

    Raises:
      ValueError: if all points diverged or could not be trained, in a sentence that says how many did.
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


def _go_on(work: _Work) -> bool:
    """Takes the next step of a search; returns whether there was one."""
    search, points, done = work.search, _settings(work), _waves(work.study)
    groups = [searches.group(search, settings) for settings in points]
    match halving.following(work.plan, groups, done, search.budget):
        case Ask():
            samplers.ask(work.study, search.sampler, _seed(search.seed, len(points)), work.space)
        case Train(rung, numbers):
            scores = _train(work, rung, [points[number] for number in numbers])
            kept = halving.promoted(work.plan, rung, numbers, scores, done)
            wave = Wave(rung, numbers, tuple(map(tuple, scores.tolist())), tuple(kept))
            work.study.set_user_attr(f"wave-{len(done):05}", wave._asdict())
            _tell(work, wave, done)
            _forget(work, wave, points)
            trials.write(work.folder, _trials(work, points, [*done, wave]))
        case None:
            return False
    return True


def _train(work: _Work, rung: int, points: Sequence[dict[str, Any]]) -> np.ndarray:
    """Returns the scores of points at the end of a rung, float64 `[points, seeds]`.

    It is NaN if one cannot be trained, and minus infinity of a run that diverged.
    The final is the rung after the last.
    """
    try:
        return _scores(work, rung, points)
    except OSError:  # a full disk, which is nobody's fault
        raise
    except Exception:
        if len(points) > 1:  # find out which
            middle = len(points) // 2
            return np.concatenate([_train(work, rung, half) for half in (points[:middle], points[middle:])])
        text = traceback.format_exc()
        members = _members(work.search, rung, points)
        for study, cell in members:
            id = spec.identifier(study, cell)
            failures.write(work.folder / "failures", id, records.about_failure(cell), text)
        return np.full((1, len(members)), np.nan)


def _scores(work: _Work, rung: int, points: Sequence[dict[str, Any]]) -> np.ndarray:
    search, plan = work.search, work.plan
    members = _members(search, rung, points)
    last = search.last or 0  # [-0:] is all
    stop = search.steps if rung == plan.final else plan.ends[rung]
    trained = search_waves.train(work.runs, members, stop, plan.batch * plan.num_seeds)
    runs = [trained[spec.identifier(study, cell)] for study, cell in members]
    scores = [divergence.search_score(run.returns[-last:], run.diverged_at) for run in runs]
    return np.array(scores).reshape(len(points), -1)


def _members(search: Search, rung: int, points: Sequence[dict[str, Any]]) -> list[tuple[Study, Cell]]:
    studies = [searches.tuning_study(search, settings, rung) for settings in points]
    return [(study, cell) for study in studies for cell in spec.cells(study)]


def _tell(work: _Work, wave: Wave, earlier: Sequence[Wave]) -> None:
    """Tells Optuna what became of the points of a wave, so far as it does not know it; of the final it need not.

    A point with a diverged run is told as the worst point of its rung so far, so that the sampler learns to avoid it.
    """
    if wave.rung == work.plan.final:
        return
    same_rung = [one for one in (*earlier, wave) if one.rung == wave.rung]
    worst = min((mean for one in same_rung for _, mean in halving.scored(one)), default=np.nan)
    asked = samplers.asked(work.study, work.space)
    is_last = wave.rung == work.plan.final - 1
    for point, score in zip(wave.points, halving.means(wave), strict=True):
        ending = "complete" if is_last else None if point in wave.kept else "dropped"
        told = worst if score == -np.inf else score
        samplers.tell(work.study, asked[point], work.plan.ends[wave.rung], told, ending)


def _forget(work: _Work, wave: Wave, points: Sequence[dict[str, Any]]) -> None:
    """Frees the runs of the points of a wave that do not go on."""
    ended = [points[number] for number in wave.points if number not in wave.kept]
    for study, cell in _members(work.search, wave.rung, ended):
        work.runs.kept.pop(spec.identifier(study, cell), None)


def _settings(work: _Work) -> list[dict[str, Any]]:
    asked = samplers.asked(work.study, work.space)
    return [samplers.settings(work.search.space, trial.params) for trial in asked]


def _waves(study: "optuna.Study") -> list[Wave]:
    """Returns the waves that the journal knows of."""
    says = study.user_attrs
    found = [says[name] for name in sorted(says) if name.startswith("wave-")]
    return [
        Wave(wave["rung"], tuple(wave["points"]), tuple(map(tuple, wave["scores"])), tuple(wave["kept"]))
        for wave in found
    ]


def _seed(seed: int, number: int) -> int:
    """Returns the seed of what a sampler draws for one point."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] % 2**31)


def _claim_folder(search: Search, folder: pathlib.Path) -> None:
    """Puts down what decides the search.

    Raises:
      ValueError: if the folder holds another one.
    """
    path, says = folder / "search.json", json.loads(json.dumps(searches.about(search)))
    if path.exists():
        before = json.loads(path.read_bytes())
        changed = [name for name in says if before.get(name) != says[name]]
        if changed:
            raise ValueError(f"{folder} holds a search with another {', '.join(changed)}: give this one another name.")
    else:
        files.replace(path, json.dumps(says, indent=1).encode())


def _write(folder: pathlib.Path, found: trials.Trials) -> None:
    """Writes the points of a search, unless they are there: then they keep the commit that they were trained by."""
    with contextlib.suppress(ValueError):
        if trials.read(folder)._replace(code=found.code) == found:
            return
    trials.write(folder, found)


def _trials(work: _Work, points: Sequence[dict[str, Any]], done: Sequence[Wave]) -> trials.Trials:
    """Returns the points as plain numbers."""
    rungs = halving.waiting(len(points), done)
    scores: dict[int, list[tuple[float, ...]]] = {number: [] for number in range(len(points))}
    finals: dict[int, tuple[float, ...]] = {}
    diverged = halving.diverged(done)
    spent, failed = 0, set()
    progress: list[tuple[int, int, float]] = []
    for wave, incumbent in zip(done, halving.incumbents(done), strict=True):
        spent += len(wave.points) * halving.cost(work.plan, wave.rung)
        progress = [] if incumbent is None else [*progress, (spent, *incumbent)]  # none: what was best diverged since
        for number, row in zip(wave.points, wave.scores, strict=True):
            is_final, is_known = wave.rung == work.plan.final, bool(np.isfinite(row).all())
            if is_final and is_known:
                finals[number] = row
            elif is_known:
                scores[number].append(row)
            elif not is_final and number not in diverged:
                failed.add(number)

    def state(number: int) -> str:
        if number in diverged:
            return "diverged"
        if number in failed:
            return "failed"
        if number in rungs:
            return "waiting"
        return "complete" if len(scores[number]) == len(work.plan.ends) else "dropped"

    return trials.Trials(
        name=work.search.name,
        facts=json.loads(json.dumps(searches.about(work.search) | {"budget": work.search.budget})),
        ends=work.plan.ends,
        points=tuple(
            trials.Point(
                number, spec.plain_settings(settings), tuple(scores[number]), finals.get(number, ()), state(number)
            )
            for number, settings in enumerate(points)
        ),
        progress=tuple(progress),
        importance=_importance(work, scores, diverged),
        code=work.runs.code,
    )


def _importance(
    work: _Work, scores: dict[int, list[tuple[float, ...]]], diverged: Collection[int]
) -> trials.Importance:
    """Returns the importance of the fields at the first rung; points that diverged there count as the worst of it."""
    asked = samplers.asked(work.study, work.space)
    worst = min((float(np.mean(rungs[0])) for rungs in scores.values() if rungs), default=0.0)
    known = [number for number in scores if scores[number] or number in diverged]
    means = [float(np.mean(scores[number][0])) if scores[number] else worst for number in known]
    shares = samplers.importance(work.space, [asked[number].params for number in known], means)
    return trials.Importance(work.plan.ends[0], len(known), shares)
