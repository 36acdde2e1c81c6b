"""
    Fluids(; brine_density = 1000, co2_density = 700, reference_pressure = 150e5, brine_compressibility = 1e-11,
           co2_compressibility = 1e-9, brine_density_law = "exponential", co2_density_law = "exponential",
           brine_viscosity = 1e-3, co2_viscosity = 1e-4, brine_exponent = 2, co2_exponent = 2, brine_residual = 0.1,
           co2_residual = 0.1, brine_endpoint = 1, co2_endpoint = 1,
           relative_permeability = Corey(brine_exponent, co2_exponent), capillarity = NoCapillarity(),
           land_coefficient = Inf)

Two slightly compressible, immiscible fluids of constant viscosity. SI units throughout.

- Density: `brine_density` and `co2_density` at the reference pressure, and the law by which they change
  (density.jl): that of brine with p_w, that of CO2 with p_n = p_w + p_c.
- Relative permeability: k_α times a curve of the effective saturation (relative_permeability.jl).
- `capillarity`: p_c as a function of saturation (capillarity.jl).
- `land_coefficient`: C of Land's law of residual trapping (trapping.jl); without bound, nothing is trapped.
"""
struct Fluids{C,R}
    brine_density::Float64
    co2_density::Float64
    reference_pressure::Float64
    brine_compressibility::Float64
    co2_compressibility::Float64
    brine_density_law::DensityLaw
    co2_density_law::DensityLaw
    brine_viscosity::Float64
    co2_viscosity::Float64
    brine_residual::Float64
    co2_residual::Float64
    brine_endpoint::Float64
    co2_endpoint::Float64
    relative_permeability::R
    capillarity::C
    land_coefficient::Float64
end

function Fluids(;
        brine_density = 1000.0, co2_density = 700.0, reference_pressure = 150e5, brine_compressibility = 1e-11,
        co2_compressibility = 1e-9, brine_density_law = exponential_density, co2_density_law = exponential_density,
        brine_viscosity = 1e-3, co2_viscosity = 1e-4, brine_exponent = 2.0, co2_exponent = 2.0, brine_residual = 0.1,
        co2_residual = 0.1, brine_endpoint = 1.0, co2_endpoint = 1.0,
        relative_permeability = Corey(brine_exponent, co2_exponent), capillarity = NoCapillarity(),
        land_coefficient = Inf)
    for (name, value) in (("brine_density", brine_density), ("co2_density", co2_density),
                          ("brine_viscosity", brine_viscosity), ("co2_viscosity", co2_viscosity),
                          ("brine_endpoint", brine_endpoint), ("co2_endpoint", co2_endpoint))
        (isfinite(value) && value > 0) || throw(ArgumentError("$name = $value: give a positive value"))
    end
    for (name, value) in (("brine_compressibility", brine_compressibility),
                          ("co2_compressibility", co2_compressibility))
        (isfinite(value) && value >= 0) || throw(ArgumentError("$name = $value: give 0 or more, in 1/Pa"))
    end
    isfinite(reference_pressure) ||
        throw(ArgumentError("reference_pressure = $reference_pressure: give a finite pressure in Pa"))
    (brine_residual >= 0 && co2_residual >= 0 && brine_residual + co2_residual < 1) ||
        throw(ArgumentError("residuals $brine_residual and $co2_residual: give 0 or more, with a sum below 1"))
    land_coefficient > 0 || throw(ArgumentError("land_coefficient = $land_coefficient: give a positive number"))
    return Fluids{typeof(capillarity),typeof(relative_permeability)}(
        brine_density, co2_density, reference_pressure, brine_compressibility, co2_compressibility,
        DensityLaw(brine_density_law), DensityLaw(co2_density_law), brine_viscosity, co2_viscosity, brine_residual,
        co2_residual, brine_endpoint, co2_endpoint, relative_permeability, capillarity, land_coefficient)
end

# (ρ, dρ/dp) of each phase at its own pressure
@inline function brine_density_and_slope(f::Fluids, p)
    c = f.brine_compressibility
    c == 0 && return f.brine_density, 0.0
    ρ, slope = density(f.brine_density_law, f.brine_density, c * (p - f.reference_pressure))
    return ρ, c * slope
end

@inline function co2_density_and_slope(f::Fluids, p)
    c = f.co2_compressibility
    c == 0 && return f.co2_density, 0.0
    ρ, slope = density(f.co2_density_law, f.co2_density, c * (p - f.reference_pressure))
    return ρ, c * slope
end

"Brine density [kg/m³] at a brine pressure."
brine_density(f::Fluids, p) = brine_density_and_slope(f, p)[1]

"CO2 density [kg/m³] at a CO2 pressure."
co2_density(f::Fluids, p) = co2_density_and_slope(f, p)[1]

"Brine saturation that no flow can displace."
residual_brine(f::Fluids) = f.brine_residual
residual_brine(f::Fluids{C,TabulatedCurves}) where {C} = f.relative_permeability.brine_residual

"CO2 saturation below which CO2 does not flow, even where it never was more (drainage)."
residual_co2(f::Fluids) = f.co2_residual
residual_co2(f::Fluids{C,TabulatedCurves}) where {C} = f.relative_permeability.co2_residual

# (k_rα, dk_rα/dS) at CO2 saturation S, in drainage
@inline function brine_relative_permeability(f::Fluids, S)
    width = 1 - f.brine_residual - f.co2_residual
    x = (1 - S - f.brine_residual) / width
    x <= 0 && return 0.0, 0.0
    x >= 1 && return f.brine_endpoint, 0.0
    k, slope = brine_curve(f.relative_permeability, x)
    return f.brine_endpoint * k, -f.brine_endpoint * slope / width
end

@inline function co2_relative_permeability(f::Fluids, S)
    width = 1 - f.brine_residual - f.co2_residual
    x = (S - f.co2_residual) / width
    x <= 0 && return 0.0, 0.0
    x >= 1 && return f.co2_endpoint, 0.0
    k, slope = co2_curve(f.relative_permeability, x)
    return f.co2_endpoint * k, f.co2_endpoint * slope / width
end

@inline brine_relative_permeability(f::Fluids{C,TabulatedCurves}, S) where {C} =
    lookup(f.relative_permeability.brine, S)
@inline co2_relative_permeability(f::Fluids{C,TabulatedCurves}, S) where {C} = lookup(f.relative_permeability.co2, S)

"Brine mobility k_rw/μ_w [1/(Pa·s)] at CO2 saturation S, and its derivative with respect to S."
@inline function brine_mobility(f::Fluids, S)
    k, slope = brine_relative_permeability(f, S)
    return k / f.brine_viscosity, slope / f.brine_viscosity
end

"""
CO2 mobility k_rn/μ_n [1/(Pa·s)] at CO2 saturation S where the largest saturation so far was `S_max`, and its derivative
with respect to S.
"""
@inline function co2_mobility(f::Fluids, S, S_max = S)
    connected, factor = connected_saturation(f.land_coefficient, residual_co2(f), S, S_max)
    k, slope = co2_relative_permeability(f, connected)
    return k / f.co2_viscosity, factor * slope / f.co2_viscosity
end
