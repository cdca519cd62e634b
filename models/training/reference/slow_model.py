"""A model that computes for long on request: the fixture of the tests of hard limits, leases and warm shutdown.

    python models/training/reference/slow_model.py test/fixtures/runtime

Its one input asks for work: each point of `mmse_score`, summed over the rows of a run, costs `STEPS_PER_POINT`
small matrix products, which is about a third of a second on one core. Without points it answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from artefact import DISCLAIMER, golden_json, model_folder, model_input  # noqa: E402

SIZE = 32
STEPS_PER_POINT = 180_000


def build_graph() -> bytes:
    """Every product leaves the matrix as it was, bit for bit, so the answer is 0.5 after any number of steps."""
    state = helper.make_tensor_value_info("state", TensorProto.FLOAT, [SIZE, SIZE])
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["condition_in"], ["condition_out"]),
            helper.make_node("MatMul", ["state", "state"], ["state_out"]),
        ],
        "step",
        [
            helper.make_tensor_value_info("iteration", TensorProto.INT64, []),
            helper.make_tensor_value_info("condition_in", TensorProto.BOOL, []),
            state,
        ],
        [
            helper.make_tensor_value_info("condition_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_out", TensorProto.FLOAT, [SIZE, SIZE]),
        ],
    )
    constants = {
        "zero": np.float32(0),
        "half": np.float32(0.5),
        "size": np.float32(SIZE),
        "steps_per_point": np.float32(STEPS_PER_POINT),
        "yes": np.bool_(True),
        "corner": np.asarray([0, 0], dtype=np.int64),
        "shape": np.asarray([SIZE, SIZE], dtype=np.int64),
    }
    nodes = [
        helper.make_node("IsNaN", ["features"], ["absent"]),
        helper.make_node("Where", ["absent", "zero", "features"], ["points"]),
        helper.make_node("ReduceSum", ["points"], ["total"], keepdims=0),
        helper.make_node("Mul", ["total", "steps_per_point"], ["steps_float"]),
        helper.make_node("Cast", ["steps_float"], ["steps"], to=TensorProto.INT64),
        helper.make_node(
            "ConstantOfShape", ["shape"], ["first"],
            value=helper.make_tensor("value", TensorProto.FLOAT, [1], [1 / SIZE]),
        ),
        helper.make_node("Loop", ["steps", "yes", "first"], ["last"], body=body),
        helper.make_node("GatherND", ["last", "corner"], ["cell"]),
        helper.make_node("Mul", ["cell", "size"], ["one"]),
        helper.make_node("Mul", ["one", "half"], ["answer"]),
        helper.make_node("Mul", ["points", "zero"], ["rows"]),
        helper.make_node("Add", ["rows", "answer"], ["probability"]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "slow",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", 1])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="memoryguard", ir_version=8
    )
    checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def build_folder() -> dict[str, bytes]:
    """Every file of the model folder."""
    answer = {"risk": {"value": 0.5}}
    manifest = {
        "manifest_version": 1,
        "kind": "risk",
        "name": "slow",
        "version": "1",
        "title": "Slow model of the tests",
        "summary": "Answers 0.5 after as much work as its input asks for. It says nothing of anyone.",
        "disclaimer": DISCLAIMER,
        "inputs": [model_input("mmse_score", "MMSE", "Amount of work to do.", "points", 0, 30)],
        "graph": {"file": "model.onnx", "input": "features", "dtype": "float32", "max_batch": 4096},
        "missing": {"rule": "native"},
        "outputs": [{"name": "risk", "title": "One half", "value": {"tensor": "probability"}}],
        "primary_output": "risk",
        "categories": [{"name": "half"}],
    }
    golden = golden_json(["mmse_score"], [[0], [None]], [answer, answer])
    return model_folder(manifest, {"model.onnx": build_graph(), "golden.json": golden})


if __name__ == "__main__":
    target = Path(sys.argv[1]) / "slow" / "1"
    target.mkdir(parents=True, exist_ok=True)
    for name, data in build_folder().items():
        (target / name).write_bytes(data)
