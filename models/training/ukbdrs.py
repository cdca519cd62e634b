"""ukbdrs: 14-year dementia risk at ages 50 to 73 from the published UK Biobank Dementia Risk Score (Anatürk et al. 2023).

P = 1 - S0 ^ exp(LP). An absent APOE status selects the model without APOE, inside the graph.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from . import card as cards
from .artefact import DISCLAIMER, evidence, golden_json, golden_matrix, model_folder, model_input, stable_json
from .graph import assert_reproduces, build_model

# Per input: coefficient without APOE, with APOE.
COEFFICIENTS = {
    "age": (0.177692959251294, 0.185448583498348),
    "sex": (0.168726275413058, 0.164374628844355),
    "education_years": (-0.0409925728007542, -0.037579578137673),
    "family_history": (0.430976053237681, 0.311285747731805),
    "diabetes": (0.536470125918681, 0.526047157958713),
    "townsend_most_deprived": (0.227535362193283, 0.246972315824607),
    "depression": (0.556016474679774, 0.566892403366833),
    "stroke": (0.654852204288696, 0.64267917239979),
    "hypertension": (0.159181761673448, 0.189525433227791),
    "high_cholesterol": (0.103934423846803, 0.0271391344013689),
    "lives_alone": (0.140912692178426, 0.136570007308125),
    "apoe_e4": (0.0, 1.12865113064495),
}
INPUTS = list(COEFFICIENTS)
APOE = INPUTS.index("apoe_e4")
SURVIVAL = (0.9916195, 0.9945524)
CENTRE = {"age": 60.0, "education_years": 14.0}
# What an absent input becomes; age and sex are required, so they have no entry.
ASSUMED = {name: CENTRE.get(name, 0.0) for name in INPUTS if name not in ("age", "sex")}


def score(row: list[float | None]) -> float:
    """The risk of one person in float64, straight from the published formula; None is an absent input."""
    model = 0 if row[APOE] is None else 1
    predictor = 0.0
    for name, value in zip(INPUTS, row, strict=True):
        known = ASSUMED[name] if value is None else value
        if name == "apoe_e4":
            known = 1 if known >= 1 else 0
        predictor += COEFFICIENTS[name][model] * (known - CENTRE.get(name, 0.0))
    return 1 - SURVIVAL[model] ** math.exp(predictor)


def _graph() -> bytes:
    """Computed in float64: 1 - S0 ^ exp(LP) loses digits in float32 where the risk is small."""
    def wide(name: str, values: object, shape: tuple[int, ...]):
        return numpy_helper.from_array(np.asarray(values, np.float64).reshape(shape), name)

    width = len(INPUTS)
    constants = [
        wide("assumed", [ASSUMED.get(name, math.nan) for name in INPUTS], (1, width)),
        # Two APOE e4 alleles count as one: the score asks for carriers.
        wide("largest", [1.0 if name == "apoe_e4" else math.inf for name in INPUTS], (1, width)),
        wide("centre", [CENTRE.get(name, 0.0) for name in INPUTS], (1, width)),
        # One column per model: without and with APOE.
        wide("coefficients", [COEFFICIENTS[name] for name in INPUTS], (width, 2)),
        wide("log_survival", np.log(SURVIVAL), (1, 2)),
        wide("one", 1.0, (1, 1)),
        numpy_helper.from_array(np.array([APOE], np.int64), "apoe_column"),
        numpy_helper.from_array(np.array([0], np.int64), "first"),
        numpy_helper.from_array(np.array([1], np.int64), "second"),
    ]
    nodes = [
        helper.make_node("Cast", ["features"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("IsNaN", ["wide"], ["absent"]),
        helper.make_node("Where", ["absent", "assumed", "wide"], ["filled"]),
        helper.make_node("Min", ["filled", "largest"], ["bounded"]),
        helper.make_node("Sub", ["bounded", "centre"], ["centred"]),
        helper.make_node("MatMul", ["centred", "coefficients"], ["predictors"]),
        helper.make_node("Exp", ["predictors"], ["hazard_ratios"]),
        helper.make_node("Mul", ["hazard_ratios", "log_survival"], ["log_free"]),
        helper.make_node("Exp", ["log_free"], ["free"]),
        helper.make_node("Sub", ["one", "free"], ["risks"]),
        helper.make_node("Gather", ["risks", "first"], ["without_apoe"], axis=1),
        helper.make_node("Gather", ["risks", "second"], ["with_apoe"], axis=1),
        helper.make_node("Gather", ["absent", "apoe_column"], ["apoe_absent"], axis=1),
        helper.make_node("Where", ["apoe_absent", "without_apoe", "with_apoe"], ["risk"]),
        helper.make_node("Cast", ["risk"], ["probability"], to=TensorProto.FLOAT),
    ]
    return build_model("ukbdrs", width, nodes, constants, ["probability"])


def reference_people() -> np.ndarray:
    """Invented people of the score's age range, without APOE: the baseline of explanations. No data were used."""
    rng = np.random.default_rng(50)
    # Few enough that all 2^12 sets of inputs can be tried for an exact explanation.
    count = 32
    shares = {"sex": 0.46, "family_history": 0.13, "diabetes": 0.06, "townsend_most_deprived": 0.2, "depression": 0.12, "stroke": 0.03,
              "hypertension": 0.4, "high_cholesterol": 0.25, "lives_alone": 0.2}  # fmt: skip
    columns = {name: (rng.random(count) < share).astype(float) for name, share in shares.items()}
    columns["age"] = rng.integers(50, 74, count).astype(float)
    columns["education_years"] = np.clip(np.round(rng.normal(14, 4, count)), 7, 20)
    columns["apoe_e4"] = np.full(count, np.nan)
    return np.column_stack([columns[name] for name in INPUTS])


