"""A network that reads handwritten digits, as plain C for a microcontroller: one header with 4 KB of constants.

    python c_on_a_microcontroller.py [--epochs 20] [--out FOLDER]

The header needs no library but <math.h>. `c_on_a_microcontroller.c` is a program that uses it; this script ends by
printing how to compile it on your own computer.
"""

import argparse
from pathlib import Path

import chainrule as cr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the header")
    args = parser.parse_args()

    digits = cr.data.load_named("digits")  # 8 × 8 pixels
    model = cr.MLP([64, 48, 10], dropout=0.1, rng=0)
    trainer = cr.Trainer(model, "cross_entropy", cr.AdamW(3e-3), batch_size=32)
    trainer.fit(digits.x, digits.y, epochs=args.epochs, verbose=0)
    right = cr.metrics.accuracy(digits.y_test, model.predict(digits.x_test))
    print(f"{100 * right:.1f}% of the test digits right")

    model.metadata = {"class_names": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]}
    print(cr.export(model, args.out / "digits.h", precision="int8"))  # one byte per weight

    program = Path(__file__).with_suffix(".c")
    print(f"Now: cc -std=c99 -O2 -I {args.out} {program} -lm -o digits")


if __name__ == "__main__":
    main()
