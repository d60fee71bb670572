from tests.unit.serving.conftest import queue_settings, serve

__all__ = ["queue_settings", "serve"]
