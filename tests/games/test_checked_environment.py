"""What an environment returns is checked, and whatever it raises is one sentence."""

import fractions
import pickle

import numpy as np
import pytest
from gymnasium import spaces

from jaxdqn import games
from jaxdqn.games import environment_values, environment_vectors
from jaxdqn.games.checked_environment import Checked
from tests.helpers import faulty_games
from tests.helpers.faulty_games import Sound, changed, late

FLOATS = spaces.Box(-1, 1, (2,), np.float32)


def steps_of(environment, number=12, actions=(0, 1)):
    """Returns the steps of two copies."""
    vector = environment_vectors.make("game", environment, 2)
    vector.reset(seed=[1, 2])
    return [vector.step(np.array(actions)) for _ in range(number)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": late(float("nan"), Sound.reward)}, "reward nan at step 5 of copy 1 of 2: it must be a finite"),
        ({"reward": lambda self, action: -np.inf if action else 0.0}, "reward -inf at step 1 of copy 2 of 2"),
        ({"reward": lambda self, action: 3.5e38}, r"reward 3.5e\+38 at step 1 .* finite number \(float32\)"),
        ({"reward": late(None, Sound.reward)}, "reward None at step 5 of copy 1"),
        ({"reward": late("1", Sound.reward)}, "reward '1' at step 5"),
        ({"reward": late(1j, Sound.reward)}, "reward 1j at step 5"),
        ({"reward": late(np.ones(1), Sound.reward)}, r"reward an array of shape \(1,\) and type float64 at step 5"),
        ({"flags": late((None, False), Sound.flags)}, "terminated = None at step 5 of copy 1 of 2: it must be True"),
        ({"flags": late((False, "no"), Sound.flags)}, "truncated = 'no' at step 5"),
        ({"flags": late((2, False), Sound.flags)}, "terminated = 2 at step 5"),
        ({"observation": late(np.array([0, np.nan]), Sound.observation)}, "observation with nan at step 5 of copy 1"),
        ({"observation": late(np.array([1e39, 0.0]), Sound.observation)}, r"observation with inf .*\(float32\)"),
        ({"observation": late(np.zeros(3), Sound.observation)}, r"shape \(3,\): its space has the shape \(2,\) at ste"),
        ({"observation": late(0.5, Sound.observation)}, r"observation 0.5: its space has the shape \(2,\) at step 5"),
        ({"observation": late(None, Sound.observation)}, "observation None: its space has the shape"),
        ({"observation": late([[0.0], [0.0, 1.0]], Sound.observation)}, "observation 2 values: its space"),
        ({"observation": late(["a", "b"], Sound.observation)}, "observation of type <U1: its space has the type float"),
        ({"observation": late([2**24 + 1, 0], Sound.observation)}, "of type int64 has values that its space"),
        (faulty_games.OldStep, "step returned 4 values: it must return observation, reward, terminate"),
        ({"step": lambda self, action: None}, "step returned None"),
        ({"step": lambda self, action: faulty_games.leave(self)}, r"the environment called sys.exit\(0?\)"),
        (
            {"info": late({"action_mask": [1, 0]}, Sound.info)},
            r'info\["action_mask"\] at step 5 of copy 1 of 2: the fi',
        ),
        (faulty_games.BareReset, r"reset returned an array of shape \(2,\) .* observation, info"),
        ({"reset": lambda self, **kwargs: faulty_games.leave(self)}, r"the environment called sys.exit\(0?\)"),
    ],
)
def test_a_value_that_cannot_be_used_is_an_error_that_names_value_step_and_copy(change, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        steps_of(change if isinstance(change, type) else changed(**change))


def test_an_error_that_another_process_cannot_read_is_sent_as_one_that_it_can():
    def fail(self, action):
        raise faulty_games.Unreadable(3, "link is down:")

    environment = environment_vectors.Transferable(changed(step=fail)())
    environment.reset(seed=0)
    with pytest.raises(RuntimeError, match=r"^Unreadable: link is down: 3$") as error:
        environment.step(0)
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)
    with (  # this one can be read
        pytest.raises(ConnectionResetError, match="the simulator went away"),
        environment_vectors._transferable(),
    ):
        raise ConnectionResetError("the simulator went away")


def test_the_end_of_the_process_of_a_copy_is_an_error_that_names_the_copy():
    vector = environment_vectors.make("game", faulty_games.EndsItsProcess, 2, asynchronous=True)
    vector.reset(seed=[1, 2])
    with pytest.raises(RuntimeError, match="the process of copy 2 of 2 ended with status 3"):
        vector.step(np.array([0, 1]))
    vector.close()


def test_the_first_observation_of_an_episode_is_checked_too():
    vector = environment_vectors.make("game", changed(observation=lambda self: np.array([np.inf, 0])), 2)
    with pytest.raises(ValueError, match="observation with inf at step 0 of copy 1 of 2"):
        vector.reset(seed=[1, 2])


