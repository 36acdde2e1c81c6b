"""
    simulate_ensemble(build, states, grid, wells, schedule, start, stop; control, solver, sources = Sources(),
                      report_times = [], observe = (m, k, state, balance) -> nothing, active = all true,
                      finished = m -> nothing)

Run `length(states)` members on all threads, each thread taking the next member when it is free. `build(m, pattern)`
makes the [`Model`](@ref) of member m. Returns the new states and the reports. A member whose simulation fails or throws
is reported as such and disturbs no other; results do not depend on the number of threads. `observe` is called as in
[`simulate`](@ref), with the member's number in front, by several threads at once (but one per member); `finished(m)`
under a lock, when member m is done. What the members share is checked first, and throws an `ArgumentError`.
"""
function simulate_ensemble(
        @nospecialize(build), states::Vector{State}, g::Grid, wells::Vector{Well}, schedule::Schedule, start, stop;
        control = StepControl(), solver = AutoSolver(), sources = Sources(), report_times = Float64[],
        observe = (m, k, state, balance) -> nothing, active = fill(true, ncells(g)), finished = m -> nothing)
    check_run(wells, schedule, sources, active, start, stop, report_times)
    pattern = Pattern(g, wells)
    results = copy(states)
    reports = [Report(Float64(start), length(wells)) for _ in states]
    next = Threads.Atomic{Int}(1)
    guard = ReentrantLock()
    run = (schedule, sources, Float64(start), Float64(stop), control, collect(Float64, report_times))
    solver isa DirectSolver && LinearAlgebra.BLAS.set_num_threads(1)      # members already fill the cores
    workers = map(1:min(Threads.nthreads(), length(states))) do _
        Threads.@spawn begin
            ws = Workspace(solver, pattern)
            while true
                m = Threads.atomic_add!(next, 1)
                m > length(states) && break
                results[m], reports[m] = run_member(ws, build, m, states[m], pattern, run, observe)
                lock(guard) do
                    finished(m)
                end
            end
        end
    end
    foreach(wait, workers)
    return results, reports
end

function run_member(ws::Workspace, @nospecialize(build), m::Int, state::State, pattern::Pattern, run,
                    @nospecialize(observe))
    try
        return simulate!(ws, build(m, pattern), state, run..., (k, now, balance) -> observe(m, k, now, balance))
    catch err
        err isa InterruptException && rethrow()
        report = Report(run[3], length(pattern.perforations))
        report.reason = replace(sprint(showerror, err), '\n' => ' ')
        return state, report
    end
end
