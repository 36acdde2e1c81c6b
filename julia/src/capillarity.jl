# Capillary pressure p_c as a function of the CO2 saturation S_n = 1 − S_w: each model returns (p_c, dp_c/dS_n).

"No capillary pressure: both phases have the same pressure."
struct NoCapillarity end

const DRY, WET = 0.05, 0.999         # effective brine saturations beyond which curves go on as tangents

"""
    BrooksCorey(entry_pressure, pore_size_index, residual_brine)

p_c = p_e S_e^(−1/λ), S_e = (S_w − S_wr)/(1 − S_wr); continued by its tangent below S_e = 0.05, where it would grow
without bound. Brooks and Corey (1964), Hydraulic properties of porous media.
"""
struct BrooksCorey
    entry_pressure::Float64
    pore_size_index::Float64
    residual_brine::Float64

    function BrooksCorey(entry_pressure, pore_size_index, residual_brine)
        entry_pressure > 0 || throw(ArgumentError("entry_pressure = $entry_pressure: give a positive pressure in Pa"))
        pore_size_index > 0 || throw(ArgumentError("pore_size_index = $pore_size_index: give a positive number"))
        0 <= residual_brine < 1 || throw(ArgumentError("brine_residual = $residual_brine: give 0 or more, below 1"))
        return new(entry_pressure, pore_size_index, residual_brine)
    end
end

"""
    VanGenuchten(scale, m, residual_brine)

p_c = P (S_e^(−1/m) − 1)^(1−m); continued by its tangents outside 0.05 < S_e < 0.999, where its slope grows without
bound. van Genuchten (1980), doi:10.2136/sssaj1980.03615995004400050002x.
"""
struct VanGenuchten
    scale::Float64
    m::Float64
    residual_brine::Float64
    dry::NTuple{2,Float64}            # p_c and dp_c/dS_e at S_e = 0.05 and at 0.999
    wet::NTuple{2,Float64}

    function VanGenuchten(scale, m, residual_brine)
        scale > 0 || throw(ArgumentError("van Genuchten scale = $scale: give a positive pressure in Pa"))
        0 < m < 1 || throw(ArgumentError("van Genuchten m = $m: give a number between 0 and 1"))
        0 <= residual_brine < 1 || throw(ArgumentError("brine_residual = $residual_brine: give 0 or more, below 1"))
        return new(scale, m, residual_brine, van_genuchten(scale, m, DRY), van_genuchten(scale, m, WET))
    end
end

"""
    TabulatedCapillarity(saturation, pressure)

Capillary pressure [Pa], piecewise linear between ascending CO2 saturations and constant outside.
"""
struct TabulatedCapillarity
    table::PiecewiseLinear

    function TabulatedCapillarity(saturation, pressure)
        table = PiecewiseLinear("capillary_table", saturation, pressure)
        0 <= saturation[1] && saturation[end] <= 1 ||
            throw(ArgumentError("capillary_saturation $(brief(saturation)): give CO2 saturations from 0 to 1"))
        all(>=(0), pressure) && never_falls(pressure) ||
            throw(ArgumentError("capillary_table $(brief(pressure)): give 0 Pa or more, never falling with CO2"))
        return new(table)
    end
end

capillary_pressure(::NoCapillarity, S) = (0.0, 0.0)
capillary_pressure(c::TabulatedCapillarity, S) = lookup(c.table, S)

@inline function capillary_pressure(c::BrooksCorey, S)
    width = 1 - c.residual_brine
    Se = min((1 - S - c.residual_brine) / width, 1.0)
    knot = max(Se, DRY)
    value = c.entry_pressure * (knot == 1 ? 1.0 : power(knot, -1 / c.pore_size_index))    # most cells hold no CO2
    slope = -value / (c.pore_size_index * knot)          # dp_c/dS_e
    return value + slope * (Se - knot), -slope / width
end

function van_genuchten(scale, m, Se)
    a = power(Se, -1 / m)
    b = power(a - 1, -m)
    return scale * (a - 1) * b, -scale * (1 - m) / m * a * b / Se
end

@inline function capillary_pressure(c::VanGenuchten, S)
    width = 1 - c.residual_brine
    Se = min((1 - S - c.residual_brine) / width, 1.0)
    knot = clamp(Se, DRY, WET)
    value, slope = Se >= WET ? c.wet : Se <= DRY ? c.dry : van_genuchten(c.scale, c.m, Se)
    return value + slope * (Se - knot), -slope / width
end
