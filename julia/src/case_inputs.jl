# What `run_case` reads from its dictionary.

number(inputs, key) = Float64(only_value(inputs[key]))
number(inputs, key, default) = haskey(inputs, key) ? number(inputs, key) : Float64(default)
function vector(inputs, key)::Vector{Float64}
    value = inputs[key]
    return value isa Number ? Float64[value] : convert(Vector{Float64}, vec(value))
end
only_value(x::Number) = x
only_value(x::AbstractArray) =
    length(x) == 1 ? first(x) : throw(ArgumentError("a single number is wanted, an array of $(length(x)) came"))

# Julia's own mode "a" looks for the end once and writes there: two threads at a time would write over each other. Here
# the system puts each byte behind the last.
function append_byte(path::String)
    flags = Base.Filesystem.JL_O_WRONLY | Base.Filesystem.JL_O_CREAT | Base.Filesystem.JL_O_APPEND
    file = Base.Filesystem.open(path, flags, 0o644)
    try
        write(file, 0x2e)
    finally
        close(file)
    end
    return nothing
end

# The shapes an array of the grid may have here, last axis first: (nz, ny, nx), of a section (nz, nx), or flat.
function fits(shape, g::Grid)
    return shape == (g.nz, g.ny, g.nx) || (g.ny == 1 && shape == (g.nz, g.nx)) || shape == (ncells(g),)
end

"Array `(M, *grid)` of one value per cell and member, as a matrix with one column per member."
function by_member(inputs, key, g::Grid)
    array, n = inputs[key], ncells(g)
    (array isa AbstractArray && !isempty(array) && length(array) % n == 0) || throw(ArgumentError(
        "$key has $(length(array)) values: give a multiple of the $n cells"))
    (ndims(array) == 1 || fits(size(array)[1:end-1], g)) || throw(ArgumentError(
        "$key has shape $(reverse(size(array))): give one field of $((g.nx, g.ny, g.nz)) per member"))
    return reshape(convert(Array{Float64}, array), n, :)
end

"One number, or one per cell: a vector with one value per cell."
function by_cell(inputs, key, g::Grid)
    value, n = inputs[key], ncells(g)
    length(value) == 1 && return fill(number(inputs, key), n)
    length(value) == n && (ndims(value) == 1 || fits(size(value), g) || fits(size(value)[1:end-1], g)) ||
        throw(ArgumentError(string(key, " has shape ", reverse(size(value)), ": give one number, or one for each of ",
                                   (g.nx, g.ny, g.nz), " cells")))
    return vec(convert(Array{Float64}, value))
end

# Porosity of each member as a matrix; nothing when all share it.
function case_porosity(inputs, g::Grid, M)
    length(inputs["porosity"]) in (1, ncells(g)) && return nothing
    array = by_member(inputs, "porosity", g)
    size(array, 2) == M || throw(ArgumentError("porosity has $(size(array, 2)) members, the ensemble $M"))
    return array
end

"Keywords of `Rock` that all members share."
function case_rock(inputs, g::Grid, fluids::Fluids)
    per_cell(key) = haskey(inputs, key) ? by_cell(inputs, key, g) : 1.0
    return (ky_over_kx = per_cell("ky_over_kx"), kv_over_kh = per_cell("kv_over_kh"),
            pore_volume_multiplier = per_cell("pore_volume_multiplier"),
            active = haskey(inputs, "active") ? by_cell(inputs, "active", g) .!= 0 : true,
            compressibility = number(inputs, "rock_compressibility", 0.0),
            reference_pressure = number(inputs, "rock_reference_pressure", fluids.reference_pressure),
            edge_multiplier = number(inputs, "edge_multiplier", 1.0))
end

# Every keyword by its name: a list put together while running would have to be compiled in every process.
function case_fluids(inputs)
    usual = Fluids()
    value(key) = number(inputs, String(key), getfield(usual, key))
    law(key) = String(get(inputs, key, "exponential"))
    return Fluids(; relative_permeability = case_curves(inputs), capillarity = case_capillarity(inputs),
                  brine_density_law = law("brine_density_law"), co2_density_law = law("co2_density_law"),
                  brine_density = value(:brine_density), co2_density = value(:co2_density),
                  reference_pressure = value(:reference_pressure),
                  brine_compressibility = value(:brine_compressibility),
                  co2_compressibility = value(:co2_compressibility), brine_viscosity = value(:brine_viscosity),
                  co2_viscosity = value(:co2_viscosity), brine_residual = value(:brine_residual),
                  co2_residual = value(:co2_residual), brine_endpoint = value(:brine_endpoint),
                  co2_endpoint = value(:co2_endpoint), land_coefficient = value(:land_coefficient))
end

