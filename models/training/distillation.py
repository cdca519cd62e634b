"""What the learnt risk models share: ridge regressions per set of known inputs, one small tree ensemble that reproduces
a teacher on masked people, and a second one for the standard error of its log-odds."""

from __future__ import annotations

from collections.abc import Callable

import lightgbm as lgb
import numpy as np
from onnx import NodeProto, helper
from scipy.special import expit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from .evaluation import log_odds
from .graph import quantise_leaves
from .trees import boost

LogOdds = Callable[[np.ndarray], np.ndarray]
Terms = Callable[[np.ndarray, list[int]], np.ndarray]
LEVEL = 0.9
WIDTH = float(norm.ppf(0.5 + LEVEL / 2))
REPLICATES = 40


def logistic_per_subset(
    rows: np.ndarray, label: np.ndarray, weight: np.ndarray, inputs: int, terms: Terms, strength: float
) -> LogOdds:
    """Log-odds by the ridge regression fitted for exactly the inputs that a row knows.

    `terms(rows, known)` is the design matrix; columns of `rows` after the first `inputs` are for it alone.
    `strength` is the inverse of the ridge penalty.
    """
    base_rate = float(log_odds(np.array([np.average(label, weights=weight)]))[0])
    fitted: dict[int, LogisticRegression] = {}

    def predict(asked: np.ndarray) -> np.ndarray:
        values = np.full(len(asked), base_rate)
        pattern = ~np.isnan(asked[:, :inputs]) @ (1 << np.arange(inputs))
        for code in np.unique(pattern):
            known = [column for column in range(inputs) if code >> column & 1]
            design = terms(asked[pattern == code], known)
            if design.shape[1] == 0:
                continue
            if code not in fitted:
                usable = ~np.isnan(rows[:, known]).any(axis=1)
                regression = LogisticRegression(C=strength, max_iter=1000)
                fitted[code] = regression.fit(terms(rows[usable], known), label[usable], weight[usable])
            values[pattern == code] = fitted[code].decision_function(design)
        return values

    return predict


def fit_student(target: np.ndarray, rows: np.ndarray, trees: int, monotone: list[int], seed: int) -> tuple[lgb.Booster, float]:
    """The shipped ensemble, and its root mean square distance from the teacher's log-odds."""
    probability = expit(target)
    booster = boost(
        rows, target, probability * (1 - probability) + 0.03, trees, monotone, seed,
        objective="regression", num_leaves=16, max_depth=4, learning_rate=0.2, lambda_l2=1.0, min_data_in_leaf=60, feature_fraction=0.9,
    )  # fmt: skip
    quantise_leaves(booster)
    return booster, float(np.sqrt(np.mean((booster.predict(rows) - target) ** 2)))


def fit_log_error(answers: list[np.ndarray], rows: np.ndarray, distance: float, trees: int) -> lgb.Booster:
    """Log standard error of the log-odds: spread of the refitted teachers' answers, and the student's own distance."""
    target = 0.5 * np.log(np.var(answers, axis=0, ddof=1) + distance**2)
    booster = boost(
        rows, target, np.ones(len(rows)), trees, [0] * rows.shape[1], 77,
        objective="regression", num_leaves=16, max_depth=4, learning_rate=0.4, min_data_in_leaf=100,
    )  # fmt: skip
    quantise_leaves(booster)
    return booster


def resampled_people(person: np.ndarray, replicate: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of people drawn with replacement, and new person numbers: one drawn twice counts as two people."""
    names = np.unique(person)
    drawn = np.random.default_rng(5000 + replicate).choice(names, len(names))
    parts = [np.flatnonzero(person == name) for name in drawn]
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def interval_nodes(log_odds_name: str, half_width: str, lower: str, upper: str) -> list[NodeProto]:
    """Sigmoid of the log-odds minus and plus the half width."""
    return [
        helper.make_node("Sub", [log_odds_name, half_width], [f"{lower}_log_odds"]),
        helper.make_node("Sigmoid", [f"{lower}_log_odds"], [lower]),
        helper.make_node("Add", [log_odds_name, half_width], [f"{upper}_log_odds"]),
        helper.make_node("Sigmoid", [f"{upper}_log_odds"], [upper]),
    ]


def interval_method(distance: float) -> str:
    return (
        f"Spread (standard error) of the log-odds over {REPLICATES} refits on people resampled with replacement, with the distance "
        f"between the averaged models and the shipped trees ({distance:.2f}) added in quadrature; distilled into a second tree ensemble "
        "of the same graph. It covers uncertainty of the fitted risk for people like this one, not what will be found in this person."
    )
