"""A Celery worker that does what the replaced system did, with its settings: SQLAlchemy, PostgreSQL and scikit-learn.

    celery -A replaced worker
    python replaced.py ROWS    makes the table, with that many predictions that wait: the caller stored them before
"""

import os
import sys
from datetime import UTC, datetime

import numpy as np
from celery import Celery
from sklearn.ensemble import HistGradientBoostingClassifier
from sqlalchemy import JSON, DateTime, Float, Integer, String, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

#: Each feature with what stands for a value that is missing, and its spread.
FEATURES = {
    "age": (70.0, 8.0),
    "education_years": (13.0, 3.0),
    "mmse_score": (26.0, 3.0),
    "moca_score": (23.0, 4.0),
    "cdr_sob": (1.0, 1.0),
    "csf_abeta42": (700.0, 200.0),
    "csf_tau": (280.0, 90.0),
    "hippocampal_volume": (6800.0, 900.0),
}
WEIGHTS = np.array([0.8, -0.3, -1.1, -0.7, 0.9, -0.8, 0.7, -0.9])

app = Celery("replaced", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    task_track_started=True,
    task_time_limit=1800,
    task_soft_time_limit=1500,
    worker_prefetch_multiplier=1,
    worker_max_tasks_per_child=1000,
)
engine = create_engine(os.environ["DATABASE_URL"])
Session = sessionmaker(bind=engine, autoflush=False)


class Base(DeclarativeBase):
    pass


class Prediction(Base):
    __tablename__ = "predictions"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(Integer, index=True)
    status: Mapped[str] = mapped_column(String(16))
    health_metrics: Mapped[dict | None] = mapped_column(JSON)
    risk_score: Mapped[float | None] = mapped_column(Float)
    risk_category: Mapped[str | None] = mapped_column(String(16))
    completed_at: Mapped[datetime | None] = mapped_column(DateTime)


def train() -> HistGradientBoostingClassifier:
    random = np.random.default_rng(7)
    standard = random.normal(size=(4000, len(FEATURES)))
    means, spreads = np.array(list(FEATURES.values())).T
    labels = random.random(4000) < 1 / (1 + np.exp(0.4 - standard @ WEIGHTS))
    return HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(means + standard * spreads, labels)


def predict(metrics: dict) -> float:
    row = np.array([[float(metrics.get(name, mean)) for name, (mean, _) in FEATURES.items()]])
    return float(model.predict_proba(row)[0, 1])


def category(score: float) -> str:
    return "low" if score < 0.3 else "moderate" if score < 0.6 else "high" if score < 0.8 else "very_high"


@app.task(bind=True, name="ml.process_prediction", max_retries=3, default_retry_delay=60)
def process_prediction(self, prediction_id, user_id, health_metrics=None):
    """Loads the prediction, marks it, computes it and stores it: two commits."""
    with Session() as session:
        prediction = session.get_one(Prediction, prediction_id)
        prediction.status = "processing"
        session.commit()
        score = predict(health_metrics or {})
        prediction.risk_score, prediction.risk_category = score, category(score)
        prediction.status, prediction.completed_at = "completed", datetime.now(UTC)
        session.commit()
    return {"status": "success", "prediction_id": prediction_id, "risk_score": score}


if __name__ == "__main__":
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        fill = "INSERT INTO predictions (id, user_id, status) SELECT n, n, 'pending' FROM generate_series(1, :rows) n"
        connection.execute(text(fill), {"rows": int(sys.argv[1])})
else:
    # Before the pool forks: its processes share the model.
    model = train()
