"""The leak audit: whether any decision knew more than could be known when it was made."""

from confidence_engine.evaluate.leaks.scene import Scene, bundled, stored
from confidence_engine.evaluate.leaks.whole import BLIND_SPOTS, CHECKS, Scope, audit

__all__ = ["BLIND_SPOTS", "CHECKS", "Scene", "Scope", "audit", "bundled", "stored"]
