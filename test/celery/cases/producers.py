"""Many calls at once, from threads and from processes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

from celery.result import ResultSet

from cases.registry import case
from cases.session import FOLDER, METRICS, USER, Session, outcome_of

CALLS = 50

#: A producer of its own: it prints the ids of its calls.
PRODUCER = """
import json, sys
from celery.result import ResultSet
from app.tasks.ml_tasks import process_prediction_task
first, count = map(int, sys.argv[1:])
metrics = {"mmse_score": 24, "age": 72}
results = [process_prediction_task.delay(first + index, 123, metrics) for index in range(count)]
print(json.dumps([value["prediction_id"] for value in ResultSet(results).get(timeout=60)]))
"""


@case("a producer of several threads", lane="producers")
def threads(session: Session):
    outcomes: list[list[bool]] = []

    def produce() -> None:
        ids = [session.new_id() for _ in range(CALLS)]
        results = [session.send("ml.process_prediction", [each, USER, METRICS]) for each in ids]
        values = ResultSet(results).get(timeout=60)
        outcomes.append([value["prediction_id"] == sent for value, sent in zip(values, ids, strict=True)])

    producers = [threading.Thread(target=produce) for _ in range(4)]
    for each in producers:
        each.start()
    for each in producers:
        each.join()
    return {"producers": len(outcomes), "right": sum(map(sum, outcomes))}


@case("several producing processes", lane="producers")
def processes(session: Session):
    firsts = [session.new_id() + (number + 1) * 2**45 for number in range(3)]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PRODUCER, str(first), str(CALLS)], cwd=FOLDER, stdout=subprocess.PIPE, text=True
        )
        for first in firsts
    ]
    printed = [json.loads(each.communicate(timeout=90)[0]) for each in running]
    return [ids == list(range(first, first + CALLS)) for ids, first in zip(printed, firsts, strict=True)]


@case("many calls", phase="outside")
def many_calls(session: Session):
    """For a worker that is killed and started again meanwhile: every call has its result."""
    results = [session.predict() for _ in range(500)]
    sys.stderr.write("sent\n")
    sys.stderr.flush()
    states = [outcome_of(each, "status", seconds=120)["state"] for each in results]
    return {state: states.count(state) for state in sorted(set(states))}


@case("revoke while no worker runs", phase="outside")
def revoke_without_worker(session: Session):
    """For a worker that is started only when this is sent."""
    kept, revoked = session.predict(), session.predict()
    session.app.control.revoke([revoked.id])
    sys.stderr.write("sent\n")
    sys.stderr.flush()
    return {"kept": outcome_of(kept, "status")["state"], "revoked": outcome_of(revoked)}


@case("shutdown", phase="outside")
def shutdown(session: Session):
    """Ends the worker, which publishes that it goes offline."""
    session.events.wait("worker-heartbeat", hostname=session.worker)
    session.app.control.shutdown(destination=[session.worker])
    session.events.wait("worker-offline", hostname=session.worker)
    return {"offline": True}
