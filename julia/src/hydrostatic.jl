"""
    hydrostatic_pressure(grid, fluids; surface_pressure = 101325.0, gravity = 9.80665)

Brine pressure [Pa] of every cell, in equilibrium with the *discrete* flux: between neighbours in a column

    p_{k+1} − p_k = ½ (ρ(p_k) + ρ(p_{k+1})) g Δz,

the very difference in the face flux, so that a model without injection stays at rest. The first cell hangs on the
pressure at the surface (depth 0) by the same rule.
"""
function hydrostatic_pressure(g::Grid, fluids::Fluids; surface_pressure = 101325.0, gravity = 9.80665)
    column = Vector{Float64}(undef, g.nz)
    above = surface_pressure
    for k in 1:g.nz
        height = k == 1 ? g.top + 0.5 * g.dz : g.dz
        head = brine_density(fluids, above) * gravity * height
        below = above + head
        for _ in 1:50                                    # a contraction with factor ½ c ρ g Δz ≪ 1
            next = above + 0.5 * (brine_density(fluids, above) + brine_density(fluids, below)) * gravity * height
            abs(next - below) <= eps(next) && break
            below = next
        end
        column[k] = below
        above = below
    end
    return repeat(column, g.nx * g.ny)
end
