"""Evaluation on a host game: whole episodes of a fixed policy."""

import jax
import numpy as np

from jaxdqn.action_masks import legal_or_random, with_mask
from jaxdqn.training import host_environments
from jaxdqn.training.acting import initial_memory
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.host_programs import Programs
from jaxdqn.training.host_state import HostRun

LONGEST_EVALUATION = 27_000  # steps after which an episode that will not end is cut; Atari's half hour


def evaluate(host: HostRun, programs: Programs, evaluation: Evaluation) -> np.ndarray:
    """Returns the undiscounted returns of whole episodes, float64 `[evaluation.episodes]`.

    As many episodes as there are environments run side by side until the last one ends; an ended episode earns nothing
    more. Then come the next ones. The random numbers of an episode do not depend on the number of environments.
    """
    key = jax.random.fold_in(host.state.evaluation_key, host.state.step)
    policy_seed, *seeds = np.asarray(jax.random.bits(key, (evaluation.episodes + 1,))).tolist()
    returns = np.zeros(evaluation.episodes)
    for first in range(0, evaluation.episodes, evaluation.num_environments):
        # Environments without an episode of their own play the last one, too.
        rows = np.minimum(np.arange(first, first + evaluation.num_environments), evaluation.episodes - 1)
        returns[rows] = _play(host, programs, evaluation, policy_seed, seeds, rows)
    return returns


def _play(
    host: HostRun, programs: Programs, evaluation: Evaluation, policy_seed: int, seeds: list[int], rows: np.ndarray
) -> np.ndarray:
    """Returns the returns of the episodes with the numbers `rows`, float64 `[len(rows)]`.

    The network sees a row for each episode of the evaluation, so that it is compiled once and computes the same bits.
    """
    environments, parameters = host.evaluation_environments, host.state.learner.parameters
    number, generator = evaluation.episodes, np.random.default_rng(policy_seed)
    returns, ended = np.zeros(len(rows)), np.zeros(len(rows), bool)
    memory = initial_memory(host.parts.learner.network, number)
    observation, mask = host_environments.reset(environments, [seeds[row] for row in rows])
    shown = np.zeros((number, *observation.shape[1:]), observation.dtype)
    legal = None if mask is None else np.ones((number, mask.shape[-1]), bool)
    for _ in range(LONGEST_EVALUATION):
        shown[rows] = observation
        if legal is not None:
            legal[rows] = mask
        values, memory = programs.values(host.parts.config, parameters, with_mask(shown, legal), memory)
        q_values = np.asarray(values)
        random_action = generator.integers(q_values.shape[-1], size=number)
        action = np.where(generator.random(number) < evaluation.epsilon, random_action, q_values.argmax(-1))
        if legal is not None:
            action = np.asarray(legal_or_random(action, legal, generator.random(legal.shape, np.float32)))
        observation, reward, terminated, truncated, _, mask = host_environments.step(environments, action[rows])
        returns += np.where(ended, 0.0, reward)
        ended |= terminated | truncated
        if ended.all():
            break
    return returns
