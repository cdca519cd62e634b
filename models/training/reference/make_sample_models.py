"""
Models of five kinds, as a user of each library would bring them, trained on made-up people: complete folders
test/fixtures/models/<name>/1/ with model.onnx, manifest.json, golden.json, background.json and card.md.
The expected outputs are those of the library, not of the ONNX file. Nobody real is in them; not for use on people.
"""

import hashlib
import json
import warnings
from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime
import xgboost
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloat
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnx_trees import keep_output, settle

INPUTS = [
    {"name": "mmse_score", "title": "MMSE score", "unit": "points", "min": 0, "max": 30, "integer": True},
    {"name": "age", "title": "Age", "unit": "years", "min": 40, "max": 110},
    {"name": "education_years", "title": "Education", "unit": "years", "min": 0, "max": 30},
    {
        "name": "sex",
        "title": "Sex",
        "unit": "0 or 1",
        "min": 0,
        "max": 1,
        "integer": True,
        "words": {"female": 0, "male": 1},
    },
    {"name": "nwbv", "title": "Normalised whole-brain volume", "unit": "fraction", "min": 0.5, "max": 1},
]
PEOPLE, BACKGROUND, CASES = 1500, 60, 12
DISCLAIMER = "Decision support, not diagnosis."


def people(seed):
    r = np.random.default_rng(seed)
    age = np.round(r.uniform(55, 95, PEOPLE), 1)
    education = np.round(np.clip(r.normal(13, 3, PEOPLE), 4, 23))
    sex = r.integers(0, 2, PEOPLE)
    nwbv = np.round(np.clip(0.86 - 0.0028 * (age - 55) + r.normal(0, 0.025, PEOPLE), 0.6, 0.95), 3)
    mmse = np.clip(np.round(30 - np.abs(r.normal(0, 3, PEOPLE)) - 0.05 * np.maximum(age - 75, 0)), 8, 30)
    x = np.column_stack([mmse, age, education, sex, nwbv]).astype(np.float32)
    odds = -0.55 * (mmse - 26) + 0.05 * (age - 75) - 0.08 * (education - 13) - 14 * (nwbv - 0.78) - 0.6
    return x, (r.random(PEOPLE) < 1 / (1 + np.exp(-odds))).astype(int)


def skl(model, inputs):
    types = [("X", FloatTensorType([None, inputs]))]
    final = model[-1] if hasattr(model, "steps") else model
    options = {id(final): {"zipmap": False}}
    return convert_sklearn(model, initial_types=types, target_opset={"": 15, "ai.onnx.ml": 3}, options=options)


def tools(convert, model, inputs):
    return convert(model, initial_types=[("X", ToolsFloat([None, inputs]))], target_opset=15)


