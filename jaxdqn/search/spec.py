"""The specification of a search: a space of settings, tuning seeds that select settings, and test seeds.

A search is checked when it is made, before anything is compiled.
"""

import dataclasses
import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import jax

from jaxdqn import config_dicts, config_fields, games, plain_numbers
from jaxdqn.config import Config, part_code, part_versions
from jaxdqn.search import halving, samplers
from jaxdqn.search.samplers import Sampler
from jaxdqn.store import schema
from jaxdqn.study import grids, spec
from jaxdqn.study.grids import Choice, Range
from jaxdqn.study.spec import Study
from jaxdqn.training import devices
from jaxdqn.training.evaluate import Evaluation

DEFAULT, TUNED = "default", "tuned"  # the arms of the comparison on test seeds


@dataclasses.dataclass(frozen=True)
class Search:
    """The specification of a search for settings. Numbers may be NumPy's, and whole numbers floats such as 1e6.

    Attributes:
      name: of the folder of its results: lower-case letters, digits, `_` and `-`.
      game: one name, as in a study.
      config: the configuration that settings change, and with which the chosen settings are compared.
      space: the searched fields by dotted path, with a range of numbers or a list of values. Structure and parts must
        be lists. A part must precede its fields.
      tuning_seeds: every point has one run for each of them.
      test_seeds: of the runs that compare the chosen settings with the default; no other seeds are among them.
      steps: budget of a run, in environment steps.
      evaluation: when and how runs are evaluated.
      budget: environment steps of all tuning runs together, the final included.
      sampler: that chooses points: `samplers.tpe`, `samplers.random`, `samplers.cma_es`.
      rungs: environment steps after which poor points are dropped; with none, every point is trained to the end.
      share: of the points of a rung that are promoted.
      rule: selects these points: `halving.best`, `halving.best_or_undecided`.
      batch: points of a wave.
      final_seeds: every finalist has one run for each of them, and these runs alone select the winner. Empty: no final.
      finalists: number of points in the final, those with the highest means over tuning seeds.
      last: number of last evaluations whose mean is the score of a run; None averages all evaluations so far, which
        rewards fast learning and is less noisy.
      seed: of the sampler.
    """

    name: str
    game: str
    config: Config
    space: Mapping[str, Range]
    tuning_seeds: Sequence[int]
    test_seeds: Sequence[int]
    steps: int
    evaluation: Evaluation
    budget: int
    sampler: Sampler = samplers.tpe
    rungs: Sequence[int] = ()
    share: float = 1 / 3
    rule: halving.Rule = halving.best
    batch: int = 8
    final_seeds: Sequence[int] = ()
    finalists: int = 4
    last: int | None = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "budget", "batch", "finalists", "last", "seed"):
            object.__setattr__(self, name, plain_numbers.as_whole(getattr(self, name)))
        for name in ("tuning_seeds", "test_seeds", "final_seeds", "rungs"):
            object.__setattr__(self, name, plain_numbers.as_whole_numbers(getattr(self, name)))
        object.__setattr__(self, "game", games.canonical(self.game))
        _check(self)


def plan(search: Search) -> halving.Plan:
    """Returns the schedule of training."""
    ends = (*search.rungs, search.steps)
    num_seeds, num_final_seeds = len(search.tuning_seeds), len(search.final_seeds)
    return halving.Plan(ends, search.share, search.batch, num_seeds, search.rule, search.finalists, num_final_seeds)


def whole_numbers(search: Search) -> list[str]:
    """Returns the fields of the space that hold whole numbers in a range."""
    declared = config_fields.fields(search.config)
    ranges = [path for path, range_ in search.space.items() if not isinstance(range_, Choice)]
    return [path for path in ranges if declared[path].metadata["kind"] == "whole"]


def config_at(search: Search, settings: Mapping[str, Any]) -> Config:
    """Returns the configuration at a point."""
    config = search.config
    for path, value in settings.items():
        config = config_fields.replace_at(config, path, value)
    return config


def group(search: Search, settings: Mapping[str, Any]) -> Hashable:
    """Returns a key that is equal for points with one compiled program."""
    return jax.tree.structure(config_at(search, settings))


def tuning_study(search: Search, settings: Mapping[str, Any], rung: int = 0) -> Study:
    """Returns the runs of one point as a study; the final has its own seeds."""
    return Study(
        name=search.name,
        games=(search.game,),
        algorithms={DEFAULT: search.config},
        seeds=search.final_seeds if rung == plan(search).final else search.tuning_seeds,
        steps=search.steps,
        evaluation=search.evaluation,
        grid=[settings],
    )


def test_study(search: Search, settings: Mapping[str, Any]) -> Study:
    """Returns the study of a point and the default on the test seeds; one arm if they are equal."""
    tuned = config_at(search, settings)
    is_same = config_dicts.to_dict(tuned) == config_dicts.to_dict(search.config)
    return Study(
        name=search.name,
        games=(search.game,),
        algorithms={DEFAULT: search.config} | ({} if is_same else {TUNED: tuned}),
        seeds=search.test_seeds,
        steps=search.steps,
        evaluation=search.evaluation,
    )


