"""Evaluation on a host game: whole episodes of a fixed policy, in environments of their own."""

import jax
import numpy as np

from jaxdqn.training.acting import initial_memory
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.host_programs import Programs
from jaxdqn.training.host_state import EnvironmentFailure, HostRun

LONGEST_EVALUATION = 27_000  # steps after which an episode that will not end is cut; Atari's half hour


def evaluate(host: HostRun, programs: Programs, evaluation: Evaluation) -> np.ndarray:
    """Returns the undiscounted returns of whole episodes, float64 `[evaluation.episodes]`.

    All episodes run side by side until the last one ends; an ended episode earns nothing more.
    """
    environments, parameters = host.evaluation_environments, host.state.learner.parameters
    key = jax.random.fold_in(host.state.evaluation_key, host.state.step)
    number = evaluation.episodes
    policy_seed, *seeds = np.asarray(jax.random.bits(key, (number + 1,))).tolist()
    generator = np.random.default_rng(policy_seed)
    returns, ended = np.zeros(number), np.zeros(number, bool)
    memory = initial_memory(host.parts.learner.network, number)
    try:
        observation, _ = environments.reset(seed=seeds)
    except BaseException as error:  # also SystemExit
        raise EnvironmentFailure from error
    for _ in range(LONGEST_EVALUATION):
        values, memory = programs.values(host.parts.config, parameters, observation, memory)
        q_values = np.asarray(values)
        random_action = generator.integers(q_values.shape[-1], size=number)
        action = np.where(generator.random(number) < evaluation.epsilon, random_action, q_values.argmax(-1))
        try:
            observation, reward, terminated, truncated, _ = environments.step(action)
        except BaseException as error:  # also SystemExit
            raise EnvironmentFailure from error
        returns += np.where(ended, 0.0, reward)
        ended |= terminated | truncated
        if ended.all():
            break
    return returns
