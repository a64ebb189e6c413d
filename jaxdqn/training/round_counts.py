"""Counts that fit each other: an evaluation period for any number of steps, and counts rounded up to multiples.

`check_config` refuses counts that are no multiples. The command line rounds them up instead, and says so.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxdqn import config_fields
from jaxdqn.config import Config
from jaxdqn.spelling import counted
from jaxdqn.training.evaluate import Evaluation

FEWEST_POINTS, MOST_POINTS = 20, 40  # of a learning curve whose period is derived


class Change(NamedTuple):
    """A count that was rounded up: its field, the given value, the value instead, and the reason."""

    field: str
    given: int
    value: int
    reason: str


class Fitted(NamedTuple):
    """Counts that fit each other, and the changes that were needed."""

    configs: tuple[Config, ...]
    steps: int
    evaluation: Evaluation
    changes: tuple[Change, ...]


def fitted(
    configs: Sequence[Config], steps: int, evaluation: Evaluation, *, derive_period: bool, unit: int = 1
) -> Fitted:
    """Returns configurations, steps and evaluation whose counts are multiples where they must be.

    Args:
      configs: of the arms, which share steps and evaluation.
      steps: budget of a run, in environment steps.
      evaluation: when and how runs are evaluated.
      derive_period: whether `evaluation.every` may become another period. It stays if it gives 20 to 40 evaluations.
      unit: a number that divides the period, besides `train_every` of the configurations.
    """
    changes: dict[Change, None] = {}
    configs = tuple(_fitted_config(config, changes) for config in configs)
    unit = math.lcm(unit, *(config.train_every for config in configs)) or 1  # `check_config` refuses 0
    every = evaluation.every
    if derive_period and not _fits(steps, every, unit):
        every = period(steps, unit)
        reason = f"for {counted(math.ceil(steps / every), 'evaluation')}"
        changes[Change("evaluation.every", evaluation.every, every, reason)] = None
    else:
        every = rounded("evaluation.every", every, unit, "train_every", changes)
    steps = rounded("steps", steps, every, "evaluation.every", changes)
    return Fitted(configs, steps, dataclasses.replace(evaluation, every=every), tuple(changes))


def period(steps: int, unit: int) -> int:
    """Returns an evaluation period, a multiple of a unit: of those with 20 to 40 evaluations the one that divides best.

    With fewer than 20 units, the period is the unit.
    """
    periods = [math.ceil(steps / (number * unit)) * unit for number in range(FEWEST_POINTS, MOST_POINTS + 1)]
    enough = [every for every in periods if every > 0 and math.ceil(steps / every) >= FEWEST_POINTS]
    return min(enough or [unit], key=lambda every: -steps % every)  # the steps by which a multiple exceeds the budget


def _fits(steps: int, every: int, unit: int) -> bool:
    return steps % every == 0 and every % unit == 0 and FEWEST_POINTS <= steps // every <= MOST_POINTS


def _fitted_config(config: Config, changes: dict[Change, None]) -> Config:
    parts = (config.replay, config.algorithm, config.exploration)
    one_training = any(part.requires.one_training for part in parts)
    given = config.train_every
    unit = math.lcm(config.num_environments, config.num_minibatches) if one_training else config.num_environments
    name = "num_environments and num_minibatches" if unit != config.num_environments else "num_environments"
    train_every = rounded("train_every", given, unit, name, changes)
    config = dataclasses.replace(config, train_every=train_every)
    for path, unit_name in (
        ("learning_starts", "train_every"),
        ("batch_size", "num_minibatches"),
        ("replay.capacity", "num_environments"),
    ):
        value = config_fields.paths(config)[path]
        if one_training and value == given and path != "learning_starts":
            value = train_every  # these algorithms learn from all steps of one training at once
        value = rounded(path, value, getattr(config, unit_name), unit_name, changes)
        config = config_fields.replace_at(config, path, value)
    return config


def rounded(field: str, value: int, unit: int, unit_name: str, changes: dict[Change, None]) -> int:
    """Returns the value rounded up to a multiple of a unit, and adds the change if there is one."""
    multiple = math.ceil(value / unit) * unit if min(value, unit) > 0 else value  # `check_config` refuses the others
    if multiple != value:
        changes[Change(field, value, multiple, f"a multiple of {unit_name} {unit:_}")] = None
    return multiple
