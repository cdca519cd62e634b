"""Health values in Redis: they come there with a call, and must not stay."""

from __future__ import annotations

import base64
import re
import time
import zlib
from collections.abc import Iterator

import redis
from celery import chain, chord

from app.tasks.ml_tasks import (
    batch_predictions_task,
    generate_explanation_task,
    ml_health_check_task,
    process_prediction_task,
)
from cases.registry import case
from cases.session import METRICS, USER, Session, outcome_of, until

#: A value that no other call has, as Python and JavaScript write it.
VALUE = 17.531908
MARK = str(VALUE).encode()
MARKED = {**METRICS, "mmse_score": VALUE}
BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")


def contents(client: redis.Redis) -> Iterator[tuple[bytes, bytes]]:
    """Every key of a database with what it holds."""
    readers = {
        b"string": client.get,
        b"list": lambda key: b"\n".join(client.lrange(key, 0, -1)),
        b"hash": lambda key: b"\n".join(client.hvals(key)),
        b"set": lambda key: b"\n".join(client.smembers(key)),
        b"zset": lambda key: b"\n".join(client.zrange(key, 0, -1)),
    }
    for key in client.scan_iter(count=1000):
        reader = readers.get(client.type(key))
        # A key may be gone by now.
        yield key, (reader(key) if reader else None) or b""


def is_marked(text: bytes) -> bool:
    if MARK in text:
        return True
    for body in BASE64.findall(text):
        try:
            plain = base64.b64decode(body, validate=True)
        except ValueError:
            continue
        if MARK in plain or MARK in decompressed(plain):
            return True
    return False


def decompressed(body: bytes) -> bytes:
    try:
        return zlib.decompress(body, wbits=zlib.MAX_WBITS | 32)
    except zlib.error:
        return b""


@case(
    "no health value stands in Redis after a second",
    lane="privacy",
    gateway={"before it is taken": ["list"], "kept": []},
    why="Celery keeps a call in Redis until its time, and what it was given until it has run.",
)
def values_leave(session: Session):
    """Looks into every key of both databases, a second after the last of many calls was sent."""
    number = session.new_id()
    # Nobody takes this one: it shows that the search finds what is there.
    queue = f"privacy-{number}"
    session.predict(MARKED, queue=queue)
    found = [key for key, text in contents(session.broker) if is_marked(text) and key == queue.encode()]
    seen = [session.broker.type(key).decode() for key in found]
    session.broker.delete(queue)

    def part():
        return process_prediction_task.si(session.new_id(), USER, MARKED)

    ended = [
        process_prediction_task.delay(prediction_id=number, user_id=USER, health_metrics=MARKED),
        session.predict(MARKED, compression="zlib"),
        session.predict({**MARKED, "no_such_metric": VALUE}),
        session.predict({"mmse_score": VALUE + 100}),
        session.predict(MARKED, link=ml_health_check_task.si(), link_error=ml_health_check_task.si()),
        batch_predictions_task.delay([1, 2], [MARKED, MARKED]),
        chain(part(), ml_health_check_task.si(), part())(),
        chord([part(), part()])(part()),
    ]
    waiting = session.predict(MARKED, countdown=60)
    for each in ended:
        until(each.ready, "a call to end")
    explained = generate_explanation_task.delay(prediction_id=number)
    until(explained.ready, "the explanation")
    time.sleep(1)
    kept = [
        re.sub(rb"[0-9a-f-]{36}$", b"ID", key).decode()
        for client in (session.broker, session.backend)
        for key, text in contents(client)
        if is_marked(text)
    ]
    session.revoke(waiting.id)
    return {"before it is taken": seen, "kept": sorted(set(kept))}