@pytest.mark.parametrize(
    "info",
    [
        lambda self: None,
        lambda self: {"legal": np.arange(1 + int(self.np_random.integers(5)))},
        lambda self: {"note": 1 if self.np_random.random() < 0.5 else "text"},
        lambda self: {"note": {"a": 1} if self.np_random.random() < 0.5 else 3.0},
        lambda self: {"id": 2**70, "_x": 1, "x": 2},
        lambda self: {"final_info": {"a": 1}, "final_observation": np.zeros(2), "episode": {"r": 1.0}},
    ],
)
def test_info_is_ignored(info):
    copy = Checked(changed(info=info)())  # also what a copy in a process of its own sends
    assert copy.reset(seed=1)[1] == {}
    assert [copy.step(0)[4] for _ in range(9)] == [{}] * 9
    assert [result[4] for result in steps_of(changed(info=info))] == [{}] * 12


def test_of_info_only_the_flag_of_lost_lives_is_kept_for_the_copies_that_return_it():
    with_lives = changed(info=lambda self: {"life_lost": self.time == 2, "x": 1} if self.np_random.random() else {})
    found = [result[4] for result in steps_of(with_lives, number=3)]
    assert [list(info) for info in found] == [["life_lost"]] * 3
    assert [info["life_lost"].tolist() for info in found] == [[False, False], [True, True], [False, False]]
    sometimes = changed(info=lambda self: {"life_lost": True} if self.np_random.random() < 0.5 else {})
    flags = [result[4].get("life_lost", np.zeros(2, bool)).tolist() for result in steps_of(sometimes, number=40)]
    assert {tuple(pair) for pair in flags} == {(False, False), (False, True), (True, False), (True, True)}


@pytest.mark.parametrize(
    ("change", "observation", "reward"),
    [
        ({"observation": lambda self: [0.0, 1.0]}, [0, 1], 1.0),
        ({"observation": lambda self: (0, 1)}, [0, 1], 1.0),
        ({"observation": lambda self: np.array([0.1, 1.0])}, np.float32([0.1, 1.0]), 1.0),
        ({"reward": lambda self, action: int(action)}, None, 1.0),
        ({"reward": lambda self, action: np.bool_(action)}, None, 1.0),
        ({"reward": lambda self, action: np.array(action, np.float32)}, None, 1.0),
        ({"flags": lambda self: (int(self.time >= 10), 0)}, None, 1.0),
    ],
)
def test_numbers_and_lists_of_python_are_taken_where_no_value_changes(change, observation, reward):
    found, rewards, terminated, truncated, _ = steps_of(changed(**change), number=10)[-1]
    assert (found.dtype, rewards.dtype, terminated.dtype, truncated.dtype) == (np.float32, float, bool, bool)
    assert rewards.tolist() == [0.0, reward]
    assert (terminated.tolist(), truncated.tolist()) == ([True, True], [False, False])
    if observation is not None:
        np.testing.assert_array_equal(found, [observation] * 2)


@pytest.mark.parametrize(
    ("space", "values"),
    [
        (spaces.Box(0, 255, (2,), np.uint8), [300, 0]),
        (spaces.Box(0, 255, (2,), np.uint8), np.array([0.5, 1])),
        (spaces.Box(0, 255, (2,), np.uint8), np.array([np.nan, 1])),
        (spaces.Box(0, 9, (2,), np.int64), np.array([2**40, 0])),
        (spaces.Discrete(3), 3),
        (spaces.Discrete(3), -1),
        (spaces.Discrete(3), 0.5),
        (spaces.MultiDiscrete([2, 3]), [1, 3]),
        (spaces.MultiBinary(2), [0, 2]),
        (spaces.Dict({"a": FLOATS}), {"b": np.zeros(2, np.float32)}),
        (spaces.Dict({"a": FLOATS}), {"a": np.zeros(3, np.float32)}),
        (spaces.Dict({"a": FLOATS}), np.zeros(2)),
        (spaces.Tuple((FLOATS, FLOATS)), (np.zeros(2),)),
    ],
)
def test_an_observation_outside_its_space_is_refused_and_nothing_wraps_around(space, values):
    with pytest.raises(ValueError, match=r"^observation.* at step 0"):
        Checked(changed(observation_space=space, observation=lambda self: values)()).reset()


