"""Coefficients of src/float64/erf.rs: Chebyshev interpolation in 90 digits, as polynomials on [-1, 1].

    python crates/float64/scripts/erf.py

needs mpmath.
"""

import mpmath as mp

mp.mp.dps = 90


def interpolate(function, low, high, degree):
    """The polynomial through the Chebyshev nodes of [low, high], its variable brought to [-1, 1]; constant first."""
    nodes = [mp.cos(mp.pi * (2 * k + 1) / (2 * degree + 2)) for k in range(degree + 1)]
    values = [function((high - low) / 2 * node + (high + low) / 2) for node in nodes]
    solution = mp.lu_solve(mp.matrix([[node**power for power in range(degree + 1)] for node in nodes]), mp.matrix(values))
    return [float(coefficient) for coefficient in solution]


# erf(x) / x as a function of x^2 from 0 to 1.
print(interpolate(lambda square: mp.erf(mp.sqrt(square)) / mp.sqrt(square), mp.mpf(0), mp.mpf(1), 11))
# e^(x^2) erfc(x) as a function of 2 / (2 + x), for x from 1 to 6.
print(interpolate(lambda t: mp.exp((2 / t - 2) ** 2) * mp.erfc(2 / t - 2), mp.mpf(1) / 4, mp.mpf(2) / 3, 14))
