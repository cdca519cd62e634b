"""Gradient-boosted trees with fixed seeds on one thread, so that the same data give the same bytes."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np

FIXED: dict[str, Any] = {"verbose": -1, "deterministic": True, "force_row_wise": True, "num_threads": 1}


def boost(
    rows: np.ndarray, target: np.ndarray, weight: np.ndarray, rounds: int, monotone: list[int], seed: int, **parameters: Any
) -> lgb.Booster:
    """LightGBM with NaN as missing; `monotone` holds -1, 0 or 1 per column."""
    settings = {**FIXED, "seed": seed, "monotone_constraints": monotone, **parameters}
    return lgb.train(settings, lgb.Dataset(rows, target, weight=weight, free_raw_data=True), rounds)


def mean_absolute_shap(booster: lgb.Booster, rows: np.ndarray) -> np.ndarray:
    """Mean |SHAP| per column in the space of the raw score."""
    return np.abs(booster.predict(rows, pred_contrib=True)[:, :-1]).mean(axis=0)
