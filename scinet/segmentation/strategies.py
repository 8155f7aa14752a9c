"""What a model gets to see: the names of the strategies, without PyTorch."""

from typing import Literal, get_args

Strategy = Literal["direct", "canonical", "multi-scale"]
"""How a model sees an image at a working resolution.

- `direct`: the image as it is at the working resolution.
- `canonical`: the image resampled to the middle of the model's training range, the probability resampled back.
- `multi-scale`: the mean of the probabilities at half, once and twice the working cm/px.
"""

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
MULTI_SCALES = (0.5, 1.0, 2.0)  # of the working cm/px
