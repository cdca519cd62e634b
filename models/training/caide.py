"""caide: 20-year dementia risk of people in midlife, from the published CAIDE points (Kivipelto et al. 2006).

The score is a sum of integer points, so it is written as one tiny tree per factor whose leaves hold slope x points: the
explanation is then exact. Each tree asks first whether the APOE status is known, which chooses between the two models.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from onnx import helper

from . import card as cards
from .artefact import DISCLAIMER, evidence, golden_json, golden_matrix, model_folder, model_input, stable_json
from .graph import assert_reproduces, build_model, count_rows, split, tree_ensemble

INPUTS = ["age", "sex", "education_years", "systolic_bp", "bmi", "total_cholesterol", "physically_active", "apoe_e4"]
AGE, SEX, EDUCATION, PRESSURE, BMI, CHOLESTEROL, ACTIVE, APOE = range(8)
# (intercept, slope per point) without and with APOE. The slope belongs to the integer points, never to the sum of the
# published regression coefficients: that mix-up, found in circulating code, caps every risk below 2 %.
SCALE = {False: (-7.406 + 0.796, 0.401), True: (-8.083 + 1.020, 0.390)}
# Per factor: points (without APOE, with APOE).
POINTS = {
    "age 47 to 53": (3, 3), "age 54 and over": (4, 5), "education 7 to 9 years": (2, 3), "education below 7 years": (3, 4),
    "male": (1, 1), "systolic blood pressure above 140 mmHg": (2, 2), "BMI above 30 kg/m2": (2, 2),
    "total cholesterol above 6.5 mmol/L": (2, 1), "physically inactive": (1, 1), "APOE e4 carrier": (0, 2),
}  # fmt: skip

# Most points that each input can give, with APOE known.
MOST_POINTS = {
    "age": 5, "education_years": 4, "systolic_bp": 2, "bmi": 2, "apoe_e4": 2, "sex": 1, "total_cholesterol": 1, "physically_active": 1,
}  # fmt: skip


def score(row: list[float | None]) -> tuple[int, float]:
    """(points, risk) of one person in float64, straight from the published table; None is an absent input."""
    age, sex, education, pressure, bmi, cholesterol, active, apoe = row
    model = apoe is not None
    present = []
    if age >= 47:
        present.append("age 54 and over" if age >= 54 else "age 47 to 53")
    if education < 10:
        present.append("education below 7 years" if education < 7 else "education 7 to 9 years")
    conditions = {
        "male": sex == 1,
        "systolic blood pressure above 140 mmHg": pressure is not None and pressure > 140,
        "BMI above 30 kg/m2": bmi is not None and bmi > 30,
        "total cholesterol above 6.5 mmol/L": cholesterol is not None and cholesterol > 6.5,
        "physically inactive": active == 0,
        "APOE e4 carrier": apoe is not None and apoe >= 1,
    }
    present += [name for name, holds in conditions.items() if holds]
    points = sum(POINTS[name][model] for name in present)
    intercept, slope = SCALE[model]
    return points, 1 / (1 + math.exp(-(intercept + slope * points)))


# Above every number of APOE alleles: the split sends known statuses below and a missing one above.
KNOWN = 9.0


def _trees(reference: np.ndarray) -> list[dict]:
    # float32 neighbours: `x <= 46.999996` is `x < 47` for every float32 x.
    def below(value: float) -> float:
        return float(np.nextafter(np.float32(value), np.float32(-np.inf)))

    def factor(model: bool, column: int, steps: list[tuple[float, float]], lowest: float, missing_below: bool) -> dict:
        """Leaves by rising thresholds: `lowest` points up to the first, then each step's points above its threshold."""
        slope = SCALE[model][1]
        if not steps:
            return {"leaf_value": slope * lowest}
        *rest, (threshold, points) = steps
        return split(column, threshold, factor(model, column, rest, lowest, missing_below), {"leaf_value": slope * points}, missing_below)

    def both(column: int, steps: list[tuple[float, str | None]], lowest: str | None = None, missing_below: bool = True) -> dict:
        def points(name: str | None, model: bool) -> float:
            return 0 if name is None else POINTS[name][model]

        known, unknown = (
            factor(model, column, [(at, points(name, model)) for at, name in steps], points(lowest, model), missing_below)
            for model in (True, False)
        )
        return split(APOE, KNOWN, known, unknown, missing_below=False)

    trees = [
        split(APOE, KNOWN, {"leaf_value": SCALE[True][0]}, {"leaf_value": SCALE[False][0]}, missing_below=False),
        both(AGE, [(below(47), "age 47 to 53"), (below(54), "age 54 and over")]),
        both(EDUCATION, [(below(7), "education 7 to 9 years"), (below(10), None)], lowest="education below 7 years", missing_below=False),
        both(SEX, [(0.5, "male")]),
        both(PRESSURE, [(140, "systolic blood pressure above 140 mmHg")]),
        both(BMI, [(30, "BMI above 30 kg/m2")]),
        both(CHOLESTEROL, [(6.5, "total cholesterol above 6.5 mmol/L")]),
        both(ACTIVE, [(0.5, None)], lowest="physically inactive", missing_below=False),
        both(APOE, [(0.5, "APOE e4 carrier")]),
    ]
    for tree in trees:
        count_rows(tree, reference)
    return trees


