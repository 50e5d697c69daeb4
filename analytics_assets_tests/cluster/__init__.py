"""Steps on several machines: executors, Celery, Kubernetes."""
