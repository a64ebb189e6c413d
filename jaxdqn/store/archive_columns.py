"""Converts runs to the bytes of an archive, whose columns `jaxdqn.store.archive` describes."""

import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jaxdqn.store import arrays, record, schema
from jaxdqn.store.archive import WEIGHTS, FullRun, digest

_RUNS_A_GROUP = 512  # rows that are compressed together; damage to a group can make all of them unreadable


def content(runs: Sequence[FullRun]) -> tuple[bytes, bytes | None]:
    """Returns the bytes of the Parquet file and of the npz; None for the npz if no run has weights.

    Equal runs give equal bytes.

    Args:
      runs: the runs, in the order of the rows.

    Raises:
      OverflowError, pyarrow.ArrowException: a value does not fit into a column.
    """
    table = _table(runs)
    lists = [field.name for field in table.schema if pa.types.is_list(field.type)]
    floats = [name for name in lists if pa.types.is_floating(table.schema.field(name).type.value_type)]
    out = io.BytesIO()
    pq.write_table(
        table,
        out,
        row_group_size=_RUNS_A_GROUP,
        compression="zstd",
        compression_level=19,
        use_dictionary=[_column_path(table, name) for name in table.schema.names if name not in floats],
        use_byte_stream_split=[_column_path(table, name) for name in floats],
        write_statistics=False,
        store_schema=False,
    )
    weights = {
        f"{run.facts['id']}/{name}": values for run in runs for name, values in run.arrays.get(WEIGHTS, {}).items()
    }
    return out.getvalue(), arrays.pack(weights) if weights else None


def _table(runs: Sequence[FullRun]) -> pa.Table:
    kinds = sorted({kind for run in runs for kind in run.arrays})
    lists, dtypes = _list_columns(runs, [kind for kind in kinds if kind != WEIGHTS])
    texts = [record.text(run.facts) for run in runs]
    hashes = {"sha256": [hashlib.sha256(text.encode()).digest() for text in texts]} | {
        f"sha256.{kind}": [digest(run.arrays[kind]) if kind in run.arrays else None for run in runs] for kind in kinds
    }
    return pa.table(
        _flat_columns(runs, {"facts", "dtypes", "sha256", *kinds})
        | {"facts": pa.array(texts, pa.string())}
        | lists
        | {"dtypes": pa.array(dtypes, pa.string())}
        | {name: pa.array(values, pa.binary(32)) for name, values in hashes.items()}
    )


def _flat_columns(runs: Sequence[FullRun], reserved: set[str]) -> dict[str, pa.Array]:
    """Returns a column for each fact by dotted path, without the `reserved` keys, which describe arrays."""
    leaves = [schema.leaves({key: v for key, v in run.facts.items() if key not in reserved}) for run in runs]
    paths = dict.fromkeys(["id", *(path for of_run in leaves for path in of_run)])
    return {path: _column([of_run.get(path) for of_run in leaves]) for path in paths}


def _column(values: Sequence[Any]) -> pa.Array:
    """Returns values as a column of their type: float64 for integers and floats, JSON for other mixtures."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int} and all(-(2**63) <= value < 2**63 for value in values if value is not None):
        return pa.array(values, pa.int64())
    for known, column in (({str}, pa.string()), ({bool}, pa.bool_()), ({int, float}, pa.float64())):
        if kinds <= known:
            return pa.array(
                [float(value) if known == {int, float} and value is not None else value for value in values], column
            )
    return pa.array([None if value is None else json.dumps(value) for value in values], pa.string())


def _list_columns(runs: Sequence[FullRun], kinds: Sequence[str]) -> tuple[dict[str, pa.Array], list[str | None]]:
    """Returns the list columns of arrays, and JSON for each run: dtypes of arrays narrower than their column."""
    columns, narrower = {}, [dict[str, str]() for _ in runs]
    for kind in kinds:
        for name in sorted({name for run in runs for name in run.arrays.get(kind, {})}):
            found = [run.arrays.get(kind, {}).get(name) for run in runs]
            common = _common([values.dtype for values in found if values is not None])
            columns[f"{kind}.{name}"] = _list_column(found, common)
            for of_run, values in zip(narrower, found, strict=True):
                if values is not None and values.dtype != common:
                    of_run[f"{kind}.{name}"] = values.dtype.name
    return columns, [json.dumps(of_run) if of_run else None for of_run in narrower]


def _common(dtypes: Sequence[np.dtype]) -> np.dtype:
    """Returns a dtype that can hold the values of all these dtypes. Signed integers wrap around in uint64 and back."""
    is_integer = all(dtype.kind in "biu" for dtype in dtypes)
    common = np.result_type(*dtypes)
    return np.dtype(np.uint64) if is_integer and common.kind == "f" else common


def _list_column(found: Sequence[np.ndarray | None], dtype: np.dtype) -> pa.Array:
    ends = np.cumsum([0, *(0 if values is None else values.size for values in found)])
    if ends[-1] >= 2**31:
        raise OverflowError("the arrays of all runs together have more than 2,147,483,647 elements")
    flat = [values.astype(dtype).ravel() for values in found if values is not None]
    is_missing = np.array([*(values is None for values in found), False])
    return pa.ListArray.from_arrays(
        pa.array(ends, pa.int32(), mask=is_missing),
        pa.array(np.concatenate(flat)),
        type=pa.list_(pa.field("element", pa.from_numpy_dtype(dtype), nullable=False)),
    )


def _column_path(table: pa.Table, name: str) -> str:
    return f"{name}.list.element" if pa.types.is_list(table.schema.field(name).type) else name
