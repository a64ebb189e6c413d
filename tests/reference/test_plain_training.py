"""The plain reference of whole runs, checked with values computed by hand."""

import math

import numpy as np
import pytest

from tests.reference.plain import acting, learning, target_network, training
from tests.reference.plain.games import Copies, Corridor
from tests.reference.small_networks import Q_NETWORK, dense
from tests.reference.small_runs import settings, tape


def test_the_corridor_ends_at_both_ends_and_after_seven_steps():
    state = Corridor.start(4)
    assert Corridor.observe(state) == pytest.approx([4 / 6, 0])
    state, *rest = Corridor.step(state, 2)
    assert (tuple(state), rest) == ((5, 1), [-0.125, False, False])
    assert Corridor.step(state, 2) == ((6, 2), 3.0, True, False)
    assert Corridor.step(state._replace(position=1), 0) == ((0, 2), -2.0, True, False)
    assert Corridor.step(state._replace(time=6), 1) == ((5, 7), 0.25, False, True)
    assert Corridor.step(state._replace(time=6), 2) == ((6, 7), 3.0, True, True)


def test_a_copy_on_the_host_spends_a_step_on_its_reset():
    copies = Copies(Corridor, [[4, 2]], is_host=True)
    for _ in range(2):
        rows, is_first = copies.step([2])
    assert (rows[0]["terminated"], is_first, copies.resetting) == (True, [False], [True])
    rows, is_first = copies.step([2])
    assert (rows[0]["is_valid"], rows[0]["r_t"], is_first, copies.resetting) == (False, 0.0, [True], [False])
    assert rows[0]["s_t"] == pytest.approx([2 / 6, 0])


def test_a_copy_of_a_pure_game_starts_anew_at_once():
    copies = Copies(Corridor, [[4, 2]], is_host=False)
    copies.step([2])
    rows, is_first = copies.step([2])
    assert is_first == [True]
    assert rows[0]["s_t"] == pytest.approx([1, 2 / 7])
    assert copies.observations()[0] == pytest.approx([2 / 6, 0])


def test_target_networks_follow_as_by_hand():
    new, old = {"w": np.array([2.0])}, {"w": np.array([1.0])}
    periodic = {"type": "Periodic", "every": 5}
    assert target_network.update(periodic, new, old, 5, 9)["w"] == 1
    assert target_network.update(periodic, new, old, 9, 10)["w"] == 2
    assert target_network.update({"type": "Polyak", "rate": 0.25}, new, old, 0, 1)["w"] == 1.25
    last = {"type": "LastCopies", "every": 5, "num_copies": 3}
    copies = target_network.init(last, old)
    assert target_network.update(last, new, copies, 4, 5)["w"].tolist() == [[2], [1], [1]]


def test_the_steps_of_the_game_are_shared_out_among_updates_and_minibatches():
    every = {"type": "Periodic", "every": 3}
    memory = {"type": "Uniform", "capacity": 8, "replacement": True}
    config = settings(train_every=8, num_updates=2, batch_size=2, num_minibatches=2, target_update=every, replay=memory)
    actions, positions = np.ones((1, 8, 1), int), [[[0, 1], [2, 3]]]
    steps = training.run(tape(config, [[3, 3, 3]], actions, positions=positions), Corridor)["iterations"][0]["steps"]
    # They stand between (0, 2], (2, 4], (4, 6] and (6, 8].
    same = [np.array_equal(s["parameters"]["params/values"], s["target_parameters"]["params/values"]) for s in steps]
    assert same == [False, True, True, False]


@pytest.mark.parametrize("is_host", [False, True])
def test_a_run_of_q_learning_as_by_hand(is_host):
    config, always_first = settings(), [[[0]]] * 4
    out = training.run(
        tape(config, [[2, 2]], np.zeros((4, 1, 1), int), positions=always_first, is_host=is_host), Corridor
    )
    values = [steps["steps"][0]["parameters"]["params/values"] for steps in out["iterations"]]
    assert values[0][2] == pytest.approx([-0.0625, 0, 0])
    assert values[1][1] == pytest.approx([-1, 0, 0])
    assert values[2][2] == pytest.approx([-0.0625, 0.125, 0])
    assert values[3][2] == pytest.approx([-0.0625, 0.21875, 0])
    assert [each["rows"][0]["a_tm1"][0] for each in out["iterations"]] == [0, 0, 1, 1]
    assert out["log"] == {"episode_return": [-2.125], "last_reward": [-2.0], "end_step": [2]}
    assert out["state"] == {"step": 4, "num_episodes": 1, "learned_at": 4}


def test_nothing_is_learned_while_the_memory_is_filled():
    positions = [None, None, [[0]]]
    inputs = tape(settings(learning_starts=2), [[4]], [[[1]], [[1]], [[2]]], positions=[[[0]]] * 3)
    for iteration, drawn in zip(inputs["iterations"], positions, strict=True):
        iteration["positions"] = drawn
    out = training.run(inputs, Corridor)
    assert [len(each["steps"]) for each in out["iterations"]] == [0, 0, 1]
    assert [each["rows"][0]["a_tm1"][0] for each in out["iterations"]] == [1, 1, 0]


