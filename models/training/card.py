"""Model cards: a Markdown template per model in `cards/`, filled with measured figures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

Estimate = tuple[float, float, float]


def with_interval(estimate: Estimate) -> str:
    value, low, high = estimate
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def table(header: list[str], rows: Iterable[Iterable[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def importance_table(inputs: list[str], importance: np.ndarray) -> str:
    order = np.argsort(-importance)
    return table(["input", "mean absolute SHAP"], ([inputs[index], f"{importance[index]:.3f}"] for index in order))


def importance_values(inputs: list[str], importance: np.ndarray) -> dict[str, float]:
    """The same for the manifest, most important first."""
    return {inputs[index]: round(float(importance[index]), 3) for index in np.argsort(-importance)}


def calibration_table(points: list[dict[str, float]]) -> str:
    return table(
        ["visits", "predicted", "observed"], ([point["count"], f"{point['predicted']:.3f}", f"{point['observed']:.3f}"] for point in points)
    )


def bullets(items: list[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def render(name: str, **fields: object) -> bytes:
    """The card of a model; a field of the template that is not given is an error."""
    template = (Path(__file__).parent / "cards" / f"{name}.md").read_text(encoding="utf-8")
    return template.format(**fields).encode()
