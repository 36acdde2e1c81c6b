"""
    Model(grid, rock, fluids, wells, pattern; gravity = 9.80665)

One member made ready to run: transmissibilities of faces [m³], pore volumes [m³] and well indices [m³].

The transmissibility is harmonic, T = A / (h₁/(2k₁) + h₂/(2k₂)) with the permeability along the face's axis, and zero
beside an inactive cell. `capacity` includes the multipliers of pore volume, `pore_volume` does not: convergence is
judged by the latter, or huge edge cells would hide any error. Both are zero in inactive cells.
"""
struct Model{C,R}
    grid::Grid
    rock::Rock
    fluids::Fluids{C,R}
    wells::Vector{Well}
    pattern::Pattern
    gravity::Float64
    transmissibility::Vector{Float64}
    head::Vector{Float64}                  # g (z_left − z_right) of every face
    pore_volume::Vector{Float64}
    capacity::Vector{Float64}
    well_indices::Vector{Vector{Float64}}
    well_heights::Vector{Vector{Float64}}  # g (z_j − z_1) of every perforation
end

function Model(g::Grid, rock::Rock, fluids::Fluids{C,R}, wells::Vector{Well}, pattern::Pattern;
               gravity = 9.80665) where {C,R}
    n = ncells(g)
    length(rock.permeability) == n ||
        throw(ArgumentError("permeability and porosity have $(length(rock.permeability)) cells, the grid $n"))
    (isfinite(gravity) && gravity >= 0) || throw(ArgumentError("gravity = $gravity: give 0 or more, in m/s²"))
    active = rock.active
    along = directional_permeability(rock)
    spacing = (g.dx, g.dy, g.dz)
    transmissibility = zeros(length(pattern.left))
    head = zeros(length(pattern.left))
    for f in eachindex(transmissibility)
        i, j, a = pattern.left[f], pattern.right[f], pattern.axis[f]
        head[f] = a == 3 ? -gravity * g.dz : 0.0
        (active[i] && active[j]) || continue
        area = cell_volume(g) / spacing[a]
        transmissibility[f] = 2 * area / (spacing[a] * (1 / along[a][i] + 1 / along[a][j]))
    end
    pore_volume = [active[i] ? cell_volume(g) * rock.porosity[i] : 0.0 for i in 1:n]
    capacity = [active[i] ? pore_volume[i] * rock.pore_volume_multiplier[i] *
                            (is_lateral_edge(g, i) ? rock.edge_multiplier : 1.0) : 0.0 for i in 1:n]
    check_perforations(wells, active)
    indices = [[well_index(g, rock.permeability[i], w.radius, w.skin, rock.ky_over_kx[i]) for i in w.cells]
               for w in wells]
    heights = [[gravity * (cell_depth(g, i) - cell_depth(g, w.cells[1])) for i in w.cells] for w in wells]
    return Model{C,R}(g, rock, fluids, wells, pattern, gravity, transmissibility, head, pore_volume, capacity, indices,
                      heights)
end

Model(g::Grid, rock::Rock, fluids::Fluids, wells::Vector{Well}; gravity = 9.80665) =
    Model(g, rock, fluids, wells, Pattern(g, wells); gravity = gravity)

# permeability along x, y and z
directional_permeability(rock::Rock) =
    (rock.permeability, rock.permeability .* rock.ky_over_kx, rock.permeability .* rock.kv_over_kh)

"""
    State(pressure, saturation, maximum_saturation = saturation)

Brine pressure [Pa] and CO2 saturation of every cell, and the largest saturation it has had, on which residual trapping
depends.
"""
struct State
    pressure::Vector{Float64}
    saturation::Vector{Float64}
    maximum_saturation::Vector{Float64}
end

State(pressure, saturation) = State(pressure, saturation, copy(saturation))

Base.copy(s::State) = State(copy(s.pressure), copy(s.saturation), copy(s.maximum_saturation))

function Base.copyto!(target::State, source::State)
    copyto!(target.pressure, source.pressure)
    copyto!(target.saturation, source.saturation)
    copyto!(target.maximum_saturation, source.maximum_saturation)
    return target
end

"""
    check_state(model, state, slack)

Refuse a state that cannot be: not finite, or a saturation outside [0, 1 − S_wr] by more than `slack`.
"""
function check_state(m::Model, s::State, slack)
    n, highest = ncells(m.grid), 1 - residual_brine(m.fluids)
    for (name, values) in (("pressure", s.pressure), ("saturation", s.saturation),
                           ("maximum_saturation", s.maximum_saturation))
        length(values) == n || throw(ArgumentError("$name has $(length(values)) values: give one per cell ($n)"))
    end
    active = m.rock.active
    check_cells("pressure", s.pressure, active, isfinite, "give a finite pressure in Pa")
    for (name, values) in (("saturation", s.saturation), ("maximum_saturation", s.maximum_saturation))
        check_cells(name, values, active, S -> 0 <= S <= min(1.0, highest + slack),
                    "give a value between 0 and 1 − residual brine = $highest")
    end
    return nothing
end

"""
    masses(model, state)

Mass of brine and of CO2 in place [kg], in every cell: two vectors.
"""
masses(m::Model, s::State) = masses!(similar(s.pressure), similar(s.pressure), m, s)

"As [`masses`](@ref), into two given vectors."
function masses!(brine, co2, m::Model, s::State)
    @inbounds for i in eachindex(brine)
        m.capacity[i] > 0 || (brine[i] = co2[i] = 0.0; continue)
        p, S = s.pressure[i], s.saturation[i]
        volume = m.capacity[i] * pore_expansion(m.rock, p)[1]
        brine[i] = volume * brine_density(m.fluids, p) * (1 - S)
        co2[i] = volume * co2_density(m.fluids, p + capillary_pressure(m.fluids.capillarity, S)[1]) * S
    end
    return brine, co2
end