def reference_people() -> np.ndarray:
    """Invented people of the score's age range, without APOE: the baseline of explanations. No data were used."""
    rng = np.random.default_rng(39)
    count = 100
    rows = np.column_stack([
        rng.integers(39, 65, count), rng.integers(0, 2, count), np.clip(np.round(rng.normal(11, 3, count)), 4, 20),
        np.round(rng.normal(136, 17, count)), np.round(rng.normal(26.5, 4, count), 1), np.round(rng.normal(5.8, 1.0, count), 1),
        rng.random(count) < 0.6, np.full(count, np.nan),
    ])  # fmt: skip
    return rows


GOLDEN_ROWS: list[list[float | None]] = [
    [45, 0, 12, 120, 24, 5.2, 1, None],
    [50, 1, 8, 150, 28, 6.8, 0, None],
    [54, 1, 6, 145, 31, 7.0, 0, None],
    [47, 0, 10, 140, 30, 6.5, 1, None],
    [46.9, 0, 9, 141, 30.1, 6.6, 1, None],
    [53.9, 1, 6.5, 130, 26, 5.0, 1, None],
    [64, 0, 7, 160, 33, 7.5, 0, None],
    [39, 0, 20, 110, 21, 4.0, 1, None],
    [45, 0, 12, 120, 24, 5.2, 1, 0],
    [45, 0, 12, 120, 24, 5.2, 1, 1],
    [54, 1, 6, 145, 31, 7.0, 0, 1],
    [54, 1, 6, 145, 31, 7.0, 0, 0],
    [50, 1, 8, 150, 28, 6.8, 0, 1],
    [60, 0, 9, 138, 27, 6.9, 1, 0],
    [58, 1, 11, None, None, None, None, None],
    [58, 1, 11, None, None, None, None, 1],
    [52, 0, 5, 155, None, 6.1, None, None],
    [48, 1, 16, None, 32, None, 0, 0],
    [39, 1, 0, 90, 18, 3.0, 1, 1],
    [64, 0, 10, 200, 45, 10.0, 0, 2],
]
TITLE = "CAIDE: 20-year dementia risk in midlife"
LIMITS = [
    "For ages 39 to 64 only, the ages of the development study; it must not be used at 65 or later, and such ages are refused.",
    "Absent blood pressure, BMI, cholesterol or activity count as no points: the risk shown is then a lower bound.",
    "Developed in one Finnish cohort with 61 cases; absolute risks elsewhere and today may differ. "
    "Later cohorts, most of them older, report c-statistics of 0.49 to 0.65, UK Biobank 0.60.",
    "The points of the model with APOE were found in one secondary source only; the rule points = 2.5 x coefficient, rounded, confirms them.",
    "No interval is given: the covariance of the published coefficients is not available.",
]
INTENDED_USE = "Decision support for clinicians: the 20-year risk of dementia in midlife, at ages 39 to 64, from the published CAIDE points."
NOT_FOR = [
    "People below 39, or of 65 or more: such ages are refused.",
    "Saying whether dementia is present now.",
]
TERMS = "Published coefficients; cite the source."
ACKNOWLEDGEMENT = "Kivipelto et al. 2006, Lancet Neurology 5:735, doi:10.1016/S1474-4422(06)70537-3."


