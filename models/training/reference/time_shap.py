"""
Times the shap package's compiled TreeExplainer, one thread, on a fixture of make_shap_goldens.py: milliseconds for
1,000 people and for one, as JSON. Run by bench/explain.ts.
"""

import json
import os
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import onnx
import shap

import onnx_trees


def typical_ms(run, repeats):
    times = []
    for i in range(repeats):
        start = time.perf_counter()
        run(i)
        times.append((time.perf_counter() - start) * 1000)
    # The lower quartile: other work on the machine only ever adds.
    return float(np.quantile(times, 0.25))


def main(folder):
    about = json.loads((folder / "about.json").read_text())
    rows = np.fromfile(folder / "rows.f32", dtype="<f4").astype(np.float64).reshape(about["rows"], about["inputs"])
    trees, base = onnx_trees.read_trees(onnx.load(folder / "model.onnx"), about["target"])
    background = rows[: about["background_rows"]]
    answer = {}
    for method in ("tree_path_dependent", "tree_interventional"):
        if method == "tree_path_dependent":
            data, perturbation, repeats = None, "tree_path_dependent", 7
        else:
            data, perturbation, repeats = background, "interventional", 1
        explainer = shap.TreeExplainer(
            onnx_trees.shap_model(trees, base, background), data=data, feature_perturbation=perturbation
        )
        explain = lambda x: explainer.shap_values(x, check_additivity=False)
        explain(rows[:1])
        answer[method] = {
            "many_ms": typical_ms(lambda _: explain(rows), repeats),
            "one_ms": typical_ms(lambda i: explain(rows[i : i + 1]), 300 if repeats > 1 else 20),
        }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
