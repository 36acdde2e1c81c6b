"""
    Rock(porosity, permeability; kv_over_kh = 1.0, compressibility = 0.0, reference_pressure = 150e5,
         edge_multiplier = 1.0)

The rock of one member.

- `porosity` φ at the reference pressure, one value per cell.
- `permeability` K horizontal [m²], one value per cell; the vertical one is `kv_over_kh` times it.
- `compressibility` c_r [1/Pa]: φ(p) = φ exp(c_r (p − reference_pressure)).
- `edge_multiplier` multiplies the pore volume of lateral edge cells: 1 closes the model, a huge value (1e6) makes an
  open aquifer of constant pressure behind it, in which mass is still counted.
"""
struct Rock
    porosity::Vector{Float64}
    permeability::Vector{Float64}
    kv_over_kh::Float64
    compressibility::Float64
    reference_pressure::Float64
    edge_multiplier::Float64

    function Rock(porosity, permeability; kv_over_kh = 1.0, compressibility = 0.0, reference_pressure = 150e5,
                  edge_multiplier = 1.0)
        length(porosity) == length(permeability) ||
            throw(ArgumentError("porosity and permeability have $(length(porosity)) and $(length(permeability)) cells"))
        all(k -> isfinite(k) && k > 0, permeability) ||
            throw(ArgumentError("permeability: every cell needs a positive value in m²"))
        all(φ -> 0 < φ <= 1, porosity) || throw(ArgumentError("porosity: every cell needs a value in (0, 1]"))
        (isfinite(kv_over_kh) && kv_over_kh > 0) ||
            throw(ArgumentError("kv_over_kh = $kv_over_kh: give a positive ratio"))
        (isfinite(compressibility) && compressibility >= 0) ||
            throw(ArgumentError("rock compressibility = $compressibility: give 0 or more, in 1/Pa"))
        edge_multiplier >= 1 || throw(ArgumentError("edge_multiplier = $edge_multiplier: give 1 (closed) or more"))
        return new(porosity, permeability, kv_over_kh, compressibility, reference_pressure, edge_multiplier)
    end
end
