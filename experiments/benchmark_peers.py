"""Part of `benchmark.py`: other libraries as contenders, in an environment that has them (`benchmark_peers.txt`).

Each library trains with its own code and its own program; nothing of them is changed. Evaluation is left out. One
slice continues training, or, where the library cannot continue, trains anew for as many steps.
"""

import pathlib
from typing import Any

import benchmark_worker
from benchmark_worker import Slice


def purejaxql_pqn(game: str, steps: int) -> Slice:
    """PQN of purejaxql (`pqn_minatar.py`) with the settings of its own configuration files. Each slice trains anew."""
    import jax
    from omegaconf import OmegaConf
    from purejaxql import pqn_minatar

    folder = pathlib.Path(pqn_minatar.__file__).parent / "config"
    files = OmegaConf.load(folder / "config.yaml"), OmegaConf.load(folder / "alg" / "pqn_minatar.yaml")
    settings: Any = OmegaConf.to_container(OmegaConf.merge(*files))
    settings |= {"ENV_NAME": game, "TOTAL_TIMESTEPS": steps, "TEST_DURING_TRAINING": False}
    train = jax.jit(jax.vmap(pqn_minatar.make_train(settings)))
    keys = jax.random.split(jax.random.PRNGKey(0), 1)

    def work() -> float:
        jax.block_until_ready(train(keys))
        return steps

    return work


def rejax_dqn(game: str, steps: int, capacity: int) -> Slice:
    """DQN of rejax with a convolutional network, since rejax has none, and the settings of jaxdqn for MinAtar."""
    import jax
    import jax.numpy as jnp
    from flax import linen as nn
    from rejax import DQN
    from rejax.networks import EpsilonGreedyPolicy

    class Convolutional(nn.Module):
        action_dim: int

        @nn.compact
        def __call__(self, observation: Any) -> Any:
            x = nn.relu(nn.Conv(16, (3, 3), padding="VALID")(observation))
            x = nn.relu(nn.Dense(128)(x.reshape(len(x), -1)))
            return nn.Dense(self.action_dim)(x)

        def take(self, observation: Any, action: Any) -> Any:
            return jnp.take_along_axis(self(observation), action[:, None], axis=1).squeeze(1)

    def no_evaluation(*arguments: Any) -> tuple[()]:
        return ()

    agent = DQN.create(
        env=game,
        total_timesteps=steps,
        eval_freq=steps,
        skip_initial_evaluation=True,
        learning_rate=2.5e-4,
        num_envs=8,
        batch_size=32,
        buffer_size=capacity,
        fill_buffer=256,
        target_update_freq=1_000,
        polyak=0.0,
        ddqn=False,
    )
    network = EpsilonGreedyPolicy(Convolutional)(action_dim=agent.action_dim)
    agent = agent.replace(agent=network, eval_callback=no_evaluation)
    train = jax.jit(lambda state: agent.train(train_state=state)[0], donate_argnums=0)
    state = jax.jit(agent.init_state)(jax.random.PRNGKey(0))

    def work() -> float:
        nonlocal state
        state = jax.block_until_ready(train(state))
        return steps

    return work


def sbx_dqn(steps: int, **settings: Any) -> Slice:
    """DQN of sbx on Pong."""
    from sbx import DQN

    return _continued(DQN, steps, settings)


def stable_baselines3_dqn(steps: int, **settings: Any) -> Slice:
    """DQN of stable-baselines3 on Pong, in torch with one thread."""
    import torch
    from stable_baselines3 import DQN

    torch.set_num_threads(1)
    return _continued(DQN, steps, settings)


def _continued(algorithm: Any, steps: int, settings: dict[str, Any]) -> Slice:
    """Training of stable-baselines3's interface on Pong, in its own wrappers: four frames a step, stacks of four."""
    import ale_py
    import gymnasium
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import VecFrameStack

    gymnasium.register_envs(ale_py)
    unwrapped = {"frameskip": 1, "repeat_action_probability": 0.0}  # as SB3's wrappers expect it
    environment = VecFrameStack(make_atari_env("ALE/Pong-v5", env_kwargs=unwrapped), 4)
    agent = algorithm("CnnPolicy", environment, seed=0, **settings)

    def work() -> float:
        agent.learn(steps, reset_num_timesteps=False)
        return steps

    agent.learn(settings["learning_starts"])
    return work


CONTENDERS = {function.__name__: function for function in (purejaxql_pqn, rejax_dqn, sbx_dqn, stable_baselines3_dqn)}

if __name__ == "__main__":
    benchmark_worker.serve(CONTENDERS)
