"""The plain returns and memories, checked with values computed by hand."""

import pytest

from tests.reference.plain import draws, replay, returns
from tests.reference.small_runs import rows_of, settings


def test_returns_end_with_the_episode_and_a_time_limit_keeps_the_bootstrap():
    config = settings(n_step=3)
    assert returns.n_step(config, rows_of([1, 2, 4], ["", "", ""])) == (3.0, 0.125, 2)
    assert returns.n_step(config, rows_of([1, 2, 4], ["", "l", ""])) == (2.0, 0.25, 1)
    assert returns.n_step(config, rows_of([1, 2, 4], ["", "t", ""])) == (2.0, 0.0, 1)
    assert returns.n_step(config, rows_of([1, 2], ["", ""])) == (2.0, 0.25, 1)


def test_rewards_are_clipped_before_the_terminal_reward_takes_their_place():
    config = settings(reward_clip=1.0, terminal_reward=-5.0)
    rows = rows_of([3, -2, 0.5, 3], ["", "t", "l", ""])
    assert [returns.as_learned(config, each) for each in rows] == [
        (1.0, False),
        (-5.0, True),
        (0.5, False),
        (1.0, False),
    ]
    hard = {**config, "bootstrap_time_limits": False}
    assert returns.as_learned(hard, rows[2]) == (-5.0, True)


def filled(config, rows):
    """Returns a memory of one environment with rows."""
    memory = replay.make(config)
    for each in rows:
        memory.add([each])
    return memory


def test_a_full_memory_reads_windows_that_end_at_the_newest_row():
    config = settings(n_step=3, replay={"type": "Uniform", "capacity": 3, "replacement": True})
    memory = filled(config, rows_of([1, 2, 4, 8, 16], [""] * 5))
    batch = memory.read([2, 0, 1])  # rows 2, 3 and 4 are stored in slots 2, 0 and 1
    assert list(batch["r_t"]) == [4 + 4 + 4, 8 + 8, 16]
    assert list(batch["discount_t"]) == [0.125, 0.25, 0.5]
    assert batch["s_t"].tolist() == [[5], [5], [5]]
    assert list(batch["indices"]) == [2, 0, 1]


def test_a_transition_leads_to_the_end_of_its_episode():
    memory = filled(
        settings(n_step=3, replay={"type": "Uniform", "capacity": 4, "replacement": True}),
        rows_of([1, 2, 4, 8], ["", "l", "", "t"]),
    )
    batch = memory.read([0, 1, 2])
    assert batch["s_t"].tolist() == [[2], [2], [4]]
    assert list(batch["discount_t"]) == [0.25, 0.5, 0]


def test_uniform_positions_are_numbers_that_count_environment_by_environment():
    config = settings(num_environments=2, replay={"type": "Uniform", "capacity": 6, "replacement": True})
    memory = replay.make(config)
    first, second = rows_of([1, 2, 4], [""] * 3), rows_of([8, 16, 32], [""] * 3, is_valid=[True, False, True])
    for pair in zip(first, second, strict=True):
        memory.add(list(pair))
    memory.check_positions([0, 1, 2, 3, 4, 5], [0, 2, 4, 1, 3, 0])
    assert list(memory.read([0, 2, 4, 1, 3])["r_t"]) == [1, 2, 4, 8, 32]
    with pytest.raises(AssertionError, match="the run drew"):
        memory.check_positions([1], [1])


def test_a_small_memory_without_replacement_counts_once_in_each_minibatch():
    config = settings(num_minibatches=2, replay={"type": "Uniform", "capacity": 9, "replacement": False})
    memory = filled(config, rows_of([1, 2, 4], [""] * 3))
    positions = [2, 0, 1, 2, 0, 1, 2, 0]
    memory.check_positions(None, positions)
    assert list(memory.weights(positions, 0, 0)) == pytest.approx([4 / 3, 4 / 3, 4 / 3, 0, 4 / 3, 4 / 3, 4 / 3, 0])
    with pytest.raises(AssertionError, match="not all that is stored"):
        memory.check_positions(None, [2, 0, 0, 2])
    with pytest.raises(AssertionError, match="repeat"):
        memory.check_positions(None, [2, 2])


def prioritised(exponent, mix):
    """Returns a prioritised memory of three rows with beta 1."""
    kind = {"type": "Prioritised", "capacity": 4, "exponent": exponent, "uniform_mix": mix}
    rule = {**kind, "importance": {"type": "Constant", "value": 1.0}}
    return filled(settings(replay=rule), rows_of([1, 2, 4], [""] * 3))


def test_importance_weights_as_by_hand():
    memory = prioritised(2.0, 0.25)
    memory.update([1, 0, 2, 1], [3.0, 1.0, 0.0, 1.0])
    assert list(memory.priorities.powers) == [1, 9, 0, 0]
    # P = 3/4 [0.1, 0.9, 0] + 1/12, and the smallest has the weight 1
    assert memory.weights([0, 1, 2], 0, 0) == pytest.approx([(1 / 12) / (19 / 120), (1 / 12) / (91 / 120), 1.0])
    memory.add(rows_of([8], [""]))
    assert memory.priorities.powers[3] == 9


