"""Discrimination and calibration with weights, cross-validation by person, and intervals by resampling people."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def log_odds(probability: np.ndarray) -> np.ndarray:
    bounded = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.log(bounded / (1 - bounded))


def auc(label: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """Weighted share of (case, non-case) pairs in the right order, ties counting half."""
    values, level = np.unique(probability, return_inverse=True)
    cases = np.bincount(level, weight * label, len(values))
    others = np.bincount(level, weight * (1 - label), len(values))
    below = np.cumsum(others) - others / 2
    return float((cases @ below) / (cases.sum() * others.sum()))


def brier(label: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    return float(np.average((probability - label) ** 2, weights=weight))


def _recalibration(label: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(intercept, slope) of the weighted logistic regression of the label on the log-odds, by Newton steps."""
    design = np.column_stack([np.ones(len(label)), log_odds(probability)])
    coefficients = np.array([0.0, 1.0])
    for _ in range(25):
        fitted = expit(design @ coefficients)
        curvature = (design * (weight * fitted * (1 - fitted))[:, None]).T @ design
        step = np.linalg.solve(curvature + 1e-9 * np.eye(2), design.T @ (weight * (label - fitted)))
        coefficients = coefficients + step
        if np.max(np.abs(step)) < 1e-6:
            break
    return coefficients


def calibration_slope(label: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    return float(_recalibration(label, probability, weight)[1])


def calibration_gap(label: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """Mean predicted minus observed probability."""
    return float(np.average(probability - label, weights=weight))


METRICS: dict[str, Metric] = {
    "auc": auc, "brier": brier, "calibration_slope": calibration_slope, "calibration_gap": calibration_gap,
}  # fmt: skip


def calibration_points(
    label: np.ndarray, repeats: list[np.ndarray], weight: np.ndarray, groups: int = 8
) -> list[dict[str, float]]:
    """Groups of equal weight by rising prediction: mean prediction, observed share and rows of each, mean over the repeats."""
    totals = np.zeros((groups, 3))
    for probability in repeats:
        order = np.argsort(probability, kind="stable")
        place = np.cumsum(weight[order]) - weight[order] / 2
        group = np.minimum((place / weight.sum() * groups).astype(int), groups - 1)
        for number in range(groups):
            rows = order[group == number]
            totals[number] += (
                np.average(probability[rows], weights=weight[rows]), np.average(label[rows], weights=weight[rows]), len(rows),
            )  # fmt: skip
    return [
        {"predicted": round(float(predicted), 4), "observed": round(float(observed), 4), "count": round(float(count))}
        for predicted, observed, count in totals / len(repeats)
    ]


def person_folds(people: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold number per row; a person's rows share one fold."""
    names, index = np.unique(people, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(names)) % folds)[index]


def person_weights(people: np.ndarray, power: float) -> np.ndarray:
    """Weight of a row of a person with n rows: n^-power, mean 1 (power 1: people count equally; 0: rows do)."""
    _, index, count = np.unique(people, return_inverse=True, return_counts=True)
    weight = 1.0 / count[index] ** power
    return weight / weight.mean()


def resampled_weights(people: np.ndarray, draws: int, seed: int) -> list[np.ndarray]:
    """Per draw, how often each row's person was drawn: the bootstrap by person as integer weights."""
    names, index = np.unique(people, return_inverse=True)
    rng = np.random.default_rng(seed)
    return [np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))[index].astype(float)
            for _ in range(draws)]  # fmt: skip


def measure(
    metric: Metric, label: np.ndarray, repeats: list[np.ndarray], weight: np.ndarray, resamples: list[np.ndarray]
) -> tuple[float, float, float]:
    """Mean of the metric over repeats of the cross-validation, and its 95 % interval by resampling people."""
    value = float(np.mean([metric(label, probability, weight) for probability in repeats]))
    spread = []
    for times in resamples:
        drawn = times > 0
        if 0 < label[drawn].mean() < 1:
            spread.append(np.mean([metric(label[drawn], p[drawn], (weight * times)[drawn]) for p in repeats]))
    low, high = np.quantile(spread, [0.025, 0.975])
    return value, float(low), float(high)
