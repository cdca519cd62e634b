"""A model folder as bytes: stable JSON, digests, manifest entries and golden cases."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

DISCLAIMER = "Decision support, not diagnosis: a clinician must interpret this estimate together with the person's history."


def stable_json(value: Any) -> bytes:
    """JSON whose bytes depend on the value alone: innermost lists on one line, two spaces per level."""
    return (_render(value, "") + "\n").encode()


def _render(value: Any, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{json.dumps(key)}: {_render(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return "[\n" + ",\n".join(inner + _render(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def model_folder(manifest: dict[str, Any], files: dict[str, bytes]) -> dict[str, bytes]:
    """Every file of a model's folder: the given ones, and the manifest with their digests."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    return {**files, "manifest.json": stable_json({**manifest, "files": digests})}


def model_input(name: str, title: str, description: str, unit: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    """One entry of the manifest's `inputs`; `more` holds the optional keys under their manifest names."""
    return {"name": name, "title": title, "description": description, "unit": unit, "min": low, "max": high, **more}


SHAP_MEASURE = "Mean absolute SHAP value in log-odds over the reference people, all inputs known"


def evidence(
    intended_use: str, not_for: list[str], training_data: str, validation: str,
    calibration: list[dict[str, Any]] | None = None, importance: tuple[str, dict[str, float]] | None = None,
) -> dict[str, Any]:
    """`evidence` of the manifest: what the card says of use and quality, in parts; `importance` is its measure and its values."""
    return {
        "intended_use": intended_use, "not_for": not_for, "training_data": training_data, "validation": validation,
        "calibration": calibration or [],
        "importance": importance and {"measure": importance[0], "values": importance[1]},
    }


def golden_matrix(rows: list[list[float | None]]) -> np.ndarray:
    """Golden inputs as the graph sees them: float32 values, NaN where missing, held as float64."""
    return np.array([[np.nan if value is None else value for value in row] for row in rows], np.float32).astype(float)


def golden_json(inputs: list[str], rows: list[list[float | None]], outputs: list[dict[str, Any]]) -> bytes:
    """`golden.json` from rows in input order and, per row, the expected outputs by name."""
    cases = [
        {"inputs": {name: value for name, value in zip(inputs, row) if value is not None}, "outputs": expected}
        for row, expected in zip(rows, outputs, strict=True)
    ]
    return stable_json({"tolerance": 1e-6, "cases": cases})
