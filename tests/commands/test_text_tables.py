"""Tables of text in a given number of columns."""

from jaxdqn.analysis import table_formats
from jaxdqn.commands import text_tables

ROWS = [("name", "settings", "score"), ("a1b2c3d4e5f6", "learning_rate 0.001", "1.5"), ("b", "", "10")]


def test_columns_are_aligned_and_numbers_stand_to_the_right():
    assert text_tables.table(ROWS, 80).splitlines() == [
        "name          settings             score",
        "a1b2c3d4e5f6  learning_rate 0.001    1.5",
        "b                                     10",
    ]


def test_a_long_table_is_wrapped_between_words_and_after_underscores_first():
    assert text_tables.table(ROWS, 36).splitlines() == [
        "name          settings         score",
        "a1b2c3d4e5f6  learning_rate      1.5",
        "              0.001",
        "b                                 10",
    ]
    assert text_tables.table(ROWS, 30).splitlines()[2:4] == ["              rate", "              0.001"]
    for columns, is_name_whole in ((29, True), (24, False)):
        narrow = text_tables.table(ROWS, columns)
        assert max(map(len, narrow.splitlines())) <= columns
        assert ("a1b2c3d4e5f6" in narrow) == is_name_whole


def test_the_long_name_of_an_environment_is_wrapped_at_its_signs_and_other_headings_stay_whole():
    rows = [("game", "algorithm", "diverged"), ("gymnasium:my_maze:Maze-v0?size=5", "dqn", "0")]
    assert text_tables.table(rows, 36).splitlines()[1:] == [
        "gymnasium:my_    dqn               0",
        "maze:Maze-v0?",
        "size=5",
    ]


def test_the_terminal_gives_the_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "36")
    assert text_tables.table(ROWS) == text_tables.table(ROWS, 36)


def test_a_table_of_markdown_is_fitted_and_other_lines_stay():
    text = "before\n| a | b |\n|---|---|\n| x | -1 |\n\nafter"
    assert text_tables.markdown_fitted(text, 80) == "before\na   b\nx  -1\n\nafter"
    assert text_tables.markdown_fitted("none\n") == "none\n"


def test_a_bar_in_a_cell_of_markdown_stays_as_in_the_name_of_a_game_with_a_wrapper():
    rows = [("game", "score"), ("gymnasium:Maze-v0|mine:Pictures?size=8", "1")]
    assert text_tables.markdown_fitted(table_formats.markdown(rows), 80).rstrip() == text_tables.table(rows, 80)


def test_a_column_without_values_is_left_out_where_the_table_does_not_fit():
    rows = [("game", "settings", "score"), ("catch", "-", "1"), ("acrobot", "-", "2")]
    assert text_tables.table(rows, 24) == "game     settings  score\ncatch    -             1\nacrobot  -             2"
    assert text_tables.table(rows, 23) == "game     score\ncatch        1\nacrobot      2"
