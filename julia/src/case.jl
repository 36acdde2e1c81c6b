# The entry for other languages: one dictionary of plain arrays, numbers and texts in, one out.

"""
    run_case(inputs::AbstractDict{String}; begun = m -> nothing, finished = (m, outputs) -> nothing) -> Dict{String,Any}

Simulate an ensemble. Sizes are written as NumPy sees them, `(M, nx[, ny], nz)` in C order; here the axes come reversed.
Numbers may be numbers or arrays of one element. Required:

- `shape` (3,) = nx, ny, nz and `spacing` (3,) [m] (of a section: ny = 1, and its thickness); `top`, the depth of the
  upper face [m].
- `permeability` [m²], `saturation`, `pressure` [Pa], each `(M, *grid)`; `porosity`: one number, one per cell, or
  `(M, *grid)`.
- `start`, `stop` [s].

Wells and schedule (none when `well_cells` is missing): `well_cells` (P, 3) = ix, iy, iz from 0 of every perforation,
from top to bottom; `well_of_cell` (P,) = its well, from 0; `well_radius`, `well_skin`, `well_pressure_limit` (W,);
`schedule_times` (T,) [s]; `schedule_rates` (T, W) [m³/s at CO2 reference density], `Inf` = pressure control.

Sources (none when `source_cells` is missing): `source_cells` (P, 3) = ix, iy, iz from 0; `source_times` (T,) [s];
`source_co2`, `source_brine` (T, P) [kg/s] (one of them may be missing: zero).

Optional:

- Fluids: the numbers among the keywords of [`Fluids`](@ref); `brine_density_law`, `co2_density_law` = "exponential",
  "linear" or "quadratic"; `land_coefficient`.
- `relative_permeability` = "corey" (with `brine_exponent`, `co2_exponent`), "brooks_corey" (`curve_pore_size_index`),
  "van_genuchten" (`curve_van_genuchten_m`) or "table" (`curve_saturation`, `curve_brine`, `curve_co2` (T,)).
- `capillarity` = "none", "brooks_corey" (`entry_pressure`, `pore_size_index`), "van_genuchten" (`capillary_scale`,
  `van_genuchten_m`) or "table" (`capillary_saturation`, `capillary_table` [Pa] (T,)).
- Rock: `ky_over_kx`, `kv_over_kh`, `pore_volume_multiplier`, one number or one per cell; `active`, one per cell;
  `rock_compressibility`, `rock_reference_pressure`, `edge_multiplier`; `gravity`.
- `maximum_saturation` `(M, *grid)`, what residual trapping remembers (without it: the saturation).
- Steps: the keywords of [`StepControl`](@ref) with the prefix `step_`. `solver` = "auto", "cpr" or "direct";
  `linear_tolerance`.
- `report_times` (T,) [s]; `member_time_limit` [s], the computing time after which a member fails; `progress`, a file that
  grows by one byte per finished member.

What members share and cannot be throws an `ArgumentError`; a member whose own arrays cannot be fails with its reason.
`begun(m)` is called when member m begins and `finished(m, outputs)` when it ends, with its part of the result (as of an
ensemble of one); by several threads at once.

Result:

- `saturation`, `pressure` (not-a-number where a member failed), and `maximum_saturation` with residual trapping;
- `status` (M,) 0 = done, 1 = failed; `reason`, one line per member; `stack`, where something was thrown (one text per
  member, parted by form feeds); `steps`, `cuts`, `newton_iterations`,
  `linear_iterations`, `local_iterations` (Newton's on the front alone), `injected_mass`, `injected_brine` [kg],
  `brine_error`, `co2_error` [kg], `final_time` [s], `seconds` (M,); `bottom_hole_pressure` [Pa] and `well_rate` [kg/s]
  (M, W);
- all attempts of all members, one member after the other: `history_count` (M,), and flat `history_time` [s, its start],
  `history_step` [s], `history_newton`, `history_linear`, `history_accepted` (0 or 1);
- with `report_times`: `report_saturation`, `report_pressure`, `report_co2_pressure` (M, T, *grid); `report_brine_mass`,
  `report_co2_mass` (M, T) [kg in place], `report_brine_injected`, `report_co2_injected` [kg since the start],
  `report_brine_error`, `report_co2_error` [kg]; not-a-number from a failure on.
"""
run_case(inputs::AbstractDict{String}; begun = m -> nothing, finished = (m, outputs) -> nothing) =
    run_case(inputs, Watch(begun, finished))

"Who wants to know when members begin and finish."
struct Watch
    begun::Function
    finished::Function
end

function run_case(inputs::AbstractDict{String}, watch::Watch)
    nx, ny, nz = Int.(inputs["shape"])
    dx, dy, dz = Float64.(inputs["spacing"])
    g = Grid(nx, ny, nz, dx, dy, dz; top = number(inputs, "top", 0.0))
    return run_case(inputs, g, case_fluids(inputs), watch)
end

function run_case(inputs::AbstractDict{String}, g::Grid, fluids::Fluids, watch::Watch)
    n = ncells(g)
    permeability, saturation = by_member(inputs, "permeability", g), by_member(inputs, "saturation", g)
    pressure = by_member(inputs, "pressure", g)
    M = size(saturation, 2)
    highest = haskey(inputs, "maximum_saturation") ? by_member(inputs, "maximum_saturation", g) : saturation
    size(pressure, 2) == size(permeability, 2) == size(highest, 2) == M ||
        throw(ArgumentError(string("permeability, saturation, pressure have ", size(permeability, 2), ", ", M, ", ",
                                   size(pressure, 2), " members: give the same number of each")))
    porosity = case_porosity(inputs, g, M)
    keywords = case_rock(inputs, g, fluids)
    Rock(porosity === nothing ? by_cell(inputs, "porosity", g) : fill(0.5, n), ones(n); keywords...)   # or it throws
    active = one_per_cell(Bool, "active", keywords.active, n)
    wells = case_wells(inputs, g)
    schedule = case_schedule(inputs, fluids, length(wells))
    sources = case_sources(inputs, g)
    gravity = number(inputs, "gravity", 9.80665)
    function build(m, pattern)
        φ = porosity === nothing ? by_cell(inputs, "porosity", g) : porosity[:, m]
        return Model(g, Rock(φ, permeability[:, m]; keywords...), fluids, wells, pattern; gravity = gravity)
    end
    times = haskey(inputs, "report_times") ? vector(inputs, "report_times") : Float64[]
    limit = number(inputs, "member_time_limit", Inf)
    limit >= 0 || throw(ArgumentError("member_time_limit = $limit: give seconds, not negative"))
    shape = size(inputs["saturation"])
    reported = ReportArrays(shape, n, M, length(times))
    function told(m, state, report)
        haskey(inputs, "progress") && append_byte(String(inputs["progress"]))
        watch.finished(m, case_member(m, state, report, reported, fluids, shape))
    end
    states = [State(pressure[:, m], saturation[:, m], highest[:, m]) for m in 1:M]
    results, reports = simulate_ensemble(
        build, states, g, wells, schedule, number(inputs, "start"), number(inputs, "stop");
        control = case_control(inputs), solver = case_solver(inputs), sources = sources, report_times = times,
        observe = (m, k, state, balance) -> record!(reported, fluids, active, m, k, state, balance), active = active,
        time_limit = limit, begun = watch.begun, finished = told)
    return case_outputs(results, reports, reported, fluids, shape)
end
