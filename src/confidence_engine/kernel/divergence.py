"""The gap between story and price since the story was known.

D = w (zN - kappa R): how much is told (w), how unusual it is (zN), less the part of the move
since t0 that can be reaction (kappa R; most of R is noise). A user's own score enters the
same way with zS = mean / std, fading over its horizon. Where both speak their readings add and the
reaction, their weighted mean, counts once, with the weight 1 - (1 - w)(1 - w_S) of the two together.
The side is always the story's side. Where the price ran beyond the story D turns against it:
that is recorded as an overreaction and not traded without a licence.
The definition is ours; that prices drift after headlines and less without them is the finding of Chan, J. Financial
Economics 70 (2003), p. 223.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.event import score_horizon, score_mean, score_std
from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.kernel import price, session, thresholds

__all__ = ["Params", "hear_score", "measure"]

LN2 = math.log(2.0)


class Params(NamedTuple):
    """Reaction share, trigger, how much of the market's story leans on a gap, and which evidence speaks."""

    kappa: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.15
    reaction_clip: Annotated[float, Bound("ratio", 1.0, 10.0)] = 4.0
    trigger: Annotated[float, Bound("ratio", 0.01, 10.0)] = 0.8
    volume_free: Annotated[float, Bound("ratio", 0.0, 4.0)] = 0.5
    volume_slope: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.2
    volume_reach: Annotated[float, Bound("ratio", 0.0, 0.5)] = 0.2
    market_share: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.0
    use_news: Annotated[bool, Bound("flag")] = True
    use_score: Annotated[bool, Bound("flag")] = False


@stage
def hear_score(s, event):
    """One score of a model or of the user's own; the newest replaces the one before."""
    a = s.asset[event.asset]
    a.score_mean, a.score_std = score_mean(event), score_std(event)
    a.score_ns, a.score_horizon_ns = event.ts_known, int(score_horizon(event))
    a.due = 1


@stage
def measure(s, i, now_ns, d, p):
    """Fill story, reaction, gap and side of decision `d`; returns whether any evidence lives.

    The gap is NaN where the price history does not reach back to t0: then nothing is known of the reaction.
    """
    news = _news(s, i, d, p)
    score = _score(s, i, now_ns, d, p)
    d.gap, d.side = 0.0, 0
    lean, moved = 0.0, 0.0
    if news:
        lean += d.weight * d.z_story
        moved += d.weight * d.reaction
    if score:
        lean += d.score_weight * d.score_z
        moved += d.score_weight * price.since(s, i, s.asset[i].score_ns, p.reaction_clip)
    if (news or score) and p.market_share > 0.0 and d.market == d.market:
        lean += p.market_share * d.market  # it can tip a case, not make one
    if news or score:  # the price moved once, however many kinds of evidence saw it
        together = 1.0 - (1.0 - d.weight) * (1.0 - d.score_weight)
        d.gap = lean - p.kappa * together * moved / (d.weight + d.score_weight)
    d.side = 1 if lean > 0.0 else (-1 if lean < 0.0 else 0)
    d.trigger = thresholds.scaled(s, i, _trigger(d.volume_z, p), p.kappa * p.reaction_clip)
    return news or score


@stage
def _news(s, i, d, p):
    """The narrative's part, from the underlying that asset i shares with its siblings."""
    told = s.told[s.inst[i].underlying]
    d.stories, d.newest_ns, d.lead = told.live, told.newest_ns, told.lead
    d.amount, d.weight, d.story, d.z_story = told.amount, told.weight, told.story, told.z_story
    d.since_ns, d.reaction = told.since_ns, math.nan
    if not p.use_news:
        d.stories = 0
    if d.stories == 0:
        d.weight = 0.0
        return False
    d.reaction = price.since(s, i, told.since_ns, p.reaction_clip)
    return True


@stage
def _score(s, i, now_ns, d, p):
    """The score's part; it is dead after its horizon and fades with half of it."""
    a = s.asset[i]
    d.score_z, d.score_weight = math.nan, 0.0
    c = s.inst[i].calendar
    age = session.clock(s, c, now_ns) - session.clock(s, c, a.score_ns)
    if not p.use_score or a.score_ns == 0 or age >= a.score_horizon_ns:
        return False
    d.score_z = min(max(a.score_mean / a.score_std, -p.reaction_clip), p.reaction_clip)
    d.score_weight = math.exp(-LN2 * 2.0 * float(age) / float(a.score_horizon_ns))
    return True


@stage
def _trigger(volume_z, p):
    """Base trigger, up to a fifth lower when many take part and higher when few do."""
    excess = 0.0
    if volume_z > p.volume_free:
        excess = min(p.volume_slope * (volume_z - p.volume_free), p.volume_reach)
    elif volume_z < -p.volume_free:
        excess = -min(p.volume_slope * (-p.volume_free - volume_z), p.volume_reach)
    return p.trigger * (1.0 - excess)
