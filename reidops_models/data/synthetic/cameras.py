"""What the cameras are like: where they look, and what they do to light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from reidops_models.data.synthetic.people import Color, vary

__all__ = ["CAMERAS", "Camera", "draw_background", "expose", "sample_cameras"]

CAMERAS = 6
"""As many as Market-1501 has."""


@dataclass(frozen=True)
class Camera:
    """One camera: its usual view of walking people, its scene, and its sensor."""

    yaw: float  # radians; direction in which most people walk, 0 towards the camera
    wall: Color
    floor: Color
    horizon: float  # of the image's height
    gain: tuple[float, float, float]  # white balance
    gamma: float
    contrast: float
    brightness: float  # grey levels, as are noise and gradient
    gradient: float  # from the left edge to the right one
    noise: float
    blur: float  # pixels of a scene 256 high
    resolution: float  # of the written image's


def sample_cameras(seed: int, count: int = CAMERAS) -> list[Camera]:
    """The cameras of one benchmark."""
    rng = np.random.default_rng([seed, 23])
    return [_sample_camera(rng) for _ in range(count)]


def _sample_camera(rng: np.random.Generator) -> Camera:
    def surface(darkest: int, brightest: int, spread: float, top: int) -> Color:
        red, green, blue = (
            np.clip(rng.integers(darkest, brightest) + rng.normal(0, spread, 3), 30, top).astype(int).tolist()
        )
        return red, green, blue

    red, green, blue = np.exp(rng.normal(0, 0.10, 3)).tolist()
    return Camera(
        gain=(red, green, blue),
        gamma=math.exp(rng.normal(0, 0.22)),
        brightness=float(rng.normal(0, 14)),
        contrast=float(rng.uniform(0.78, 1.1)),
        blur=float(rng.uniform(0, 0.9)),
        noise=float(rng.uniform(2, 8)),
        resolution=float(rng.uniform(0.55, 1.0)),
        wall=surface(80, 205, 16, 235),
        floor=surface(70, 180, 14, 220),
        horizon=float(rng.uniform(0.35, 0.7)),
        yaw=float(rng.uniform(0, 2 * math.pi)),
        gradient=float(rng.normal(0, 25)),
    )


def draw_background(rng: np.random.Generator, camera: Camera, height: int, width: int) -> Image.Image:
    """The camera's wall and floor with clutter of its colours before them: boxes, discs, poles and posts."""
    image = Image.new("RGB", (width, height), camera.wall)
    draw = ImageDraw.Draw(image)
    horizon = int(height * (camera.horizon + rng.normal(0, 0.04)))
    if horizon < height:
        draw.rectangle([0, max(horizon, 0), width, height], fill=vary(rng, camera.floor, 10))
    for _ in range(int(rng.integers(3, 9))):
        x, y = rng.uniform(-0.2, 1) * width, rng.uniform(-0.1, 0.9) * height
        w, h = rng.uniform(0.05, 0.5) * width, rng.uniform(0.05, 0.4) * height
        red, green, blue = (np.array(camera.wall) * 0.5 + rng.integers(20, 235, 3) * 0.5).astype(int).tolist()
        color = (red, green, blue)
        kind = rng.integers(4)
        if kind == 0:
            draw.rectangle([x, y, x + w, y + h], fill=color)
        elif kind == 1:
            draw.ellipse([x, y, x + w, y + h], fill=color)
        elif kind == 2:
            thickness = int(rng.integers(2, 9) * height / 256) + 1
            draw.line([x, y, x + w * int(rng.choice([-1, 1])), y + 2 * h], fill=color, width=thickness)
        else:
            draw.rectangle([x, min(horizon - h, height), x + 0.3 * w, height], fill=color)
    return image


def expose(rng: np.random.Generator, camera: Camera, scene: Image.Image, height: int, width: int) -> np.ndarray:
    """The image the camera takes of a scene drawn at a higher resolution: uint8 (height, width, 3).

    Lens, sensor resolution, gamma and white balance, contrast and brightness, noise, in this order.
    """
    scale = scene.height / height
    if camera.blur > 0.15:
        scene = scene.filter(ImageFilter.GaussianBlur(camera.blur * scene.height / 256 + 0.2))
    if camera.resolution < 0.95:
        small = (max(8, int(width * camera.resolution)), max(16, int(height * camera.resolution)))
        averaging = Image.Resampling.BOX if scale / camera.resolution >= 2 else Image.Resampling.BILINEAR
        scene = scene.resize(small, averaging).resize((width, height), Image.Resampling.BILINEAR)
    else:
        scene = scene.resize((width, height), Image.Resampling.BOX)
    light = np.asarray(scene, np.float32) / 255
    gamma = camera.gamma * math.exp(rng.normal(0, 0.08))
    levels = 255 * np.power(light, np.float32(gamma)) * np.asarray(camera.gain, np.float32)
    levels = (levels - 128) * np.float32(camera.contrast) + np.float32(128 + camera.brightness + rng.normal(0, 6))
    levels += np.float32(camera.gradient) * np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :, None]
    levels += rng.standard_normal(levels.shape, np.float32) * np.float32(camera.noise)
    return np.clip(levels, 0, 255).astype(np.uint8)
