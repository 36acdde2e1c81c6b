"""
    simulate(model, state, schedule, start, stop; control = StepControl(), solver = AutoSolver(), sources = Sources(),
             report_times = [], observe = (k, state, balance) -> nothing, time_limit = Inf)

Carry one member from `start` to `stop` [s]. Returns the new [`State`](@ref) and a [`Report`](@ref); after a failure the
state is that of the last good step. At each of the `report_times`, which increase in (start, stop], a step ends and
`observe` is called with the number of the report, the state (to be copied, not kept) and its [`Balance`](@ref). A member
that is not there after `time_limit` seconds of computing has failed.

Whatever is kept from step to step beside the state is forgotten at report times and where rates change: with prescribed
steps, a run that reports at t₁ and goes on to t₂ equals a run to t₁ and another one from there to t₂, bit for bit.

Throws an `ArgumentError` before the first step when something cannot be: the state, the times, a rate without limit.
"""
function simulate(m::Model, state::State, schedule::Schedule, start, stop; control = StepControl(),
                  solver = AutoSolver(), sources = Sources(), report_times = Float64[],
                  observe = (k, state, balance) -> nothing, time_limit = Inf)
    check_run(m.wells, schedule, sources, m.rock.active, start, stop, report_times)
    return simulate!(Workspace(solver, m.pattern), m, state, schedule, sources, Float64(start), Float64(stop),
                     control, collect(Float64, report_times), observe,
                     Report(start, length(m.wells); time_limit = time_limit))
end

"What members have in common, checked before any of them runs."
function check_run(wells, schedule::Schedule, sources::Sources, active, start, stop, report_times)
    (isfinite(start) && isfinite(stop) && stop > start) ||
        throw(ArgumentError("stop = $stop: give a finite time in seconds after start = $start"))
    check_times("report_times", report_times)
    isempty(report_times) || (report_times[1] > start && report_times[end] <= stop) ||
        throw(ArgumentError("report_times $(brief(report_times)): give times after start = $start, up to stop = $stop"))
    check_perforations(wells, active)
    check_schedule(wells, schedule)
    check_sources(sources, active)
    return nothing
end

# Brine and rock are compressible, so that even immobile brine can fill less of the pores than its residual: what a
# swing of 100 bar does to it, and ten times what Newton leaves, are no errors of the start.
saturation_slack(m::Model, control::StepControl) = 1e-9 + 10 * maximum(control.tolerance_residual) +
    residual_brine(m.fluids) * (m.fluids.brine_compressibility + m.rock.compressibility) * 1e7

"As [`simulate`](@ref), in a workspace that can be used again. Not compiled anew for every `observe`."
function simulate!(ws::Workspace, m::Model, initial::State, schedule::Schedule, sources::Sources, start::Float64,
                   stop::Float64, control::StepControl, report_times::Vector{Float64}, @nospecialize(observe),
                   report::Report)
    report.begun = clock()                                        # the compilation of this function does not count
    check_state(m, initial, saturation_slack(m, control))
    state = prepared(m, initial)
    before = masses(m, state)
    t, dt, last, next = start, 0.0, -1.0, 1
    for finish in landings(start, stop, schedule.times, sources.times, report_times)
        reset!(ws.linear)
        begin_step!(ws.system, m, state)
        now = t + same_time(t)
        k, previous = period(schedule, now), period(schedule, t - same_time(t))
        for w in eachindex(m.wells)
            ws.scheduled[w] = rate(schedule, w, k)
            weigh_column!(ws.system, m, state, w, rate(schedule, w, previous), ws.scheduled[w])
        end
        set_period!(ws.sources, sources, now)
        total = sum(ws.scheduled) + sum(ws.sources.co2) + sum(ws.sources.brine)
        first_step = initial_step(m, state, ws, control)
        dt = total > last ? (last < 0 ? first_step : min(dt, first_step)) : dt
        last = total
        t, dt = run_period!(ws, m, state, t, finish, dt, control, report)
        t < finish && break
        while next <= length(report_times) && report_times[next] <= finish + same_time(finish)
            observe(next, state, Balance(m, before, state, report))
            next += 1
        end
    end
    report.converged = t >= stop
    report.time = t
    balance = Balance(m, before, state, report)
    report.brine_error, report.co2_error = balance.brine_error, balance.co2_error
    report.seconds = clock() - report.begun
    return state, report
end

# A copy to work on: no CO2 where nothing takes part, and the largest saturation at least what there is now.
function prepared(m::Model, initial::State)
    state = copy(initial)
    for i in eachindex(state.saturation)
        m.rock.active[i] || (state.saturation[i] = state.maximum_saturation[i] = 0.0)
    end
    remember_maximum!(state)
    return state
end

function remember_maximum!(state::State)
    state.maximum_saturation .= max.(state.maximum_saturation, state.saturation)
    return nothing
end

