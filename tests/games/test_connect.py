"""Connect three and four against their rules in plain Python, and exact values against a search of all moves."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.games import connect, exact_values
from jaxdqn.games.connect import ConnectState

BOARD = connect.make(3, 3, 3)
STEP = jax.jit(BOARD.random_step.step)
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def has_row(board, player, length):
    """Returns whether `length` discs of a player lie in a row, looking from each cell in each direction."""
    cells = {(r, c) for r, row in enumerate(board) for c, cell in enumerate(row) if cell == player}
    return any(all((r + i * y, c + i * x) in cells for i in range(length)) for r, c in cells for y, x in DIRECTIONS)


def dropped(board, column, player):
    """Returns the board after a drop, as a tuple of rows; None if the column is full."""
    for row in reversed(range(len(board))):
        if board[row][column] == 0:
            changed = [list(cells) for cells in board]
            changed[row][column] = player
            return tuple(map(tuple, changed))
    return None


@functools.cache
def search(board, length):
    """Returns the values of all columns by searching all moves, -inf for a full one."""
    values = []
    for column in range(len(board[0])):
        after = dropped(board, column, 1)
        if after is None:
            values.append(-np.inf)
        elif has_row(after, 1, length):
            values.append(1.0)
        else:
            replies = [dropped(after, reply, 2) for reply in range(len(board[0]))]
            values.append(float(np.mean([value(one, length) for one in replies if one] or [0.0])))
    return values


def value(board, length):
    """Returns the value of a board after the opponent's move."""
    if has_row(board, 2, length):
        return -1.0
    return max(search(board, length)) if any(0 in row for row in board) else 0.0


def test_exact_values_equal_a_search_of_all_moves():
    solution = exact_values.solve(BOARD, 1.0)
    boards = [tuple(map(tuple, board)) for board in solution.states.board.tolist()]
    expected = [search(board, 3) for board in boards]
    np.testing.assert_allclose(solution.q_values, expected, atol=1e-12)
    assert len(boards) == len(set(boards)) == search.cache_info().currsize
    assert np.isneginf(expected).any()


FULL_COLUMN = """
1 . .
2 . .
1 2 ."""
DECISION = """
1 . .
2 . 2
1 2 1"""
LAST_IS_THE_AGENTS = """
. 2 1
1 2 2
2 1 1"""
LAST_IS_THE_OPPONENTS = """
. . 2
2 1 1
1 2 2"""


def state_of(text):
    return ConnectState(
        jnp.array([[int(cell) for cell in row.replace(".", "0").split()] for row in text.split("\n")[1:]])
    )


@pytest.mark.parametrize(
    ("text", "action", "reply", "reward", "terminated"),
    [
        (FULL_COLUMN, 1, 0, 0.0, False),
        (FULL_COLUMN, 2, 1, 0.0, False),
        (DECISION, 1, 0, 1.0, True),  # a diagonal
        (DECISION, 2, 0, -1.0, True),  # the opponent has the middle row
        (LAST_IS_THE_AGENTS, 0, 0, 0.0, True),
        (LAST_IS_THE_OPPONENTS, 1, 0, 0.0, True),
    ],
)
def test_rewards_and_ends(text, action, reply, reward, terminated):
    _, time_step = STEP(jnp.float32(reply), state_of(text), jnp.int32(action))
    assert (time_step.reward, time_step.terminated, time_step.truncated) == (reward, terminated, False)


def test_a_full_column_is_illegal_and_replies_are_uniform_over_the_others():
    state = state_of(FULL_COLUMN)
    assert BOARD.legal_actions(state).tolist() == [False, True, True]
    after = [STEP(jnp.float32(reply), state, jnp.int32(1))[0].board for reply in BOARD.random_step.noise.values]
    share = (np.stack(after) == connect.OPPONENT).mean(0) - (np.asarray(state.board) == connect.OPPONENT)
    np.testing.assert_array_equal(share, [[0, 0.5, 0], [0, 0, 0], [0, 0, 0.5]])


def test_the_opponent_begins_in_half_of_the_episodes_and_in_any_column():
    game = games.make("connect_four")
    boards = jax.jit(jax.vmap(game.reset))(jax.random.split(jax.random.key(0), 4_000)).board
    bottom = np.asarray(boards)[:, -1]
    assert np.asarray(boards)[:, :-1].sum() == 0
    np.testing.assert_allclose((bottom == connect.OPPONENT).mean(0), np.full(7, 1 / 14), atol=0.02)


def test_the_board_is_drawn_in_three_colours():
    picture = np.asarray(connect.render_board(state_of(FULL_COLUMN)))
    assert picture.dtype == np.uint8
    assert picture[0].tolist() == [list(connect.COLOURS[cell]) for cell in (1, 0, 0)]
    assert picture[2].tolist() == [list(connect.COLOURS[cell]) for cell in (1, 2, 0)]


def test_names_sizes_and_which_boards_list_their_states():
    three, four, other = games.make("connect_three"), games.make("connect_four"), connect.make(4, 4, 3)
    assert (three.observation_shape, three.num_actions, three.max_steps) == ((24,), 4, 6)
    assert (four.observation_shape, four.num_actions, four.max_steps) == ((84,), 7, 21)
    assert other.name == "connect_3_of_4x4"
    assert [one.states is None for one in (three, four, other)] == [False, True, True]
    assert len(three.states().board) == 4_631


@pytest.mark.parametrize("arguments", [(3, 4, 5), (3, 4, 1), (0, 4, 3)])
def test_a_board_too_small_for_a_row_is_an_error(arguments):
    with pytest.raises(ValueError, match=r"connect needs 2 <= length <= max\(rows, columns\)"):
        connect.make(*arguments)
