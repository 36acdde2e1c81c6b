"""
    Well(cells; radius = 0.1, skin = 0.0, pressure_limit = Inf)

A vertical CO2 injector that is open in `cells` (numbers as [`cell_index`](@ref) gives them, from top to bottom).

It injects the scheduled mass rate as long as its pressure at the uppermost perforation stays below `pressure_limit`
[Pa]; otherwise that pressure is held. A scheduled rate of `Inf` is pressure control. Perforation j takes

    q_j = WI_j λ_t,j ρ_n,j max(0, p_bh + h_j − p_n,j)

with the mobility, density and CO2 pressure of its cell, the weight h_j of the CO2 in the well between perforations 1
and j (taken at the start of a step), and the [`well_index`](@ref) WI. Nothing flows back into a well.
"""
struct Well
    cells::Vector{Int}
    radius::Float64
    skin::Float64
    pressure_limit::Float64

    function Well(cells; radius = 0.1, skin = 0.0, pressure_limit = Inf)
        isempty(cells) && throw(ArgumentError("well without perforations: give at least one cell"))
        allunique(cells) || throw(ArgumentError("well cells $cells: each cell once"))
        (isfinite(radius) && radius > 0) ||
            throw(ArgumentError("well radius = $radius: give a positive length in metres"))
        isfinite(skin) || throw(ArgumentError("well skin = $skin: give a finite number"))
        pressure_limit > 0 || throw(ArgumentError("pressure_limit = $pressure_limit: give a positive pressure in Pa"))
        return new(collect(Int, cells), radius, skin, pressure_limit)
    end
end

"""
    well_index(grid, permeability, radius, skin, ky_over_kx = 1.0)

Index [m³] of a vertical well in a cell of permeability k_x [m²], after Peaceman (1983, doi:10.2118/10528-PA):

    WI = 2π √(k_x k_y) Δz / (ln(r_e/r_w) + skin),
    r_e = 0.28 √(√(k_y/k_x) Δx² + √(k_x/k_y) Δy²) / ((k_y/k_x)^¼ + (k_x/k_y)^¼)
"""
function well_index(g::Grid, permeability, radius, skin, ky_over_kx = 1.0)
    root = sqrt(ky_over_kx)
    equivalent = 0.28 * sqrt(root * g.dx^2 + g.dy^2 / root) / (sqrt(root) + 1 / sqrt(root))
    resistance = log(equivalent / radius) + skin
    resistance > 0 ||
        throw(ArgumentError("well radius $radius m with skin $skin: too wide for cells of $(g.dx) × $(g.dy) m"))
    return 2π * permeability * root * g.dz / resistance
end

"""
    Schedule(times, rates)

Injection rates that are constant from one time to the next: well w injects `rates[w, k]` [kg/s] from `times[k]` [s]
until `times[k+1]` (the last one for ever), and nothing before `times[1]`. `Inf` means as much as the pressure limit of
the well allows.
"""
struct Schedule
    times::Vector{Float64}
    rates::Matrix{Float64}

    function Schedule(times, rates)
        size(rates, 2) == length(times) ||
            throw(ArgumentError("schedule: $(length(times)) times but $(size(rates, 2)) columns of rates"))
        check_times("schedule_times", times)
        all(>=(0), rates) || throw(ArgumentError("schedule rates: they must be 0 or more (injection only)"))
        return new(times, rates)
    end
end

check_times(name, times) = all(isfinite, times) && all(>(0), diff(times)) ||
    throw(ArgumentError("$name $(brief(times)): give finite times in seconds that increase"))

"Refuse wells outside the grid and in inactive cells; `active` has one value per cell."
function check_perforations(wells::Vector{Well}, active)
    for (w, well) in enumerate(wells), cell in well.cells
        1 <= cell <= length(active) ||
            throw(ArgumentError("well $w is open in cell $cell, outside the grid of $(length(active)) cells: move it"))
        active[cell] || throw(ArgumentError("well $w is open in cell $cell, which is inactive: move it"))
    end
    return nothing
end

"Refuse rates for another number of wells, and pressure control without a pressure."
function check_schedule(wells::Vector{Well}, s::Schedule)
    isempty(s.times) && return nothing
    size(s.rates, 1) == length(wells) ||
        throw(ArgumentError("schedule rates for $(size(s.rates, 1)) wells: give them for each of the $(length(wells))"))
    for (w, well) in enumerate(wells)
        isfinite(well.pressure_limit) || all(isfinite, s.rates[w, :]) ||
            throw(ArgumentError("schedule rate Inf of well $w is pressure control: give the well a pressure_limit"))
    end
    return nothing
end

"Index of the period that holds just after time t; 0 before the first one."
period(s::Schedule, t) = searchsortedlast(s.times, t)

"Mass rate of a well [kg/s] in a period."
rate(s::Schedule, well, k) = k == 0 ? 0.0 : s.rates[well, k]
