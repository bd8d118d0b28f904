"""What people read, made from a run's record and never from the running system."""

from confidence_engine.report.chart import Picture, chart

__all__ = ["Picture", "chart"]
