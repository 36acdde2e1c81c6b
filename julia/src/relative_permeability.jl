# Relative permeabilities. An analytic curve is a function of the effective saturations
#
#   x_w = (S_w − S_wr)/(1 − S_wr − S_nr),   x_n = (S_n − S_nr)/(1 − S_wr − S_nr),   both clamped to [0, 1],
#
# and each of its two methods returns the value and the derivative with respect to the phase's own x. Residuals and
# endpoints belong to `Fluids`. A table is a function of the CO2 saturation itself and knows its own residuals.

"""
    Corey(brine_exponent, co2_exponent)

k_rw = x_w^n_w, k_rn = x_n^n_n.
"""
struct Corey
    brine_exponent::Float64
    co2_exponent::Float64

    function Corey(brine_exponent, co2_exponent)
        for (name, value) in (("brine_exponent", brine_exponent), ("co2_exponent", co2_exponent))
            (isfinite(value) && value >= 1) || throw(ArgumentError("$name = $value: give 1 or more"))
        end
        return new(brine_exponent, co2_exponent)
    end
end

"""
    BrooksCoreyCurves(pore_size_index)

Burdine's integral of the capillary pressure of Brooks and Corey (1964, Hydraulic properties of porous media):
k_rw = x_w^((2 + 3λ)/λ), k_rn = x_n² (1 − (1 − x_n)^((2 + λ)/λ)).
"""
struct BrooksCoreyCurves
    pore_size_index::Float64

    function BrooksCoreyCurves(pore_size_index)
        (isfinite(pore_size_index) && pore_size_index > 0) ||
            throw(ArgumentError("curve_pore_size_index = $pore_size_index: give a positive number"))
        return new(pore_size_index)
    end
end

"""
    VanGenuchtenCurves(m)

Mualem's integral of the capillary pressure of van Genuchten (1980, doi:10.2136/sssaj1980.03615995004400050002x), with
the CO2 curve of Parker, Lenhard and Kuppusamy (1987, doi:10.1029/WR023i004p00618):
k_rw = √x_w (1 − (1 − x_w^(1/m))^m)², k_rn = √x_n (1 − (1 − x_n)^(1/m))^(2m).

Where CO2 appears (x_n → 0) the slope of k_rw, and for m < ¼ that of k_rn, grows without bound: both are chords for
x_n < 1e-6.
"""
struct VanGenuchtenCurves
    m::Float64

    function VanGenuchtenCurves(m)
        0 < m < 1 || throw(ArgumentError("curve_van_genuchten_m = $m: give a number between 0 and 1"))
        return new(m)
    end
end

"""
    TabulatedCurves(saturation, brine, co2)

Piecewise linear relative permeabilities at ascending CO2 saturations; constant outside. They are used as they are:
residuals and endpoints of [`Fluids`](@ref) do not apply. The residuals of a table are where its curves reach zero.
"""
struct TabulatedCurves
    brine::PiecewiseLinear
    co2::PiecewiseLinear
    brine_residual::Float64
    co2_residual::Float64

    function TabulatedCurves(saturation, brine, co2)
        brine_table = PiecewiseLinear("curve_brine", saturation, brine)
        co2_table = PiecewiseLinear("curve_co2", saturation, co2)
        0 <= saturation[1] && saturation[end] <= 1 ||
            throw(ArgumentError("curve_saturation $(brief(saturation)): give CO2 saturations from 0 to 1"))
        all(>=(0), brine) && never_rises(brine) ||
            throw(ArgumentError("curve_brine $(brief(brine)): give values of 0 or more that never rise with CO2"))
        all(>=(0), co2) && never_falls(co2) ||
            throw(ArgumentError("curve_co2 $(brief(co2)): give values of 0 or more that never fall with CO2"))
        emptied, arrived = findfirst(==(0), brine), findlast(==(0), co2)
        return new(brine_table, co2_table, emptied === nothing ? 0.0 : 1 - saturation[emptied],
                   arrived === nothing ? 0.0 : saturation[arrived])
    end
end

# x^n; the usual powers are much cheaper than a general one.
@inline function power(x, n)
    n == 2 && return x * x
    n == 3 && return x * x * x
    n == 4 && return (x * x) * (x * x)
    n == 1 && return x
    n == 0.5 && return sqrt(x)
    n == -0.5 && return 1 / sqrt(x)
    n == -2 && return 1 / (x * x)
    return x^n
end

@inline corey(x, n) = (k = power(x, n); n == 2 ? (k, 2x) : (k, n * k / x))

@inline brine_curve(c::Corey, x) = corey(x, c.brine_exponent)
@inline co2_curve(c::Corey, x) = corey(x, c.co2_exponent)

@inline brine_curve(c::BrooksCoreyCurves, x) = corey(x, 3 + 2 / c.pore_size_index)

@inline function co2_curve(c::BrooksCoreyCurves, x)
    Se = 1 - x
    n = 1 + 2 / c.pore_size_index
    a = power(Se, n)
    return x * x * (1 - a), 2x * (1 - a) + x * x * n * (Se > 0 ? a / Se : 0.0)
end

const CHORD = 1e-6

@inline function brine_curve(c::VanGenuchtenCurves, x)
    x <= 1 - CHORD && return mualem_brine(c.m, x)
    k, _ = mualem_brine(c.m, 1 - CHORD)
    slope = (1 - k) / CHORD
    return 1 + slope * (x - 1), slope
end

@inline function mualem_brine(m, x)
    a = power(x, 1 / m)
    b = power(1 - a, m)
    root = sqrt(x)
    k = root * (1 - b)^2
    return k, 0.5 * k / x + 2 * root * (1 - b) * b / (1 - a) * a / x
end

@inline function co2_curve(c::VanGenuchtenCurves, x)
    x >= CHORD && return mualem_co2(c.m, x)
    k, _ = mualem_co2(c.m, CHORD)
    return k / CHORD * x, k / CHORD
end

@inline function mualem_co2(m, x)
    Se = 1 - x
    a = power(Se, 1 / m)
    b = power(1 - a, 2m)
    root = sqrt(x)
    k = root * b
    return k, 0.5 * k / x + 2 * root * b / (1 - a) * (Se > 0 ? a / Se : 0.0)
end
