"""Steps for tests of replay, whose fields encode the time and the environment."""

import jax.numpy as jnp
import numpy as np

from jaxdqn.interfaces import Step


def coded_step(time, num_environments, dtype=np.float32, episode=5):
    """Returns a step whose observation, action and reward encode `time * 10 + environment`.

    Episodes have `episode` steps; they alternate between termination and truncation.
    """
    code = time * 10 + np.arange(num_environments)
    observation = np.stack([code, -code], axis=1).astype(dtype)
    ended = np.full(num_environments, time % episode == episode - 1)
    return Step(
        s_tm1=jnp.asarray(observation),
        a_tm1=jnp.asarray(code, jnp.int32),
        r_t=jnp.asarray(code, jnp.float32),
        terminated=jnp.asarray(ended & (time // episode % 2 == 0)),
        truncated=jnp.asarray(ended & (time // episode % 2 == 1)),
        s_t=jnp.asarray(np.stack([code + 10, -code - 10], axis=1).astype(dtype)),
    )