def test_a_run_clips_the_gradient_and_records_it_before_and_after():
    inputs = tape(settings(max_gradient_norm=0.0625), [[2]], [[[0]]], positions=[[[0]]])
    (step,) = training.run(inputs, Corridor)["iterations"][0]["steps"]
    assert step["gradient"]["params/values"][2, 0] == pytest.approx(0.125)
    assert step["clipped"]["params/values"][2, 0] == pytest.approx(0.0625)
    assert step["parameters"]["params/values"][2, 0] == pytest.approx(-0.03125)


def test_a_run_hands_its_errors_to_the_memory_as_priorities():
    rule = {"type": "Prioritised", "capacity": 2, "exponent": 2.0, "uniform_mix": 0.0}
    config = settings(replay={**rule, "importance": {"type": "Constant", "value": 1.0}})
    record = training.run(tape(config, [[2]], [[[0]]], positions=[[[0]]]), Corridor)["iterations"][0]
    assert record["priorities"] == pytest.approx(np.array([0.125**2, 0]))
    assert record["max_priority"] == 1


def test_a_run_learns_from_the_lambda_returns_of_new_steps_computed_before_the_first_update():
    algorithm = {"type": "PQN", "error": {"type": "HalfSquaredError"}}
    rule = {"type": "Rollout", "capacity": 2, "lambda_": 0.5}
    config = settings(algorithm=algorithm, replay=rule, train_every=2, batch_size=2, num_updates=2, learning_rate=1.0)
    inputs = tape(config, [[4, 4]], np.zeros((2, 2, 1), int), positions=[[[0, 1]] * 2] * 2)
    inputs["parameters"] = {"params/values": np.full((7, 3), -1.0)}
    first, second = training.run(inputs, Corridor)["iterations"]
    # From 4 to the left: 3, 2, then 1 and the end. All values after the steps are still -1 when a training begins.
    returns = [-0.125 - 0.25 * 0.625 - 0.25, -0.125 - 0.5]
    assert [update["transition"]["return_t"].tolist() for update in first["updates"]] == [returns] * 2
    assert [update["transition"]["return_t"].tolist() for update in second["updates"]] == [[-0.875, -2.0]] * 2
    moved = [step["parameters"]["params/values"][[4, 3], 0] for step in first["steps"]]
    np.testing.assert_allclose(moved[0], (np.array(returns) - 1.0) / 2)
    np.testing.assert_allclose(moved[1], (np.array(returns) + moved[0]) / 2)


def test_a_learning_rate_follows_its_schedule_from_minibatch_to_minibatch():
    schedule = {"type": "Linear", "start": 1.0, "end": 0.0, "steps": 8}
    memory = {"type": "Uniform", "capacity": 4, "replacement": True}
    config = settings(train_every=4, batch_size=2, num_minibatches=2, replay=memory, learning_rate_schedule=schedule)
    out = training.run(tape(config, [[4, 4]], np.zeros((1, 4, 1), int), positions=[[[0, 0]]]), Corridor)
    values = [step["parameters"]["params/values"][4, 0] for step in out["iterations"][0]["steps"]]
    # The target is -0.125. The second of two minibatches begins at step 2 of 8, with three quarters of the rate.
    assert values == [0.5 * -0.125, 0.5 * -0.125 + 0.75 * 0.5 * (-0.125 + 0.0625)]


def remembering():
    """Returns a network with a memory of one unit, and parameters with which it remembers the number of steps."""
    network = {**Q_NETWORK, "torso": dense(1), "memory": {"type": "LSTM", "units": 1}, "activation": "relu"}
    parameters = {"params/first/Dense_0/kernel": np.zeros((2, 1)), "params/first/Dense_0/bias": np.zeros(1)}
    for gate in "ifgo":
        parameters[f"params/cell/i{gate}/kernel"] = parameters[f"params/cell/h{gate}/kernel"] = np.zeros((1, 1))
        parameters[f"params/cell/h{gate}/bias"] = np.array([50.0 if gate == "g" else 0.0])
    parameters["params/last/Dense_0/kernel"] = np.zeros((1, 3))
    parameters["params/last/Dense_0/bias"] = np.zeros(3)
    return network, parameters


def test_nothing_is_learned_before_there_is_a_whole_sequence():
    rule = {"type": "Sequences", "capacity": 4, "length": 3, "replacement": True, "priorities": None}
    algorithm = {"type": "R2D2", "error": {"type": "SquaredError", "blend": 1.0}, "eps": 0.0, "eta": 0.0, "burn_in": 0}
    network, parameters = remembering()
    config = settings(algorithm=algorithm, network=network, replay=rule)
    inputs = tape(config, [[4, 4]], [[[1]]] * 3, positions=[[[0]]] * 3) | {"parameters": parameters}
    for iteration in inputs["iterations"][:2]:
        iteration["positions"] = None
    assert [len(each["steps"]) for each in training.run(inputs, Corridor)["iterations"]] == [0, 0, 1]


