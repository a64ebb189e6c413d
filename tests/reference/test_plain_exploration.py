"""The plain exploration rules and schedules, checked with values computed by hand."""

import math

import pytest

from tests.reference.plain import exploration

RULES = {
    "constant": {"type": "Constant", "value": 0.25},
    "linear": {"type": "Linear", "start": 1.0, "end": 0.5, "steps": 10},
    "exponential": {"type": "ExponentialPerStep", "start": 1.0, "end": 0.5, "rate": 0.1},
    "multiplicative": {"type": "MultiplicativePerEpisode", "start": 1.0, "end": 0.3, "factor": 0.5},
    "harmonic": {"type": "HarmonicPerEpisode", "start": 3.0},
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("constant", 0.25),
        ("linear", 0.8),
        ("exponential", 0.5 + 0.5 * math.exp(-0.4)),
        ("multiplicative", 0.5),
        ("harmonic", 1.5),
    ],
)
def test_schedules_after_four_steps_and_one_episode(name, expected):
    assert exploration.scheduled(RULES[name], 4, 1) == pytest.approx(expected)


def test_schedules_stop_at_their_ends():
    assert exploration.scheduled(RULES["linear"], 11, 0) == 0.5
    assert exploration.scheduled(RULES["multiplicative"], 0, 9) == 0.3


def test_exploration_rules_choose_as_by_hand():
    constant = {"type": "Constant", "value": 2.0}
    output = {"q_values": [1.0, 3.0, 3.0], "members": [[0.0, 3.0, 2.0], [2.0, 3.0, 4.0]]}

    def chosen(kind, field, explore, level=2.0, intent=None):
        rule = {"type": kind, field: {**constant, "value": level}}
        return exploration.choose(rule, output, explore, intent, 0, 0)

    assert chosen("EpsilonGreedy", "epsilon", {"uniform": 0.5, "random_action": 0}, 0.5) == 1
    assert chosen("EpsilonGreedy", "epsilon", {"uniform": 0.49, "random_action": 0}, 0.5) == 0
    assert chosen("GaussianNoise", "scale", {"noise": [1.1, 0.0, 0.0]}) == 0
    assert chosen("GaussianNoise", "scale", {"noise": [0.9, 0.0, 0.0]}) == 1
    assert chosen("Boltzmann", "temperature", {"noise": [0.0, 0.0, 0.1]}) == 2
    assert chosen("UpperConfidence", "bonus", {"random_action": 0}) == 2  # 1 + 2, 3 + 0, 3 + 2
    assert chosen("OneMember", "epsilon", {"uniform": 0.5, "random_action": 0}, 0.5, intent=4) == 1
    assert chosen("OneMember", "epsilon", {"uniform": 0.5, "random_action": 0}, 0.5, intent=7) == 2
    assert exploration.random_action({"type": "GaussianNoise"}, {"noise": [0.1, 0.3, 0.2]}) == 1
    assert exploration.random_action({"type": "OneMember"}, {"random_action": 2}) == 2


def test_the_bonus_is_the_standard_deviation_of_the_members_themselves():
    assert exploration.upper_confidence([0.0, 2.0], 2.0) == 3
