// Puts the last pixels of a worker's bytes on a canvas. Evaluated by plane.py.
"use strict";
(canvas, pixels) => {
  const { width, height } = canvas, size = 4 * width * height;
  const start = pixels.byteOffset + pixels.byteLength - size;
  const data = new Uint8ClampedArray(pixels.buffer, start, size);
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
}
