# Capillary pressure p_c as a function of the brine saturation S_w: each model returns (p_c, dp_c/dS_n), S_n = 1 − S_w.

"No capillary pressure: both phases have the same pressure."
struct NoCapillarity end

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

    function VanGenuchten(scale, m, residual_brine)
        scale > 0 || throw(ArgumentError("van Genuchten scale = $scale: give a positive pressure in Pa"))
        0 < m < 1 || throw(ArgumentError("van Genuchten m = $m: give a number between 0 and 1"))
        return new(scale, m, residual_brine)
    end
end

capillary_pressure(::NoCapillarity, S) = (0.0, 0.0)

function capillary_pressure(c::BrooksCorey, S)
    width = 1 - c.residual_brine
    Se = min((1 - S - c.residual_brine) / width, 1.0)
    knot = max(Se, 0.05)
    value = c.entry_pressure * knot^(-1 / c.pore_size_index)
    slope = -value / (c.pore_size_index * knot)          # dp_c/dS_e
    return value + slope * (Se - knot), -slope / width
end

function capillary_pressure(c::VanGenuchten, S)
    width = 1 - c.residual_brine
    Se = min((1 - S - c.residual_brine) / width, 1.0)
    knot = clamp(Se, 0.05, 0.999)
    base = knot^(-1 / c.m) - 1
    value = c.scale * base^(1 - c.m)
    slope = -c.scale * (1 - c.m) / c.m * base^(-c.m) * knot^(-1 / c.m - 1)
    return value + slope * (Se - knot), -slope / width
end
