"""
    Model(grid, rock, fluids, wells, pattern; gravity = 9.80665)

One member made ready to run: transmissibilities of faces [m³], pore volumes [m³] and well indices [m³].

The transmissibility is harmonic, T = A / (h₁/(2k₁) + h₂/(2k₂)). `capacity` includes the multiplier of lateral edge
cells, `pore_volume` does not: convergence is judged by the latter, or huge edge cells would hide any error.
"""
struct Model{C}
    grid::Grid
    rock::Rock
    fluids::Fluids{C}
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

function Model(g::Grid, rock::Rock, fluids::Fluids{C}, wells::Vector{Well}, pattern::Pattern;
               gravity = 9.80665) where {C}
    n = ncells(g)
    length(rock.permeability) == n ||
        throw(ArgumentError("permeability has $(length(rock.permeability)) cells, the grid $n"))
    length(rock.porosity) == n || throw(ArgumentError("porosity has $(length(rock.porosity)) cells, the grid $n"))
    spacing = (g.dx, g.dy, g.dz)
    factor = (1.0, 1.0, rock.kv_over_kh)
    k = rock.permeability
    transmissibility = similar(pattern.left, Float64)
    head = similar(transmissibility)
    for f in eachindex(transmissibility)
        i, j, a = pattern.left[f], pattern.right[f], pattern.axis[f]
        area = cell_volume(g) / spacing[a]
        transmissibility[f] = 2 * area * factor[a] / (spacing[a] * (1 / k[i] + 1 / k[j]))
        head[f] = a == 3 ? -gravity * g.dz : 0.0
    end
    pore_volume = cell_volume(g) .* rock.porosity
    capacity = [pore_volume[i] * (is_lateral_edge(g, i) ? rock.edge_multiplier : 1.0) for i in 1:n]
    indices = [[well_index(g, k[i], w.radius, w.skin) for i in w.cells] for w in wells]
    heights = [[gravity * (cell_depth(g, i) - cell_depth(g, w.cells[1])) for i in w.cells] for w in wells]
    return Model{C}(g, rock, fluids, wells, pattern, gravity, transmissibility, head, pore_volume, capacity, indices,
                    heights)
end

Model(g::Grid, rock::Rock, fluids::Fluids, wells::Vector{Well}; gravity = 9.80665) =
    Model(g, rock, fluids, wells, Pattern(g, wells); gravity = gravity)

"""
    State(pressure, saturation)

Brine pressure [Pa] and CO2 saturation of every cell.
"""
struct State
    pressure::Vector{Float64}
    saturation::Vector{Float64}
end

Base.copy(s::State) = State(copy(s.pressure), copy(s.saturation))

"""
    masses(model, state)

Mass of brine and of CO2 in place [kg], in every cell: two vectors.
"""
function masses(m::Model, s::State)
    brine, co2 = similar(s.pressure), similar(s.pressure)
    for i in eachindex(brine)
        p, S = s.pressure[i], s.saturation[i]
        volume = m.capacity[i] * exp(m.rock.compressibility * (p - m.rock.reference_pressure))
        brine[i] = volume * brine_density(m.fluids, p) * (1 - S)
        co2[i] = volume * co2_density(m.fluids, p + capillary_pressure(m.fluids.capillarity, S)[1]) * S
    end
    return brine, co2
end
