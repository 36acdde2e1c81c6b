# The entry for other languages: one dictionary of plain arrays, numbers and texts in, one out.

number(inputs, key) = Float64(only_value(inputs[key]))
number(inputs, key, default) = haskey(inputs, key) ? number(inputs, key) : Float64(default)
whole(inputs, key, default) = haskey(inputs, key) ? Int(only_value(inputs[key])) : Int(default)
only_value(x::Number) = x
only_value(x::AbstractArray) =
    length(x) == 1 ? first(x) : throw(ArgumentError("a single number is wanted, an array of $(length(x)) came"))

"""
    run_case(inputs::AbstractDict{String}) -> Dict{String,Any}

Simulate an ensemble. Sizes are written as NumPy sees them, `(M, nx[, ny], nz)` in C order; here the axes come reversed.
Numbers may be numbers or arrays of one element. Required:

- `shape` (3,) = nx, ny, nz and `spacing` (3,) [m] (of a section: ny = 1, and its thickness); `top`, the depth of the
  upper face [m].
- `permeability` [m²], `saturation`, `pressure` [Pa], each `(M, *grid)`; `porosity`: one number, one per cell, or
  `(M, *grid)`.
- `start`, `stop` [s].

Wells and schedule (none when `well_cells` is missing): `well_cells` (P, 3) = ix, iy, iz from 0 of every perforation,
from top to bottom; `well_of_cell` (P,) = its well, from 0; `well_radius`, `well_skin`, `well_pressure_limit` (W,);
`schedule_times` (T,) [s]; `schedule_rates` (T, W) [m³/s at CO2 reference density].

Optional: the keywords of [`Fluids`](@ref); `capillarity` = "none", "brooks_corey" (with `entry_pressure`,
`pore_size_index`) or "van_genuchten" (with `capillary_scale`, `van_genuchten_m`); `kv_over_kh`, `rock_compressibility`,
`rock_reference_pressure`, `edge_multiplier`; `gravity`; the fields of [`StepControl`](@ref) with the prefix `step_`;
`solver` = "cpr" or "direct"; `linear_tolerance`; `progress`, a file that grows by one byte per finished member.

Result: `saturation`, `pressure` (not-a-number where a member failed); `status` (M,) 0 = done, 1 = failed; `reason`, one
line per member; `steps`, `cuts`, `newton_iterations`, `linear_iterations`, `injected_mass` [kg], `brine_error`,
`co2_error` [kg], `final_time` [s], `seconds` (M,); `bottom_hole_pressure` [Pa] and `well_rate` [kg/s] (M, W).
"""
function run_case(inputs::AbstractDict{String})
    nx, ny, nz = Int.(inputs["shape"])
    dx, dy, dz = Float64.(inputs["spacing"])
    g = Grid(nx, ny, nz, dx, dy, dz; top = number(inputs, "top", 0.0))
    return run_case(inputs, g, case_fluids(inputs, case_capillarity(inputs)))
end

function run_case(inputs::AbstractDict{String}, g::Grid, fluids::Fluids)
    n = ncells(g)
    saturation, pressure = by_member(inputs, "saturation", n), by_member(inputs, "pressure", n)
    permeability = by_member(inputs, "permeability", n)
    M = size(saturation, 2)
    size(pressure, 2) == size(permeability, 2) == M ||
        throw(ArgumentError(string("saturation, pressure and permeability have ", M, ", ", size(pressure, 2), " and ",
                                   size(permeability, 2), " members: give the same number of each")))
    porosity = case_porosity(inputs, n, M)
    wells = case_wells(inputs, g)
    schedule = case_schedule(inputs, fluids, length(wells))
    states = [State(pressure[:, m], saturation[:, m]) for m in 1:M]
    function build(m, pattern)
        check_state(states[m])
        rock = Rock(porosity(m), permeability[:, m]; kv_over_kh = number(inputs, "kv_over_kh", 1.0),
                    compressibility = number(inputs, "rock_compressibility", 0.0),
                    reference_pressure = number(inputs, "rock_reference_pressure", fluids.reference_pressure),
                    edge_multiplier = number(inputs, "edge_multiplier", 1.0))
        return Model(g, rock, fluids, wells, pattern; gravity = number(inputs, "gravity", 9.80665))
    end
    finished = haskey(inputs, "progress") ? (m -> append_byte(String(inputs["progress"]))) : (m -> nothing)
    results, reports = simulate_ensemble(
        build, states, g, wells, schedule, number(inputs, "start"), number(inputs, "stop");
        control = case_control(inputs), solver = case_solver(inputs), finished = finished)
    return case_results(results, reports, size(inputs["saturation"]), length(wells))
end

function by_member(inputs, key, n)
    array = inputs[key]::AbstractArray
    (length(array) % n == 0 && !isempty(array)) ||
        throw(ArgumentError("$key has $(length(array)) values: give a multiple of the $n cells"))
    return reshape(convert(Array{Float64}, array), n, :)
end

function case_porosity(inputs, n, M)
    value = inputs["porosity"]
    length(value) == 1 && (uniform = fill(number(inputs, "porosity"), n); return m -> uniform)
    array = by_member(inputs, "porosity", n)
    size(array, 2) == 1 && return m -> array[:, 1]
    size(array, 2) == M || throw(ArgumentError("porosity has $(size(array, 2)) members, the ensemble $M"))
    return m -> array[:, m]
