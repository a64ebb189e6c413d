"""The specification of a study: games x algorithms x a grid x seeds, and the cells that follow from it.

A study is checked when it is made, in Python, before anything is compiled.
"""

import dataclasses
import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jaxdqn import config_dicts, config_fields, games, plain_numbers
from jaxdqn.config import Config, part_code, part_versions
from jaxdqn.game_interfaces import AnyGame
from jaxdqn.store import schema, store
from jaxdqn.study import grids
from jaxdqn.study.grids import Grid
from jaxdqn.training import check_config, devices, sample_and_learn
from jaxdqn.training.evaluate import Evaluation


@dataclasses.dataclass(frozen=True)
class Study:
    """The specification of a study: one run for each game, algorithm, point of the grid and seed.

    Numbers may be NumPy's, and whole numbers may be floats such as 1e6: they become Python's whole numbers.

    Attributes:
      name: of the folder of its results: lower-case letters, digits, `_` and `-`.
      games: names from the table `jaxdqn.games.GAMES`, with a prefix of `jaxdqn.games.PREFIXES`, such as
        `gymnasium:LunarLander-v3`, or of a game of your own as `module:name`. Each becomes its canonical name.
      algorithms: a configuration for each arm, by the label it has in figures.
      seeds: one run each; all arms share them.
      more_seeds: seeds that single arms have in addition, by label.
      steps: budget of a run, in environment steps.
      evaluation: when and how runs are evaluated.
      grid: values for fields of every configuration by dotted path, e.g. `{"exploration.end": (0.01, 0.1)}`, of which
        all combinations are run; or a list of points, as the functions of `jaxdqn.study.grids` return.
      episodes_logged: number of first training episodes of which each run stores return, last reward and step.
      weights_of: the seeds whose last parameters are stored with their results, for `jaxdqn play`. A run that was
        stored without them stays so until it is removed.
      base_settings: name of the settings in `jaxdqn.settings` that the configurations were made from, for the records;
        None if they were not made from this table. It has no effect on runs and their identifiers.
    """

    name: str
    games: Sequence[str]
    algorithms: Mapping[str, Config]
    seeds: Sequence[int]
    steps: int
    evaluation: Evaluation
    grid: Grid = dataclasses.field(default_factory=dict)
    episodes_logged: int = 0
    weights_of: Sequence[int] = ()
    more_seeds: Mapping[str, Sequence[int]] = dataclasses.field(default_factory=dict)
    base_settings: str | None = None

    def __post_init__(self) -> None:
        for name, value in _normalised(self).items():
            object.__setattr__(self, name, value)
        _check(self)


class Cell(NamedTuple):
    """One run of a study.

    Attributes:
      id: identifier of its result, 16 hexadecimal digits, made from `determinants`.
      game: name.
      algorithm: label of the arm.
      settings: the point of the grid as plain values, by dotted path; parts by their fields.
      config: the arm's configuration at that point.
      seed: of everything random in the run.
      determinants: all that determines the result, and nothing else, as a record states it.
    """

    id: str
    game: str
    algorithm: str
    settings: dict[str, Any]
    config: Config
    seed: int
    determinants: dict[str, Any]


def cells(study: Study) -> tuple[Cell, ...]:
    """Returns every run of the study, game by game."""
    return tuple(_cells(study))


def by_identifier(study: Study) -> dict[str, Cell]:
    """Returns the cells of a study by identifier, in their order."""
    return {cell.id: cell for cell in _cells(study)}


@functools.cache
def game(name: str) -> AnyGame:
    """Returns the game with this name. It is made once, since every cell needs it."""
    return games.make(name)


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a point of the grid as plain values, parts by their fields.

    Raises:
      ValueError: naming the field whose value JSON cannot hold.
    """
    parts = {
        path: config_dicts.to_dict(value) if dataclasses.is_dataclass(value) else value
        for path, value in settings.items()
    }
    return dict(schema.json_value(parts))


def _cells(study: Study) -> Iterator[Cell]:
    arms = list(_arms(study))
    for name in study.games:
        for label, point, config in arms:
            settings = plain_settings(point)
            shared = _determinants(study, name, config)
            for seed in (*study.seeds, *study.more_seeds.get(label, ())):
                determinants = shared | {"seed": seed}
                id = store.identifier(schema.without_none(determinants))
                yield Cell(id, name, label, settings, config, seed, determinants)


def _determinants(study: Study, name: str, config: Config) -> dict[str, Any]:
    """Returns all that determines the results of an arm's runs on a game, but for their seeds."""
    of_game, of_parts = game(name), part_code(config)
    facts = {
        "game": {"name": name, "version": of_game.version} | schema.without_empty(of_game.code._asdict()),
        "configuration": config_dicts.to_dict(config),
        "seed": None,
        "steps": study.steps,
        "evaluation": schema.without_none(dataclasses.asdict(study.evaluation)),
        "episodes_logged": study.episodes_logged or None,
        "training_version": sample_and_learn.VERSION,
        "algorithm_version": config.algorithm.version,
        "part_versions": part_versions(config) or None,
    }
    outside = {
        "part_sources": of_parts.sources,
        "part_packages": of_parts.packages,
        "switches": devices.switches(),
    }
    return facts | schema.without_empty(outside)


def _arms(study: Study) -> Iterator[tuple[str, dict[str, Any], Config]]:
    """Yields every label with every point of the grid, and the configuration there."""
    for label, base in study.algorithms.items():
        for point in grids.points(study.grid):
            config, settings = base, {}
            for path, value in point.items():
                config = config_fields.replace_at(config, path, value)
                settings[path] = config_fields.paths(config)[path]
            yield label, settings, config


