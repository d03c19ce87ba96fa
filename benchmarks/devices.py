"""What a device allows, from its vendor's figures: the table of docs/gpu.md.

python -m benchmarks.devices

bytes a cycle       = bytes a second / (multiprocessors x Hz), of device memory for each multiprocessor
instructions        = 4 a cycle x 128 bytes / bytes a cycle / 0.8: of a warp for each 128 bytes that it moves, if it
                      is to reach 80 % of a copy's rate
operations a byte   = operations a second / bytes a second: below it memory is the limit, above it arithmetic
product             = 3368 x 19732 pairs x 128 x 128 x 2048 x 2 operations, Market-1501 with 16x8x2048 maps, in
                      seconds: of half maps on matrix units, and of float32 maps
instructions left   = (60 s - product of half maps) x 4 x multiprocessors x Hz / columns: of a warp for each of the
                      3368 x 19732 x 128 columns, if Market-1501 is to take a minute
"""

from __future__ import annotations

from typing import NamedTuple

ISSUED = 4  # instructions of a cycle
WARP = 128  # bytes that a warp's 32 lanes load or store as float32
AIM = 0.8  # of a copy's rate
COLUMNS = 3368 * 19732 * 128
PRODUCT = COLUMNS * 128 * 2048 * 2  # operations
MINUTE = 60


class Device(NamedTuple):
    """The vendor's figures; for Hopper a clock that it sustains, below its boost of 1.98 GHz."""

    name: str
    multiprocessors: int
    gigahertz: float
    terabytes: float  #: a second
    float32: float  #: TFLOP/s
    half: float  #: TFLOP/s of its matrix units, dense
    shared: int  #: KB of a block

    @property
    def cycles(self) -> float:
        """Of all multiprocessors in a second."""
        return self.multiprocessors * self.gigahertz * 1e9

    @property
    def multiply_adds(self) -> int:
        """Of warps in a cycle of a multiprocessor: an A100 has half as many as it issues instructions."""
        return min(ISSUED, round(self.float32 * 1e12 / (2 * 32 * self.cycles)))

    @property
    def bytes_a_cycle(self) -> float:
        return self.terabytes * 1e12 / self.cycles

    @property
    def instructions(self) -> float:
        return ISSUED * WARP / self.bytes_a_cycle / AIM

    @property
    def operations_a_byte(self) -> float:
        return self.float32 / self.terabytes

    @property
    def product_of_halves(self) -> float:
        return PRODUCT / (self.half * 1e12)

    @property
    def product_of_float32(self) -> float:
        return PRODUCT / (self.float32 * 1e12)

    @property
    def instructions_left(self) -> float:
        return (MINUTE - self.product_of_halves) * ISSUED * self.cycles / COLUMNS


DEVICES = (
    Device("A100 80GB SXM", 108, 1.41, 2.04, 19.5, 312, 163),
    Device("L4", 58, 2.04, 0.30, 30.3, 121, 99),
    Device("H100 SXM", 132, 1.7, 3.35, 67, 989, 227),
    Device("H200", 132, 1.7, 4.8, 67, 989, 227),
    Device("B200", 148, 1.85, 8.0, 75, 2250, 227),
)


def table() -> list[str]:
    """Lines of Markdown."""
    heads = ("device", "multiprocessors", "GHz", "TB/s", "float32", "matrix units", "shared KB")
    derived = ("bytes a cycle", "instructions", "operations a byte", "product", "in float32", "instructions left")
    lines = [f"| {' | '.join((*heads, *derived))} |", f"|{' --- |' * len((*heads, *derived))}"]
    for device in DEVICES:
        figures = (
            f"{device.bytes_a_cycle:.1f}",
            f"{device.instructions:.0f}",
            f"{device.operations_a_byte:.0f}",
            f"{device.product_of_halves:.1f} s",
            f"{device.product_of_float32:.0f} s",
            f"{device.instructions_left:.0f}",
        )
        lines.append(f"| {' | '.join((*map(str, device), *figures))} |")
    return lines


if __name__ == "__main__":
    print("\n".join(table()))