end

function check_state(state::State)
    all(isfinite, state.pressure) || throw(ArgumentError("pressure is not finite everywhere"))
    all(S -> 0 <= S <= 1, state.saturation) || throw(ArgumentError("saturation is not within [0, 1] everywhere"))
    return nothing
end

function case_capillarity(inputs)
    kind = get(inputs, "capillarity", "none")
    residual = number(inputs, "brine_residual", 0.1)
    kind == "none" && return NoCapillarity()
    kind == "brooks_corey" && return BrooksCorey(number(inputs, "entry_pressure"), number(inputs, "pore_size_index"),
                                                 residual)
    kind == "van_genuchten" && return VanGenuchten(number(inputs, "capillary_scale"),
                                                   number(inputs, "van_genuchten_m"), residual)
    throw(ArgumentError("capillarity = \"$kind\": give none, brooks_corey or van_genuchten"))
end

const FLUID_KEYS = (
    :brine_density, :co2_density, :reference_pressure, :brine_compressibility, :co2_compressibility, :brine_viscosity,
    :co2_viscosity, :brine_exponent, :co2_exponent, :brine_residual, :co2_residual, :brine_endpoint, :co2_endpoint)

function case_fluids(inputs, capillarity)
    given = filter(key -> haskey(inputs, String(key)), FLUID_KEYS)
    return Fluids(; capillarity = capillarity, (key => number(inputs, String(key)) for key in given)...)
end

function case_wells(inputs, g::Grid)
    haskey(inputs, "well_cells") || return Well[]
    cells = reshape(Int.(inputs["well_cells"]), 3, :)
    owner = Int.(vec(inputs["well_of_cell"]))
    for p in axes(cells, 2)
        all(0 .<= cells[:, p] .< (g.nx, g.ny, g.nz)) ||
            throw(ArgumentError("well_cells: perforation $(cells[:, p]) lies outside the grid $((g.nx, g.ny, g.nz))"))
    end
    index(p) = cell_index(g, cells[1, p] + 1, cells[2, p] + 1, cells[3, p] + 1)
    return [Well([index(p) for p in axes(cells, 2) if owner[p] == w - 1]; radius = inputs["well_radius"][w],
                 skin = inputs["well_skin"][w], pressure_limit = inputs["well_pressure_limit"][w])
            for w in 1:length(inputs["well_radius"])]
end

function case_schedule(inputs, fluids::Fluids, wells::Int)
    wells == 0 && return Schedule(Float64[], zeros(0, 0))
    times = Float64.(vec(inputs["schedule_times"]))
    return Schedule(times, fluids.co2_density .* reshape(Float64.(inputs["schedule_rates"]), wells, length(times)))
end

function case_control(inputs)
    d = StepControl()
    value(key) = number(inputs, "step_$key", getfield(d, key))
    count(key) = whole(inputs, "step_$key", getfield(d, key))
    return StepControl(
        value(:initial), value(:maximum), value(:minimum), value(:growth), value(:cut), count(:max_cuts),
        count(:max_newton), count(:easy_newton), value(:max_saturation_change), value(:tolerance_residual),
        value(:tolerance_mass))
end

function case_solver(inputs)
    kind = get(inputs, "solver", "cpr")
    kind == "direct" && return DirectSolver()
    kind == "cpr" && return CPRSolver(; tolerance = number(inputs, "linear_tolerance", CPRSolver().tolerance))
    throw(ArgumentError("solver = \"$kind\": give cpr or direct"))
end

append_byte(path::String) = (open(io -> write(io, 0x2e), path, "a"); nothing)

function case_results(results, reports, shape, wells)
    saturation, pressure = Array{Float64}(undef, shape), Array{Float64}(undef, shape)
    S, p = reshape(saturation, :, length(results)), reshape(pressure, :, length(results))
    for (m, state) in enumerate(results)
        good = reports[m].converged
        S[:, m] .= good ? state.saturation : NaN
        p[:, m] .= good ? state.pressure : NaN
    end
    outputs = Dict{String,Any}("saturation" => saturation, "pressure" => pressure)
    outputs["status"] = Int64[r.converged ? 0 : 1 for r in reports]
    outputs["reason"] = join([r.reason for r in reports], '\n')
    for (key, field) in (("steps", :steps), ("cuts", :cuts), ("newton_iterations", :newton),
                         ("linear_iterations", :linear))
        outputs[key] = Int64[getfield(r, field) for r in reports]
    end
    for (key, field) in (("injected_mass", :injected), ("brine_error", :brine_error), ("co2_error", :co2_error),
                         ("final_time", :time), ("seconds", :seconds))
        outputs[key] = Float64[getfield(r, field) for r in reports]
    end
    outputs["bottom_hole_pressure"] = Float64[reports[m].bottom_hole[w] for w in 1:wells, m in eachindex(reports)]
    outputs["well_rate"] = Float64[reports[m].rates[w] for w in 1:wells, m in eachindex(reports)]
    return outputs
end
