"""Plays episodes of an agent one step at a time, for games in JAX and in Python.

Frames are rendered only on request: a caller that needs the return only does not pay for rendering.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn import exploration
from jaxdqn.game_interfaces import Game, HostGame
from jaxdqn.games.environment_errors import one_sentence
from jaxdqn.interfaces import Array, Key
from jaxdqn.play import rendering
from jaxdqn.play.agent import Agent

MOST_STEPS = 20_000  # limit of an episode in a game without a time limit


class Moment(NamedTuple):
    """The state of an episode at its start or after a step.

    Attributes:
      steps: number of steps so far.
      total: undiscounted return so far.
      ended: whether the episode has ended.
      render: `() -> uint8 [height, width, 3]`, the current frame; call it before the next step.
    """

    steps: int
    total: float
    ended: bool
    render: Callable[[], np.ndarray]


class Player(NamedTuple):
    """Plays episodes of an agent.

    Attributes:
      play: from the number of an episode to its moments; equal numbers give equal episodes.
      pace: normal speed of the game in steps per second.
    """

    play: Callable[[int], Iterator[Moment]]
    pace: float


@contextlib.contextmanager
def player(agent: Agent, *, seed: int, epsilon: float, rendered: bool) -> Iterator[Player]:
    """Makes a player of an agent's game, and closes the game at the end of the `with` block.

    Args:
      agent: the agent that plays.
      seed: of all random numbers: starts, game and random actions.
      epsilon: probability of a random action, in [0, 1]; 0 is greedy.
      rendered: whether moments can be rendered.

    Raises:
      ValueError: `rendered` is True and the game cannot be rendered; or, also during an episode, an environment raised
        an error. The message is one sentence.
    """
    close: Callable[[], None]
    rendering.disable_display()
    if isinstance(agent.game, HostGame):
        env = agent.game.make_rendered() if rendered else agent.game.make_vector(1)
        play = _play_host(agent, env, is_vector=not rendered, seed=seed, epsilon=epsilon)
        pace, close = float(env.metadata.get("render_fps") or 30), functools.partial(_close, env, agent.game.name)
    else:
        renderer = rendering.make(agent.game) if rendered else rendering.NO_RENDERER
        play = _play_jax(agent, agent.game, renderer.render, seed=seed, epsilon=epsilon)
        pace, close = renderer.pace, renderer.close
    try:
        yield Player(play, pace)
    finally:
        close()


def _play_jax(
    agent: Agent, game: Game, render: Callable[[Any], np.ndarray], *, seed: int, epsilon: float
) -> Callable[[int], Iterator[Moment]]:
    @jax.jit
    def start(episode: Array) -> tuple[Any, Key]:
        reset_key, play_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), episode))
        return game.reset(reset_key), play_key

    @jax.jit
    def advance(play_key: Key, state: Any, memory: Any, steps: Array) -> Any:
        uniform_key, action_key, game_key = jax.random.split(jax.random.fold_in(play_key, steps), 3)
        output, memory = agent.network.step(agent.parameters, game.observe(state), memory)
        random_action = jax.random.randint(action_key, (), 0, game.num_actions)
        action = exploration.epsilon_greedy(output.q_values, epsilon, jax.random.uniform(uniform_key), random_action)
        return *game.step(game_key, state, action), memory

    def play(episode: int) -> Iterator[Moment]:
        state, play_key = start(jnp.int32(episode))
        memory, steps, total, ended = agent.network.memory, 0, 0.0, False
        while True:
            yield Moment(steps, total, ended, functools.partial(render, state))
            if ended:
                return
            state, time_step, memory = advance(play_key, state, memory, jnp.int32(steps))
            steps, total = steps + 1, total + float(time_step.reward)
            ended = bool(time_step.terminated | time_step.truncated)

    return play


def _play_host(
    agent: Agent, env: Any, *, is_vector: bool, seed: int, epsilon: float
) -> Callable[[int], Iterator[Moment]]:
    name, num_actions = agent.game.name, agent.game.num_actions

    @jax.jit
    def greedy(observation: Array, memory: Any) -> tuple[Array, Any]:
        output, memory = agent.network.step(agent.parameters, observation, memory)
        return output.q_values.argmax(-1), memory

    def choose(observation: np.ndarray, memory: Any, generator: np.random.Generator) -> tuple[int, Any]:
        uniform, random_action = generator.random(), int(generator.integers(num_actions))  # used up at any epsilon
        action, memory = greedy(observation, memory)
        return random_action if uniform < epsilon else int(action), memory

    def play(episode: int) -> Iterator[Moment]:
        generator = np.random.default_rng([seed, episode])
        start_seed = int(generator.integers(2**31))
        with one_sentence(f"{name} cannot be reset"):
            observation = env.reset(seed=[start_seed])[0][0] if is_vector else env.reset(seed=start_seed)[0]
        memory, steps, total, ended = agent.network.memory, 0, 0.0, False
        while True:
            yield Moment(steps, total, ended, functools.partial(_rendered, env, name))
            if ended:
                return
            action, memory = choose(observation, memory, generator)
            # An ended episode is never stepped, so a vector of one copy equals the environment alone.
            with one_sentence(f"{name} raised an error at step {steps + 1:,}"):
                result = env.step(np.array([action]) if is_vector else action)[:4]
            observation, reward, terminated, truncated = (part[0] for part in result) if is_vector else result
            steps, total = steps + 1, total + float(reward)
            ended = bool(terminated or truncated) or (agent.game.max_steps is None and steps >= MOST_STEPS)

    return play


def _rendered(env: Any, name: str) -> np.ndarray:
    with one_sentence(f"{name} cannot be drawn"):
        picture: np.ndarray = env.render()
        return picture


def _close(env: Any, name: str) -> None:
    with one_sentence(f"{name} cannot be closed"):
        env.close()