# Steps of one period of constant rates, from t to `finish`; the time reached is smaller when the member failed.
function run_period!(ws::Workspace, m::Model, state::State, t, finish, dt, control::StepControl, report::Report)
    isempty(control.ends) && return reach!(ws, m, state, t, finish, dt, control, report)
    while t < finish
        target = prescribed_end(control.ends, t, finish)
        t, _ = reach!(ws, m, state, t, target, Inf, control, report)       # Inf: in one step, if it converges
        t < target && break
    end
    return t, dt
end

# Steps of about dt from t to `target`.
function reach!(ws::Workspace, m::Model, state::State, t, target, dt, control::StepControl, report::Report)
    cuts = 0                                                      # of the step that is being tried
    while t < target
        if is_overdue(report)
            report.reason = overdue(t, report)
            return t, dt
        end
        left = target - t
        taken = dt >= left ? left : dt > 0.5 * left ? 0.5 * left : dt
        solved, newton, linear, local_newton = newton_step!(ws, m, state, taken, control)
        plausible = !solved || is_plausible(m, ws.trial)
        push!(report.history, Attempt(t, taken, newton, linear, solved && plausible))
        report.newton += newton
        report.linear += linear
        report.local_newton += local_newton
        if !solved
            report.cuts += 1
            cuts += 1
            dt = control.cut * taken
            if cuts > control.max_cuts || dt < control.minimum
                report.reason = failure(t, taken, cuts, newton, control)
                return t, dt
            end
            continue
        end
        if !plausible
            report.reason = implausible(t + taken, m, ws.trial)
            return t, dt
        end
        accept!(ws, m, state, taken, report)
        cuts = 0
        t = taken == left ? target : t + taken
        taken == dt && newton <= control.easy_newton && (dt = min(control.maximum, control.growth * dt))
    end
    return t, dt
end

function accept!(ws::Workspace, m::Model, state::State, taken, report::Report)
    copyto!(state, ws.trial)
    next_step!(ws.system, m, state, taken)
    remember_maximum!(state)
    for w in eachindex(m.wells)
        weigh_column!(ws.system, m, state, w, ws.scheduled[w], ws.scheduled[w])
    end
    copyto!(report.bottom_hole, ws.system.bottom_hole)
    copyto!(report.rates, ws.system.rates)
    report.injected += (sum(ws.system.rates) + sum(ws.sources.co2)) * taken
    report.injected_brine += sum(ws.sources.brine) * taken
    report.steps += 1
    return nothing
end

days(t) = round(t / 86400; sigdigits = 5)
bars(p) = round(p / 1e5; sigdigits = 3)

failure(t, dt, cuts, newton, control::StepControl) = string(
    "no convergence at t = ", days(t), " days with a step of ", days(dt), " days after ", cuts, " cuts (",
    newton, " of ", control.max_newton, " Newton iterations in the last one)")

overdue(t, report::Report) = string(
    "took longer than the limit of ", report.time_limit, " s: reached t = ", days(t), " days in ", report.steps, " steps")

# The laws of density hold for small changes only. A rate that tight rock cannot take shows as a pressure far beyond
# them.
function is_plausible(m::Model, state::State)
    f, rock = m.fluids, m.rock
    c = max(f.brine_compressibility, f.co2_compressibility, rock.compressibility)
    return all(i -> !rock.active[i] || c * abs(state.pressure[i] - f.reference_pressure) <= 1,
               eachindex(state.pressure))
end

function implausible(t, m::Model, state::State)
    p = state.pressure[m.rock.active]
    return string("pressure between ", bars(minimum(p)), " and ", bars(maximum(p)), " bar at t = ", days(t),
                  " days is beyond the laws of density: the rock cannot take the rate, give the well a pressure_limit")
end

# The time in which the pore space of a well's cells, or of a source's, is filled once.
function initial_step(m::Model, state::State, ws::Workspace, control::StepControl)
    control.initial > 0 && return min(control.initial, control.maximum)
    step = control.maximum
    for (w, well) in enumerate(m.wells)
        mass_rate = min(ws.scheduled[w], accepted_rate(m, state, w))
        mass_rate > 0 || continue
        volume = sum(m.pore_volume[i] for i in well.cells)
        step = min(step, volume * m.fluids.co2_density / mass_rate)
    end
    for (s, i) in enumerate(ws.sources.cells)
        volume_rate = ws.sources.co2[s] / m.fluids.co2_density + ws.sources.brine[s] / m.fluids.brine_density
        volume_rate > 0 && (step = min(step, m.pore_volume[i] / volume_rate))
    end
    return max(step, control.minimum)
end

# What a well would inject now at its pressure limit [kg/s].
function accepted_rate(m::Model, state::State, w)
    well, f, total = m.wells[w], m.fluids, 0.0
    isfinite(well.pressure_limit) || return Inf
    column = co2_density(f, state.pressure[well.cells[1]])
    for (j, i) in enumerate(well.cells)
        p, S = state.pressure[i], state.saturation[i]
        mobility = brine_mobility(f, S)[1] + co2_mobility(f, S, state.maximum_saturation[i])[1]
        drawdown = well.pressure_limit + column * m.well_heights[w][j] - p
        total += m.well_indices[w][j] * mobility * co2_density(f, p) * max(drawdown, 0.0)
    end
    return total
end
