"""The environments of a run on a host game: how they are made, reset, stepped and closed."""

import contextlib
import traceback
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.game_interfaces import HostGame
from jaxdqn.games.checked_environment import ACTION_MASK
from jaxdqn.spelling import counted
from jaxdqn.training.evaluate import Evaluation


class EnvironmentFailure(Exception):
    """An environment raised an error, which is the cause of this one."""

    def text(self) -> str:
        """Returns the environment's own traceback.

        For an environment in its own process, gymnasium raises the error without it, and holds it in a local variable.
        """
        for frame, _ in traceback.walk_tb(self.__cause__.__traceback__ if self.__cause__ else None):
            if frame.f_code.co_name == "_raise_if_errors" and "trace" in frame.f_locals:
                return str(frame.f_locals["trace"])
        return "".join(traceback.format_exception(self.__cause__))


class Stepped(NamedTuple):
    """The values that a step of all environments returns, in NumPy.

    Attributes:
      observation: `[E, *observation_shape]`, after the step.
      reward: float32 `[E]`.
      terminated: bool `[E]`.
      truncated: bool `[E]`.
      life_lost: bool `[E]`; None in a game without lives.
      legal: bool `[E, A]`, the legal actions after the step; None in a game without masks.
    """

    observation: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    life_lost: np.ndarray | None
    legal: np.ndarray | None


def make(game: HostGame, number: int, evaluation: Evaluation, asynchronous: bool) -> tuple[Any, Any]:
    """Returns the environments of training and of evaluation, which may be the same.

    Args:
      game: whose environments are made.
      number: of environments of training.
      evaluation: decides how many environments it needs.
      asynchronous: whether each environment has a process.

    Raises:
      EnvironmentFailure: an environment raised an error, or there are too many environments.
    """
    try:
        environments = game.make_vector(number, asynchronous=asynchronous)
        if evaluation.is_shared(number):
            return environments, environments
        return environments, _make_for_evaluation(game, number, evaluation, asynchronous, environments)
    except BaseException as error:  # also SystemExit
        raise EnvironmentFailure from error


def reset(environments: Any, seeds: list[int]) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns the first observations and masks of new episodes, one of each seed.

    Raises:
      EnvironmentFailure: an environment raised an error.
    """
    try:
        observation, info = environments.reset(seed=seeds)
    except BaseException as error:  # also SystemExit
        raise EnvironmentFailure from error
    return observation, info.get(ACTION_MASK)


def step(environments: Any, action: np.ndarray) -> Stepped:
    """Returns the values of a step of all environments with the actions `[E]`.

    Raises:
      EnvironmentFailure: an environment raised an error.
    """
    try:
        observation, reward, terminated, truncated, info = environments.step(action)
    except BaseException as error:  # also SystemExit
        raise EnvironmentFailure from error
    life_lost, legal = info.get("life_lost"), info.get(ACTION_MASK)
    return Stepped(observation, reward, terminated, truncated, life_lost, legal)


def close(*vectors: Any) -> None:
    """Closes environments; those that have failed may fail to close as well."""
    for environments in vectors:
        with contextlib.suppress(Exception):
            environments.close(timeout=5)  # s; a copy whose process has died never answers


def _make_for_evaluation(game: HostGame, number: int, evaluation: Evaluation, asynchronous: bool, training: Any) -> Any:
    """Returns the environments of evaluation; if there can be no more environments, those of training are closed."""
    try:
        return game.make_vector(evaluation.num_environments, asynchronous=asynchronous)
    except Exception as error:
        close(training)
        raise ValueError(
            f"evaluation needs {counted(evaluation.num_environments, 'environment')} beside the {number} of training "
            f"({str(error).rstrip('.')}): "
            "lower evaluation.environments, or set it and num_environments to 1 to have one environment in all"
        ) from error
