"""Readers on 400 recorded news items labelled by eye: `python benchmarks/by_eye.py [NEWS]`.

NEWS is the folder of the two archives; unless told, that of the recorded data beside the project.
Labels are by place in the file, `-` bad, `0` neither, `+` good for who holds the coin; the words are not ours to keep.
The sample is drawn by SEED, ascending: 200 of each file.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from confidence_engine.learn.measure import marks
from confidence_engine.text.cues import CueReader
from confidence_engine.text.embedded import EmbeddedReader
from confidence_engine.text.hashed import HashedReader

NEWS: Final = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "news"
SEED: Final = 20261122
LABELS: Final = {
    "btc_news_2021-11_2024-02": (
        "0000-+0-+0+00++00+000000+-0-0+00000+-++-+0-0-+000000+00+00+0+00-+-0+---00-+00+00+++0-000-00000-0-00+"
        "+00++0+++-000+--0-0+0-0000+00--00++++++--0+-0+0-+--0++-0-+0++0+-++++000-+0+++++0-+---0+0-+++0-0+--0+"
    ),
    "crypto_news_2021-10_2022-07": (
        "-++00+-+-+0--0000+0000--+0++-+0-++-+-+-+-+-+-+-+0++00-+0-0000+0+000-0-++--0++-+0+0000+++0-++-0++++-0"
        "+--++---++0+0+0++-00-+0-00-++0-+000++0+0+00+-+-+-0-+-0-+-0-0-+000+-00--++0-00+00-++-00--+00--++0+--0"
    ),
}


def main(arguments: list[str]) -> int:
    """Prints accuracy, macro-F1 and calibration error, and at certainty .4 what is kept and how it is read.

    1 where the archives are not there.
    """
    if len(arguments) > 1 or any(word.startswith("-") for word in arguments):
        print("usage: python benchmarks/by_eye.py [NEWS]", file=sys.stderr)
        return 2
    folder = Path(arguments[0]) if arguments else NEWS
    if not folder.is_dir():
        print(f"the recorded news is not at {folder}", file=sys.stderr)
        return 1
    for name, labels in LABELS.items():
        titles = pl.read_parquet(folder / f"{name}.parquet")["title"]
        places = sorted(random.Random(SEED).sample(range(len(titles)), len(labels)))
        texts, truth = [titles[at] for at in places], np.array(["-0+".index(each) for each in labels])
        for reader in (CueReader(), HashedReader(), EmbeddedReader()):
            p = np.array([[one.p_negative, one.p_neutral, one.p_positive] for one in reader.read(texts)])
            kept, sign = 1 - p[:, 1] >= 0.4, np.where(p[:, 2] > p[:, 0], 2, 0)
            right, turned = (sign == truth)[kept].mean(), (sign == 2 - truth)[kept & (truth != 1)].sum() / kept.sum()
            got = ", ".join(f"{key} {value:.3f}" for key, value in marks(p, truth).items())
            print(f"{name} {reader.name}: {got}; kept {kept.mean():.2f}, right {right:.3f}, opposite {turned:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
