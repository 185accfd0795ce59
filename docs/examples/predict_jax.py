"""Probabilities by JAX alone: python predict_jax.py winner/model.jax_export photo.png"""

import sys
from pathlib import Path

import numpy as np
from jax import export
from PIL import Image, ImageOps

network = export.deserialize(bytearray(Path(sys.argv[1]).read_bytes()))  # code: trust it first
_, size, _, channels = network.in_avals[0].shape
image = Image.open(sys.argv[2]).convert("RGB" if channels == 3 else "L")
square = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)  # resize = "crop"
pixels = np.asarray(square).reshape(1, size, size, channels)  # uint8, a batch of one
for label, probability in enumerate(network.call(pixels)[0]):
    print(f"{label} {probability:.6f}")
