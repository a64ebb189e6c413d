"""Studies: what is refused, how cells become programs, and what running them leaves on disk."""

import argparse
import dataclasses
import re
import types

import jax
import numpy as np
import pytest

from jaxdqn import games, losses, optimizers
from jaxdqn.algorithms import averaged_dqn, bootstrapped_dqn, double_dqn, dqn
from jaxdqn.analysis import by_arm
from jaxdqn.commands import options
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.layers import LayerNorm
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.play import select_weights
from jaxdqn.store import schema, store
from jaxdqn.study import execute, plan, records, run_group, spec
from jaxdqn.study.spec import Study
from jaxdqn.target_network import LastCopies
from jaxdqn.training import device_layout, devices, program
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.state import Ending
from tests.helpers.runs import SMALL, advancing, plain, start

pytestmark = pytest.mark.usefixtures("compiled_once")

TINY = Study(
    name="tiny",
    games=("probe_both",),
    algorithms={"DQN": SMALL},
    seeds=range(3),
    steps=400,
    evaluation=Evaluation(every=200, episodes=2),
    grid={"learning_rate": (0.01, 0.001)},
)


def test_the_name_of_the_settings_has_no_effect_on_identifiers():
    named = dataclasses.replace(TINY, base_settings="catch")
    assert list(spec.by_identifier(named)) == list(spec.by_identifier(TINY))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "My Study"}, r"name = 'My Study' must consist of lower-case letters"),
        ({"games": ("cartpol",)}, r"'cartpol'.*'cartpole'"),
        ({"games": ()}, r"games = \(\) must hold at least one entry"),
        ({"games": "catch"}, r"games = 'catch' must be a tuple of names, such as \('catch',\)"),
        ({"games": ("catch", "catch")}, r"games names 'catch' more than once"),
        ({"seeds": (0, 1, 1)}, r"seeds names 1 more than once"),
        ({"seeds": (-1,)}, r"seeds: -1 must be a whole number of at least 0"),
        ({"seeds": range(0)}, r"seeds = range\(0, 0\) must hold at least one entry"),
        ({"algorithms": {"DQN": dqn.CONFIG.algorithm}}, r"algorithms\['DQN'\] = .* must be a jaxdqn.config.Config"),
        ({"grid": {"learning_rat": (1e-3,)}}, r"'learning_rat' is not a field .* 'learning_rate'"),
        ({"grid": {"learning_rate": ()}}, r"grid\['learning_rate'\] = \(\) must hold at least one value"),
        ({"grid": {"learning_rate": (1e-3, -1.0)}}, r"learning_rate = -1.0 is out of range: it must be above 0"),
        ({"grid": {"discount": (0.9, 1.1)}}, r"discount = 1.1 .* at least 0 and at most 1"),
        ({"grid": {"discount": (0.9, 0.9)}}, r"'DQN'\] at .*0.9.* is the same configuration as .*'DQN'"),
        ({"algorithms": {"one": SMALL, "two": SMALL}}, r"'two'.* is the same configuration as .*'one'"),
        ({"algorithms": {"DQN": dataclasses.replace(SMALL, train_at="step")}}, r"train_at = 'step' .*'episode_end'"),
        ({"more_seeds": {"dqn": (7,)}}, r"more_seeds names 'dqn', which is no arm: arms are DQN"),
        ({"more_seeds": {"DQN": (7, 2)}}, r"seeds names 2 more than once"),
        ({"more_seeds": {"DQN": (2**32,)}}, r"seeds: 4294967296 must be .* below 2\^32"),
        ({"episodes_logged": -1}, r"episodes_logged = -1 must be a whole number of at least 0"),
        ({"weights_of": (0, 5)}, r"weights_of names 5, which is no seed of the study"),
        ({"steps": 300}, r"steps = 300 must be a multiple of evaluation.every = 200, such as 200 or 400"),
        ({"evaluation": Evaluation(every=200, episodes=0)}, r"evaluation.episodes = 0 must be a whole number"),
        ({"evaluation": Evaluation(every=200, episodes=1, epsilon=2.0)}, r"evaluation.epsilon = 2.0 must be a number"),
        (
            {"evaluation": Evaluation(every=200, episodes=1, epsilon=True)},
            r"evaluation.epsilon = True must be a number",
        ),
        ({"evaluation": Evaluation(every=200, episodes=True)}, r"evaluation.episodes = True must be a whole number"),
        ({"evaluation": Evaluation(200, 1, exact_values=1)}, r"evaluation.exact_values = 1 must be True or False"),
        ({"steps": 2.5e-3}, r"steps = 0.0025 must be a whole number of at least 1"),
        ({"steps": "400"}, r"steps = '400' must be a whole number of at least 1"),
        ({"seeds": 5}, r"seeds = 5 must be a list of whole numbers, such as range\(5\)"),
        ({"seeds": (0.5,)}, r"seeds: 0.5 must be a whole number"),
        ({"weights_of": 5}, r"weights_of = 5 must be a list of seeds"),
        ({"more_seeds": {"DQN": 7}}, r"more_seeds\['DQN'\] = 7 must be a list of whole numbers"),
        ({"more_seeds": (7,)}, r"more_seeds = \(7,\) must be a mapping from labels to seeds"),
        ({"games": 5}, r"games = 5 must be a tuple of names, such as \('catch',\)"),
        ({"algorithms": [SMALL]}, r"algorithms = .{1,80} must be a mapping from labels to configurations, such as"),
        ({"algorithms": {"dqn": "dqn"}}, r"= 'dqn' must be a jaxdqn.config.Config, .*configuration_of\('dqn'\)"),
        ({"evaluation": None}, r"evaluation = None must be .*Evaluation, such as Evaluation\(every=1_000"),
        ({"evaluation": (200, 2)}, r"evaluation = \(200, 2\) must be a jaxdqn.training.evaluate.Evaluation, such as"),
        ({"name": None}, r"name = None must consist of lower-case letters"),
        ({"grid": {"network.torso.hidden": ([8, "8"],)}}, r"\(8, '8'\) must be a tuple of whole numbers, such as"),
        ({"grid": {"learning_rate": 0.1}}, r"grid\['learning_rate'\] = 0.1 must hold .* write \(0.1,\)"),
        ({"steps": 0}, r"steps = 0 must be a whole number of at least 1"),
        ({"seeds": (True,)}, r"seeds: True must be a whole number"),
        ({"algorithms": {1: SMALL}}, r"algorithms names 1, which must be a string"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input_is_refused_in_one_sentence_when_the_study_is_made(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(TINY, **change)


def test_equal_studies_have_equal_identifiers_whatever_the_types_of_their_numbers():
    fields = {"learning_rate": np.float32(0.02), "batch_size": np.int64(16), "discount": np.float64(0.9)}
    other = dataclasses.replace(
        TINY,
        algorithms={"DQN": dataclasses.replace(SMALL, **fields)},
        seeds=np.arange(3),
        more_seeds={"DQN": [np.int64(7)]},
        steps=np.int64(400),
        evaluation=Evaluation(every=2e2, episodes=np.int32(2), epsilon=np.float32(0.1)),
        grid={"n_step": np.array([1.0, 3.0]), "network.torso.hidden": ([8, 8], np.array([16]))},
        weights_of=[np.int64(0)],
        episodes_logged=np.int16(3),
    )
    plain_fields = {"learning_rate": 0.02, "batch_size": 16, "discount": 0.9}
    same = dataclasses.replace(
        TINY,
        algorithms={"DQN": dataclasses.replace(SMALL, **plain_fields)},
        seeds=(0, 1, 2),
        more_seeds={"DQN": (7,)},
        steps=400,
        evaluation=Evaluation(every=200, episodes=2, epsilon=0.1),
        grid={"n_step": (1, 3), "network.torso.hidden": ((8, 8), (16,))},
        weights_of=(0,),
        episodes_logged=3,
    )
    assert repr(spec.cells(other)) == repr(spec.cells(same))
    assert other.weights_of == (0,)


def test_one_program_serves_all_numbers_and_seeds():
    study = dataclasses.replace(TINY, grid={"learning_rate": (1e-2, 1e-3, 1e-4), "discount": (0.9, 0.99)})
    (group,) = plan.groups(spec.cells(study))
    assert len(group.cells) == 3 * 2 * 3
    assert len({cell.id for cell in group.cells}) == 18


@pytest.mark.parametrize(
    ("change", "num_programs"),
    [
        ({"games": ("probe_both", "probe_value")}, 2),
        ({"grid": {"batch_size": (8, 16)}}, 2),
        ({"grid": {"network": (QNetwork(Dense((8,))), QNetwork(Dense((8, 8))))}}, 2),
        ({"grid": {"optimizer": (optimizers.Adam(), optimizers.Adam(eps=1e-3), optimizers.SGD())}}, 2),
        ({"grid": {"max_gradient_norm": (None, 1.0, 10.0)}}, 2),
        ({"grid": {"algorithm.error": (losses.SquaredError(), losses.Huber(0.5), losses.Huber(2.0))}}, 2),
        ({"algorithms": {"DQN": SMALL, "double": dataclasses.replace(SMALL, algorithm=double_dqn.DoubleDQN())}}, 2),
    ],
    ids=lambda value: str(next(iter(value.values())))[:30] if isinstance(value, dict) else "",
)
def test_another_structure_is_another_program(change, num_programs):
    assert len(plan.groups(spec.cells(dataclasses.replace(TINY, **change)))) == num_programs


def test_the_identifier_depends_on_what_determines_the_run_and_on_nothing_else():
    def first(study):
        return spec.cells(study)[0].id

    known = first(TINY)
    assert known == first(dataclasses.replace(TINY, name="other", algorithms={"another label": SMALL}))
    assert known == first(dataclasses.replace(TINY, seeds=(0, 7), grid={"learning_rate": (0.01,)}))
    others = [
        dataclasses.replace(TINY, seeds=(1,)),
        dataclasses.replace(TINY, steps=800),
        dataclasses.replace(TINY, games=("probe_value",)),
        dataclasses.replace(TINY, evaluation=Evaluation(every=100, episodes=2)),
        dataclasses.replace(TINY, grid={"learning_rate": (0.02,)}),
        dataclasses.replace(TINY, algorithms={"DQN": dataclasses.replace(SMALL, n_step=2)}),
    ]
    assert len({known, *map(first, others)}) == 7


def cell_of(**changes):
    """Returns the first cell of a study of one arm."""
    study = dataclasses.replace(TINY, algorithms={"DQN": dataclasses.replace(SMALL, **changes)}, grid={})
    return spec.cells(study)[0]


NORMALISED = QNetwork(Dense((8,)), normalisation=LayerNorm())


@pytest.mark.parametrize(
    ("changes", "versions"),
    [
        ({"optimizer": optimizers.RAdam()}, {"RAdam": 2}),
        ({"network": NORMALISED}, {"LayerNorm": 2}),
        ({"algorithm": bootstrapped_dqn.BootstrappedDQN(), "network": Ensemble(NORMALISED)}, {"LayerNorm": 2}),
        ({"optimizer": optimizers.RAdam(), "network": NORMALISED}, {"RAdam": 2, "LayerNorm": 2}),
        ({}, {}),
        ({"optimizer": optimizers.SGD(), "network": QNetwork(Dense((8,)))}, {}),
        ({"algorithm": averaged_dqn.AveragedDQN(), "target_update": LastCopies()}, {}),  # it has a version of its own
    ],
)
def test_a_part_that_trains_otherwise_than_it_did_gives_its_results_other_names(changes, versions):
    cell = cell_of(**changes)
    facts = cell.determinants
    before = {name: value for name, value in facts.items() if name != "part_versions"}
    assert facts["part_versions"] == (versions or None)
    assert (cell.id == store.identifier(schema.without_none(before))) == (not versions)


@pytest.mark.parametrize("num_members", [1, 2, 3, 8, 9, 10, 70])
def test_waves_are_wide_enough_and_have_less_than_a_round_of_padding(num_members):
    (planned,) = plan.plan(dataclasses.replace(TINY, grid={}, seeds=range(num_members)))
    layout = planned.layout
    assert layout.batch == 1
    assert layout.per_device <= device_layout.MOST_ON_A_CPU_CORE
    assert 0 <= planned.num_waves * layout.width - num_members < planned.num_waves * len(layout.devices)


def test_the_size_of_a_run_is_that_of_its_arrays():
    config = dataclasses.replace(SMALL, network=QNetwork(Dense((16,))))
    num_parameters = 4 * 16 + 16 + 16 * 2 + 2  # of cartpole: 4 numbers seen, 2 actions
    # What steps in Python can be cut, too. In JAX a step has a key of 8 bytes, and a fresh state of five numbers.
    for name, flags, of_game in (("cartpole", 2, 8 + 5 * 4), ("gymnasium:CartPole-v1", 3, 0)):
        size = device_layout.size(config, games.make(name))
        assert size.networks == 4 * 3 * num_parameters  # online, target and best
        assert size.optimizer == 4 * (2 * num_parameters + 1)  # of Adam, with its count
        assert size.replay == 4 * (200 * (4 + 1 + 1 + flags + 4) + 2)  # whole transitions, and how many there are
        # Four steps draw a number and an action each, and a batch its 16 places; six times that is needed to make them.
        assert size.drawn == 6 * 128 * (4 * (4 * 2 + 16) + 4 * of_game)
        assert 0 < size.total - sum(size[:-1]) < 200  # counters, keys, the states of two games
    size = device_layout.size(
        dataclasses.replace(config, network=QNetwork(Dense((16,)), frames=4)), games.make("cartpole")
    )
    num_frames = 100 + 100 + 4 + 2  # of each environment: its steps, starts of episodes, and frames on the way
    assert size.replay == 4 * 4 * 2 * num_frames + (4 * 4 + 4 + 1) * 200 + 4 * 4 * 2
    assert 0 < size.total - sum(size[:-1]) < 200 + 4 * 3 * 4 * 2  # and three earlier frames of each environment


def test_the_memory_of_an_accelerator_is_its_own_and_that_of_cores_is_shared():
    def device(platform):
        return types.SimpleNamespace(platform=platform, memory_stats=lambda: {"bytes_limit": 7})

    assert device_layout._memory(device("gpu"), 2) == 7.0
    assert device_layout._memory(device("cpu"), 2) == devices.memory() / 2


@pytest.mark.parametrize("name", ["catch", "gymnasium:CartPole-v1"])
@pytest.mark.parametrize(("room", "at_once"), [(0.6, 1), (1.5, 1), (2.5, 2)])
def test_runs_take_up_half_of_the_memory_there_is(monkeypatch, name, room, at_once):
    game = games.make(name)
    machine = 2 * room * device_layout.size(SMALL, game).total  # on four cores
    monkeypatch.setattr(device_layout, "_memory", lambda device, num_devices: machine / num_devices)
    monkeypatch.setattr(device_layout.devices, "cores", lambda: list(range(4)))
    assert device_layout.choose(SMALL, game, 8).width == at_once


def test_runs_with_one_environment_in_all_train_one_after_another():
    alone, game = dataclasses.replace(SMALL, num_environments=1), games.make("gymnasium:CartPole-v1")
    for config, environments, is_alone in (
        (alone, 1, True),
        (alone, 2, False),
        (SMALL, 1, False),
        (alone, None, False),
    ):
        evaluation = Evaluation(200, 5, environments=environments)
        wide = device_layout.choose(config, game, 8, evaluation=evaluation).width > 1
        assert (wide or len(devices.cores()) == 1) != is_alone


def test_the_number_of_environments_of_evaluation_is_in_the_identity_of_a_run_only_if_it_is_given():
    ids = [
        spec.cells(Study("any", ("catch",), {"DQN": SMALL}, (0,), 200, Evaluation(200, 5, environments=number)))[0].id
        for number in (None, 2)
    ]
    plain = spec.cells(Study("any", ("catch",), {"DQN": SMALL}, (0,), 200, Evaluation(200, 5)))[0]
    assert ids[0] == plain.id != ids[1]
    determinants = plain.determinants | {
        "evaluation": {"every": 200, "episodes": 5, "epsilon": 0.0, "exact_values": False}
    }
    assert store.identifier(schema.without_none(determinants)) == plain.id  # as before there was such a number


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_a_number_of_environments_of_evaluation_that_is_none_is_refused(number):
    with pytest.raises(ValueError, match=rf"evaluation.environments = {number} must be a whole number of at least 1"):
        Evaluation(200, 5, environments=number).check()


@pytest.mark.parametrize(
    ("platform", "allowed", "reason"),
    [
        ("cpu", 6_000, "and 6,000 may be used: allow more, or lower replay.capacity = 200 to about 144."),
        (
            "cpu",
            None,
            "and this machine has 7,000: use a larger one, or lower replay.capacity = 200 to about 172.",
        ),
        (
            "gpu",
            None,
            "and a device here has 3,500: use a larger one, or lower replay.capacity = 200 to about 76.",
        ),
        ("cpu", 10, "and 10 may be used: allow more."),
    ],
)
def test_a_run_that_does_not_fit_is_refused_with_the_bytes_it_lacks(monkeypatch, platform, allowed, reason):
    sizes = device_layout.Size(networks=400, optimizer=300, replay=7_276, batch=0, drawn=0, total=7_976)
    monkeypatch.setattr(device_layout, "size", lambda config, game: sizes)
    monkeypatch.setattr(device_layout, "_memory", lambda device, num_devices: 3_500.0)
    found = [types.SimpleNamespace(platform=platform)] * 2
    monkeypatch.setattr(jax, "devices", lambda: found)
    sentence = f"A run on catch needs 7,976 bytes (7,276 for replay, 0 for a batch), {reason}"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        device_layout.choose(SMALL, games.make("catch"), 8, allowed)


def test_a_batch_counts_as_memory_and_is_named_where_it_is_larger_than_the_replay_memory():
    config, game = dataclasses.replace(SMALL, batch_size=100_000), games.make("catch")
    num_observed = 2 * 100 * 4 + 4 * 4 + 4  # bytes: s_tm1 and s_t; action, reward, discount and weight; where it lies
    found = device_layout.size(config, game)
    assert found.batch == 100_000 * num_observed
    assert found.total - device_layout.size(SMALL, game).total > 0.99 * found.batch
    with pytest.raises(ValueError, match=r"for a batch.*: allow more, or lower batch_size = 100_000 to about"):
        device_layout.choose(config, game, 1, memory=found.total / 2)


def test_64_bits_are_refused_when_the_study_is_made():
    jax.config.update("jax_enable_x64", True)
    try:
        with pytest.raises(ValueError, match=r"^JAX_ENABLE_X64 is on, but jaxdqn computes in 32 bits: unset it, .*\.$"):
            dataclasses.replace(TINY)
    finally:
        jax.config.update("jax_enable_x64", False)


@pytest.mark.equal_bits
def test_a_member_of_a_group_equals_the_same_run_alone_bit_for_bit():
    game, evaluation = games.make("catch"), Evaluation(every=200, episodes=3)
    rates = (0.01, 0.003, 0.001, 0.0003, 1e20)  # the last one diverges, and must not touch its neighbours
    members = [dataclasses.replace(SMALL, optimizer=optimizers.SGD(), learning_rate=rate) for rate in rates]
    ends = []
    for group, seeds in ((members, [4, 5, 6, 7, 8]), ([members[1]], [5])):
        layout = device_layout.choose(group[0], game, len(group))
        compiled = program.make(group[0], game, evaluation, layout)
        padding = layout.width - len(group)
        states = compiled.init(group + group[-1:] * padding, seeds + seeds[-1:] * padding)
        points = []
        for step in (0, 200, 400):
            states, curves = compiled.advance(states, step)
            points.append(curves)
        ends.append((plain(states[1]), points))
    (many, many_curves), (alone, alone_curves) = ends
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[1], b[0]), many, alone)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[1], b[0]), many_curves, alone_curves)
    assert (many.diverged_at[:5] >= 0).tolist() == [False, False, False, False, True]
    advance, (config, state) = advancing(game, evaluation), start(game, members[1], seed=5)
    for point in alone_curves:
        state, curves = advance(config, state)
        jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[0], b), point, plain(curves))


