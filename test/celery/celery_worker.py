"""
Celery worker entry point.
Run with: celery -A celery_worker worker --loglevel=info
"""

from app.core.celery_app import celery_app
from app.tasks import ml_tasks, pattern_monitoring_tasks  # noqa: F401

# Import all tasks to register them
__all__ = ["celery_app"]

if __name__ == "__main__":
    celery_app.start()
