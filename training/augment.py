"""Changes to a training chip that make up for places, seasons and cameras that no training tile shows.

Every function takes a chip and a random generator and returns a new chip, so that what a chip looks like depends
on the generator alone. Images are uint8 arrays (H, W, 3) unless a docstring says otherwise.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]
Colours = NDArray[np.floating]  # (H, W, 3) in [0, 1]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
TARGET_MEAN = (0.25, 0.75)  # of the image's brightness after the gamma curve
CONTRAST = (0.5, 1.6)
SATURATION = (0.2, 1.6)
GAIN = (0.8, 1.25)  # of each channel
HUE_DEGREES = 20.0
SHADOW_PROBABILITY, SHADOW_LIGHT = 0.2, (0.4, 0.85)  # the share of the light that is left in the shadow
HAZE_PROBABILITY, HAZE_LIMIT = 0.25, 0.35  # the share of the light that is haze
RESAMPLING_KERNELS = ("nearest", "bilinear", "lanczos")


def photometric(pixels: Pixels, random: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Other light, another camera, another soil: gamma, contrast, saturation, hue, gain, shadow and haze.

    Args:
        pixels: The chip. Black pixels are ground that no tile covers and stay black.
        random: Where the amounts are drawn from; the number of draws does not depend on `strength`.
        strength: 0 changes nothing, 1 draws from the ranges above, and between them they narrow.
    """
    image: Colours = pixels.astype(np.float32) / 255
    mean = float(np.clip(image.mean(), 0.05, 0.95))
    image = image ** (np.log(random.uniform(*TARGET_MEAN)) / np.log(mean)) ** strength
    level = image.mean()
    image = level + (image - level) * _factor(random, CONTRAST, strength)
    image = saturated(image, 1 + strength * (random.uniform(*SATURATION) - 1))
    image = hue_rotated(image, strength * random.uniform(-HUE_DEGREES, HUE_DEGREES))
    image = image * np.array([_factor(random, GAIN, strength) for _ in range(3)], np.float32)
    image = _shadowed(image, random, strength)
    image = _hazy(image, random, strength)
    image[~pixels.any(axis=-1)] = 0
    return _to_pixels(image)


def saturated(image: Colours, factor: float) -> Colours:
    """Colours at `factor` times their distance from grey of the same brightness: 0 is grey, 1 is the image."""
    grey = (image @ LUMA)[..., None]
    return grey + (image - grey) * np.float32(factor)