def test_members_side_by_side_in_a_batch_learn_the_same_within_rounding():
    game, evaluation = games.make("probe_both"), Evaluation(every=200, episodes=3)
    layout = device_layout.Layout((jax.devices()[0],), per_device=3, batch=3)
    compiled = program.make(SMALL, game, evaluation, layout)
    (_, states), curves = compiled.advance(compiled.init([SMALL] * 3, [0, 1, 2]), 0)
    config, state = start(game, SMALL, seed=1)
    alone, alone_curves = advancing(game, evaluation)(config, state)
    many = jax.tree.map(lambda x: x[1], plain(states.learner))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), many, plain(alone.learner))
    assert curves["updates"][1] == alone_curves["updates"] == 40
    assert curves["episodes"][1] == alone_curves["episodes"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return folder, execute.run(TINY, folder)


def test_a_study_leaves_one_record_a_cell_that_says_how_it_was_made(finished):
    _, report = finished
    assert (report.num_written, report.num_skipped, report.num_compilations, report.damaged) == (6, 0, 1, ())
    found = store.read(report.folder)
    assert not found.damaged
    arms = by_arm.arms(found.runs)
    assert [dict(arm.settings) for arm in arms] == [{"learning_rate": 0.001}, {"learning_rate": 0.01}]
    for members in arms.values():
        steps, scores = by_arm.curve(members, "evaluation_return")
        np.testing.assert_array_equal(steps, [200, 400])
        assert scores.shape == (3, 2)
        assert by_arm.curve(members, "updates")[1].tolist() == [[40, 90]] * 3
    run = found.runs[0]
    network = {"type": "QNetwork", "torso": {"type": "Dense", "hidden": [16]}}
    network |= {"activation": "relu", "initializer": "lecun_normal"}
    network |= dict.fromkeys(("memory", "head", "dueling", "noisy", "normalisation"))
    assert run.facts["configuration"]["network"] == network
    assert run.facts["evaluation"] == {"every": 200, "episodes": 2, "epsilon": 0.0, "exact_values": False}
    assert run.facts["versions"]["jax"] == jax.__version__
    assert set(run.curves) == {
        "steps", "updates", "episodes", "episode_return", "evaluation_return", "loss", "td_error", "max_q",
        "gradient_norm", "exploration", "value_error", "value_bias",
    }  # fmt: skip


def test_every_evaluation_is_stored_however_many_there_are(tmp_path):
    study = dataclasses.replace(TINY, seeds=(0,), grid={}, steps=6_020, evaluation=Evaluation(every=20, episodes=1))
    (run,) = store.read(execute.run(study, tmp_path).folder).runs
    assert run.curves["steps"].tolist() == list(range(20, 6_021, 20))


@pytest.mark.equal_bits
def test_what_is_stored_is_not_run_again_and_new_seeds_are_the_same_runs_as_ever(finished, tmp_path):
    folder, report = finished
    before = {path.name: path.read_bytes() for path in report.folder.iterdir()}
    again = execute.run(TINY, folder)
    assert (again.num_written, again.num_skipped, again.num_compilations) == (0, 6, 0)
    assert before == {path.name: path.read_bytes() for path in report.folder.iterdir()}

    one = dataclasses.replace(TINY, seeds=(2,))
    fresh = execute.run(one, tmp_path)
    for run in store.read(fresh.folder).runs:
        same = store.find(report.folder, run.facts["id"])
        for name in run.curves:
            np.testing.assert_array_equal(run.curves[name], same.curves[name])


def test_an_interruption_keeps_the_finished_waves_and_the_next_call_runs_the_rest(tmp_path, monkeypatch):
    study = dataclasses.replace(TINY, seeds=range(6))  # 12 cells: two waves of at most 10
    begun, train = [], run_group._train

    def interrupted(*arguments):
        begun.append(arguments)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(run_group, "_train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        execute.run(study, tmp_path)
    stored = len(store.read(tmp_path / "tiny" / "runs").runs)
    assert 0 < stored < 12
    report = execute.run(study, tmp_path)
    assert (report.num_skipped, report.num_written) == (stored, 12 - stored)
    assert len(store.read(report.folder).runs) == 12


def test_a_run_that_another_process_stores_first_is_counted_as_skipped(tmp_path, monkeypatch):
    study, write = dataclasses.replace(TINY, seeds=(0,)), store.write
    calls = []

    def beaten_at_first(folder, facts, *rest):
        calls.append(write(folder, facts, *rest) if not calls else None)
        return write(folder, facts, *rest)

    monkeypatch.setattr(store, "write", beaten_at_first)
    report = execute.run(study, tmp_path)
    assert (report.num_written, report.num_skipped) == (1, 1)


def test_a_name_that_is_taken_by_something_else_is_no_run_that_was_stored(tmp_path, monkeypatch):
    def taken(*arguments):
        raise FileExistsError("not by a run")

    monkeypatch.setattr(store, "write", taken)
    with pytest.raises(FileExistsError, match="not by a run"):
        execute.run(dataclasses.replace(TINY, seeds=(0,)), tmp_path)


def test_a_damaged_record_is_named_and_left_alone(tmp_path):
    study = dataclasses.replace(TINY, seeds=(0,), grid={})
    report = execute.run(study, tmp_path)
    (facts,) = report.folder.glob("*.json")
    facts.write_text("{")
    more = execute.run(dataclasses.replace(study, seeds=(0, 1)), tmp_path)
    assert (more.num_written, more.num_skipped) == (1, 0)
    assert facts.name in more.damaged[0]
    assert facts.read_text() == "{"


def test_a_grid_over_parts_is_stored_by_their_fields(tmp_path):
    grid = {"optimizer": (optimizers.Adam(), optimizers.SGD())}
    report = execute.run(dataclasses.replace(TINY, seeds=(0,), grid=grid), tmp_path)
    kinds = {run.facts["settings"]["optimizer"]["type"] for run in store.read(report.folder).runs}
    assert kinds == {"Adam", "SGD"}


def test_a_grid_of_numpy_numbers_is_the_one_of_pythons_and_its_runs_are_stored(tmp_path):
    ours = dataclasses.replace(TINY, seeds=(0,), grid={"learning_rate": (0.01, 0.001), "batch_size": (8,)})
    theirs = dataclasses.replace(ours, grid={"learning_rate": np.array([0.01, 0.001]), "batch_size": np.array([8])})
    assert list(spec.by_identifier(ours)) == list(spec.by_identifier(theirs))
    found = store.read(execute.run(theirs, tmp_path).folder)
    assert [run.facts["settings"] for run in found.runs] == [
        {"learning_rate": rate, "batch_size": 8} for rate in (0.001, 0.01)
    ]


def test_without_a_word_on_it_checkpoints_are_five_minutes_apart():
    parser = argparse.ArgumentParser()
    options.add_run_options(parser)
    assert parser.parse_args([]).checkpoint == execute.CHECKPOINT_SECONDS == 300.0


def test_single_arms_may_have_more_seeds():
    study = dataclasses.replace(
        TINY,
        algorithms={"one": SMALL, "two": dataclasses.replace(SMALL, n_step=2)},
        grid={"learning_rate": (0.01, 0.001)},
        more_seeds={"two": (8, 9)},
    )
    seeds = {}
    for cell in spec.cells(study):
        seeds.setdefault((cell.algorithm, cell.settings["learning_rate"]), []).append(cell.seed)
    both = [0.01, 0.001]
    assert seeds == {("one", rate): [0, 1, 2] for rate in both} | {("two", rate): [0, 1, 2, 8, 9] for rate in both}


def test_weights_requested_later_are_stored_after_the_record_is_deleted(tmp_path):
    study = dataclasses.replace(TINY, seeds=(0,), grid={})
    requested = dataclasses.replace(study, weights_of=(0,))
    execute.run(study, tmp_path)
    report = execute.run(requested, tmp_path)
    assert (report.num_written, report.num_skipped) == (0, 1)
    with pytest.raises(ValueError, match="add a seed to weights_of of the study, remove its run"):
        select_weights.select(report.folder)
    (path,) = report.folder.glob("*.json")
    path.unlink()
    assert execute.run(requested, tmp_path).num_written == 1
    assert select_weights.select(report.folder) == path


def test_requested_weights_and_episodes_are_stored_and_change_no_curve(finished, tmp_path):
    study = dataclasses.replace(TINY, seeds=(1, 2), grid={"learning_rate": (0.01,)})
    requested = dataclasses.replace(
        study, episodes_logged=7, weights_of=(2,), evaluation=Evaluation(every=200, episodes=2, exact_values=True)
    )
    found = {run.facts["seed"]: run for run in store.read(execute.run(requested, tmp_path).folder).runs}
    for cell in spec.cells(study):
        run, plain_run = found[cell.seed], store.find(finished[1].folder, cell.id)
        for name in set(plain_run.curves) - {"value_error", "value_bias"}:
            np.testing.assert_array_equal(run.curves[name], plain_run.curves[name], err_msg=name)
        assert np.isnan([plain_run.curves["value_error"], plain_run.curves["value_bias"]]).all()
        assert run.curves["value_error"][-1] < 0.1  # learned
        assert (np.abs(run.curves["value_bias"]) <= 2 * run.curves["value_error"]).all()  # of two actions
        episodes = store.attachment(run, "episodes")
        assert episodes["end_step"].tolist() == [2, 2, 4, 4, 6, 6, 8]  # two copies, an episode is one step
        np.testing.assert_array_equal(np.abs(episodes["episode_return"]), 1)
        np.testing.assert_array_equal(episodes["last_reward"], episodes["episode_return"])
    shapes = {
        "params/Dense_0/kernel": (1, 16),
        "params/Dense_0/bias": (16,),
        "params/Dense_1/kernel": (16, 2),
        "params/Dense_1/bias": (2,),
    }
    returns, kept = found[2].curves["evaluation_return"], store.attachment(found[2], "weights")
    assert found[2].facts["best_step"] == 200 * (1 + returns.argmax()) < study.steps
    assert {name: values.shape for name, values in kept.items()} == shapes | {
        f"best/{name}": shape for name, shape in shapes.items()
    }
    assert not np.array_equal(kept["best/params/Dense_0/kernel"], kept["params/Dense_0/kernel"])
    assert not {"weights", "best_step"} & found[1].facts.keys()


@pytest.mark.parametrize(("best_step", "has_best"), [(200, True), (400, False), (None, False)])
def test_weights_of_an_earlier_step_are_stored_if_their_return_was_higher(best_step, has_best):
    study = dataclasses.replace(TINY, weights_of=(1,))
    ending = Ending(None, None, {"params/b": np.zeros(1)}, {}, best_step, {"params/b": np.ones(1)})
    cell = next(cell for cell in spec.cells(study) if cell.seed == 1)
    kept = records.attachments(study, cell, ending)["weights"]
    assert {name: values.tolist() for name, values in kept.items()} == {"params/b": [0.0]} | (
        {"best/params/b": [1.0]} if has_best else {}
    )
