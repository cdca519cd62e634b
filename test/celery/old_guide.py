"""The Python snippets of the guide of the replaced system, as printed there; `{...}` and `task_id` are filled in.

    python old_guide.py [--routes]

Runs in this folder, as the guide says, with CELERY_BROKER_URL and CELERY_RESULT_BACKEND set. `--routes` adds what the
guide puts into celery_app.py for a queue of each task. The last line is JSON: what each call has led to.
"""

import json
import sys

metrics = {"mmse_score": 24, "age": 72}
results = {}

# Queue Routing
if "--routes" in sys.argv:
    from app.core.celery_app import celery_app

    # In celery_app.py
    celery_app.conf.task_routes = {
        'ml.process_prediction': {'queue': 'predictions'},
        'ml.batch_predictions': {'queue': 'batch'},
        'ml.generate_explanation': {'queue': 'explanations'},
    }

# 1. Process Prediction
from app.tasks.ml_tasks import process_prediction_task

result = process_prediction_task.delay(
    prediction_id=1,
    user_id=123,
    health_metrics={"mmse_score": 24, "age": 72}
)

results["prediction"] = result
task_id = result.id
# An explanation that has a queue of its own may overtake its prediction.
result.get(timeout=30)

# 2. Batch Predictions
from app.tasks.ml_tasks import batch_predictions_task

result = batch_predictions_task.delay(
    user_ids=[1, 2, 3],
    health_metrics_list=[{**metrics}, {**metrics}, {**metrics}]
)

results["batch"] = result

# 3. Generate Explanation
from app.tasks.ml_tasks import generate_explanation_task

result = generate_explanation_task.delay(prediction_id=1)

results["explanation"] = result

# 4. Update Forecasts
from app.tasks.ml_tasks import update_forecasts_task

result = update_forecasts_task.delay(user_id=123)

results["forecasts"] = result

# Task Results
from app.core.celery_app import celery_app

result = celery_app.AsyncResult(task_id)
print(result.state)  # PENDING, STARTED, SUCCESS, FAILURE
print(result.result)  # Task return value

results["by id"] = result

documented = ("status", "prediction_id", "user_id", "total")
values = {name: sent.get(timeout=30) for name, sent in results.items()}
outcomes = {
    name: {"state": results[name].state, **{key: value[key] for key in documented if key in value}}
    for name, value in values.items()
}
print(json.dumps(outcomes))
