// Puts reports into the picture of the network, each by one call: from MicroPython a call of JavaScript
// takes 10 to 20 µs, and a report has hundreds of numbers. Evaluated by picture.py for each drawing.
"use strict";
(area, ends) => {
  const [BRIGHTER, WIDER] = [0.08, 0.15]; // changes of activity, and of a width in CSS pixels, that can be seen
  const layers = [...area.querySelectorAll("canvas")].map((canvas) => canvas.getContext("2d"));
  const wires = [...area.querySelectorAll("path:not(.neck)")];
  // The wires that leave a tile are lit together; those into the answers one by one.
  const lit = [...area.querySelectorAll(".source"), ...ends.map((number) => wires[number])];
  const shown = new Float32Array(lit.length + wires.length).fill(NaN);
  return (pixels, strengths) => {
    let offset = pixels.byteOffset;
    for (const context of layers) {
      const { width, height } = context.canvas;
      const part = new Uint8ClampedArray(pixels.buffer, offset, 4 * width * height);
      context.putImageData(new ImageData(part, width, height), 0, 0);
      offset += part.length;
    }
    strengths.forEach((strength, n) => {
      const moved = Math.abs(strength - shown[n]);
      if (moved < (n < lit.length ? BRIGHTER : WIDER) && strength < 0 === shown[n] < 0) return;
      shown[n] = strength;
      // A stroke's own opacity: that of the element would make each wire a layer to be composed.
      if (n < lit.length) lit[n].style.strokeOpacity = (0.14 + 0.72 * strength).toFixed(2);
      else {
        const wire = wires[n - lit.length];
        wire.style.strokeWidth = `${Math.abs(strength).toFixed(2)}px`;
        wire.classList.toggle("neg", strength < 0);
      }
    });
  };
}
