"""The names that an error message suggests for a misspelled one."""

import pytest

from jaxdqn.spelling import counted, did_you_mean


@pytest.mark.parametrize(
    ("name", "known", "question"),
    [
        ("dqnn", ["c51", "dqn"], " Did you mean 'dqn'?"),
        ("cath", ["catch", "cat", "acrobot"], " Did you mean 'catch' or 'cat'?"),
        ("zzz", ["c51", "dqn"], ""),
        ("zzz", [], ""),
        ("eps", ["exps", "optimizer.eps"], " Did you mean 'optimizer.eps'?"),
        ("lr", ["lrs", "learning_rate"], " Did you mean 'learning_rate'?"),
        ("lr", ["learning-rate"], " Did you mean 'learning-rate'?"),
        ("buffer-size", ["batch_size", "replay.capacity"], " Did you mean 'replay.capacity'?"),
        ("buffer-size", ["batch_size"], ""),
        ("DQN", ["dqn", "c51"], " Did you mean 'dqn'?"),
    ],
)
def test_similar_names_and_ends_of_paths_are_suggested(name, known, question):
    assert did_you_mean(name, known) == question


@pytest.mark.parametrize("known", [["aa1", "aa2", "aa3", "aa4"], ["1.aa", "2.aa", "3.aa", "4.aa"]])
def test_at_most_three_names_are_suggested(known):
    assert did_you_mean("aa", known).count(" or ") == 2


def test_a_prefix_is_put_before_every_name_and_does_not_count_as_similar():
    assert did_you_mean("Gam-v0", ["Game-v0", "Gum-v0"], "lib:") == " Did you mean 'lib:Game-v0' or 'lib:Gum-v0'?"
    assert did_you_mean("zz", ["aa"], "lib:") == ""


def test_a_noun_agrees_with_its_number():
    found = [counted(*pair) for pair in ((0, "run"), (1, "run"), (2_000, "run"), (1, "search"), (2, "search"))]
    assert found == ["0 runs", "1 run", "2,000 runs", "1 search", "2 searches"]
