"""What the tests need of the models: which metrics are valid, and how long a prediction takes."""

import math
import time

# As the model of the tests: `load_points` asks for work, about a third of a second for each point, and a model that is
# asked for this many points or more fails.
RANGES = {"mmse_score": (0, 30), "age": (0, 120), "load_points": (0, 9999)}
POINTS_PER_SECOND = 3
FAILING_POINTS = 1000

LARGEST_ID = 2**53 - 1


def check_id(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST_ID:
        raise ValueError(f"{name} must be a whole number from 1 to {LARGEST_ID}")


def check_metrics(metrics):
    if not isinstance(metrics, dict):
        raise ValueError("health_metrics must be an object of metric names and values")
    for name, value in metrics.items():
        if name not in RANGES:
            raise ValueError("unknown health metric")
        low, high = RANGES[name]
        if not isinstance(value, (int, float)) or isinstance(value, bool) or math.isnan(value):
            raise ValueError(f"{name} must be a number")
        if not low <= value <= high:
            raise ValueError(f"{name} must be between {low} and {high}")


def predict(metrics):
    points = metrics.get("load_points", 0)
    if points >= FAILING_POINTS:
        raise RuntimeError("the model failed")
    if points:
        time.sleep(points / POINTS_PER_SECOND)