def test_prioritised_draws_lie_in_strata_in_the_order_of_the_golden_ratio():
    assert draws.strata(5) == [0, 3, 1, 4, 2]
    memory = prioritised(1.0, 0.0)
    memory.update([0, 1, 2], [1.0, 1.0, 2.0])
    memory.check_positions([2**31, 2**31, 2**31, 2**31], [0, 2, 1, 2])  # at 1/8, 5/8, 3/8 and 7/8
    with pytest.raises(AssertionError, match="owns"):
        memory.check_positions([2**31, 2**31, 2**31, 2**31], [0, 1, 2, 2])


def test_the_uniform_part_of_prioritised_draws_has_other_bits():
    assert draws.mixed(1 - 0x9E3779B9 + 2**32) == 0x514E28B7  # the finalizer of 1
    memory = prioritised(1.0, 0.5)
    memory.update([0, 1, 2], [1.0, 2.0, 1.0])
    bits = [1 - 0x9E3779B9 + 2**32, 2**31]  # 0.19 of the unit interval, and 3/4, the middle of the other half
    memory.check_positions(bits, [0x514E28B7 % 3, 1])
    with pytest.raises(AssertionError, match="uniform part"):
        memory.check_positions(bits, [0, 1])
    with pytest.raises(AssertionError, match="owns"):
        memory.check_positions(bits, [0x514E28B7 % 3, 2])


def sequences(**changed):
    """Returns a memory of sequences of three of the last five rows, the third of which ended an episode."""
    rule = {"type": "Sequences", "capacity": 5, "length": 3, "replacement": True, "priorities": None, **changed}
    return filled(settings(n_step=2, replay=rule), rows_of([1, 2, 4, 8, 16, 32], ["", "", "l", "", "", ""]))


def test_a_sequence_runs_on_over_the_end_of_an_episode_and_ends_its_returns():
    memory = sequences()
    memory.check_positions([0, 1, 2], [1, 2, 3])
    batch = memory.read([1, 2])
    assert batch["r_t"].tolist() == [[2 + 2, 4, 8], [4, 8 + 8, 16]]
    assert batch["discount_t"].tolist() == [[0.25, 0.5, 0.5], [0.5, 0.25, 0.5]]
    assert batch["last"].tolist() == [[1, 1, 2], [0, 2, 2]]
    assert batch["s_t"][..., 0].tolist() == [[3, 3, 4], [3, 5, 5]]
    assert batch["ended"].tolist() == [[False, True, False], [True, False, False]]
    assert batch["is_first"].tolist() == [[False, False, True], [False, True, False]]
    assert batch["memory"].tolist() == [[10.0], [20.0]]


def test_a_sequence_loses_its_priority_with_its_first_row():
    memory = sequences(priorities={"type": "Priorities", "exponent": 1.0, "importance": 1.0})
    assert list(memory.priorities.powers) == [0, 1, 1, 1, 0]
    memory.update([1, 2], [3.0, 2.0])
    assert memory.weights([1, 3], 0, 0) == pytest.approx([1 / 3, 1])
    memory.add(rows_of([64], [""]))
    assert list(memory.priorities.powers) == [0, 0, 2, 1, 3]
    memory.check_positions([0, 2**31, 2**32 - 1], [2, 3, 4])


def rollout(rows, **changed):
    """Returns a memory of up to six rows of one environment, all of which a training is about to learn from."""
    rule = {"type": "Rollout", "capacity": 6, "lambda_": 0.25}
    memory = filled(settings(replay=rule, **changed), rows)
    memory.begin_training(lambda observation: 8.0 * float(observation[0]))
    return memory


def test_a_rollout_has_the_lambda_returns_of_each_episode_by_hand():
    memory = rollout(rows_of([1, 2, 4, 8], ["", "l", "t", ""]))
    # v = 8, 16, 24, 32 after the steps; the discount is 1/2. A time limit keeps the bootstrap, a termination does not.
    last_of_first = 2 + 16 / 2
    first = 0.75 * (1 + 8 / 2) + 0.25 * (1 + last_of_first / 2)
    assert memory.read([0, 1, 2, 3])["return_t"].tolist() == [first, last_of_first, 4, 8 + 32 / 2]


def test_a_rollout_is_read_whole_in_the_order_of_its_bits_and_holds_new_steps_only():
    memory = rollout(rows_of([1, 2, 4, 8], [""] * 4), num_minibatches=2)
    memory.check_positions([40, 10, 30, 20, 0, 0], [1, 3, 2, 0, 1, 3])
    for wrong in ([1, 3, 0, 2, 1, 3], [1, 3, 2, 2, 1, 3], [1, 3, 2, 0, 3, 1]):
        with pytest.raises(AssertionError):
            memory.check_positions([40, 10, 30, 20, 0, 0], wrong)
    assert memory.weights([1, 3, 2, 0, 1, 3], 0, 0).tolist() == [1] * 6
    for each in rows_of([16, 32], ["", ""]):
        memory.add([each])
    memory.begin_training(lambda observation: 0.0)
    assert sorted(memory.ring.slot(place) for place in memory.returns) == [4, 5]
    memory = rollout(rows_of([1, 2], ["", ""]))
    memory.check_positions([9, 1], [0, 1])  # one minibatch: in the order of the steps
