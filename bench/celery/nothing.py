"""A Celery worker whose task does nothing, with the settings in which Celery is fastest: what any body comes on top of.

    celery -A nothing worker
"""

import os

from celery import Celery

app = Celery("nothing", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])
app.conf.update(task_serializer="json", result_serializer="json", worker_prefetch_multiplier=64)


@app.task(name="ml.process_prediction")
def process_prediction(prediction_id, user_id, health_metrics=None):
    return {"status": "success", "prediction_id": prediction_id}
