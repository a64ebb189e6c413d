"""Runs as the two files of an archive, whose columns `jaxdqn.store.archive` describes. Equal runs give equal bytes."""

import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jaxdqn.store import arrays, record, schema
from jaxdqn.store.archive import APART, Whole, digest

_RUNS_A_GROUP = 512  # rows compressed together; damage that makes them unreadable hits so many runs


def content(wholes: Sequence[Whole]) -> tuple[bytes, bytes | None]:
    """Returns the bytes of both files for runs in this order; None if no run has weights. Equal runs give equal bytes.

    Raises:
      OverflowError, pyarrow.ArrowException: if a value does not fit into a column.
    """
    table = _table(wholes)
    lists = [field.name for field in table.schema if pa.types.is_list(field.type)]
    floats = [name for name in lists if pa.types.is_floating(table.schema.field(name).type.value_type)]
    out = io.BytesIO()
    pq.write_table(
        table,
        out,
        row_group_size=_RUNS_A_GROUP,
        compression="zstd",
        compression_level=19,
        use_dictionary=[_leaf(table, name) for name in table.schema.names if name not in floats],
        use_byte_stream_split=[_leaf(table, name) for name in floats],
        write_statistics=False,
        store_schema=False,
    )
    weights = {
        f"{one.facts['id']}/{name}": values for one in wholes for name, values in one.arrays.get(APART, {}).items()
    }
    return out.getvalue(), arrays.pack(weights) if weights else None


def _table(wholes: Sequence[Whole]) -> pa.Table:
    kinds = sorted({kind for one in wholes for kind in one.arrays})
    lists, dtypes = _list_columns(wholes, [kind for kind in kinds if kind != APART])
    texts = [record.text(one.facts) for one in wholes]
    hashes = {"sha256": [hashlib.sha256(text.encode()).digest() for text in texts]} | {
        f"sha256.{kind}": [digest(one.arrays[kind]) if kind in one.arrays else None for one in wholes] for kind in kinds
    }
    return pa.table(
        _flat_columns(wholes, {"facts", "dtypes", "sha256", *kinds})
        | {"facts": pa.array(texts, pa.string())}
        | lists
        | {"dtypes": pa.array(dtypes, pa.string())}
        | {name: pa.array(values, pa.binary(32)) for name, values in hashes.items()}
    )


def _flat_columns(wholes: Sequence[Whole], reserved: set[str]) -> dict[str, pa.Array]:
    """Returns a column per fact by dotted path, except for those that describe arrays."""
    leaves = [schema.leaves({key: v for key, v in one.facts.items() if key not in reserved}) for one in wholes]
    paths = dict.fromkeys(["id", *(path for of_run in leaves for path in of_run)])
    return {path: _flat([of_run.get(path) for of_run in leaves]) for path in paths}


def _flat(values: Sequence[Any]) -> pa.Array:
    """Returns values as a column of their type; integers with floats are float64, and other mixtures JSON."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int} and all(-(2**63) <= value < 2**63 for value in values if value is not None):
        return pa.array(values, pa.int64())
    for known, column in (({str}, pa.string()), ({bool}, pa.bool_()), ({int, float}, pa.float64())):
        if kinds <= known:
            return pa.array(
                [float(value) if known == {int, float} and value is not None else value for value in values], column
            )
    return pa.array([None if value is None else json.dumps(value) for value in values], pa.string())


def _list_columns(wholes: Sequence[Whole], kinds: Sequence[str]) -> tuple[dict[str, pa.Array], list[str | None]]:
    """Returns the list columns of arrays, and for each run the dtypes of its arrays that are narrower, as JSON."""
    columns, narrower = {}, [dict[str, str]() for _ in wholes]
    for kind in kinds:
        for name in sorted({name for one in wholes for name in one.arrays.get(kind, {})}):
            found = [one.arrays.get(kind, {}).get(name) for one in wholes]
            common = _common([values.dtype for values in found if values is not None])
            columns[f"{kind}.{name}"] = _list_column(found, common)
            for of_run, values in zip(narrower, found, strict=True):
                if values is not None and values.dtype != common:
                    of_run[f"{kind}.{name}"] = values.dtype.name
    return columns, [json.dumps(of_run) if of_run else None for of_run in narrower]


def _common(dtypes: Sequence[np.dtype]) -> np.dtype:
    """Returns a dtype that holds values of all of these; signed integers wrap around in uint64 and back again."""
    is_integer = all(dtype.kind in "biu" for dtype in dtypes)
    common = np.result_type(*dtypes)
    return np.dtype(np.uint64) if is_integer and common.kind == "f" else common


def _list_column(found: Sequence[np.ndarray | None], dtype: np.dtype) -> pa.Array:
    ends = np.cumsum([0, *(0 if values is None else values.size for values in found)])
    if ends[-1] >= 2**31:
        raise OverflowError("an array of all runs together has more than 2,147,483,647 elements")
    flat = [values.astype(dtype).ravel() for values in found if values is not None]
    is_missing = np.array([*(values is None for values in found), False])
    return pa.ListArray.from_arrays(
        pa.array(ends, pa.int32(), mask=is_missing),
        pa.array(np.concatenate(flat)),
        type=pa.list_(pa.field("element", pa.from_numpy_dtype(dtype), nullable=False)),
    )


def _leaf(table: pa.Table, name: str) -> str:
    return f"{name}.list.element" if pa.types.is_list(table.schema.field(name).type) else name
