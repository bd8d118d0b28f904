"""More headlines out of few: what a label must not depend on is changed, what it must depend on is turned.

We believe a reader should not care for the size of a number or the name of a currency (jitter, swap), should
say the opposite when every word of direction is turned (flip), and needs some headlines of kinds its sets
lack: coins, exchanges, flows, denials, ledes of two sentences (templates, written by hand for this project).
A flip is made only where the words turned all point the way of the label, so that the new label is certain.
After the counterfactual augmentation of Kaushik, Hovy and Lipton (2020), made by rule instead of by hand.
"""

from __future__ import annotations

import re
from random import Random
from typing import Final

from confidence_engine.learn.sets import Example

__all__ = ["flip", "jitter", "templates", "varied"]

_NUMBER = re.compile(r"\d+")
_CURRENCY = re.compile(r"(\$|€|£|\bRs\.? ?|\bUSD ?|\bEUR ?)(?=\d)")
_CURRENCIES: Final = ("$", "€", "£", "Rs ", "USD ", "EUR ")
_WORD = re.compile(r"[A-Za-z]+(?:-[a-z]+)?")

_PAIRS: Final = """
rises falls, rise fall, rose fell, rising falling, risen fallen, gains losses, gain loss, gains loses, gained lost,
climbs slides, climbed slid, climbing sliding, jumps plunges, jump plunge, jumped plunged, jumping plunging,
surges slumps, surge slump, surged slumped, surging slumping, soars tumbles, soar tumble, soared tumbled,
soaring tumbling, rallies crashes, rallied crashed, up down, higher lower, high low, highs lows, above below,
beats misses, beat miss, upgraded downgraded, upgrades downgrades, upgrade downgrade, raises cuts, raised cut,
raise cut, lifts lowers, lifted lowered, bullish bearish, bulls bears, bull bear, profit loss, profits losses,
strong weak, stronger weaker, strength weakness, best worst, optimism pessimism, positive negative,
buy sell, buys sells, bought sold, buying selling, outperform underperform, overweight underweight,
outperforms underperforms, inflows outflows, inflow outflow, accelerates slows, improves worsens, improved worsened,
improving worsening, growth decline, grows shrinks, grew shrank, growing shrinking, increases decreases,
increase decrease, increased decreased, advances declines, advanced declined, wins loses, green red,
rebounds retreats, rebounded retreated, recovers weakens, recovered weakened, top bottom, tops trails,
boosts hurts, boosted hurt, better worse, upbeat downbeat, approves rejects, approved rejected, approval rejection
"""
_UP: Final = {pair.split()[0]: pair.split()[1] for pair in _PAIRS.replace("\n", " ").split(",")}
_DOWN: Final = {pair.split()[1]: pair.split()[0] for pair in reversed(_PAIRS.replace("\n", " ").split(","))}
_TROUBLE: Final = frozenset(
    [
        "not",
        "no",
        "never",
        "fails",
        "fail",
        "failed",
        "despite",
        "but",
        "may",
        "could",
        "loss",
        "losses",
        "cost",
        "costs",
        "debt",
        "claims",
        "jobless",
        "unemployment",
        "inflation",
        "fears",
        "risk",
        "risks",
        "after",
        "as",
        "rate",
        "rates",
        "short",
        "volatility",
        "vix",
        "yield",
        "yields",
        "rupee",
        "dollar",
        "npa",
        "npas",
    ]
)
"""Words beside which a turned verb need not turn the label."""


def jitter(text: str, rng: Random) -> str:
    """Other digits, as many of them; a currency is named otherwise now and then. Years are kept."""

    def digits(match: re.Match[str]) -> str:
        found = match[0]
        if len(found) == 4 and found[:2] in ("19", "20"):
            return found
        return str(rng.randint(1, 9)) + "".join(str(rng.randint(0, 9)) for _ in found[1:])

    text = _NUMBER.sub(digits, text)
    if rng.random() < 0.5:
        name = rng.choice(_CURRENCIES)
        text = _CURRENCY.sub(lambda _: name, text)
    return text


def flip(one: Example) -> Example | None:
    """The headline with every word of direction turned and the label with it; None where that is not certain."""
    if one.target not in ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)):
        return None
    words = {word.lower() for word in _WORD.findall(one.text)}
    mine, other = (_UP, _DOWN) if one.target[2] else (_DOWN, _UP)
    if words & _TROUBLE - set(mine) or not words & set(mine) or words & set(other) - set(mine):
        return None

    def turned(match: re.Match[str]) -> str:
        new = mine.get(match[0].lower())
        if new is None:
            return match[0]
        return new.upper() if match[0].isupper() else new.capitalize() if match[0][0].isupper() else new

    return Example(_WORD.sub(turned, one.text), one.target[::-1], one.origin)


def varied(one: Example, rng: Random) -> Example:
    """One random variation of an example."""
    if rng.random() < 0.35 and (turned := flip(one)) is not None:
        one = turned
    text = jitter(one.text, rng) if rng.random() < 0.7 else one.text
    if rng.random() < 0.1:
        text = text.rstrip(".") + ". " + rng.choice(_ASIDES)
    if rng.random() < 0.08:
        text = text.title()
    return one._replace(text=text)


