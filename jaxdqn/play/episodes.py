"""Episodes of an agent, one moment after the other, for games in JAX and in Python alike.

A moment can be drawn until the next one is asked for. Who only wants the return draws none, and pays for none.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn import exploration
from jaxdqn.interfaces import Array, Game, HostGame, Key
from jaxdqn.play import rendering
from jaxdqn.play.agent import Agent

MOST_STEPS = 20_000  # of an episode of a game that has no limit


class Moment(NamedTuple):
    """An episode at its start or after a step.

    Attributes:
      steps: taken so far.
      total: the undiscounted return so far.
      ended: whether this is the last moment.
      draw: `() -> uint8 [height, width, 3]`, how the game looks now.
    """

    steps: int
    total: float
    ended: bool
    draw: Callable[[], np.ndarray]


class Player(NamedTuple):
    """An agent at play.

    Attributes:
      play: from the number of an episode to its moments; equal numbers give equal episodes.
      pace: steps a second at which the game is meant to be seen.
    """

    play: Callable[[int], Iterator[Moment]]
    pace: float


@contextlib.contextmanager
def player(agent: Agent, *, seed: int, epsilon: float, draws: bool) -> Iterator[Player]:
    """Gives the agent a seat at its game for the time of a `with` block.

    Args:
      agent: who plays.
      seed: of all chance: starts, game and random actions.
      epsilon: probability of a random action; 0 is greedy.
      draws: whether moments will be drawn.

    Raises:
      ValueError: if moments are to be drawn and the game cannot be.
    """
    rendering.need_no_display()
    if isinstance(agent.game, HostGame):
        env = agent.game.make_rendered() if draws else agent.game.make_vector(1)
        play = _playing_host(agent, env, is_vector=not draws, seed=seed, epsilon=epsilon)
        pace, close = float(env.metadata.get("render_fps", 30)), env.close
    else:
        canvas = rendering.canvas(agent.game) if draws else rendering.NO_CANVAS
        play = _playing(agent, agent.game, canvas.paint, seed=seed, epsilon=epsilon)
        pace, close = canvas.pace, canvas.close
    try:
        yield Player(play, pace)
    finally:
        close()


def _playing(
    agent: Agent, game: Game, paint: Callable[[Any], np.ndarray], *, seed: int, epsilon: float
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
            yield Moment(steps, total, ended, functools.partial(paint, state))
            if ended:
                return
            state, time_step, memory = advance(play_key, state, memory, jnp.int32(steps))
            steps, total = steps + 1, total + float(time_step.reward)
            ended = bool(time_step.terminated | time_step.truncated)

    return play


def _playing_host(
    agent: Agent, env: Any, *, is_vector: bool, seed: int, epsilon: float
) -> Callable[[int], Iterator[Moment]]:
    num_actions = agent.game.num_actions

    @jax.jit
    def greedy(observation: Array, memory: Any) -> tuple[Array, Any]:
        output, memory = agent.network.step(agent.parameters, observation, memory)
        return output.q_values.argmax(-1), memory

    def choose(observation: np.ndarray, memory: Any, chance: np.random.Generator) -> tuple[int, Any]:
        uniform, random_action = chance.random(), int(chance.integers(num_actions))  # drawn at any epsilon
        action, memory = greedy(observation, memory)
        return random_action if uniform < epsilon else int(action), memory

    def play(episode: int) -> Iterator[Moment]:
        chance = np.random.default_rng([seed, episode])
        start = int(chance.integers(2**31))
        observation = env.reset(seed=[start])[0][0] if is_vector else env.reset(seed=start)[0]
        memory, steps, total, ended = agent.network.memory, 0, 0.0, False
        while True:
            yield Moment(steps, total, ended, env.render)
            if ended:
                return
            action, memory = choose(observation, memory, chance)
            # An ended episode is never stepped, so that a vector of one is as the environment alone.
            answer = env.step(np.array([action]) if is_vector else action)[:4]
            observation, reward, terminated, truncated = (part[0] for part in answer) if is_vector else answer
            steps, total = steps + 1, total + float(reward)
            ended = bool(terminated or truncated) or (agent.game.max_steps is None and steps >= MOST_STEPS)

    return play