function case_curves(inputs)
    kind = get(inputs, "relative_permeability", "corey")
    kind == "corey" && return Corey(number(inputs, "brine_exponent", 2.0), number(inputs, "co2_exponent", 2.0))
    kind == "brooks_corey" && return BrooksCoreyCurves(number(inputs, "curve_pore_size_index"))
    kind == "van_genuchten" && return VanGenuchtenCurves(number(inputs, "curve_van_genuchten_m"))
    kind == "table" && return TabulatedCurves(vector(inputs, "curve_saturation"), vector(inputs, "curve_brine"),
                                              vector(inputs, "curve_co2"))
    throw(ArgumentError("relative_permeability = \"$kind\": give corey, brooks_corey, van_genuchten or table"))
end

function case_capillarity(inputs)
    kind = get(inputs, "capillarity", "none")
    residual = number(inputs, "brine_residual", 0.1)
    kind == "none" && return NoCapillarity()
    kind == "brooks_corey" && return BrooksCorey(number(inputs, "entry_pressure"), number(inputs, "pore_size_index"),
                                                 residual)
    kind == "van_genuchten" && return VanGenuchten(number(inputs, "capillary_scale"),
                                                   number(inputs, "van_genuchten_m"), residual)
    kind == "table" && return TabulatedCapillarity(vector(inputs, "capillary_saturation"),
                                                   vector(inputs, "capillary_table"))
    throw(ArgumentError("capillarity = \"$kind\": give none, brooks_corey, van_genuchten or table"))
end

"Cell numbers of a (P, 3) array of ix, iy, iz from 0."
function case_cells(inputs, key, g::Grid)
    given = convert(Vector{Int}, vec(inputs[key]))
    cells = zeros(Int, length(given) ÷ 3)
    for p in 1:length(cells)
        ix, iy, iz = given[3p-2], given[3p-1], given[3p]
        0 <= ix < g.nx && 0 <= iy < g.ny && 0 <= iz < g.nz ||
            throw(ArgumentError("$key: [$ix, $iy, $iz] lies outside the grid $((g.nx, g.ny, g.nz)), counted from 0"))
        cells[p] = cell_index(g, ix + 1, iy + 1, iz + 1)
    end
    return cells
end

function case_wells(inputs, g::Grid)
    haskey(inputs, "well_cells") || return Well[]
    cells, owner = case_cells(inputs, "well_cells", g), convert(Vector{Int}, vec(inputs["well_of_cell"]))
    radius, skin = vector(inputs, "well_radius"), vector(inputs, "well_skin")
    limit = vector(inputs, "well_pressure_limit")
    count = length(radius)
    length(owner) == length(cells) && all(w -> 0 <= w < count, owner) || throw(ArgumentError(
        "well_of_cell $(brief(owner)): give a well from 0 to $(count - 1) for each of the $(length(cells)) well_cells"))
    wells = Well[]
    for w in 1:count
        own = Int[cells[p] for p in 1:length(cells) if owner[p] == w - 1]
        push!(wells, Well(own; radius = radius[w], skin = skin[w], pressure_limit = limit[w]))
    end
    return wells
end

function case_schedule(inputs, fluids::Fluids, wells::Int)
    wells == 0 && return Schedule(Float64[], zeros(0, 0))
    times = vector(inputs, "schedule_times")
    return Schedule(times, fluids.co2_density .* by_time(inputs, "schedule_rates", wells, length(times)))
end

function case_sources(inputs, g::Grid)
    haskey(inputs, "source_cells") || return Sources()
    cells, times = case_cells(inputs, "source_cells", g), vector(inputs, "source_times")
    none = zeros(length(cells), length(times))
    rates(key) = haskey(inputs, key) ? by_time(inputs, key, length(cells), length(times)) : none
    return Sources(cells, times, rates("source_co2"), rates("source_brine"))
end

# A (T, count) array, here with one column per time.
function by_time(inputs, key, count, times)
    rates = vector(inputs, key)
    length(rates) == count * times ||
        throw(ArgumentError("$key has $(length(rates)) values: give $times times of $count"))
    return reshape(rates, count, times)
end

const STEP_NUMBERS = (:initial, :maximum, :minimum, :growth, :cut, :max_saturation_change)
const STEP_COUNTS = (:max_cuts, :max_newton, :easy_newton, :max_local)
const STEP_LISTS = (:tolerance_residual, :tolerance_mass, :ends)

function case_control(inputs)
    given(keys) = filter(key -> haskey(inputs, "step_$key"), keys)
    return StepControl(; (key => number(inputs, "step_$key") for key in given(STEP_NUMBERS))...,
                       (key => Int(only_value(inputs["step_$key"])) for key in given(STEP_COUNTS))...,
                       (key => vector(inputs, "step_$key") for key in given(STEP_LISTS))...)
end

function case_solver(inputs)
    kind = get(inputs, "solver", "auto")
    kind == "direct" && return DirectSolver()
    tolerance = number(inputs, "linear_tolerance", CPRSolver().tolerance)
    0 < tolerance < 1 || throw(ArgumentError("linear_tolerance = $tolerance: give a number between 0 and 1"))
    kind == "auto" && return AutoSolver(; tolerance = tolerance)
    kind == "cpr" && return CPRSolver(; tolerance = tolerance)
    throw(ArgumentError("solver = \"$kind\": give auto, cpr or direct"))
end
