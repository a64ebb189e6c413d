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
from jaxdqn.action_masks import legal_or_random, with_mask
from jaxdqn.game_interfaces import Game, HostGame
from jaxdqn.games.checked_environment import ACTION_MASK
from jaxdqn.games.environment_errors import one_sentence
from jaxdqn.interfaces import Array, Key, MaskedObservation, Observation
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
        legal = None if game.legal_actions is None else game.legal_actions(state)
        keys = jax.random.split(jax.random.fold_in(play_key, steps), 3 if legal is None else 4)
        uniform_key, action_key, game_key, *replacement_key = keys
        output, memory = agent.network.step(agent.parameters, with_mask(game.observe(state), legal), memory)
        random_action = jax.random.randint(action_key, (), 0, game.num_actions)
        action = exploration.epsilon_greedy(output.q_values, epsilon, jax.random.uniform(uniform_key), random_action)
        if legal is not None:
            action = legal_or_random(action, legal, jax.random.uniform(replacement_key[0], legal.shape))
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
    def greedy(observation: Observation, memory: Any) -> tuple[Array, Any]:
        output, memory = agent.network.step(agent.parameters, observation, memory)
        return output.q_values.argmax(-1), memory

    def choose(observation: Any, memory: Any, generator: np.random.Generator) -> tuple[int, Any]:
        uniform, random_action = generator.random(), int(generator.integers(num_actions))  # used up at any epsilon
        greedy_action, memory = greedy(observation, memory)
        action = random_action if uniform < epsilon else int(greedy_action)
        if isinstance(observation, MaskedObservation):
            replacement = generator.random(num_actions, np.float32)
            action = int(legal_or_random(np.int32(action), observation.legal, replacement))
        return action, memory

    def of_one(part: Any) -> Any:
        return part[0] if is_vector else part

    def seen(observation: Any, info: dict[str, Any]) -> Any:
        return with_mask(of_one(observation), of_one(info[ACTION_MASK]) if ACTION_MASK in info else None)

    def play(episode: int) -> Iterator[Moment]:
        generator = np.random.default_rng([seed, episode])
        start_seed = int(generator.integers(2**31))
        with one_sentence(f"{name} cannot be reset"):
            observation = seen(*env.reset(seed=[start_seed] if is_vector else start_seed))
        memory, steps, total, ended = agent.network.memory, 0, 0.0, False
        while True:
            yield Moment(steps, total, ended, functools.partial(_rendered, env, name))
            if ended:
                return
            action, memory = choose(observation, memory, generator)
            # An ended episode is never stepped, so a vector of one copy equals the environment alone.
            with one_sentence(f"{name} raised an error at step {steps + 1:,}"):
                following, *result, info = env.step(np.array([action]) if is_vector else action)
            observation, (reward, terminated, truncated) = seen(following, info), map(of_one, result)
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