def test_curves_are_means_over_the_period():
    always_first = [[[0]]] * 4
    out = training.run(tape(settings(), [[2, 2]], np.zeros((4, 1, 1), int), positions=always_first, every=2), Corridor)
    first, second = out["curves"]
    assert (first["steps"], first["updates"], first["episodes"], first["episode_return"]) == (2, 2, 1, -2.125)
    assert first["td_error"] == pytest.approx((0.125 + 2) / 2)
    assert first["loss"] == pytest.approx((0.125**2 + 4) / 4)
    assert first["gradient_norm"] == pytest.approx((0.125 + 2) / 2)
    assert (first["max_q"], first["exploration"]) == (0, 0)
    # Now 2 and 1 are left to the left no more: from 3 there are one step and six stays, from 4 two and five.
    assert first["evaluation_return"] == pytest.approx((-0.125 + 6 * 0.25 - 2 * 0.125 + 5 * 0.25) / 2)
    assert math.isnan(second["episode_return"])
    assert math.isnan(second["value_error"])
    assert second["max_q"] == pytest.approx(0.125 / 2)


def test_an_evaluation_plays_whole_episodes_with_its_own_epsilon():
    config, values = settings(), {"params/values": np.zeros((7, 3))}
    periods = {"starts": [3, 4], "uniform": np.full((7, 2), 0.5), "random_action": np.full((7, 2), 2)}
    assert acting.evaluate(config, Corridor, values, periods, 0.5) == pytest.approx((-2.25 - 2.375) / 2)
    assert acting.evaluate(config, Corridor, values, periods, 0.6) == pytest.approx((2.75 + 2.875) / 2)


def test_a_step_in_which_some_copies_reset_counts_and_stores_the_others():
    memory = {"type": "Uniform", "capacity": 8, "replacement": True}
    config = settings(num_environments=2, train_every=8, learning_starts=100, replay=memory)
    actions = [[[0, 1], [0, 1], [0, 1], [1, 1]]]
    out = training.run(tape(config, [[2, 3], [3]], actions, is_host=True), Corridor)
    rows = out["iterations"][0]["rows"]
    assert [list(each["is_valid"]) for each in rows] == [[True, True], [True, True], [False, True], [True, True]]
    assert rows[3]["s_tm1"][0] == pytest.approx([3 / 6, 0])
    assert out["state"] == {"step": 8, "num_episodes": 1, "learned_at": 8}
    assert out["log"]["end_step"] == [4]
    assert out["iterations"][0]["updates"] == []


def test_training_at_the_end_of_episodes_waits_for_one():
    config = settings(train_at="episode_end")
    positions = [None, [[0]], None, None]
    inputs = tape(config, [[2, 2]], np.zeros((4, 1, 1), int), is_host=False)
    for iteration, drawn in zip(inputs["iterations"], positions, strict=True):
        iteration["positions"] = iteration["bits"] = drawn
    out = training.run(inputs, Corridor)
    assert [len(each["steps"]) for each in out["iterations"]] == [0, 1, 0, 0]
    assert out["state"]["learned_at"] == 2
    inputs["iterations"][0]["positions"] = [[0]]
    with pytest.raises(AssertionError, match="the reference learns: False"):
        training.run(inputs, Corridor)


def test_a_network_remembers_within_an_episode_only():
    network, parameters = remembering()
    memory = {"type": "Uniform", "capacity": 4, "replacement": True}
    config = settings(network=network, train_every=4, learning_starts=100, replay=memory)
    inputs = tape(config, [[2, 2]], [[[0], [0], [1], [1]]])
    rows = training.run({**inputs, "parameters": parameters}, Corridor)["iterations"][0]["rows"]
    # The gates are 1/2 and what enters is 1: c is 1/2 after a step, and h half of its tanh.
    expected = [[0, 0], [0.5, 0.5 * math.tanh(0.5)], [0, 0], [0.5, 0.5 * math.tanh(0.5)]]
    assert np.array([each["memory"][0] for each in rows]) == pytest.approx(np.array(expected))


def test_a_batch_is_cut_into_minibatches_in_order_and_its_weights_count():
    memory = {"type": "Uniform", "capacity": 4, "replacement": True}
    config = settings(batch_size=2, num_minibatches=2, learning_rate=1.0, replay=memory)
    learner = learning.Learner(config, 3, {"params/values": np.zeros((7, 3))})
    batch = {
        "s_tm1": np.array([[0.0, 0.0], [1.0, 0.0]]),
        "a_tm1": np.array([0, 1]),
        "r_t": np.array([1.0, 1.0]),
        "discount_t": np.zeros(2),
        "s_t": np.zeros((2, 2)),
        "indices": np.array([0, 1]),
    }
    records, shown = learner.update(batch, np.array([1.0, 0.25]), [None, None], 0, 2, 0)
    assert records[0]["parameters"]["params/values"][:, :2].tolist()[0] == [1, 0]
    assert records[1]["parameters"]["params/values"][:, :2].tolist()[6] == [0, 0.25]
    assert shown["loss"] == pytest.approx((0.5 + 0.125) / 2)
    assert shown["td_error"] == pytest.approx(1)
    assert shown["gradient_norm"] == pytest.approx((1 + 0.25) / 2)
