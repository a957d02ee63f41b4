/* Copies: columns beside others, images inside a frame of zeros, two axes in each other's place. */
#include "vector.h"

/* Columns of x -> columns of y, whose rows are so many floats apart. */
EXPORT void copy_columns(const float *x, int x_stride, float *y, int y_stride, int rows, int columns) {
    for (int r = 0; r < rows; r++, x += x_stride, y += y_stride) copy(y, x, columns);
}

EXPORT void clear_floats(float *x, int count) { clear(x, count); }

/* x (first, second, width) -> y (second, first, width), with x's first axis read from its end, or its second. */
EXPORT void swap_axes(const float *x, float *y, int first, int second, int width, int first_turned,
                      int second_turned) {
    for (int j = 0; j < second; j++)
        for (int i = 0; i < first; i++, y += width) {
            int row = first_turned ? first - 1 - i : i, column = second_turned ? second - 1 - j : j;
            copy(y, x + (row * second + column) * width, width);
        }
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