_COINS: Final = [
    "Bitcoin",
    "BTC",
    "Ethereum",
    "Ether",
    "ETH",
    "XRP",
    "Solana",
    "SOL",
    "Cardano",
    "Dogecoin",
    "Litecoin",
    "Avalanche",
    "BNB",
    "Polygon",
]
_FIRMS: Final = [
    "the exchange",
    "the lender",
    "the miner",
    "the fund",
    "Acme",
    "the issuer",
    "the protocol",
    "the wallet maker",
]
_RULERS: Final = ["SEC", "the regulator", "a US court", "the Treasury", "lawmakers", "the central bank", "the watchdog"]
_ASIDES: Final = (
    "Here is what traders watch next.", "The market has been waiting for it.", "More follows.",
    "The company is based in London.", "It was founded in 2012.", "Analysts had been divided.",
    "The report was published on Tuesday.", "Trading began a few hours later.", "Details are in the",
)  # fmt: skip
_UPS: Final = (
    "{coin} rises {n}% as buyers return", "{coin} reclaims ${k},000", "{coin} breaks above ${k},000 for the first time",
    "{coin} bounces back above ${k}K after a sharp drop", "{coin} price recovers, up {n}% on the day",
    "{coin} ETF inflows reach ${n}M", "{ruler} approves spot {coin} ETF", "{ruler} drops its case against {firm}",
    "Whales accumulate {coin} as exchange balances shrink", "{coin} sellers are exhausted, analysts say",
    "{coin} hits a record high of ${k},000", "Fears over {firm} ease as withdrawals resume",
    "{coin} bulls are in control above ${k},000", "{firm} raises ${n}M to expand its {coin} business",
    "{coin} is trading at ${k},{m}, having gained {n}% in the last 24 hours", "{firm} posts record profit",
    "{coin} avoids losses after a weak start", "Losses narrow at {firm}", "{coin} shrugs off bad news and gains {n}%",
    "{coin} did not fall below ${k},000, and buyers stepped in", "Selling pressure on {coin} fades",
    "{firm} beats estimates on {coin} trading revenue", "{coin} outperforms as traders turn bullish",
    "{coin} could rally to ${k},000, says analyst", "{firm} recovers ${n}M of stolen {coin}",
    "{coin} short sellers are squeezed as price jumps {n}%", "US inflation cools, {coin} climbs",
    "{firm} adds {coin} to its balance sheet, buying ${n}M more", "{coin} adoption grows as {firm} accepts payments",
)  # fmt: skip
_DOWNS: Final = (
    "{coin} falls {n}% as sellers return", "{coin} drops below ${k},000", "{coin} slides to its lowest since March",
    "{coin} loses ${k}K support and bears take over", "{coin} price dips, down {n}% on the day",
    "{coin} fund outflows reach ${n}M", "{ruler} rejects spot {coin} ETF", "{ruler} sues {firm} over {coin} sales",
    "Whales dump {coin} as exchange balances grow", "{coin} buyers are exhausted, analysts say",
    "{firm} hacked, ${n}M of {coin} stolen", "Fears over {firm} grow as withdrawals are halted",
    "{coin} bears are in control below ${k},000", "{firm} files for bankruptcy", "{firm} cuts {n}% of its staff",
    "{coin} is trading at ${k},{m}, having lost {n}% in the last 24 hours", "{firm} posts a loss as volumes shrink",
    "{coin} fails to hold gains", "Losses widen at {firm}", "{coin} gives up gains and sheds {n}%",
    "{coin} did not recover and sellers stepped in", "Selling pressure on {coin} builds",
    "{coin} rally fades, traders turn bearish", "{coin} could crash to ${k},000, says analyst",
    "{coin} long positions worth ${n}M liquidated as price plunges", "Fed raises rates, {coin} sinks",
    "{coin} miners sell their reserves as revenue falls", "{ruler} fines {firm} ${n}M for fraud",
    "{coin} loses its peg and panic spreads", "{firm} freezes withdrawals", "{ruler} bans {coin} payments",
    "Exploit drains ${n}M from {firm}", "{firm} founder arrested on fraud charges",
)  # fmt: skip
_FLATS: Final = (
    "{coin} price analysis: what to expect this week", "What is {coin} and how does it work?",
    "{coin} trades sideways near ${k},000", "{firm} publishes a report on {coin}", "How to buy {coin} in 2022",
    "{ruler} to hold a hearing on {coin} next month", "{coin} remains range bound between ${k},000 and ${k},{m}",
    "{firm} launches a podcast about {coin}", "{coin} developers schedule the next testnet",
    "{firm} hires a former banker as chief of staff", "Five things to watch in {coin} this week",
    "The history of {coin} explained", "{firm} opens an office in Lisbon",
    "{ruler} publishes guidelines on {coin} taxes", "{firm} moves its headquarters",
    "Is {coin} money? A debate", "{coin} conference takes place in Miami",
    "This week in crypto: {coin}, {firm} and more", "{coin} is trading at ${k},{m}, little changed",
    "Who invented {coin}?", "{firm} renames its {coin} product",
)  # fmt: skip


def templates(count: int, rng: Random) -> list[Example]:
    """`count` headlines from the templates, a third of each label."""
    made = []
    for at in range(count):
        label = at % 3
        text = rng.choice((_DOWNS, _FLATS, _UPS)[label]).format(
            coin=rng.choice(_COINS), firm=rng.choice(_FIRMS), ruler=rng.choice(_RULERS),
            n=rng.choice((rng.randint(1, 12), rng.randint(2, 950))), k=rng.randint(1, 120),
            m=f"{rng.randint(1, 999):03d}",
        )  # fmt: skip
        target = tuple(float(label == each) for each in range(3))
        made.append(Example(text[0].upper() + text[1:], target, "template"))  # type: ignore[arg-type]
    return made
