// An image that the host sends: its shades from 0 to 1, null where one is none. Evaluated by demo.py.
"use strict";
(numbers) => {
  const image = Float32Array.from(numbers, (shade) => shade / 255);
  return image.every((shade) => shade >= 0 && shade <= 1) ? image : null;
}
