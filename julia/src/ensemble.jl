"""
    simulate_ensemble(build, states, grid, wells, schedule, start, stop; control, solver, finished = m -> nothing)

Run `length(states)` members on all threads, each thread taking the next member when it is free. `build(m, pattern)`
makes the [`Model`](@ref) of member m. Returns the new states and the reports. A member whose simulation fails or throws
is reported as such and disturbs no other; results do not depend on the number of threads. `finished(m)` is called,
under a lock, when member m is done.
"""
function simulate_ensemble(
        build::B, states::Vector{State}, g::Grid, wells::Vector{Well}, schedule::Schedule, start, stop;
        control = StepControl(), solver = CPRSolver(), finished = m -> nothing) where {B}
    pattern = Pattern(g, wells)
    symbolic = SymbolicLU(pattern, nested_dissection(g))
    results = copy(states)
    reports = [Report(Float64(start), length(wells)) for _ in states]
    next = Threads.Atomic{Int}(1)
    guard = ReentrantLock()
    begun, ended = Float64(start), Float64(stop)
    solver isa DirectSolver && LinearAlgebra.BLAS.set_num_threads(1)      # members already fill the cores
    workers = map(1:min(Threads.nthreads(), length(states))) do _
        Threads.@spawn begin
            ws = Workspace(solver, pattern, symbolic)
            while true
                m = Threads.atomic_add!(next, 1)
                m > length(states) && break
                results[m], reports[m] = run_member(ws, build, m, states[m], pattern, schedule, begun, ended, control)
                lock(guard) do
                    finished(m)
                end
            end
        end
    end
    foreach(wait, workers)
    return results, reports
end

function run_member(ws::Workspace, build::B, m::Int, state::State, pattern::Pattern, schedule::Schedule, start, stop,
                    control) where {B}
    try
        return simulate!(ws, build(m, pattern), state, schedule, start, stop, control)
    catch err
        err isa InterruptException && rethrow()
        report = Report(start, length(pattern.perforations))
        report.reason = replace(sprint(showerror, err), '\n' => ' ')
        return state, report
    end
end
