"""
    simulate_ensemble(build, states, grid, wells, schedule, start, stop; control, solver, sources = Sources(),
                      report_times = [], observe = (m, k, state, balance) -> nothing, active = all true,
                      time_limit = Inf, begun = m -> nothing, finished = (m, state, report) -> nothing)

Run `length(states)` members on all threads, each thread taking the next member when it is free. `build(m, pattern)`
makes the [`Model`](@ref) of member m. Returns the new states and the reports. A member whose simulation fails or throws
is reported as such, with the stack, and disturbs no other; results do not depend on the number of threads. `observe` is
called as in [`simulate`](@ref), with the member's number in front; `begun` and `finished` before and after a member; all
of them by several threads at once, but one per member. `time_limit` [s] holds for each member. What the members share is
checked first, and throws an `ArgumentError`.
"""
function simulate_ensemble(
        @nospecialize(build), states::Vector{State}, g::Grid, wells::Vector{Well}, schedule::Schedule, start, stop;
        control = StepControl(), solver = AutoSolver(), sources = Sources(), report_times = Float64[],
        observe = (m, k, state, balance) -> nothing, active = fill(true, ncells(g)), time_limit = Inf,
        begun = m -> nothing, finished = (m, state, report) -> nothing)
    check_run(wells, schedule, sources, active, start, stop, report_times)
    pattern = Pattern(g, wells)
    results = copy(states)
    reports = [Report(Float64(start), length(wells)) for _ in states]
    next = Threads.Atomic{Int}(1)
    run = (schedule, sources, Float64(start), Float64(stop), control, collect(Float64, report_times))
    solver isa DirectSolver && LinearAlgebra.BLAS.set_num_threads(1)      # members already fill the cores
    workers = map(1:min(Threads.nthreads(), length(states))) do _
        Threads.@spawn begin
            ws = Workspace(solver, pattern)
            while true
                m = Threads.atomic_add!(next, 1)
                m > length(states) && break
                begun(m)
                reports[m] = Report(Float64(start), length(wells); time_limit = Float64(time_limit))
                results[m] = run_member(ws, build, m, states[m], pattern, run, observe, reports[m])
                finished(m, results[m], reports[m])
            end
        end
    end
    foreach(wait, workers)
    return results, reports
end

function run_member(ws::Workspace, @nospecialize(build), m::Int, state::State, pattern::Pattern, run,
                    @nospecialize(observe), report::Report)
    try
        return simulate!(ws, build(m, pattern), state, run..., (k, now, balance) -> observe(m, k, now, balance),
                         report)[1]
    catch err
        err isa InterruptException && rethrow()
        report.reason = replace(sprint(showerror, err), '\n' => ' ')
        report.stack = sprint(Base.show_backtrace, catch_backtrace())
        for attempt in report.history
            attempt.accepted && (report.time = attempt.time + attempt.length)
        end
        report.seconds = clock() - report.begun
        return state
    end
end
