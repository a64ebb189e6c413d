"""Boards are rendered as their games define, and classic-control games as gymnasium renders them."""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.games import acrobot, cartpole, catch, mountain_car
from jaxdqn.play import rendering

CASES = {
    "cartpole": ("CartPole-v1", lambda physical: cartpole.CartPoleState(*physical, time=7)),
    "mountain_car": ("MountainCar-v0", lambda physical: mountain_car.MountainCarState(*physical, time=7)),
    "acrobot": ("Acrobot-v1", lambda physical: acrobot.AcrobotState(acrobot.Motion(*physical), time=7)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_frame_equals_gymnasiums_in_the_same_state(name):
    environment, state = CASES[name]
    rendering.disable_display()
    env = gymnasium.make(environment, render_mode="rgb_array")
    env.reset(seed=3)
    renderer = rendering.make(games.make(name))
    frames, terminated = [], False
    while len(frames) < 40 and not terminated:
        terminated = env.step((len(frames) // 5) % 2 * (env.action_space.n - 1))[2]
        physical = np.array(env.unwrapped.state, np.float32)  # rounded to the float32 of the game's state
        env.unwrapped.state = physical.astype(np.float64)
        frames.append(env.render())
        np.testing.assert_array_equal(renderer.render(state(physical)), frames[-1], strict=True)
    assert renderer.pace == env.metadata["render_fps"]
    assert len({frame.tobytes() for frame in frames}) > 10
    renderer.close()
    env.close()


def test_catch_is_rendered_in_the_colours_of_its_source():
    state = catch.CatchState(ball_row=0, ball_column=2, paddle_column=3)
    image = games.make("catch").render_board(state)
    assert (image.shape, image.dtype) == ((10, 10, 3), np.uint8)
    is_full = np.zeros((10, 10), bool)
    is_full[0, 2] = is_full[9, 2:5] = True
    assert {tuple(colour) for colour in np.asarray(image)[is_full].tolist()} == {(38, 38, 38)}
    assert {tuple(colour) for colour in np.asarray(image)[~is_full].tolist()} == {(255, 255, 175)}


@pytest.mark.parametrize(
    "name", [name for name in games.GAMES if games.make(name).render_board or games.make(name).gymnasium_rendering]
)
def test_renderer_takes_the_states_of_the_game(name):
    game = games.make(name)
    renderer = rendering.make(game)
    start = game.reset(jax.random.key(0))
    frame = renderer.render(start)
    if not np.ptp(frame, axis=(0, 1)).any():  # an empty board has one colour
        frame = renderer.render(game.step(jax.random.key(1), start, jnp.int32(0))[0])
    renderer.close()
    assert frame.dtype == np.uint8
    assert frame.shape[2:] == (3,)
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 1