N = None
GOLDEN_ROWS: list[list[float | None]] = [
    [60, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0, N],
    [60, 1, 14, 0, 0, 0, 0, 0, 0, 0, 0, N],
    [60, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [60, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    [73, 1, 7, 1, 1, 1, 1, 1, 1, 1, 1, N],
    [73, 1, 7, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    [50, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, N],
    [50, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [68, 0, 10, 1, 0, 0, 1, 0, 1, 0, 1, N],
    [71, 1, 12, 0, 1, 0, 0, 1, 1, 1, 0, N],
    [65.5, 0, 16, 1, 0, 0, 0, 0, 0, 1, 0, 1],
    [57, 1, 11, 0, 0, 1, 1, 0, 0, 0, 1, 0],
    [66, 0, N, N, N, N, N, N, N, N, N, N],
    [66, 1, N, N, N, N, N, N, N, N, N, 1],
    [72, 0, 9, N, 1, N, N, 1, N, N, N, N],
    [62, 1, N, 1, N, 0, N, N, 1, N, N, 0],
    [70, 0, 15, 0, 0, N, 1, 0, 1, 1, N, N],
    [55, 1, 18, 1, 0, 0, 0, 0, 0, 0, 0, 1],
    [73, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0, 2],
    [63, 1, 13, N, N, N, 1, N, N, N, 1, N],
]
TITLE = "UKBDRS: 14-year dementia risk at ages 50 to 73"
LIMITS = [
    "For ages 50 to 73 only, the ages of UK Biobank's development sample; other ages are refused.",
    "Absent risk factors count as not present and absent education as 14 years: the risk shown is then mostly a lower bound.",
    "The means that centre age and education (60 and 14 years) come from a second implementation, not from the authors' code, which does not state "
    "them. One year of difference in the mean age changes every risk by a factor of about 1.19; the ranking of people is not affected.",
    "UK Biobank's volunteers are healthier and less deprived than the population: absolute risks elsewhere may be higher. Death counts as a competing event.",
    "No interval is given: the covariance of the published coefficients is not available.",
]
INTENDED_USE = "Decision support for clinicians: the 14-year risk of dementia at ages 50 to 73, from the published UK Biobank Dementia Risk Score."
NOT_FOR = ["People below 50 or above 73: such ages are refused.", "Saying whether dementia is present now."]
TERMS = "Published coefficients; cite the source."
ACKNOWLEDGEMENT = "Anatürk, Patel, Suri et al. 2023, BMJ Mental Health 26:e300719."


def _inputs() -> list[dict]:
    def yes_no(name: str, title: str, description: str) -> dict:
        return model_input(name, title, f"{description} 1 yes, 0 no. Absent: taken as no.", "0 or 1", 0, 1, integer=True, words={"no": 0, "yes": 1})

    return [
        model_input("age", "Age", "Age at assessment. The score was made for ages 50 to 73 and says nothing outside them.", "years", 50, 73, required=True,
                    unit_hints=[{"min": 600, "max": 876, "unit": "months"}]),
        model_input("sex", "Sex", "Sex as recorded: 0 female, 1 male.", "0 or 1", 0, 1, integer=True, words={"female": 0, "male": 1}, required=True),
        model_input("education_years", "Education", "Years of education completed. Absent: taken as 14, the mean.", "years", 0, 30),
        yes_no("family_history", "Family history", "Dementia of a parent or sibling."),
        yes_no("diabetes", "Diabetes", "Diagnosed diabetes."),
        yes_no("townsend_most_deprived", "Most deprived fifth", "Lives in the most deprived fifth of areas by the Townsend index."),
        yes_no("depression", "Depression", "Depression, now or in the past."),
        yes_no("stroke", "Stroke", "Stroke or transient ischaemic attack in the past."),
        yes_no("hypertension", "Hypertension", "Diagnosed or treated hypertension."),
        yes_no("high_cholesterol", "High cholesterol", "Diagnosed or treated high cholesterol (not the laboratory value)."),
        yes_no("lives_alone", "Lives alone", "Lives alone."),
        model_input("apoe_e4", "APOE e4 alleles", "Number of APOE e4 alleles; one and two both count as carrier. Absent: the model without APOE is used.",
                    "alleles", 0, 2, integer=True, words={"non_carrier": 0, "carrier": 1}),
    ]  # fmt: skip


def build(_: Path) -> dict[str, bytes]:
    model = _graph()
    reference = reference_people()
    risks = [score(row) for row in GOLDEN_ROWS]
    assert_reproduces(model, golden_matrix(GOLDEN_ROWS), {"probability": np.array(risks)})
    assert_reproduces(model, reference, {"probability": np.array([score([*row[:-1], None]) for row in reference.tolist()])})

    card = cards.render(
        "ukbdrs", title=TITLE, limits=cards.bullets(LIMITS), terms=TERMS, acknowledgement=ACKNOWLEDGEMENT, survival=SURVIVAL,
        coefficients=cards.table(
            ["input", "without APOE", "with APOE"],
            ([name, f"{first:.4f}" if first else "", f"{second:.4f}"] for name, (first, second) in COEFFICIENTS.items()),
        ),
    )  # fmt: skip
    manifest = {
        "manifest_version": 1, "kind": "risk", "name": "ukbdrs", "version": "1", "title": TITLE,
        "summary": "14-year dementia risk for people aged 50 to 73 from the published UK Biobank Dementia Risk Score, with or without APOE.",
        "disclaimer": DISCLAIMER, "inputs": _inputs(), "limits": LIMITS, "terms": TERMS,
        "acknowledgement": ACKNOWLEDGEMENT,
        "metrics": {"published_auc": 0.8, "published_auc_whitehall": 0.77},
        "evidence": evidence(
            INTENDED_USE, NOT_FOR,
            "UK Biobank, ages 50 to 73, with death as a competing event. Nothing was fitted here: published coefficients.",
            "By the authors, in the UK Biobank test sample and in Whitehall II. Not measured again here; no calibration figures.",
            importance=(
                "Coefficient with APOE: change of the log hazard by one unit of the input",
                {name: round(second, 4) for name, (_, second) in sorted(COEFFICIENTS.items(), key=lambda each: -abs(each[1][1]))},
            ),
        ),
        "graph": {"file": "model.onnx", "input": "features", "dtype": "float32", "max_batch": 4096},
        "missing": {"rule": "native"},
        "outputs": [{"name": "risk_14y", "title": "Probability of dementia within 14 years", "value": {"tensor": "probability"}, "horizon_years": 14}],
        "primary_output": "risk_14y",
        "categories": [{"name": "low", "below": 0.01}, {"name": "moderate", "below": 0.03}, {"name": "high", "below": 0.08}, {"name": "very_high"}],
        "categories_origin": "Set for this service, not by the authors of the score.",
        "interval": None, "calibration": None,
        "explanation": {"method": "auto", "space": "log_odds", "background": "background.json"},
    }  # fmt: skip
    golden = [{"risk_14y": {"value": round(value, 9)}} for value in risks]
    rows = [[None if math.isnan(value) else value for value in row] for row in reference.tolist()]
    return model_folder(manifest, {
        "model.onnx": model, "card.md": card, "golden.json": golden_json(INPUTS, GOLDEN_ROWS, golden), "background.json": stable_json({"rows": rows}),
    })  # fmt: skip
