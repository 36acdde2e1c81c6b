"""
    Well(cells; radius = 0.1, skin = 0.0, pressure_limit = Inf)

A vertical CO2 injector that is open in `cells` (numbers as [`cell_index`](@ref) gives them, from top to bottom).

It injects the scheduled mass rate as long as its pressure at the uppermost perforation stays below `pressure_limit`
[Pa]; otherwise that pressure is held. (A huge scheduled rate therefore means pressure control.) Perforation j takes

    q_j = WI_j λ_t,j ρ_n,j max(0, p_bh + ρ g (z_j − z_1) − p_j)

with the mobility and density of its cell and the well index of Peaceman (1983, doi:10.2118/10528-PA),
WI = 2π K Δz / (ln(r_e/r_w) + skin), r_e = 0.14 √(Δx² + Δy²). Nothing flows back into a well.
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
        pressure_limit > 0 || throw(ArgumentError("pressure_limit = $pressure_limit: give a positive pressure in Pa"))
        return new(collect(Int, cells), radius, skin, pressure_limit)
    end
end

"""
    well_index(grid, permeability, radius, skin)

Peaceman's index [m³] of a vertical well in a cell of horizontal permeability [m²].
"""
function well_index(g::Grid, permeability, radius, skin)
    equivalent = 0.14 * hypot(g.dx, g.dy)
    resistance = log(equivalent / radius) + skin
    resistance > 0 ||
        throw(ArgumentError("well radius $radius m with skin $skin: too wide for cells of $(g.dx) × $(g.dy) m"))
    return 2π * permeability * g.dz / resistance
end

"""
    Schedule(times, rates)

Injection rates that are constant from one time to the next: well w injects `rates[w, k]` [kg/s] from `times[k]` [s]
until `times[k+1]` (the last one for ever), and nothing before `times[1]`.
"""
struct Schedule
    times::Vector{Float64}
    rates::Matrix{Float64}

    function Schedule(times, rates)
        size(rates, 2) == length(times) ||
            throw(ArgumentError("schedule: $(length(times)) times but $(size(rates, 2)) columns of rates"))
        all(isfinite, times) && all(>(0), diff(times)) ||
            throw(ArgumentError("schedule times $times: they must increase"))
        all(>=(0), rates) || throw(ArgumentError("schedule rates: they must be 0 or more (injection only)"))
        return new(times, rates)
    end
end

"Index of the period that holds just after time t; 0 before the first one."
period(s::Schedule, t) = searchsortedlast(s.times, t)

"Mass rate of a well [kg/s] in a period."
rate(s::Schedule, well, k) = k == 0 ? 0.0 : s.rates[well, k]
