"""The Blind Cliffwalk: the problem, the kinds of replay, and the script from record to figure."""

import itertools
import json
import subprocess
import sys
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cliffwalk
import cliffwalk_replay
from jaxdqn.store import store


def walk_of(num_states, seed=0):
    return cliffwalk_replay.walk(jnp.asarray(cliffwalk_replay.memory(jax.random.key(seed), num_states)), num_states)


def played(num_states):
    """Returns all transitions (state, action, reward, next state or None) of all sequences of actions."""
    transitions = Counter()
    for actions in itertools.product((0, 1), repeat=num_states):
        for state, action in enumerate(actions):
            if action != state % 2:
                transitions[state, action, 0.0, None] += 1
                break
            is_last = state == num_states - 1
            transitions[state, action, float(is_last), None if is_last else state + 1] += 1
    return transitions


@pytest.mark.parametrize("num_states", [1, 2, 3, 6])
def test_the_memory_contains_the_transitions_of_all_sequences_of_actions(num_states):
    walk = walk_of(num_states)
    of_memory = jax.tree.map(lambda of_kinds: np.asarray(of_kinds[walk.memory]).tolist(), walk.kinds)
    discount = 1 - 1 / num_states
    held = Counter(
        (state, action, reward, state_after if discount_t > 0 else None)
        for state, action, reward, discount_t, state_after in zip(*of_memory, strict=True)
    )
    if num_states > 1:
        assert held == played(num_states)
        assert {round(value, 6) for value in of_memory.discount_t} == {0.0, round(discount, 6)}
    assert walk.memory.size == 2 ** (num_states + 1) - 2
    assert sum(of_memory.r_t) == 1


def test_memories_of_two_seeds_are_ordered_differently():
    memories = [cliffwalk_replay.memory(jax.random.key(seed), 4) for seed in (0, 1)]
    assert (memories[0] != memories[1]).any()
    assert Counter(memories[0].tolist()) == Counter(memories[1].tolist())


def test_true_values_discount_the_right_actions_still_needed():
    np.testing.assert_allclose(
        cliffwalk_replay.true_values(4), [[0.75**3, 0], [0, 0.75**2], [0.75, 0], [0, 1]], rtol=1e-6
    )


def test_true_values_have_no_td_error():
    walk = walk_of(5)
    _, errors = jax.vmap(cliffwalk_replay.learn, in_axes=(None, 0))(walk.true_q, walk.kinds)
    np.testing.assert_allclose(errors, 0.0, atol=1e-6)


def test_uniform_replay_needs_as_many_updates_as_a_numpy_loop_with_the_same_random_bits():
    num_states, seed = 4, 3
    _, initial_key, draw_key = jax.random.split(jax.random.key(seed), 3)
    walk = walk_of(num_states, seed)
    count = cliffwalk_replay.num_updates(initial_key, draw_key, walk, cliffwalk_replay.uniform, 10_000)

    q = np.asarray(cliffwalk_replay.initial_values(initial_key, num_states)).copy()
    draws = np.concatenate([cliffwalk_replay.draws(draw_key, chunk) for chunk in range(3)])
    memory, discount = np.asarray(walk.memory), 1 - 1 / num_states
    true_q = np.zeros((num_states, 2))
    for state in range(num_states):
        true_q[state, state % 2] = discount ** (num_states - 1 - state)
    updates = 0
    while np.mean((q - true_q) ** 2) >= 1e-3:
        state, is_right = divmod(int(memory[draws[updates] % len(memory)]), 2)
        action = state % 2 if is_right else 1 - state % 2
        target = 0.0
        if is_right:
            target = 1.0 if state == num_states - 1 else discount * q[state + 1].max()
        q[state, action] += 0.25 * (target - q[state, action])
        updates += 1
    assert count == updates


def test_the_count_continues_across_chunks(monkeypatch):
    _, initial_key, draw_key = jax.random.split(jax.random.key(0), 3)
    whole = cliffwalk_replay.num_updates(initial_key, draw_key, walk_of(4), cliffwalk_replay.oracle, 1_000)
    monkeypatch.setattr(cliffwalk_replay, "_CHUNK", 8)
    assert cliffwalk_replay.num_updates(initial_key, draw_key, walk_of(4), cliffwalk_replay.oracle, 1_000) == whole


def test_the_oracle_never_needs_more_updates_than_uniform_replay():
    for size in (2, 4, 6):
        oracle, uniform = (
            np.median(cliffwalk.count_updates(size, way, seeds=range(5), cap=100_000)) for way in ("oracle", "uniform")
        )
        assert oracle <= uniform


def test_the_oracle_chooses_the_transition_with_the_smallest_remaining_error():
    walk = walk_of(3)
    q = walk.true_q.at[1, 1].add(0.5).at[2, 1].add(0.1)
    chosen = cliffwalk_replay.oracle(walk).choose((), q, jnp.uint32(0))
    kind = jax.tree.map(lambda of_kinds: of_kinds[walk.memory[chosen]], walk.kinds)
    assert (kind.s_tm1, kind.a_tm1) == (1, 1)


