"""Serves an exported network over HTTP, by onnxruntime alone: python serve.py winner/model.onnx

curl --data-binary @photo.jpg http://127.0.0.1:8000/predict
curl -F image=@one.png -F image=@two.png http://127.0.0.1:8000/predict
"""

import argparse
import asyncio
import json
import warnings
from functools import partial
from io import BytesIO

import numpy as np
import onnxruntime
import uvicorn
from PIL import Image, ImageOps, UnidentifiedImageError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

MAX_IMAGES, MAX_BYTES, MAX_SECONDS = 64, 16 * 2**20, 30  # of one request
Image.MAX_IMAGE_PIXELS = 25_000_000  # of one image, however small its file
warnings.simplefilter("error", Image.DecompressionBombWarning)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
RESIZE = {
    "crop": ImageOps.fit,
    "squash": Image.Image.resize,
    "pad": partial(ImageOps.pad, centering=(0.4999, 0.4999)),  # the odd row at the end
}


def pixels(encoded, size, channels, resize):
    """The bytes of an image file as uint8 [size, size, channels]."""
    try:
        image = ImageOps.exif_transpose(Image.open(BytesIO(encoded), formats=FORMATS))
        if image.mode[0] in "IF":
            raise HTTPException(415, f"mode {image.mode}: send 8 bits a channel")
        image = image.convert("RGBA" if image.mode in ("P", "PA") else "RGB").convert("RGB")
        image = image if channels == 3 else image.convert("L")
        image = RESIZE[resize](image, (size, size), Image.Resampling.BICUBIC)
        return np.asarray(image).reshape(size, size, channels)
    except UnidentifiedImageError:
        raise HTTPException(415, f"not an image: send {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise HTTPException(413, f"over {Image.MAX_IMAGE_PIXELS:,} pixels: send fewer") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise HTTPException(400, f"a damaged image ({error}): send a whole one") from None


async def limited(stream):
    """A body, kept as far as it may be and read to its end, so that the sender hears the answer."""
    size = 0
    async for chunk in stream:
        size += len(chunk)
        if size <= MAX_BYTES:
            yield chunk
    if size > MAX_BYTES:
        raise HTTPException(413, f"{size:,} bytes: send at most {MAX_BYTES:,}")


async def files_of(request):
    """The bytes of the files in a form, or of the one that is the body."""
    body = limited(request.stream())
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return [b"".join([chunk async for chunk in body])]
    form = await MultiPartParser(request.headers, body, max_files=MAX_IMAGES).parse()
    return [await file.read() for _, file in form.multi_items() if not isinstance(file, str)]


def make_app(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    network = int(facts["image_size"]), int(facts["image_channels"]), facts["resize"]
    classes = json.loads(facts["class_names"]) or range(session.get_outputs()[1].shape[1])

    def infer(files):
        images = np.stack([pixels(encoded, *network) for encoded in files])
        for row in session.run(["probabilities"], {"images": images})[0]:
            yield dict(zip(map(str, classes), row.tolist(), strict=True))

    async def predict(request):
        try:
            async with asyncio.timeout(MAX_SECONDS):
                if not any(files := await files_of(request)):
                    raise HTTPException(400, "no image: send a file as the body or in a form")
                found = await asyncio.to_thread(lambda: list(infer(files)))
        except TimeoutError:
            raise HTTPException(408, f"not done in {MAX_SECONDS} s: send less at once") from None
        except (MultiPartException, ClientDisconnect) as error:
            raise HTTPException(400, f"a broken request: {error}") from None
        found = [{"class": max(row, key=row.get), "probabilities": row} for row in found]
        return JSONResponse({"predictions": found})

    async def health(_):
        return JSONResponse({"status": "ok", "model": facts["name"], "sha256": facts["sha256"]})

    async def refuse(_, error):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    app = Starlette(exception_handlers={HTTPException: refuse})
    app.add_route("/health", health)
    app.add_route("/predict", predict, methods=["POST"])
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0: others reach it too")
    parser.add_argument("--port", default=8000, type=int)
    options = parser.parse_args()
    try:
        app = make_app(options.model)
    except Exception as error:  # onnxruntime has a class of its own for every way to fail
        parser.error(f"{options.model} is no exported network: {error!r}")
    uvicorn.run(app, host=options.host, port=options.port, limit_concurrency=MAX_IMAGES)