def about(search: Search) -> dict[str, Any]:
    """Returns all that determines a search except its budget, as plain values."""
    versions: dict[str, int] = {}
    for settings in _corners(search):
        versions |= part_versions(config_at(search, settings))
    code = [part_code(config_at(search, settings)) for settings in _corners(search)]
    game = spec.game(search.game)
    return {
        "game": {"name": search.game, "version": game.version} | schema.without_empty(game.code._asdict()),
        "configuration": config_dicts.to_dict(search.config),
        "space": {path: _plain(range_) for path, range_ in search.space.items()},
        "tuning_seeds": list(search.tuning_seeds),
        "steps": search.steps,
        "evaluation": schema.without_none(dataclasses.asdict(search.evaluation)),
        "sampler": search.sampler.__name__,
        "rungs": list(search.rungs),
        "share": search.share,
        "rule": search.rule.__name__,
        "batch": search.batch,
        "final_seeds": list(search.final_seeds),
        "finalists": search.finalists,
        "last": search.last,
        "seed": search.seed,
    } | schema.without_empty(
        {
            "part_versions": versions,
            "part_sources": {module: digest for one in code for module, digest in one.sources.items()},
            "part_packages": {package: version for one in code for package, version in one.packages.items()},
            "switches": devices.switches(),
        }
    )


def _plain(range_: Range) -> dict[str, Any]:
    if isinstance(range_, Choice):
        listed = {str(i): value for i, value in enumerate(range_.values)}
        return {"type": "Choice", "values": list(spec.plain_settings(listed).values())}
    return {"type": type(range_).__name__, "low": range_.low, "high": range_.high}


def _check(search: Search) -> None:
    """Raises ValueError if the search cannot be run.

    Raises:
      ValueError: the message names the field, the value and what is allowed.
    """
    for name in ("tuning_seeds", "final_seeds", "test_seeds", "rungs"):
        if not plain_numbers.is_list(getattr(search, name)):
            raise ValueError(f"{name} = {getattr(search, name)!r} must be a list of whole numbers, such as range(4).")
    for one, other in itertools.combinations(("tuning_seeds", "final_seeds", "test_seeds"), 2):
        both = sorted(set(getattr(search, one)) & set(getattr(search, other)))
        if both:
            raise ValueError(
                f"Seeds {both} are among {one} and {other}: the test needs seeds that the search did not use."
            )
    if not search.space:
        raise ValueError("space is empty: name at least one field and its range.")
    _check_ranges(search)
    for settings in _corners(search):
        tuning_study(search, settings)
    test_study(search, {})
    _check_halving(search)
    if type(search.finalists) is not int or search.finalists < 1:
        raise ValueError(f"finalists = {search.finalists!r} must be a whole number of at least 1.")
    if search.final_seeds:
        tuning_study(search, {}, plan(search).final)
    final = halving.cost_of_final(plan(search))
    least = len(search.tuning_seeds) * search.steps + final
    if type(search.budget) is not int or search.budget < least:
        raise ValueError(
            f"budget = {search.budget!r} must be a whole number of at least {least:_} environment steps, for one point "
            f"with {len(search.tuning_seeds)} seeds" + (f" and {final:_} of the final." if final else ".")
        )


def _check_ranges(search: Search) -> None:
    declared = config_fields.fields(search.config)
    for path, range_ in search.space.items():
        if isinstance(range_, Choice):
            continue  # its values are checked at the corners
        if path not in declared:
            config_fields.replace_at(search.config, path, None)  # the error suggests similar fields
        kind = declared[path].metadata["kind"]
        if kind not in ("number", "whole"):
            what = "structure" if kind == "static" else "a part"
            raise ValueError(f"space[{path!r}] = {range_} is a range over {what}: list its values with Choice.")
        if kind == "whole" and (round(range_.low), round(range_.high)) != (range_.low, range_.high):
            raise ValueError(f"space[{path!r}] = {range_} must be between whole numbers.")


def _corners(search: Search) -> Iterator[grids.Point]:
    """Yields points that together have every bound, and every combination of listed values."""
    listed = {path: range_.values for path, range_ in search.space.items() if isinstance(range_, Choice)}
    bounds = {path: range_ for path, range_ in search.space.items() if not isinstance(range_, Choice)}
    for values in itertools.product(*listed.values()):
        for side in ("low", "high"):
            ends = {path: getattr(range_, side) for path, range_ in bounds.items()}
            whole = {path: int(end) if path in whole_numbers(search) else end for path, end in ends.items()}
            point = dict(zip(listed, values, strict=True)) | whole
            yield {path: point[path] for path in search.space}
            if not bounds:
                break


def _check_halving(search: Search) -> None:
    every, ends = search.evaluation.every, plan(search).ends
    if any(type(end) is not int or end < 1 or end % every for end in ends) or list(ends) != sorted(set(ends)):
        raise ValueError(
            f"rungs = {tuple(search.rungs)} must be multiples of {every:_} that grow, below {search.steps:_}."
        )
    if not 0.0 < search.share < 1.0:
        raise ValueError(f"share = {search.share!r} is out of range: it lies between 0 and 1, such as 1/3.")
    if type(search.batch) is not int or search.batch < 1:
        raise ValueError(f"batch = {search.batch!r} must be a whole number of at least 1.")
    most = ends[0] // every
    if search.last is not None and (type(search.last) is not int or not 1 <= search.last <= most):
        raise ValueError(
            f"last = {search.last!r} must be None or a whole number of at least 1 and at most {most}, the evaluations "
            "until the first rung."
        )
    if type(search.seed) is not int or not 0 <= search.seed < 2**31:
        raise ValueError(f"seed = {search.seed!r} must be a whole number of at least 0 and below 2^31.")
    schema.json_value(about(search))
