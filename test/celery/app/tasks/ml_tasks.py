"""
Celery tasks for ML predictions and processing.

Names, signatures and results are those of the system that MemoryGuard replaces. The bodies need no database.
"""

import itertools
import os

from app.core.celery_app import celery_app
from app.health_metrics import check_id, check_metrics, predict

RETRY_DELAY_SECONDS = float(os.environ.get("TASK_RETRY_DELAY_SECONDS", "60"))

next_prediction_id = itertools.count(1)


@celery_app.task(
    bind=True,
    name="ml.process_prediction",
    max_retries=3,
    default_retry_delay=RETRY_DELAY_SECONDS,
)
def process_prediction_task(self, prediction_id, user_id, health_metrics=None):
    """Process ML prediction asynchronously."""
    check_id("prediction_id", prediction_id)
    check_id("user_id", user_id)
    check_metrics(health_metrics)
    try:
        predict(health_metrics)
    except RuntimeError as exc:
        raise self.retry(exc=exc)
    return {"status": "success", "prediction_id": prediction_id}


@celery_app.task(bind=True, name="ml.batch_predictions", max_retries=3)
def batch_predictions_task(self, user_ids, health_metrics_list=None):
    """Process batch predictions for multiple users."""
    if not isinstance(user_ids, list):
        raise ValueError("user_ids must be a list")
    results = []
    for i, user_id in enumerate(user_ids):
        try:
            check_id("user_id", user_id)
            check_metrics(health_metrics_list[i])
            predict(health_metrics_list[i])
            results.append({"user_id": user_id, "prediction_id": next(next_prediction_id), "status": "success"})
        except ValueError as e:
            results.append({"user_id": user_id, "status": "failed", "error": str(e)})
    return {"status": "completed", "total": len(user_ids), "results": results}


@celery_app.task(bind=True, name="ml.generate_explanation", max_retries=3)
def generate_explanation_task(self, prediction_id):
    """Generate SHAP explanation for a prediction."""
    check_id("prediction_id", prediction_id)
    return {"status": "success", "prediction_id": prediction_id}


@celery_app.task(bind=True, name="ml.update_forecasts", max_retries=3)
def update_forecasts_task(self, user_id):
    """Update progression forecasts for a user."""
    check_id("user_id", user_id)
    return {"status": "success", "user_id": user_id, "forecast": {"6": 23.5, "12": 23.0, "24": 22.0}}


@celery_app.task(name="ml.health_check")
def ml_health_check_task():
    """Health check task for ML workers."""
    return {"status": "healthy", "worker": "ml", "timestamp": str(celery_app.now())}
