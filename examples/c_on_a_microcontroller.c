/* Reads images of 8 x 8 pixels, and prints the digit on each. c_on_a_microcontroller.py writes digits.h.

   On a computer the pixels come from standard input as 64 numbers; on a device, read_image would read the camera. */

#include <stdio.h>

#define DIGITS_SELF_TEST
#include "digits.h"

static int read_image(float *x)
{
    for (size_t i = 0; i < DIGITS_INPUTS; i++) {
        if (scanf("%f", &x[i]) != 1) {
            return 0;
        }
    }
    return 1;
}

int main(void)
{
    static float x[DIGITS_INPUTS], y[DIGITS_OUTPUTS];

    if (!(digits_self_test() < 1e-3f)) { /* is the flash sound, and the compiler's arithmetic right? */
        puts("self-test failed");
        return 1;
    }
    while (read_image(x)) {
        size_t best = 0;
        digits_predict(x, y);
        for (size_t k = 1; k < DIGITS_OUTPUTS; k++) {
            best = y[k] > y[best] ? k : best;
        }
        puts(digits_classes[best]);
    }
    return 0;
}
