"""TOML in, typed frozen parameters out; unknown keys are refused with file and line."""

from confidence_engine.config.agent import Agent, Config, load, secret, secrets_shown
from confidence_engine.config.recorded import recorded
from confidence_engine.config.universe import AssetClass, Universe

__all__ = ["Agent", "AssetClass", "Config", "Universe", "load", "recorded", "secret", "secrets_shown"]
