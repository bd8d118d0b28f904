"""The leak audit: whether any decision knew more than could be known when it was made."""

from confidence_engine.evaluate.leaks.audit import BLIND_SPOTS, CHECKS, Scope, audit
from confidence_engine.evaluate.leaks.scene import Scene, bundled, stored

__all__ = ["BLIND_SPOTS", "CHECKS", "Scene", "Scope", "audit", "bundled", "stored"]
