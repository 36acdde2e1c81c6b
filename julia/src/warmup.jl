# Julia keeps native code in the package's cache from 1.9 on: run a tiny case while the cache is made, so that the first
# call later is fast. Older versions keep only inferred code, for which the directives suffice.

function tiny_case()
    field(value) = fill(value, 3, 4, 1)
    return Dict{String,Any}(
        "shape" => Int64[4, 1, 3], "spacing" => [10.0, 10.0, 5.0], "top" => 1000.0, "permeability" => field(1e-13),
        "saturation" => field(0.0), "pressure" => field(100e5), "porosity" => 0.25, "start" => 0.0, "stop" => 86400.0,
        "well_cells" => Int64[1 1; 0 0; 1 2], "well_of_cell" => Int64[0, 0],
        "well_radius" => [0.1], "well_skin" => [0.0],
        "well_pressure_limit" => [Inf], "schedule_times" => [0.0], "schedule_rates" => fill(1e-5, 1, 1))
end

precompile(run_case, (Dict{String,Any},))
precompile(run_case, (Dict{String,Any}, Watch))
for (R, C) in ((Corey, NoCapillarity), (Corey, BrooksCorey))
    F, M = Fluids{C,R}, Model{C,R}
    precompile(run_case, (Dict{String,Any}, Grid, F, Watch))
    precompile(simulate!, (Workspace{AutoWorkspace}, M, State, Schedule, Sources, Float64, Float64, StepControl,
                           Vector{Float64}, Function, Report))
    precompile(newton_step!, (Workspace{AutoWorkspace}, M, State, Float64, StepControl))
    precompile(case_outputs, (Vector{State}, Vector{Report}, ReportArrays, F, NTuple{3,Int}))
    precompile(case_member, (Int, State, Report, ReportArrays, F, NTuple{3,Int}))
end
precompile(run_member, (Workspace{AutoWorkspace}, Any, Int, State, Pattern,
                        Tuple{Schedule, Sources, Float64, Float64, StepControl, Vector{Float64}}, Any, Report))
precompile(Pattern, (Grid, Vector{Well}))
precompile(Workspace, (AutoSolver, Pattern))
precompile(case_results, (Vector{State}, Vector{Report}, NTuple{3,Int}, Int))
precompile(case_fluids, (Dict{String,Any},))
precompile(case_wells, (Dict{String,Any}, Grid))
precompile(case_control, (Dict{String,Any},))
precompile(case_solver, (Dict{String,Any},))

if VERSION >= v"1.9" && ccall(:jl_generating_output, Cint, ()) == 1
    run_case(tiny_case())
end

# Older versions keep a call to a function of Base as a call by name where Base brings no native code for it (`exp` of
# Debian's Julia 1.5): it then allocates its argument and its result, 32 bytes a cell and phase, and with two threads the
# collector gives and takes pages all the time. Compiling these functions before their callers makes it a plain call.
function __init__()
    VERSION < v"1.9" || return
    precompile(exp, (Float64,))
    precompile(^, (Float64, Float64))
    precompile(hypot, (Float64, Float64))
    return nothing
end