def hue_rotated(image: Colours, degrees: float) -> Colours:
    """Colours turned about the grey axis: 0 is the image, 120 makes red of blue, green of red and blue of green."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees)) / np.sqrt(3)
    third = (1 - cos) / 3
    to_red = [cos + third, third - sin, third + sin]
    matrix = np.array([np.roll(to_red, shift) for shift in range(3)], np.float32)
    return image @ matrix.T


def grayscale(pixels: Pixels) -> Pixels:
    """The brightness in all three channels, as a panchromatic camera gives it."""
    return np.repeat(_to_pixels((pixels.astype(np.float32) / 255 @ LUMA)[..., None]), 3, axis=-1)


def resampled_by(kernel: str, pixels: Pixels, side: int) -> Pixels:
    """A square chip at `side` pixels, resampled as tile servers and image editors do it.

    Args:
        kernel: "nearest" and "bilinear" look at the one or four pixels around each new centre and so alias
            going down; "lanczos" averages with negative lobes, which leaves bright and dark rims.
    """
    image = Image.fromarray(pixels)
    extent = (0, 0, image.width, image.height)
    match kernel:
        case "nearest":
            image = image.resize((side, side), Image.Resampling.NEAREST)
        case "bilinear":
            image = image.transform((side, side), Image.Transform.EXTENT, extent, Image.Resampling.BILINEAR)
        case "lanczos":
            image = image.resize((side, side), Image.Resampling.LANCZOS)
        case _:
            raise ValueError(f"unknown resampling kernel {kernel!r}")
    return np.asarray(image)


def degraded(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """A worse camera and a smaller file: blur, noise, unsharp mask and JPEG, each in about half of the chips."""
    blurs, is_noisy, is_sharpened, is_compressed = random.random(4) < 0.5
    image = Image.fromarray(pixels)
    if blurs:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.2)))
    if is_noisy:
        noise = random.normal(0, random.uniform(0.005, 0.04), pixels.shape).astype(np.float32)
        image = Image.fromarray(_to_pixels(np.asarray(image, np.float32) / 255 + noise))
    if is_sharpened:
        image = image.filter(ImageFilter.UnsharpMask(random.uniform(0.5, 2.0), int(random.uniform(50, 200)), 0))
    if is_compressed:
        image = compressed(image, int(random.integers(30, 91)))
    return np.asarray(image)


def compressed(image: Image.Image, quality: int) -> Image.Image:
    """The image as it comes back from a JPEG file of that quality."""
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def turned(pixels: Pixels, degrees: float, side: int) -> Pixels:
    """The middle `side` x `side` pixels after a turn against the clock about the centre.

    Args:
        pixels: A square of (H, W, 4): red, green, blue and building (0 or 255), at least sqrt(2) * `side` wide.
    """
    image = Image.fromarray(pixels[..., :3]).rotate(degrees, Image.Resampling.BICUBIC)
    building = Image.fromarray(pixels[..., 3]).rotate(degrees, Image.Resampling.BILINEAR)
    start = (len(pixels) - side) // 2
    middle = np.s_[start : start + side, start : start + side]
    return np.dstack([np.asarray(image), np.asarray(building)])[middle]


def turned_labels(labels: NDArray[np.int32], degrees: float, side: int) -> NDArray[np.int32]:
    """As `turned`, for labels (H, W): each pixel gets the nearest one."""
    start = (len(labels) - side) // 2
    whole = np.asarray(Image.fromarray(labels).rotate(degrees, Image.Resampling.NEAREST))
    return whole[start : start + side, start : start + side]


def one_of_eight(pixels: Pixels, number: int) -> Pixels:
    """One of the eight ways to lay a square down, 0 to 7: 0 to 3 are quarter turns, 4 to 7 are mirrored first."""
    return np.rot90(pixels[:, ::-1] if number >= 4 else pixels, number % 4)


def _factor(random: np.random.Generator, limits: tuple[float, float], strength: float) -> np.float32:
    return np.float32(np.exp(strength * random.uniform(*np.log(limits))))


def _shadowed(image: Colours, random: np.random.Generator, strength: float) -> Colours:
    """A cloud's or a tree's shadow over one side of a line, with an edge as soft as it happens to be."""
    height, width = image.shape[:2]
    chance, angle, offset, softness, light = random.random(5)
    if chance >= SHADOW_PROBABILITY * strength:
        return image
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    along = np.cos(2 * np.pi * angle) * (x / width - 0.5) + np.sin(2 * np.pi * angle) * (y / height - 0.5)
    inside = 1 / (1 + np.exp(-(along - 0.6 * (offset - 0.5)) * (20 + 180 * softness)))
    left = SHADOW_LIGHT[0] + (SHADOW_LIGHT[1] - SHADOW_LIGHT[0]) * light
    darkened: Colours = image * (1 - (1 - left) * inside[..., None]).astype(np.float32)
    return darkened


def _hazy(image: Colours, random: np.random.Generator, strength: float) -> Colours:
    chance, share, light = random.random(3)
    if chance >= HAZE_PROBABILITY * strength:
        return image
    haze = (0.7 + 0.3 * light) * np.array([0.95, 0.98, 1.0], np.float32)
    share *= HAZE_LIMIT * strength
    hazed: Colours = (image * (1 - share) + haze * share).astype(np.float32)
    return hazed


def _to_pixels(image: Colours) -> Pixels:
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
