/* Copies into larger arrays: columns beside others, images inside a frame of zeros. */
#include "vector.h"

/* x (rows, columns) -> columns of y, whose rows are `stride` floats apart. */
EXPORT void copy_columns(const float *x, float *y, int rows, int columns, int stride) {
    for (int r = 0; r < rows; r++, x += columns, y += stride) copy(y, x, columns);
}

/* x (images, height, wide) -> y, with rows of zeros above and below, and floats of zeros before and after. */
EXPORT void frame_images(const float *x, float *y, int images, int height, int wide, int top, int bottom,
                         int before, int after) {
    int row = before + wide + after;
    for (int n = 0; n < images; n++, y += bottom * row) {
        clear(y, top * row);
        y += top * row;
        for (int i = 0; i < height; i++, x += wide, y += row) {
            clear(y, before);
            copy(y + before, x, wide);
            clear(y + before + wide, after);
        }
        clear(y, bottom * row);
    }
}