def _inputs() -> list[dict]:
    absent = "Absent: no points, so the risk is a lower bound."
    return [
        model_input("age", "Age", "Age at the examination, in completed years. The score was made for ages 39 to 64 and says nothing outside them.", "years",
                    39, 64, required=True, unit_hints=[{"min": 468, "max": 768, "unit": "months"}]),
        model_input("sex", "Sex", "Sex as recorded: 0 female, 1 male.", "0 or 1", 0, 1, integer=True, words={"female": 0, "male": 1}, required=True),
        model_input("education_years", "Education", "Years of education completed.", "years", 0, 30, required=True),
        model_input("systolic_bp", "Systolic blood pressure", f"Sitting systolic blood pressure; above 140 mmHg counts. {absent}", "mmHg", 60, 280,
                    unit_hints=[{"min": 8, "max": 37.5, "unit": "kPa"}]),
        model_input("bmi", "Body-mass index", f"Weight by height squared; above 30 kg/m2 counts. {absent}", "kg/m2", 10, 80),
        model_input("total_cholesterol", "Total cholesterol", f"Serum total cholesterol; above 6.5 mmol/L counts. {absent}", "mmol/L", 1.5, 16,
                    unit_hints=[{"min": 58, "max": 620, "unit": "mg/dL"}]),
        model_input("physically_active", "Physically active", f"1: leisure-time activity at least twice a week for 20 to 30 minutes; 0: less. {absent}", "0 or 1", 0, 1,
                    integer=True, words={"inactive": 0, "active": 1}),
        model_input("apoe_e4", "APOE e4 alleles", "Number of APOE e4 alleles; one and two both count as carrier. Absent: the model without APOE is used.",
                    "alleles", 0, 2, integer=True, words={"non_carrier": 0, "carrier": 1}),
    ]  # fmt: skip


def build(_: Path) -> dict[str, bytes]:
    reference = reference_people()
    nodes = [
        tree_ensemble(_trees(reference), "features", "log_odds"),
        helper.make_node("Sigmoid", ["log_odds"], ["probability"]),
    ]
    model = build_model("caide", len(INPUTS), nodes, [], ["probability", "log_odds"])
    scores = [score(row) for row in GOLDEN_ROWS]
    assert_reproduces(model, golden_matrix(GOLDEN_ROWS), {"probability": np.array([risk for _, risk in scores])})
    assert_reproduces(model, reference, {"probability": np.array([score([*row[:-1], None])[1] for row in reference.tolist()])})

    def risk(points: int, model_with_apoe: bool) -> str:
        intercept, slope = SCALE[model_with_apoe]
        return f"{1 / (1 + math.exp(-(intercept + slope * points))):.2%}"

    card = cards.render(
        "caide", title=TITLE, limits=cards.bullets(LIMITS), terms=TERMS, acknowledgement=ACKNOWLEDGEMENT,
        points=cards.table(["factor", "points without APOE", "points with APOE"], ([name, *values] for name, values in POINTS.items())),
        risks=cards.table(
            ["points", "without APOE", "with APOE"],
            ([points, risk(points, False) if points <= 15 else "", risk(points, True)] for points in range(19)),
        ),
    )  # fmt: skip
    manifest = {
        "manifest_version": 1, "kind": "risk", "name": "caide", "version": "1", "title": TITLE,
        "summary": "20-year dementia risk for people aged 39 to 64 from the published CAIDE points, with or without APOE.",
        "disclaimer": DISCLAIMER, "inputs": _inputs(), "limits": LIMITS, "terms": TERMS,
        "acknowledgement": ACKNOWLEDGEMENT,
        "metrics": {"published_auc": 0.77},
        "evidence": evidence(
            INTENDED_USE, NOT_FOR,
            "CAIDE, eastern Finland: 1,409 people aged 39 to 64, of whom 61 were found demented 20 years later. Nothing was fitted here: published points.",
            "By others: AUC 0.77 in the development study; c-statistics of 0.49 to 0.65 in other cohorts, most of them older, and 0.60 in UK Biobank. "
            "Not measured again here; no calibration figures.",
            importance=("Most points that the input can give, with APOE known", MOST_POINTS),
        ),
        "graph": {"file": "model.onnx", "input": "features", "dtype": "float32", "max_batch": 4096},
        "missing": {"rule": "native"},
        "outputs": [{"name": "risk_20y", "title": "Probability of dementia within 20 years", "value": {"tensor": "probability"}, "horizon_years": 20}],
        "primary_output": "risk_20y",
        "categories": [{"name": "low", "below": 0.026}, {"name": "moderate", "below": 0.057}, {"name": "high", "below": 0.12}, {"name": "very_high"}],
        "categories_origin": "Cut between the published bands of points without APOE: low up to 7 points, moderate 8 to 9, high 10 to 11, very high from 12.",
        "interval": None, "calibration": None,
        "explanation": {"method": "auto", "space": "log_odds", "background": "background.json"},
    }  # fmt: skip
    golden = [{"risk_20y": {"value": round(value, 9)}} for _, value in scores]
    rows = [[None if math.isnan(value) else value for value in row] for row in reference.tolist()]
    return model_folder(manifest, {
        "model.onnx": model, "card.md": card, "golden.json": golden_json(INPUTS, GOLDEN_ROWS, golden), "background.json": stable_json({"rows": rows}),
    })  # fmt: skip
