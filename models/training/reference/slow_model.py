"""Models that compute for long on request: fixtures of the tests of hard limits, leases and warm shutdown.

    python models/training/reference/slow_model.py test/fixtures

`slow` has one input, which asks for work: each point of `mmse_score`, summed over the rows of a run, costs
`STEPS_PER_POINT` small matrix products, which is about a third of a second on one core. Without points it answers at
once. `paced` is for calls that also have metrics of a person: there `load_points` asks for the work, and a run fails
from `FAILING_POINTS` on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, checker, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from artefact import DISCLAIMER, golden_json, model_folder, model_input, stable_json  # noqa: E402

SIZE = 32
STEPS_PER_POINT = 180_000
FAILING_POINTS = 1000


def build_graph(
    name: str, inputs: int, head: list[NodeProto], tail: list[NodeProto], more: dict[str, np.ndarray] | None = None
) -> bytes:
    """`head` computes `points` from `features`, and `tail` the probability from `one`, which is there after the work.

    Every product leaves the matrix as it was, bit for bit, so `one` is 1 after any number of steps.
    """
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
        **(more or {}),
    }
    nodes = [
        *head,
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
        *tail,
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", inputs])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="memoryguard", ir_version=8
    )
    checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def slow_graph() -> bytes:
    """The answer is 0.5."""
    head = [
        helper.make_node("IsNaN", ["features"], ["absent"]),
        helper.make_node("Where", ["absent", "zero", "features"], ["points"]),
    ]
    tail = [
        helper.make_node("Mul", ["one", "half"], ["answer"]),
        helper.make_node("Mul", ["points", "zero"], ["rows"]),
        helper.make_node("Add", ["rows", "answer"], ["probability"]),
    ]
    return build_graph("slow", 1, head, tail)


def paced_graph() -> bytes:
    """The answer is 0.5, the only value of `half`. A run that asks for too many points asks for another value."""
    head = [
        helper.make_node("IsNaN", ["features"], ["absent"]),
        helper.make_node("Where", ["absent", "zero", "features"], ["known"]),
        helper.make_node("Gather", ["known", "load_column"], ["asked"], axis=1),
        helper.make_node("Less", ["asked", "failing_points"], ["bearable"]),
        helper.make_node("Where", ["bearable", "asked", "zero"], ["points"]),
    ]
    tail = [
        helper.make_node("Div", ["asked", "failing_points"], ["share"]),
        helper.make_node("Cast", ["share"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["half", "index"], ["half_rows"]),
        helper.make_node("Mul", ["half_rows", "one"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "second_axis"], ["probability"]),
    ]
    constants = {
        "load_column": np.int64(2),
        "failing_points": np.float32(FAILING_POINTS),
        "half": np.asarray([0.5], dtype=np.float32),
        "second_axis": np.asarray([1], dtype=np.int64),
    }
    return build_graph("paced", 3, head, tail, constants)


def build_folder(
    name: str, title: str, summary: str, inputs: list[dict[str, Any]], graph: bytes, background: list[list[float]] | None = None
) -> dict[str, bytes]:
    """Every file of a model folder."""
    answer = {"risk": {"value": 0.5}}
    manifest = {
        "manifest_version": 1,
        "kind": "risk",
        "name": name,
        "version": "1",
        "title": title,
        "summary": summary,
        "disclaimer": DISCLAIMER,
        "inputs": inputs,
        "graph": {"file": "model.onnx", "input": "features", "dtype": "float32", "max_batch": 4096},
        "missing": {"rule": "native"},
        "outputs": [{"name": "risk", "title": "One half", "value": {"tensor": "probability"}}],
        "primary_output": "risk",
        "categories": [{"name": "half"}],
    }
    names = [each["name"] for each in inputs]
    golden = golden_json(names, [[0] * len(inputs), [None] * len(inputs)], [answer, answer])
    files = {"model.onnx": graph, "golden.json": golden}
    if background:
        manifest["explanation"] = {"background": "background.json"}
        files["background.json"] = stable_json({"rows": background})
    return model_folder(manifest, files)


def write_folder(target: Path, files: dict[str, bytes]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (target / name).write_bytes(data)


if __name__ == "__main__":
    fixtures = Path(sys.argv[1])
    work = "Amount of work to do."
    slow = build_folder(
        "slow",
        "Slow model of the tests",
        "Answers 0.5 after as much work as its input asks for. It says nothing of anyone.",
        [model_input("mmse_score", "MMSE", work, "points", 0, 60)],
        slow_graph(),
    )
    paced = build_folder(
        "paced",
        "Paced model of the tests",
        "Answers 0.5 after as much work as one of its inputs asks for. It says nothing of anyone.",
        [
            model_input("mmse_score", "MMSE", "Changes nothing.", "points", 0, 30),
            model_input("age", "Age", "Changes nothing.", "years", 0, 120),
            model_input("load_points", "Load", work, "points", 0, 9999),
        ],
        paced_graph(),
        background=[[24, 72, 0], [28, 65, 0]],
    )
    write_folder(fixtures / "runtime" / "slow" / "1", slow)
    write_folder(fixtures / "celery" / "paced" / "1", paced)
