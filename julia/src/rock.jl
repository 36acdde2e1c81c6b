"""
    Rock(porosity, permeability; ky_over_kx = 1.0, kv_over_kh = 1.0, compressibility = 0.0,
         reference_pressure = 150e5, edge_multiplier = 1.0, pore_volume_multiplier = 1.0, active = true)

The rock of one member. What is said to be a number or one per cell is kept as one per cell.

- `porosity` φ at the reference pressure, one value per cell.
- `permeability` K along x [m²], one value per cell; along y `ky_over_kx` times it, along z `kv_over_kh` times it (each
  a number or one per cell).
- `compressibility` c_r [1/Pa]: φ(p) = φ exp(c_r (p − reference_pressure)).
- `edge_multiplier` multiplies the pore volume of lateral edge cells: 1 closes the model, a huge value (1e6) makes an
  open aquifer of constant pressure behind it, in which mass is still counted.
- `pore_volume_multiplier`, a number or one per cell, does the same to any cell.
- `active`: true or one per cell. An inactive cell neither stores nor lets flow; its rock values are not looked at.
"""
struct Rock
    porosity::Vector{Float64}
    permeability::Vector{Float64}
    ky_over_kx::Vector{Float64}
    kv_over_kh::Vector{Float64}
    compressibility::Float64
    reference_pressure::Float64
    edge_multiplier::Float64
    pore_volume_multiplier::Vector{Float64}
    active::Vector{Bool}

    function Rock(porosity, permeability; ky_over_kx = 1.0, kv_over_kh = 1.0, compressibility = 0.0,
                  reference_pressure = 150e5, edge_multiplier = 1.0, pore_volume_multiplier = 1.0, active = true)
        n = length(porosity)
        n == length(permeability) ||
            throw(ArgumentError("porosity and permeability have $n and $(length(permeability)) cells: give the same"))
        mask = one_per_cell(Bool, "active", active, n)
        any(mask) || throw(ArgumentError("active: none of the $n cells is, let at least one take part"))
        positive = (k -> isfinite(k) && k > 0, "give a positive, finite value, or make the cell inactive")
        check_cells("permeability", permeability, mask, positive[1],
                    "give a positive value in m², or make the cell inactive")
        check_cells("porosity", porosity, mask, φ -> 0 < φ <= 1,
                    "give a value in (0, 1], or make the cell inactive")
        ky = one_per_cell(Float64, "ky_over_kx", ky_over_kx, n)
        kv = one_per_cell(Float64, "kv_over_kh", kv_over_kh, n)
        multiplier = one_per_cell(Float64, "pore_volume_multiplier", pore_volume_multiplier, n)
        for (name, values) in (("ky_over_kx", ky), ("kv_over_kh", kv), ("pore_volume_multiplier", multiplier))
            check_cells(name, values, mask, positive...)
        end
        (isfinite(compressibility) && compressibility >= 0) ||
            throw(ArgumentError("rock compressibility = $compressibility: give 0 or more, in 1/Pa"))
        isfinite(reference_pressure) ||
            throw(ArgumentError("rock reference_pressure = $reference_pressure: give a finite pressure in Pa"))
        (isfinite(edge_multiplier) && edge_multiplier >= 1) ||
            throw(ArgumentError("edge_multiplier = $edge_multiplier: give 1 (closed) or more"))
        return new(porosity, permeability, ky, kv, compressibility, reference_pressure, edge_multiplier, multiplier,
                   mask)
    end
end

one_per_cell(::Type{T}, name, value::Number, n) where {T} = fill(convert(T, value), n)

function one_per_cell(::Type{T}, name, values::AbstractArray, n) where {T}
    length(values) == 1 && return fill(convert(T, first(values)), n)
    length(values) == n ||
        throw(ArgumentError("$name has $(length(values)) values: give one number or one for each of the $n cells"))
    return vec(convert(Array{T}, values))
end

# Every active cell must pass; the message says which one does not.
function check_cells(name, values, active, passes::F, remedy) where {F}
    for i in eachindex(values)
        (passes(values[i]) || !active[i]) && continue
        throw(ArgumentError("$name[$i] = $(values[i]), of $(length(values)) cells: $remedy"))
    end
    return nothing
end

"φ(p)/φ of compressible rock, and its relative slope c_r."
@inline function pore_expansion(rock::Rock, p)
    c = rock.compressibility
    return c == 0 ? 1.0 : exp(c * (p - rock.reference_pressure)), c
end