def test_greedy_replay_replays_everything_once_and_then_the_largest_last_error():
    walk = walk_of(3)
    replay = cliffwalk_replay.greedy(walk)
    state, seen = replay.init(), []
    errors = np.linspace(0.1, 0.9, walk.memory.size) * np.where(np.arange(walk.memory.size) % 2, 1, -1)
    for error in errors:
        index = replay.choose(state, walk.true_q, jnp.uint32(0))
        seen.append(int(index))
        state = replay.update(state, index, jnp.float32(error))
    assert seen == list(range(walk.memory.size))
    for expected in reversed(seen):
        index = replay.choose(state, walk.true_q, jnp.uint32(0))
        assert index == expected
        state = replay.update(state, index, jnp.float32(0.0))


def test_proportional_replay_samples_in_proportion_to_the_priorities():
    walk = walk_of(3)
    replay = cliffwalk_replay.proportional(walk)
    state, errors = replay.init(), np.linspace(-1.0, 0.5, walk.memory.size)
    for index, error in enumerate(errors):
        state = replay.update(state, jnp.int32(index), jnp.float32(error))
    random_bits = jnp.asarray((np.arange(20_000) * (2**32 / 20_000)).astype(np.uint32))  # evenly over all values
    drawn = jax.vmap(lambda bits: replay.choose(state, walk.true_q, bits))(random_bits)
    expected = (np.abs(errors) + 1e-3) ** 0.6
    np.testing.assert_allclose(np.bincount(drawn, minlength=len(errors)) / 20_000, expected / expected.sum(), atol=2e-4)


def script(*arguments):
    command = [sys.executable, cliffwalk.__file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def record_of(experiment, updates):
    """Returns a record of the experiment in which every cell has the same updates."""
    settings = experiment.settings()
    return {
        "id": store.identifier(settings),
        "settings": settings,
        "code": {"jaxdqn": "0", "commit": None, "modified": None},
        "versions": {"jax": "0"},
        "hardware": {"platform": "cpu"},
        "cells": [
            {"size": size, "transitions": 2 ** (size + 1) - 2, "way": way, "updates": updates}
            for size in settings["sizes"]
            for way in settings["ways"]
        ],
    }


def test_the_script_runs_from_game_to_figure_and_draws_again_without_running(tmp_path):
    done = script("--toy", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    folder = tmp_path / "cliffwalk-toy"
    (path,) = folder.glob("*.json")
    figure, first, content = (
        folder / "cliffwalk-toy.png",
        (folder / "cliffwalk-toy.png").read_bytes(),
        path.read_bytes(),
    )
    assert str(path) in done.stdout
    assert str(figure) in done.stdout
    (largest,) = (cell for cell in json.loads(content)["cells"] if (cell["size"], cell["way"]) == (5, "uniform"))
    assert None in largest["updates"]
    assert "over 500" in (folder / "cliffwalk-toy.md").read_text()
    figure.unlink()
    done = script("--toy", "--figure-only", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert figure.read_bytes() == first
    assert path.read_bytes() == content


def test_figure_and_table_report_runs_that_are_not_solved_within_the_cap():
    assert cliffwalk.summary({"updates": [7, None, None]}) == (np.inf, 7, np.inf)
    record = record_of(cliffwalk.TOY, [7, None, None])
    assert "over 500 (7 to over 500)" in cliffwalk.table(record)
    assert "24 runs are not solved in 500 updates" in cliffwalk.figure(record).get_label()
    solved = record_of(cliffwalk.TOY, [7, 8, 9])
    assert "8 (7 to 9)" in cliffwalk.table(solved)
    assert "not solved" not in cliffwalk.figure(solved).get_label()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--figure-only"], "run the experiment first"),
        (["--seeds", "0"], "give at least 1"),
        (["--out", __file__], "error: "),
    ],
    ids=["no record", "no seeds", "a file for a folder"],
)
def test_bad_input_prints_an_error_of_one_sentence(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cliffwalk.py", "--toy", "--out", str(tmp_path), *arguments])
    with pytest.raises(SystemExit) as ending:
        cliffwalk.main()
    assert ending.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("damage", ["", "[]", "{}", "a cell less", "a seed less"])
def test_error_for_a_damaged_record_names_it_and_keeps_it(damage, tmp_path, monkeypatch):
    record = record_of(cliffwalk.TOY, [7, 8, 9])
    path = tmp_path / "cliffwalk-toy" / f"{record['id']}.json"
    if damage == "a cell less":
        del record["cells"][0]
    if damage == "a seed less":
        record["cells"][0]["updates"] = [7, 8]
    content = json.dumps(record) if damage.startswith("a") else damage
    path.parent.mkdir()
    path.write_text(content)
    monkeypatch.setattr(sys, "argv", ["cliffwalk.py", "--toy", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="damaged: ") as ending:
        cliffwalk.main()
    assert str(path) in str(ending.value)
    assert path.read_text() == content