def _normalised(study: Study) -> dict[str, Any]:
    """Returns the fields that hold numbers, with each number in Python's form if it is one, and canonical names."""
    values: dict[str, Any] = {
        name: plain_numbers.as_whole(getattr(study, name)) for name in ("steps", "episodes_logged")
    }
    values |= {name: plain_numbers.as_whole_numbers(getattr(study, name)) for name in ("seeds", "weights_of")}
    if plain_numbers.is_list(study.games) and all(isinstance(name, str) for name in study.games):
        values["games"] = tuple(map(games.canonical, study.games))
    if isinstance(study.more_seeds, Mapping):
        more = {label: plain_numbers.as_whole_numbers(seeds) for label, seeds in study.more_seeds.items()}
        values["more_seeds"] = more
    if isinstance(study.algorithms, Mapping):
        values["algorithms"] = {
            label: config_fields.normalised(config) if isinstance(config, Config) else config
            for label, config in study.algorithms.items()
        }
    return values


def _check(study: Study) -> None:
    """Raises ValueError if the study cannot be run.

    Raises:
      ValueError: the message names the field, the value and what is allowed.
    """
    if not isinstance(study.name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", study.name):
        raise ValueError(f"name = {study.name!r} must consist of lower-case letters, digits, '_' and '-'.")
    _check_forms(study)
    for name in study.games:
        game(name)
    for label in study.more_seeds:
        if label not in study.algorithms:
            raise ValueError(f"more_seeds names {label!r}, which is no arm: arms are {', '.join(study.algorithms)}.")
        _refuse_repeats("seeds", (*study.seeds, *study.more_seeds[label]))
    for seed in itertools.chain(study.seeds, *study.more_seeds.values()):
        if type(seed) is not int or not 0 <= seed < 2**32:
            raise ValueError(f"seeds: {seed!r} must be a whole number of at least 0 and below 2^32.")
    for field, least in (("steps", 1), ("episodes_logged", 0)):
        if type(getattr(study, field)) is not int or getattr(study, field) < least:
            raise ValueError(f"{field} = {getattr(study, field)!r} must be a whole number of at least {least}.")
    for field in ("games", "seeds"):
        _refuse_repeats(field, getattr(study, field))
    trained = {*study.seeds, *itertools.chain(*study.more_seeds.values())}
    for seed in study.weights_of:
        if seed not in trained:
            raise ValueError(f"weights_of names {seed!r}, which is no seed of the study: its weights cannot be kept.")
    study.evaluation.check()
    devices.check_precision()
    _check_arms(study)
    schema.json_value(next(_cells(study)).determinants)  # a value that no record can hold must not be trained


def _check_forms(study: Study) -> None:
    """Raises ValueError if a field is no list, mapping or record as it is declared, with an example of one."""
    is_list = plain_numbers.is_list
    for field, is_fine, wanted in (
        ("games", is_list(study.games), f"a tuple of names, such as ({_example(study.games, str, 'catch')!r},)"),
        (
            "algorithms",
            isinstance(study.algorithms, Mapping),
            "a mapping from labels to configurations, such as {'DQN': dqn.CONFIG}",
        ),
        ("seeds", is_list(study.seeds), f"a list of whole numbers, such as range({_example(study.seeds, int, 5)})"),
        ("weights_of", is_list(study.weights_of), "a list of seeds, such as range(5), or () for none"),
        ("more_seeds", isinstance(study.more_seeds, Mapping), "a mapping from labels to seeds, such as {'DQN': (10,)}"),
        (
            "evaluation",
            isinstance(study.evaluation, Evaluation),
            "a jaxdqn.training.evaluate.Evaluation, such as Evaluation(every=1_000, episodes=20)",
        ),
    ):
        if not is_fine:
            raise ValueError(f"{field} = {getattr(study, field)!r:.80} must be {wanted}.")
    for label, seeds in study.more_seeds.items():
        if not is_list(seeds):
            raise ValueError(f"more_seeds[{label!r}] = {seeds!r} must be a list of whole numbers, such as (10, 11).")
    for field in ("games", "algorithms", "seeds"):
        if not len(getattr(study, field)):
            raise ValueError(f"{field} = {getattr(study, field)!r} must hold at least one entry.")


def _example(value: Any, kind: type, default: Any) -> Any:
    return value if type(value) is kind else default


def _check_arms(study: Study) -> None:
    seen: dict[str, str] = {}
    for label, base in study.algorithms.items():
        if not isinstance(label, str):
            raise ValueError(f"algorithms names {label!r}, which must be a string: it is a label in figures.")
        if not isinstance(base, Config):
            example = f"jaxdqn.algorithms.configuration_of({base!r})" if isinstance(base, str) else "dqn.CONFIG"
            raise ValueError(f"algorithms[{label!r}] = {base!r:.80} must be a jaxdqn.config.Config, such as {example}.")
    for label, settings, config in _arms(study):
        at = f"algorithms[{label!r}]" + (f" at {settings}" if settings else "")
        try:
            config_fields.check(config)
            plain_settings(settings)
            for name in study.games:
                check_config.check(config, game(name), study.evaluation, study.steps)
        except ValueError as error:
            raise ValueError(f"{at}: {error}") from None
        key = store.identifier(config_dicts.to_dict(config))
        if key in seen:
            raise ValueError(f"{at} is the same configuration as {seen[key]}; leave one of them out.")
        seen[key] = at


def _refuse_repeats(field: str, values: Sequence[Any]) -> None:
    for value in values:
        if list(values).count(value) > 1:
            raise ValueError(f"{field} names {value!r} more than once.")
