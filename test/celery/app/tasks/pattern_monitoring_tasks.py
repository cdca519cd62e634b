"""
Celery tasks for pattern monitoring: they share the queue `celery` with the tasks of `ml_tasks`, and stay in Python.
"""

import itertools

from app.core.celery_app import celery_app

sequence = itertools.count()


@celery_app.task(name="patterns.monitor_user", max_retries=2)
def monitor_user_patterns_task(user_id, send_alerts=True):
    """Monitor patterns for a specific user. `sequence` counts the runs of this process."""
    return {"status": "success", "user_id": user_id, "sequence": next(sequence)}


@celery_app.task(name="patterns.collect")
def collect_task(results):
    """The results that a chord hands to its body, as the body receives them."""
    return results


@celery_app.task(name="patterns.prediction_of")
def prediction_of_task(result):
    """The id in the result of a prediction, for the next step of a chain."""
    return result["prediction_id"]


@celery_app.task(name="patterns.failed")
def failed_task(task_id):
    """Told of a failure by the id of the failed call."""
    return task_id


@celery_app.task(bind=True, name="patterns.become")
def become_task(self, signature):
    """Is replaced by another call, whose result is that of this one."""
    raise self.replace(celery_app.signature(signature))


@celery_app.task(name="patterns.raise_error")
def raise_error_task():
    """Fails."""
    raise KeyError("pattern")
