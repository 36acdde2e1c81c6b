# Densities as functions of pressure, with X = c (p − p_ref):
#
#   exponential   ρ = ρ_ref exp(X)               c is the compressibility at every pressure
#   linear        ρ = ρ_ref (1 + X)              what a table of 1/B against pressure says between two of its rows
#   quadratic     ρ = ρ_ref (1 + X + X²/2)       the first terms of the exponential, as black-oil simulators have it

@enum DensityLaw exponential_density linear_density quadratic_density

DensityLaw(law::DensityLaw) = law
function DensityLaw(law::Union{Symbol,AbstractString})
    name = String(law)
    name == "exponential" && return exponential_density
    name == "linear" && return linear_density
    name == "quadratic" && return quadratic_density
    throw(ArgumentError("density law = \"$name\": give exponential, linear or quadratic"))
end

"Density [kg/m³] at X = c (p − p_ref), and its derivative with respect to X."
@inline function density(law::DensityLaw, reference, X)
    law == linear_density && return reference * (1 + X), reference
    law == quadratic_density && return reference * (1 + X + 0.5 * X * X), reference * (1 + X)
    value = reference * exp(X)
    return value, value
end
