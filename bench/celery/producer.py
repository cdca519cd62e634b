"""One process that calls predictions as any Celery client does, and waits for every result with its AsyncResult.

    python producer.py FIRST_ID CALLS SINGLE_CALLS

First CALLS calls in a row, then SINGLE_CALLS one at a time. Prints one line of JSON.
"""

import json
import os
import sys
import time

from celery import Celery

first, calls, singles = map(int, sys.argv[1:])
app = Celery("producer", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])


@app.task(name="ml.process_prediction")
def process_prediction(prediction_id, user_id, health_metrics=None):
    """Runs in the worker."""


def call(index: int):
    metrics = {"mmse_score": 10 + index % 21, "age": 55 + index % 40}
    return process_prediction.delay(prediction_id=first + index, user_id=first + index, health_metrics=metrics)


def check(value: dict, index: int) -> None:
    if (value["status"], value["prediction_id"]) != ("success", first + index):
        raise SystemExit(f"a wrong result: {value}")


began, cpu_began = time.perf_counter(), time.process_time()
results = [call(index) for index in range(calls)]
sent = time.perf_counter()
for index, result in enumerate(results):
    check(result.get(timeout=300), index)
seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began

latencies = []
for index in range(calls, calls + singles):
    before = time.perf_counter()
    check(call(index).get(timeout=60), index)
    latencies.append(time.perf_counter() - before)
print(json.dumps({"seconds": seconds, "sendSeconds": sent - began, "cpuSeconds": cpu, "latencies": latencies}))
# The destructors of thousands of results would take leave of Redis one by one.
sys.stdout.flush()
os._exit(0)
