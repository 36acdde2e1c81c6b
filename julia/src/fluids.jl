"""
    Fluids(; brine_density = 1000, co2_density = 700, reference_pressure = 150e5, brine_compressibility = 1e-11,
           co2_compressibility = 1e-9, brine_viscosity = 1e-3, co2_viscosity = 1e-4, brine_exponent = 2,
           co2_exponent = 2, brine_residual = 0.1, co2_residual = 0.1, brine_endpoint = 1, co2_endpoint = 1,
           capillarity = NoCapillarity())

Two slightly compressible, immiscible fluids: ρ_α = ρ_α,ref exp(c_α (p_α − p_ref)), constant viscosity, and Corey
relative permeabilities k_rα = k_α S_eα^n_α with S_eα = (S_α − S_αr)/(1 − S_wr − S_nr) clamped to [0, 1]. SI units
throughout.
"""
struct Fluids{C}
    brine_density::Float64
    co2_density::Float64
    reference_pressure::Float64
    brine_compressibility::Float64
    co2_compressibility::Float64
    brine_viscosity::Float64
    co2_viscosity::Float64
    brine_exponent::Float64
    co2_exponent::Float64
    brine_residual::Float64
    co2_residual::Float64
    brine_endpoint::Float64
    co2_endpoint::Float64
    capillarity::C
end

function Fluids(;
        brine_density = 1000.0, co2_density = 700.0, reference_pressure = 150e5, brine_compressibility = 1e-11,
        co2_compressibility = 1e-9, brine_viscosity = 1e-3, co2_viscosity = 1e-4, brine_exponent = 2.0,
        co2_exponent = 2.0, brine_residual = 0.1, co2_residual = 0.1, brine_endpoint = 1.0, co2_endpoint = 1.0,
        capillarity = NoCapillarity())
    for (name, value) in (("brine_density", brine_density), ("co2_density", co2_density),
                          ("brine_viscosity", brine_viscosity), ("co2_viscosity", co2_viscosity),
                          ("brine_endpoint", brine_endpoint), ("co2_endpoint", co2_endpoint))
        (isfinite(value) && value > 0) || throw(ArgumentError("$name = $value: give a positive value"))
    end
    for (name, value) in (("brine_compressibility", brine_compressibility),
                          ("co2_compressibility", co2_compressibility))
        (isfinite(value) && value >= 0) || throw(ArgumentError("$name = $value: give 0 or more, in 1/Pa"))
    end
    for (name, value) in (("brine_exponent", brine_exponent), ("co2_exponent", co2_exponent))
        (isfinite(value) && value >= 1) || throw(ArgumentError("$name = $value: give 1 or more"))
    end
    (brine_residual >= 0 && co2_residual >= 0 && brine_residual + co2_residual < 1) ||
        throw(ArgumentError("residuals $brine_residual and $co2_residual: give 0 or more, with a sum below 1"))
    return Fluids{typeof(capillarity)}(
        brine_density, co2_density, reference_pressure, brine_compressibility, co2_compressibility, brine_viscosity,
        co2_viscosity, brine_exponent, co2_exponent, brine_residual, co2_residual, brine_endpoint, co2_endpoint,
        capillarity)
end

"Brine density [kg/m³] at a pressure."
brine_density(f::Fluids, p) = f.brine_density * exp(f.brine_compressibility * (p - f.reference_pressure))

"CO2 density [kg/m³] at a CO2 pressure."
co2_density(f::Fluids, p) = f.co2_density * exp(f.co2_compressibility * (p - f.reference_pressure))

# x^n and its derivative on [0, 1]; the square is the usual case and much cheaper than a general power.
@inline function corey(x, n)
    x <= 0 && return 0.0, 0.0
    x >= 1 && return 1.0, 0.0
    n == 2 && return x * x, 2x
    return x^n, n * x^(n - 1)
end

"Brine mobility k_rw/μ_w [1/(Pa·s)] at CO2 saturation S, and its derivative with respect to S."
@inline function brine_mobility(f::Fluids, S)
    width = 1 - f.brine_residual - f.co2_residual
    k, dk = corey((1 - S - f.brine_residual) / width, f.brine_exponent)
    scale = f.brine_endpoint / f.brine_viscosity
    return scale * k, -scale * dk / width
end

"CO2 mobility k_rn/μ_n [1/(Pa·s)] at CO2 saturation S, and its derivative with respect to S."
@inline function co2_mobility(f::Fluids, S)
    width = 1 - f.brine_residual - f.co2_residual
    k, dk = corey((S - f.co2_residual) / width, f.co2_exponent)
    scale = f.co2_endpoint / f.co2_viscosity
    return scale * k, scale * dk / width
end