@pytest.mark.parametrize(
    ("space", "dtype", "value", "stored"),
    [
        (spaces.Box(0, 9, (1,), np.int64), np.int32, np.array([7]), [7]),
        (spaces.Box(0, 2**31 - 1, (1,), np.uint64), np.int32, np.array([2**31 - 1], np.uint64), [2**31 - 1]),
        (spaces.Box(0, 2**62, (1,), np.int64), np.float32, np.array([2**61 + 1]), [2.0**61]),
        (spaces.Box(-(2**31) - 1, 0, (1,), np.int64), np.float32, np.array([-(2**31) - 1]), [-(2.0**31)]),
        (spaces.Box(0, 2**63, (1,), np.uint64), np.float32, np.array([2**63], np.uint64), [2.0**63]),
        (spaces.Box(0, 2**32 - 1, (1,), np.uint32), np.uint32, np.array([2**32 - 1], np.uint32), [2**32 - 1]),
        (spaces.Box(0, 1, (1,), bool), bool, [1], [True]),
        (spaces.Box(-1, 1, (1,), np.float16), np.float16, np.array([0.5]), [0.5]),
        (spaces.Box(-1, 1, (), np.float32), np.float32, 0.5, 0.5),
        (spaces.Box(0, 255, (1,), np.uint8), np.uint8, np.array([255.0]), [255]),
        (spaces.Discrete(3, start=4), np.float32, np.int64(6), [0, 0, 1]),
        (spaces.Dict({"a": spaces.Discrete(2), "b": FLOATS}), np.float32, {"b": [0, 1], "a": 1}, [0, 1, 0, 1]),
    ],
)
def test_observations_whose_bounds_do_not_fit_32_bits_become_floats_and_others_keep_their_values(
    space, dtype, value, stored
):
    environment = Checked(changed(observation_space=space, observation=lambda self: value)())
    found = environment.reset()[0]
    assert environment.observation_space.dtype == found.dtype == dtype
    np.testing.assert_array_equal(found, np.array(stored, dtype))


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint16, int])
@pytest.mark.parametrize("start", [0, 5, -3])
def test_an_action_reaches_the_environment_in_the_type_of_its_space(dtype, start):
    space, seen = spaces.Discrete(64, start=start), []
    environment = Checked(changed(action_space=space, reward=lambda self, action: seen.append(action) or 0.0)())
    environment.reset()
    environment.step(dtype(40))
    assert seen == [40 + start]
    assert type(seen[0]) is type(space.sample())


def test_copies_with_other_spaces_than_the_first_are_refused():
    shapes = iter([(2,), (1,)])

    def make():
        shape = next(shapes)
        space = spaces.Box(-1, 1, shape, np.float32)
        return changed(observation_space=space, observation=lambda self: np.zeros(shape, np.float32))()

    with pytest.raises(ValueError, match="the copies of the environment have different spaces"):
        environment_vectors.make("game", make, 2)


def test_a_copy_that_cannot_be_made_is_named():
    with pytest.raises(
        ValueError, match=r"^game: copy 1 of 2 cannot be made: FileNotFoundError: no such table: p.*csv\.$"
    ):
        environment_vectors.make("game", faulty_games.NoFile, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NeedsArgument", "NeedsArgument-v0 cannot be made: TypeError: .*table"),
        ("NoFile", "NoFile-v0 cannot be made: FileNotFoundError: no such table: prices.csv"),
        ("Leaves", r"Leaves-v0 cannot be made: RuntimeError: the environment called sys.exit\(3\)"),
        ("NotGymnasium", "NotGymnasium-v0 cannot be made: TypeError"),
        ("FailsToClose", "FailsToClose-v0 cannot be closed: RuntimeError: no window"),
    ],
)
def test_whatever_making_raises_is_one_sentence(name, message):
    with pytest.raises(ValueError, match=rf"^gymnasium:tests.helpers.faulty_games:{message}[^\n]*\.$"):
        games.make(f"gymnasium:tests.helpers.faulty_games:{name}-v0")


def test_a_constructor_without_render_mode_is_one_sentence():
    game = games.make("gymnasium:tests.helpers.faulty_games:NoModes-v0")
    with pytest.raises(ValueError, match=r"NoModes-v0 with render_mode='rgb_array' cannot be made: TypeError: [^\n]*$"):
        game.make_rendered()


GREY = np.arange(6, dtype=np.uint8).reshape(2, 3)


@pytest.mark.parametrize(
    "frame",
    [
        GREY,
        GREY[..., None],
        np.stack([GREY] * 3, axis=-1),
        np.stack([GREY] * 4, axis=-1),
        GREY.astype(int),
        [GREY + 1, GREY],
    ],
    ids=["grey", "one channel", "colour", "transparent", "integers", "list"],
)
def test_every_kind_of_picture_is_drawn_in_colour(frame):
    found = environment_values.picture(frame)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.stack([GREY] * 3, axis=-1))
    assert not np.shares_memory(found, GREY)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (None, "None"),
        (GREY / 2, r"an array of shape \(2, 3\) and type float64"),
        (np.zeros((2, 3, 2), np.uint8), r".*\(2, 3, 2\)"),
        (np.zeros((0, 3), np.uint8), r".*\(0, 3"),
        (GREY.astype(int) + 255, ".*int64"),
        ([], "0 values"),
        ("text", "'text'"),
    ],
)
def test_what_is_no_picture_is_refused(frame, words):
    with pytest.raises(ValueError, match=rf"render returned {words}.* integers from 0 to 255"):
        environment_values.picture(frame)


def test_only_numbers_count_as_numbers():
    assert [environment_values.number(value) for value in (1, np.float32(0.5), np.array(2), True)] == [1, 0.5, 2, 1]
    others = (None, "1", np.ones(1), [1.0], 1j, fractions.Fraction(1, 2), [[1], [1, 2]])
    assert [environment_values.number(value) for value in others] == [None] * len(others)
