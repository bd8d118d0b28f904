"""Simulated worlds whose truth is known: `generate(seed, params=...)`. SYNTHETIC, all of it.

A package, because a market, what happens in it, what is printed about it and in which words are four ideas.
"""

from confidence_engine.feeds.world.events import EVENT_TRUTH
from confidence_engine.feeds.world.generator import World, generate, symbol_of
from confidence_engine.feeds.world.market import BAR_COLUMNS, BOOK_COLUMNS, FUNDING_COLUMNS
from confidence_engine.feeds.world.names import PUBLISHERS, WORLD_ASSETS, Publisher, assets
from confidence_engine.feeds.world.params import Events, Market, Params, Shape, Stories
from confidence_engine.feeds.world.stories import TELLING

__all__ = [
    "BAR_COLUMNS", "BOOK_COLUMNS", "EVENT_TRUTH", "FUNDING_COLUMNS", "PUBLISHERS", "TELLING", "WORLD_ASSETS", "Events",
    "Market", "Params", "Publisher", "Shape", "Stories", "World", "assets", "generate", "symbol_of",
]  # fmt: skip
