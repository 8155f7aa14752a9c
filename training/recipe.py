"""The paper's recipe as one frozen object, and what differs from it here."""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Recipe:
    """Settings of a training. The defaults are the paper's, section by section; the last block is ours.

    ``deviations()`` names every field that a run changed, so that a checkpoint's card can say so.
    """

    learning_rate: float = 1e-4  # 5.3
    poly_power: float = 0.9  # 5.3, equation 3 in its usual closed form
    bce_weight: float = 0.5  # 5.3, equation 4
    dice_weight: float = 0.5  # 5.3, equation 4
    batch: int = 12  # 5.3
    chip_px: int = 512  # 5.3
    flip_probability: float = 0.8  # 5.3: horizontal and vertical flips, rotation by 180 degrees
    epochs: int = 50  # 5.3
    selection: str = "best micro-IoU on validation"  # 5.4
    precision: str = "mixed"  # 5.3; bfloat16 where the device has it

    # Ours: the paper's data holds 2 to 20 cm/px by itself, the tiles here mostly 5 to 7.5.
    chips_per_epoch: int = 2000
    gsd_range_cm_per_px: tuple[float, float] | None = (2.5, 40.0)  # log-uniform per chip; None: the tile's own
    dataset_weights: dict[str, float] = field(default_factory=dict)  # share of the chips; by area where empty
    leave_out: tuple[str, ...] = ()  # data sets that the run never sees
    photometric: float = 0.0  # strength of training.augment.photometric: 0 is without, 1 the whole ranges
    grayscale_probability: float = 0.0
    degrade_probability: float = 0.0  # another resampling kernel, blur, noise, sharpening, JPEG
    turn_probability: float = 0.0  # by any angle; above 0, every chip is also laid in one of eight ways
    mosaic_probability: float = 0.0  # of chips that no scene fills: filled with other tiles of the data set
    standardise: bool = False  # every image to mean 0 and deviation 1 per channel, in place of mean and std
    output_weights: dict[str, float] = field(default_factory=lambda: {"building": 1.0})  # of the outputs in the loss
    scale_input: bool = True  # False: a model that takes the resolution makes nothing of it
    consistency: float = 0.0  # weight of a loss between a model and what its moving average sees twice as fine
    ema_decay: float = 0.0  # of the weights' moving average, which is then validated and kept; 0: the last weights
    mean: float = 0.5
    std: float = 0.5
    seed: int = 0

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch."""
        return self.chips_per_epoch // self.batch

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Equation 3 in closed form: ``lr0 * (1 - step / steps) ** 0.9``."""
        return self.learning_rate * float((1 - step / steps) ** self.poly_power)

    def deviations(self) -> dict[str, object]:
        """Fields whose value is not the default: ``Recipe(batch=8).deviations() == {"batch": 8}``."""
        default = asdict(Recipe())
        return {name: value for name, value in asdict(self).items() if value != default[name]}