MODELS = {
    "sample-lightgbm": (
        "LightGBM, 60 trees",
        lambda: lightgbm.LGBMClassifier(n_estimators=60, num_leaves=15, random_state=1, n_jobs=1, verbose=-1),
        lambda m, n: convert_lightgbm(m, initial_types=[("X", ToolsFloat([None, n]))], target_opset=15, zipmap=False),
        "native",
        {"method": "auto", "space": "log_odds"},
    ),
    "sample-xgboost": (
        "XGBoost, 60 trees",
        lambda: xgboost.XGBClassifier(n_estimators=60, max_depth=4, learning_rate=0.1, random_state=1, n_jobs=1),
        lambda m, n: tools(convert_xgboost, m, n),
        "native",
        {"method": "tree_path_dependent", "space": "log_odds"},
    ),
    "sample-forest": (
        "scikit-learn random forest, 50 trees",
        lambda: RandomForestClassifier(50, max_depth=6, min_samples_leaf=5, random_state=1, n_jobs=1),
        skl,
        "impute",
        {"method": "tree_interventional", "space": "probability"},
    ),
    "sample-logistic": (
        "scikit-learn logistic regression after a standard scaler",
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        skl,
        "impute",
        {"method": "linear", "space": "log_odds"},
    ),
    "sample-network": (
        "scikit-learn neural network with one hidden layer of 8 units",
        lambda: make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=600, random_state=1)),
        skl,
        "impute",
        {"method": "permutation", "space": "probability"},
    ),
}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def dump(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def make(name, folder):
    kind, create, convert, missing, explanation = MODELS[name]
    x, y = people(11)
    medians = np.median(x, axis=0)
    r = np.random.default_rng(12)
    train = x.copy()
    if missing == "native":
        train[r.random(train.shape) < 0.15] = np.nan
    model = create().fit(train, y)
    file = keep_output(convert(model, x.shape[1]), "probabilities")
    settle(file, name)
    out = folder / name / "1"
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.onnx").write_bytes(file.SerializeToString())

    cases = people(13)[0][:CASES]
    cases[np.random.default_rng(14).random(cases.shape) < 0.2] = np.nan
    encoded = np.where(np.isnan(cases), medians, cases).astype(np.float32) if missing == "impute" else cases
    expected = model.predict_proba(encoded)[:, 1]
    found = onnxruntime.InferenceSession(file.SerializeToString()).run(["probabilities"], {"X": encoded})[0][:, 1]
    assert np.abs(found - expected).max() < 5e-6, f"{name}: the ONNX file answers otherwise than the library"

    tidy = lambda v: None if np.isnan(v) else float(str(np.float32(v)))
    named = lambda row: {i["name"]: tidy(v) for i, v in zip(INPUTS, row)}
    dump(
        out / "golden.json",
        {
            "tolerance": 1e-5,
            "cases": [
                {"inputs": named(c), "outputs": {"impairment": {"value": float(e)}}} for c, e in zip(cases, expected)
            ],
        },
    )
    background = np.where(np.isnan(train), np.nan, train)[:BACKGROUND]
    dump(out / "background.json", {"rows": [[tidy(v) for v in row] for row in background]})
    (out / "card.md").write_text(
        f"# {name}\n\n{kind}, trained on {PEOPLE} made-up people to show how a model is brought along. "
        f"Nobody real is in it, and it is not for use on people. {DISCLAIMER}\n"
    )
    typical = lambda i: {"low": tidy(np.percentile(x[:, i], 1)), "high": tidy(np.percentile(x[:, i], 99))}
    rule = {"rule": "native"}
    if missing == "impute":
        rule = {"rule": "impute", "values": {i["name"]: tidy(v) for i, v in zip(INPUTS, medians)}}
    manifest = {
        "manifest_version": 1,
        "kind": "risk",
        "name": name,
        "version": "1",
        "title": f"Sample: {kind}",
        "summary": "A sample trained on made-up people.",
        "disclaimer": DISCLAIMER,
        "inputs": [{**i, "typical": typical(at)} for at, i in enumerate(INPUTS)],
        "limits": ["Made-up people: not for use."],
        "files": {f: digest(out / f) for f in ("model.onnx", "golden.json", "background.json", "card.md")},
        "graph": {"file": "model.onnx", "input": "X", "dtype": "float32"},
        "missing": rule,
        "outputs": [
            {
                "name": "impairment",
                "title": "Made-up probability of impairment",
                "value": {"tensor": "probabilities", "column": 1},
            }
        ],
        "primary_output": "impairment",
        "categories": [{"name": "low", "below": 0.3}, {"name": "moderate", "below": 0.6}, {"name": "high"}],
        "explanation": {**explanation, "background": "background.json"},
    }
    dump(out / "manifest.json", manifest)
    print(f"{name}: largest difference to the library {np.abs(found - expected).max():.1e}")


def main():
    warnings.simplefilter("ignore")
    folder = Path(__file__).resolve().parents[3] / "test" / "fixtures" / "models"
    for name in MODELS:
        make(name, folder)


if __name__ == "__main__":
    main()
