"""Compares the Parquet files of a report with its text files, cell by cell; prints how many cells of each had a value.

Usage: compare.py FOLDER
"""

import csv
import json
import pathlib
import sys

import pyarrow.parquet as parquet

folder = pathlib.Path(sys.argv[1])


def same(text, value):
    if text == "":
        return value is None
    return value == text if isinstance(value, str) else value == float(text)


def compare(name):
    table = parquet.read_table(folder / f"{name}.parquet").to_pylist()
    with open(folder / f"{name}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(table) == len(rows), f"{name}: {len(table)} rows for {len(rows)}"
    known = 0
    for number, (found, expected) in enumerate(zip(table, rows)):
        assert list(found) == list(expected), f"{name}: other columns"
        for column, text in expected.items():
            value = found[column]
            assert same(text, value), f"{name} row {number} {column}: {value!r} for {text!r}"
            known += value is not None
    return known


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, str(index)))
    else:
        yield path, value


def compare_summary():
    document = json.loads((folder / "summary.json").read_text("utf-8"))
    rows = {}
    for row in parquet.read_table(folder / "summary.parquet").to_pylist():
        keys = [row["section"], row["subject"], *row["metric"].split(".")]
        path = tuple(key for key in keys if key is not None and key != "run")
        assert path not in rows, f"summary: {path} twice"
        rows[path] = row
    known = 0
    for path, value in leaves(document):
        row = rows.pop(path)
        if isinstance(value, bool):
            value = str(value).lower()
        found = row["text"] if isinstance(value, str) else row["value"]
        # An empty text is no text.
        assert found == value or (value == "" and found is None), f"{path}: {found!r} for {value!r}"
        known += value is not None
    assert not rows, f"summary: rows without a figure: {list(rows)[:3]}"
    return known


print(compare("series"), compare("metrics"), compare_summary())
