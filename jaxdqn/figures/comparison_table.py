"""The comparison table as an entry of `jaxdqn figure`: final scores of every arm in Markdown, LaTeX and CSV."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdqn.figures.entry import FINAL_STATISTIC, Entry, Option, Output

if TYPE_CHECKING:
    from jaxdqn.analysis.comparison_table import Comparison
    from jaxdqn.store.record import Run


def compare(runs: "Iterable[Run]", **options: Any) -> "Comparison":
    """Returns the table; arguments are those of `jaxdqn.analysis.comparison_table.compare`."""
    from jaxdqn.analysis import comparison_table

    return comparison_table.compare(runs, **options)


def text(table: "Comparison", facts: str) -> str:
    """Returns the table in Markdown, with its explanation and facts about the runs below it."""
    from jaxdqn.analysis import comparison_table

    return comparison_table.markdown(table._replace(reading=f"{table.reading} {facts}"))


def save(table: "Comparison", path: Path, facts: str, formats: Sequence[str]) -> list[Path]:
    """Writes the table in each format, and returns the paths; files that exist are replaced.

    Args:
      table: the comparison.
      path: without suffix; missing folders are made.
      facts: about the runs, below the table in Markdown and LaTeX.
      formats: of `md`, `tex` and `csv`.
    """
    from jaxdqn.analysis import comparison_table
    from jaxdqn.store import files

    whole = table._replace(reading=f"{table.reading} {facts}")
    write = {"md": comparison_table.markdown, "tex": comparison_table.latex, "csv": comparison_table.comma_separated}
    path.parent.mkdir(parents=True, exist_ok=True)
    paths = {name: path.with_name(f"{path.name}.{name}") for name in formats}
    for name, file in paths.items():
        files.replace(file, write[name](whole).encode())
    return list(paths.values())


FIGURE = Entry(
    "table of final scores, the best in bold",
    (*FINAL_STATISTIC, Option("lower_is_better", "the lowest score is the best, as for an error", is_flag=True)),
    compare,
    Output("table", ("md", "tex", "csv"), ("md",), save, text),
)
