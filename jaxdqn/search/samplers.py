"""The samplers of a search, from Optuna, and an Optuna study in a journal on disk.

Optuna only chooses points. Every point has a sampler of its own, seeded with the search and the number of the point, so
that the same scores give the same points, with and without interruptions.

Optuna is an extra: only the functions that need it import it.
"""

import contextlib
import logging
import math
import pathlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxdqn.study.grids import Choice, LogUniform, Range

if TYPE_CHECKING:
    import optuna

Sampler = Callable[[int], "optuna.samplers.BaseSampler"]  # from a seed

STARTUP = 8  # random points before the Parzen estimators know enough
_FEWEST = 8  # points that the importance of parameters needs


def random(seed: int) -> "optuna.samplers.BaseSampler":
    """Points drawn independently (Bergstra and Bengio 2012)."""
    import optuna

    return optuna.samplers.RandomSampler(seed=seed)


def tpe(seed: int) -> "optuna.samplers.BaseSampler":
    """Tree-structured Parzen estimators (Bergstra et al. 2011), of all fields together.

    Points that are still training count as poor, so that a wave does not get one point many times.
    """
    import optuna

    return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=STARTUP)


def cma_es(seed: int) -> "optuna.samplers.BaseSampler":
    """Covariance matrix adaptation (Hansen and Ostermeier 2001); listed values are drawn at random."""
    import optuna

    return optuna.samplers.CmaEsSampler(seed=seed, consider_pruned_trials=True, warn_independent_sampling=False)


SAMPLERS: dict[str, Sampler] = {"tpe": tpe, "random": random, "cma_es": cma_es}


def check() -> None:
    """Raises ValueError if Optuna or cmaes is missing."""
    try:
        import cmaes  # noqa: F401
        import optuna  # noqa: F401
    except ImportError:
        raise ValueError('A search needs Optuna and cmaes: pip install "jaxdqn[search]".') from None


def opened(path: pathlib.Path, name: str) -> "optuna.Study":
    """Returns the Optuna study in a journal, which is created if missing."""
    import optuna
    from optuna.storages import journal

    with _quietly():
        storage = optuna.storages.JournalStorage(journal.JournalFileBackend(str(path)))
        return optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)


def distributions(space: Mapping[str, Range], whole: Sequence[str]) -> "dict[str, Any]":
    """Returns a space as Optuna's distributions; of listed values, the indices.

    Args:
      space: by dotted path.
      whole: fields that hold whole numbers.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, Any] = {}
    for path, range_ in space.items():
        if isinstance(range_, Choice):
            found[path] = CategoricalDistribution(range(len(range_.values)))
        elif path in whole:
            found[path] = IntDistribution(round(range_.low), round(range_.high), log=isinstance(range_, LogUniform))
        else:
            found[path] = FloatDistribution(range_.low, range_.high, log=isinstance(range_, LogUniform))
    return found


def settings(space: Mapping[str, Range], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of Optuna's parameters."""
    return {
        path: range_.values[parameters[path]] if isinstance(range_, Choice) else parameters[path]
        for path, range_ in space.items()
    }


def complete_trials(study: "optuna.Study", space: Mapping[str, Any]) -> "list[optuna.trial.FrozenTrial]":
    """Returns the trials with all parameters, in order. Interrupted trials lack some and are marked as failed."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    for trial in trials:
        if trial.state == TrialState.RUNNING and set(trial.params) != set(space):
            study.tell(trial.number, state=TrialState.FAIL)
    return [trial for trial in trials if set(trial.params) == set(space)]


def ask(study: "optuna.Study", sampler: Sampler, seed: int, space: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a new point of the sampler.

    Args:
      study: with the scores so far.
      sampler: of the search.
      seed: of this point.
      space: distributions by dotted path.
    """
    with _quietly():
        study.sampler = sampler(seed)
        return dict(study.ask(dict(space)).params)


def tell(study: "optuna.Study", trial: "optuna.trial.FrozenTrial", step: int, score: float, ending: str | None) -> None:
    """Tells Optuna the score of a point at a step, once; NaN if the point could not be trained.

    `ending` is "complete", "dropped", or None if the point is promoted.
    """
    import optuna
    from optuna.trial import TrialState

    if trial.state.is_finished():
        return
    if math.isnan(score):
        study.tell(trial.number, state=TrialState.FAIL)
        return
    if step not in trial.intermediate_values:
        study.sampler = optuna.samplers.RandomSampler(seed=0)  # a trial that is taken up again samples once more
        optuna.trial.Trial(study, trial._trial_id).report(score, step)
    if ending == "complete":
        study.tell(trial.number, score)
    elif ending == "dropped":
        study.tell(trial.number, state=TrialState.PRUNED)


def importance(
    space: Mapping[str, Any], points: Sequence[Mapping[str, Any]], scores: Sequence[float]
) -> dict[str, float]:
    """Returns the importance of each field for being in the best quarter of points; the sum is 1.

    PED-ANOVA (Watanabe et al. 2023). With fewer than eight points the result is empty.

    Args:
      space: distributions by dotted path.
      points: parameters of each.
      scores: of each, after the same number of steps.
    """
    if len(points) < _FEWEST or len(set(scores)) < 2:
        return {}
    import optuna

    with _quietly():
        study = optuna.create_study(direction="maximize")
        for parameters, score in zip(points, scores, strict=True):
            study.add_trial(optuna.trial.create_trial(params=dict(parameters), distributions=dict(space), value=score))
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25, evaluate_on_local=False)
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {path: float(shares.get(path, 0.0)) for path in space}


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Silences Optuna's warnings of experimental options, and its message about each new study."""
    import optuna

    logger = logging.getLogger("optuna")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.filterwarnings("ignore", "Target and region quantiles", UserWarning)  # ties: all are equally important
        try:
            logger.setLevel(logging.WARNING)
            yield
        finally:
            logger.setLevel(level)
